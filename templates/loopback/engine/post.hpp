// The activation unit: accumulators to results, RESULTS of them per cycle; and results to words of digits.
#ifndef LOOPBACK_POST_HPP
#define LOOPBACK_POST_HPP

#include "check.hpp"
#include "descriptors.hpp"
#include "load.hpp"
#include "types.hpp"

namespace loopback {

// A word of the activation unit: 18 bits of factor, 40 of offset, 6 of shift.
struct Scale {
  Int<18> factor;
  Int<40> offset;
  UInt<6> shift;

  explicit Scale(const ap_uint<64>& word)
      : factor(signed_field<18, 0>(word)), offset(signed_field<40, 18>(word)), shift(uint32_t(word.to_uint64() >> 58)) {}
};

inline Int<32> clip(Int<64> value, Int<32> least, Int<32> greatest) {
#pragma HLS INLINE
  return value < least ? least : value > greatest ? greatest : Int<32>(value);
}

// The joined result: of the layer's own and of the second operand.
inline Int<32> joined(const Layer& r, Int<32> own, UInt<32> second) {
#pragma HLS INLINE
  const Scale scale((ap_uint<64>(r.join_word)));
  const Int<64> value = r.join == 1 ? Int<64>(Int<64>(r.left_scale) * own + Int<64>(r.right_scale) * Int<64>(second))
                                    : Int<64>((Int<64>(own) - r.left_offset) * (Int<64>(second) - r.right_offset));
  const Int<64> wide = value * Int<64>(scale.factor) + Int<64>(scale.offset);
  return clip(wide >> scale.shift, r.join_lo, r.join_hi);
}

struct PostMemory {
  ap_uint<64> parameters[PARAMETER_WORDS][ROWS];
  ap_uint<64> tables[TABLE_WORDS == 0 ? 1 : TABLE_WORDS][ROWS];
};

// One result by its word. In the mode EARLY the tables from word `table` on say how many integers too early each level begins, two
// bits per level.
inline Int<32> by_word(const Layer& r, const PostMemory& memory, unsigned parameter, unsigned table, unsigned row, Int<ACC_BITS> acc) {
#pragma HLS INLINE
  const Scale scale(memory.parameters[parameter][row]);
  const Int<64> wide = Int<64>(acc) * Int<64>(scale.factor) + Int<64>(scale.offset);
  Int<64> level = wide >> scale.shift;
  if (r.mode == EARLY && level > r.lo && level <= r.hi) {
    const uint32_t index = uint32_t(Int<32>(level - r.lo));
    const uint64_t entry = memory.tables[table + (index >> 5)][row].to_uint64();
    const int64_t by = int64_t(entry >> (2 * (index & 31)) & 3);
    const int64_t factor = scale.factor < 0 ? -int64_t(scale.factor) : int64_t(scale.factor);
    if (wide - (level << scale.shift) < by * factor) level -= 1;
  }
  return clip(level, r.lo, r.hi);
}

#ifndef __SYNTHESIS__
struct PostTags {
  std::vector<uint32_t> parameters, tables;
  PostTags() : parameters(PARAMETER_WORDS, ~0u), tables(TABLE_WORDS, ~0u) {}

  void wrote(const PostCommand& command) {
    std::vector<uint32_t>& tags = command.where == PARAMETER ? parameters : tables;
    if (command.place < tags.size()) tags[command.place] = command.tag;
  }

  void check(const PostCommand& command, const Layer& r) const {
    const bool right = command.place < PARAMETER_WORDS && parameters[command.place] == command.tag;
    LOOPBACK_CHECK(right, r.layer, "a compute reads parameters of another load");
    for (unsigned i = 0; i < r.tables_each; ++i) {
      const unsigned at = command.place * r.tables_each + i;
      LOOPBACK_CHECK(at < TABLE_WORDS && tables[at] == command.tag, r.layer, "a compute reads tables of another load");
    }
  }
};
#endif

// Where the units that give results work: each at a lane and row. In every cycle they move on by RESULTS rows.
struct Places {
  unsigned lane[RESULTS], row[RESULTS];

  void reset(bool products) {
#pragma HLS INLINE
    for (unsigned i = 0; i < RESULTS; ++i) {
#pragma HLS UNROLL
      lane[i] = products ? i / ROWS : i / COLUMNS;
      row[i] = products ? i % ROWS : i % COLUMNS;
    }
  }

