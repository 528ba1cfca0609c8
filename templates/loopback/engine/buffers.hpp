// The buffers of the array: activations of each lane, and weights. Digits in simulation, words in hardware.
#ifndef LOOPBACK_BUFFERS_HPP
#define LOOPBACK_BUFFERS_HPP

#include "check.hpp"
#include "types.hpp"

namespace loopback {

// Digit i of packed digits.
template <int BITS>
inline unsigned digit_of(const ap_uint<BITS>& packed, unsigned i) {
#pragma HLS INLINE
  return ap_uint<DIGIT>(packed.range(DIGIT * i + DIGIT - 1, DIGIT * i)).to_uint();
}

#ifdef FLOWC_NATIVE

typedef int16_t Digits[COLUMNS];

// Digits of a beat, low ones first: what digit_of gives, from whole numbers.
inline void unpack(const Beat& beat, int16_t* out) {
  const uint64_t halves[2] = {ap_uint<64>(beat.range(63, 0)).to_uint64(), ap_uint<64>(beat.range(127, 64)).to_uint64()};
  for (unsigned i = 0; i < BEAT_BITS / DIGIT; ++i)
    out[i] = int16_t(halves[i * DIGIT / 64] >> (i * DIGIT % 64) & ((1u << DIGIT) - 1));
}

struct ActBuffer {
  Digits words[LANES][ACT_WORDS];

  void write(unsigned lane, unsigned place, unsigned part, const Beat& beat) {
    unpack(beat, &words[lane][place][part * (BEAT_BITS / DIGIT)]);
  }

  void read(unsigned lane, unsigned place, int16_t (&out)[COLUMNS]) const {
    for (unsigned c = 0; c < COLUMNS; ++c) out[c] = words[lane][place][c];
  }
};

// [word][column][row], so that the products of a column go to all rows at once.
struct WeightBuffer {
  int16_t words[WEIGHT_WORDS][COLUMNS][ROWS];

  void write(unsigned place, unsigned part, const Beat& beat) {
    int16_t digits[BEAT_BITS / DIGIT];
    unpack(beat, digits);
    for (unsigned i = 0; i < BEAT_BITS / DIGIT; ++i) {
      const unsigned at = part * (BEAT_BITS / DIGIT) + i;
      words[place][at % COLUMNS][at / COLUMNS] = digits[i];
    }
  }
};

#else

// Words in as many banks as a beat has words, so that a beat may begin at any of them; a word of two beats is written by halves.
struct ActBuffer {
  static const unsigned BANKS = WORDS_PER_BEAT;
  static const unsigned PART_BITS = WORD_BITS / BEATS_PER_WORD;
  ap_uint<PART_BITS> words[LANES][BANKS][BEATS_PER_WORD][(ACT_WORDS + BANKS - 1) / BANKS];

  void write(unsigned lane, unsigned place, unsigned part, const Beat& beat) {
#pragma HLS INLINE
    for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
      for (unsigned bank = 0; bank < BANKS; ++bank) {
#pragma HLS UNROLL
        for (unsigned half = 0; half < BEATS_PER_WORD; ++half) {
#pragma HLS UNROLL
          // Word `offset` of the beat goes to this bank.
          const unsigned offset = (bank + BANKS - place % BANKS) % BANKS;
          if (p == lane && half == part)
            words[p][bank][half][(place + offset) / BANKS] = beat >> (PART_BITS * offset);
        }
      }
    }
  }

  Word read(unsigned lane, unsigned place) const {
#pragma HLS INLINE
    Word found = 0;
    for (unsigned half = 0; half < BEATS_PER_WORD; ++half) {
#pragma HLS UNROLL
      Word part = 0;
      for (unsigned bank = 0; bank < BANKS; ++bank) {
#pragma HLS UNROLL
        if (bank == place % BANKS) part = words[lane][bank][half][place / BANKS];
      }
      found |= part << (PART_BITS * half);
    }
    return found;
  }
};

struct WeightBuffer {
  Beat words[WEIGHT_BEATS][WEIGHT_WORDS];

  void write(unsigned place, unsigned part, const Beat& beat) {
#pragma HLS INLINE
    for (unsigned i = 0; i < WEIGHT_BEATS; ++i) {
#pragma HLS UNROLL
      if (i == part) words[i][place] = beat;
    }
  }

  ap_uint<ROWS * WORD_BITS> read(unsigned place) const {
#pragma HLS INLINE
    ap_uint<ROWS * WORD_BITS> found;
    for (unsigned i = 0; i < WEIGHT_BEATS; ++i) {
#pragma HLS UNROLL
      found.range(BEAT_BITS * i + BEAT_BITS - 1, BEAT_BITS * i) = words[i][place];
    }
    return found;
  }
};

#endif

#ifndef __SYNTHESIS__
// The load that each word of a buffer came with; simulation only.
struct Tags {
  static const uint32_t NEVER = 0xffffffff;
  std::vector<uint32_t> tags;

  explicit Tags(unsigned words) : tags(words, NEVER) {}
  bool is(unsigned word, unsigned tag) const { return word < tags.size() && tags[word] == tag; }
  void set(unsigned word, unsigned tag) {
    if (word < tags.size()) tags[word] = tag;
  }
};
#endif

}  // namespace loopback

#endif
