// Between a card's memory and the accelerator's streams. Memory is read and written in words of WORD bytes, one burst after the other; a
// beat takes BEAT bytes there, of which the stream has the first BYTES. What is left of the last word is padding. Both are powers of two,
// given as such: WORD is 1 << LOG_WORD. Loops run as often as the host says; LOOP_TRIPCOUNT, which is for reports alone, gives a frame.
#ifndef FLOWC_MOVER_HPP
#define FLOWC_MOVER_HPP

#include "ap.hpp"

namespace flowc {

// How beats lie in words.
template <unsigned LOG_BEAT, unsigned LOG_WORD>
struct Layout {
  static constexpr bool SMALL = LOG_BEAT <= LOG_WORD;  // a word holds whole beats; else a beat takes whole words
  static constexpr unsigned BEAT = 1u << LOG_BEAT;
  static constexpr unsigned WORD = 1u << LOG_WORD;
  static constexpr unsigned HELD = SMALL ? WORD : BEAT;
  static constexpr unsigned LOG_PER_WORD = SMALL ? LOG_WORD - LOG_BEAT : 0;  // beats of a word
  static constexpr unsigned LOG_PER_BEAT = SMALL ? 0 : LOG_BEAT - LOG_WORD;  // words of a beat
  static constexpr unsigned PER_WORD = 1u << LOG_PER_WORD;
  static constexpr unsigned PER_BEAT = 1u << LOG_PER_BEAT;

  static unsigned words(unsigned beats) { return SMALL ? (beats + PER_WORD - 1) >> LOG_PER_WORD : beats << LOG_PER_BEAT; }
};

// What a call moves: `count` frames of BEATS beats, one after the other without padding; or BEATS beats, `count` times over.
template <unsigned BEATS, bool FRAMES>
struct Amount {
  static unsigned passes(unsigned count) { return FRAMES ? 1 : count; }
  static unsigned beats(unsigned count) { return FRAMES ? count * BEATS : BEATS; }
};

// Sends the words of what is to be moved.
template <unsigned BEATS, bool FRAMES, unsigned LOG_BEAT, unsigned LOG_WORD>
inline void fetch(const ap_uint<(8u << LOG_WORD)>* memory, hls::stream<ap_uint<(8u << LOG_WORD)>>& words, unsigned amount) {
#pragma HLS INLINE off
  typedef Layout<LOG_BEAT, LOG_WORD> L;
  const unsigned passes = Amount<BEATS, FRAMES>::passes(amount);
  const unsigned beats = Amount<BEATS, FRAMES>::beats(amount);
  const unsigned count = L::words(beats);
  for (unsigned pass = 0; pass < passes; ++pass) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 1
    for (unsigned i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min = 1 max = BEATS * L::PER_BEAT
      words.write(memory[i]);
    }
  }
}

// Words into beats; one cycle per beat, or per word where a beat takes several.
template <unsigned BYTES, unsigned BEATS, bool FRAMES, unsigned LOG_BEAT, unsigned LOG_WORD>
inline void cut(hls::stream<ap_uint<(8u << LOG_WORD)>>& words, hls::stream<Axis<BYTES>>& out, unsigned amount) {
#pragma HLS INLINE off
  typedef Layout<LOG_BEAT, LOG_WORD> L;
  const unsigned passes = Amount<BEATS, FRAMES>::passes(amount);
  const unsigned beats = Amount<BEATS, FRAMES>::beats(amount);
  const unsigned count = L::words(beats);
  ap_uint<8 * L::HELD> held = 0;
  for (unsigned pass = 0; pass < passes; ++pass) {
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 1
    for (unsigned i = 0; i < count * L::PER_WORD; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min = 1 max = BEATS * L::PER_BEAT
      if (L::SMALL) {
        if ((i & (L::PER_WORD - 1)) == 0) {
          held = words.read();
        } else {
          held >>= 8 * (L::SMALL ? L::BEAT : 0);
        }
      } else {
        held >>= 8 * (L::SMALL ? 0 : L::WORD);
        held |= ap_uint<8 * L::HELD>(words.read()) << (8 * (L::HELD - L::WORD));
      }
      if (L::SMALL ? i < beats : (i & (L::PER_BEAT - 1)) == L::PER_BEAT - 1) {
        Axis<BYTES> beat;
        beat.data = ap_uint<8 * BYTES>(held);
        beat.keep = -1;
        beat.strb = -1;
        beat.last = i == (L::SMALL ? beats : count) - 1;
        out.write(beat);
      }
    }
  }
}

// Beats into words, padding with zeros; one cycle per beat, or per word where a beat takes several.
template <unsigned BYTES, unsigned BEATS, unsigned LOG_BEAT, unsigned LOG_WORD>
inline void gather(hls::stream<Axis<BYTES>>& in, hls::stream<ap_uint<(8u << LOG_WORD)>>& words, unsigned frames) {
#pragma HLS INLINE off
  typedef Layout<LOG_BEAT, LOG_WORD> L;
  const unsigned beats = frames * BEATS;
  const unsigned count = L::words(beats);
  ap_uint<8 * L::HELD> held = 0;
  for (unsigned i = 0; i < count * L::PER_WORD; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min = 1 max = BEATS * L::PER_BEAT
    if (L::SMALL) {
      held >>= 8 * (L::SMALL ? L::BEAT : 0);
      if (i < beats) held |= ap_uint<8 * L::HELD>(ap_uint<8 * BYTES>(in.read().data)) << (8 * (L::HELD - (L::SMALL ? L::BEAT : L::HELD)));
      if ((i & (L::PER_WORD - 1)) == L::PER_WORD - 1) words.write(ap_uint<(8u << LOG_WORD)>(held));
    } else {
      if ((i & (L::PER_BEAT - 1)) == 0) {
        held = ap_uint<8 * BYTES>(in.read().data);
      } else {
        held >>= 8 * (L::SMALL ? 0 : L::WORD);
      }
      words.write(ap_uint<(8u << LOG_WORD)>(held));
    }
  }
}

// Takes the words of so many frames.
template <unsigned BEATS, unsigned LOG_BEAT, unsigned LOG_WORD>
inline void put(hls::stream<ap_uint<(8u << LOG_WORD)>>& words, ap_uint<(8u << LOG_WORD)>* memory, unsigned frames) {
#pragma HLS INLINE off
  typedef Layout<LOG_BEAT, LOG_WORD> L;
  const unsigned count = L::words(frames * BEATS);
  for (unsigned i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min = 1 max = BEATS * L::PER_BEAT
    memory[i] = words.read();
  }
}

}  // namespace flowc

#endif