  void advance(bool products) {
#pragma HLS INLINE
    const unsigned rows = products ? ROWS : COLUMNS;
    for (unsigned i = 0; i < RESULTS; ++i) {
#pragma HLS UNROLL
      const unsigned next_row = row[i] + (products ? RESULTS % ROWS : RESULTS % COLUMNS);
      const bool beyond = next_row >= rows;
      row[i] = beyond ? next_row - rows : next_row;
      lane[i] += (products ? RESULTS / ROWS : RESULTS / COLUMNS) + (beyond ? 1 : 0);
    }
  }
};

// The results of one vector of all lanes. A search takes a pass over all of them per step.
inline void activate(const Layer& r, const PostMemory& memory, unsigned parameter, const Vector (&vectors)[LANES],
                     Block (&blocks)[LANES]) {
  const bool products = r.kind == PRODUCTS;
  const unsigned passes = r.mode == SEARCH ? unsigned(r.depth) : 1;
  const unsigned slots = products ? PRODUCT_SLOTS : REDUCTION_SLOTS;
  const unsigned table = parameter * unsigned(r.tables_each);
  unsigned pass = 0, slot = 0;
  Places at;
#pragma HLS ARRAY_PARTITION variable = at.lane type = complete
#pragma HLS ARRAY_PARTITION variable = at.row type = complete
  at.reset(products);
results:
  for (uint32_t n = 0; n < 8 * ROWS * LANES; ++n) {
#pragma HLS PIPELINE II = 1
    if (n == passes * slots) break;
    for (unsigned i = 0; i < RESULTS; ++i) {
#pragma HLS UNROLL
      const unsigned p = at.lane[i], row = at.row[i];
      if (p < LANES) {
        UInt<32>& result = blocks[p].value[row];
        const Int<ACC_BITS> acc = vectors[p].acc[row];
        if (r.mode == SEARCH) {
          // Until the last pass the result is the number of the entry.
          const unsigned before = pass == 0 ? 0 : unsigned(result);
          const unsigned tried = before | 1u << (passes - 1 - pass);
          const bool taken = acc >= Int<32>(signed_field<32, 0>(memory.tables[table + tried][row]));
          result = taken ? tried : before;
          if (pass + 1 == passes) result = UInt<32>(signed_field<32, 32>(memory.tables[table + unsigned(result)][row]));
        } else {
          result = UInt<32>(by_word(r, memory, parameter, table, row, acc));
        }
        if (pass + 1 == passes && r.skip_planes != 0)
          result = UInt<32>(joined(r, Int<32>(result), vectors[p].second[row]));
      }
    }
    if (++slot == slots) {
      slot = 0;
      ++pass;
      at.reset(products);
    } else {
      at.advance(products);
    }
  }
}

inline void post(hls::stream<Command>& registers, hls::stream<PostCommand>& control, hls::stream<Vector> (&vectors)[LANES],
                 hls::stream<Block> (&results)[LANES], hls::stream<UInt<16> >& formats) {
  static PostMemory memory;
#pragma HLS ARRAY_PARTITION variable = memory.parameters type = complete dim = 2
#pragma HLS ARRAY_PARTITION variable = memory.tables type = complete dim = 2
  LOOPBACK_SIMULATED(static PostTags tags;)
  Layer r = Layer(Command(0));
  const Command first = registers.read();
  const bool works = operation(first) == LAYER;
  if (works) r = Layer(first);
commands:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
    const PostCommand command = control.read();
    if (command.end) break;
    if (command.vector) {
      Vector now[LANES];
      Block blocks[LANES];
#pragma HLS ARRAY_PARTITION variable = now type = complete dim = 0
#pragma HLS ARRAY_PARTITION variable = blocks type = complete dim = 0
      for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
        now[p] = vectors[p].read();
      }
      LOOPBACK_SIMULATED(tags.check(command, r));
      activate(r, memory, command.place, now, blocks);
      formats.write(UInt<16>((r.kind == PRODUCTS ? SPREAD : 1) << 8 | uint32_t(r.out_planes)));
      for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
        results[p].write(blocks[p]);
      }
    } else {
      LOOPBACK_SIMULATED(tags.wrote(command));
      for (unsigned row = 0; row < ROWS; ++row) {
#pragma HLS UNROLL
        const ap_uint<64> entry = command.data >> (64 * (row % 2));
        if (row / 2 == command.part && command.where == PARAMETER) memory.parameters[command.place][row] = entry;
        if (row / 2 == command.part && command.where == TABLE) memory.tables[command.place][row] = entry;
      }
    }
  }
  if (works) registers.read();  // the fence, which is behind all computes
  formats.write(UInt<16>(0));
}

// Results to words, digit after digit; all lanes side by side.
inline void pack(hls::stream<UInt<16> >& formats, hls::stream<Block> (&results)[LANES], hls::stream<Word> (&words)[LANES]) {
vectors:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
    const uint32_t format = uint32_t(formats.read());
    if (format == 0) break;
    const unsigned spread = format >> 8, planes = format & 0xff;
    Block blocks[LANES];
#pragma HLS ARRAY_PARTITION variable = blocks type = complete dim = 0
    for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
      blocks[p] = results[p].read();
    }
    unsigned group = 0, plane = 0;
  digits:
    for (unsigned i = 0; i < SPREAD * 16; ++i) {
#pragma HLS PIPELINE II = 1
      if (i == spread * planes) break;
      for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
        Word word = 0;
        for (unsigned c = 0; c < COLUMNS; ++c) {
#pragma HLS UNROLL
          // Digits behind the 32nd bit repeat the sign.
          const int64_t value = int64_t(int32_t(uint32_t(blocks[p].value[group * COLUMNS + c])));
          word.range(DIGIT * c + DIGIT - 1, DIGIT * c) = ap_uint<DIGIT>(uint64_t(value >> (DIGIT * plane)));
        }
        words[p].write(word);
      }
      if (++plane == planes) {
        plane = 0;
        ++group;
      }
    }
  }
}

}  // namespace loopback

#endif
