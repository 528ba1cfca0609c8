// Storing tiles of results: a row of a lane after the other, in the order in which they leave.
#ifndef LOOPBACK_STORE_HPP
#define LOOPBACK_STORE_HPP

#include "check.hpp"
#include "descriptors.hpp"
#include "load.hpp"
#include "types.hpp"

namespace loopback {

constexpr unsigned UNIT = STORE_BITS / 64;  // addresses count 8 bytes

// Words of a row that are taken from a lane before the next lane's turn: the other lanes' FIFOs hold as many.
constexpr uint32_t PIECE = OUT_WORDS < 2 ? 1 : OUT_WORDS / 2;

// Where a row is: word of the pixel, and the pixel.
struct Cursor {
  uint32_t word, pixel;
};

// Writes `count` words of a lane's row; each pixel repeat_y x repeat_x times. What is not to be written is dropped.
inline void store_piece(const Store& d, uint32_t at, bool writes, uint32_t count, Cursor& cursor, StoreBeat* memory,
                        hls::stream<Word>& words) {
words:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
    if (n == count) break;
    LOOPBACK_SIMULATED(if (PLAIN_STREAMS) LOOPBACK_CHECK(!words.empty(), d.layer, "a store takes more than was computed");)
    const Word found = words.read();
    if (writes) {
      uint32_t down = 0, along = 0;
    copies:
      for (uint32_t k = 0; k < 65536 * STORES_PER_WORD; ++k) {
#pragma HLS PIPELINE II = 1
        const unsigned part = k % STORES_PER_WORD;
        const uint32_t unit =
            at + cursor.pixel + down * d.repeat_row + along * d.repeat_column + cursor.word * (WORD_BITS / 64);
        LOOPBACK_SIMULATED(const uint64_t begin = 8 * uint64_t(unit); Simulation& simulation = Simulation::get();)
        LOOPBACK_CHECK(Simulation::within(simulation.writes, d.layer, begin, begin + WORD_BITS / 8), d.layer,
                       "a store touches bytes of no tensor that the layer writes");
        LOOPBACK_CHECK(unit % UNIT == 0, d.layer, "a store is not aligned");
        memory[unit / UNIT + part] = StoreBeat(found >> int(STORE_BITS * part));
        LOOPBACK_SIMULATED(simulation.wrote(begin, begin + WORD_BITS / 8);)
        if (part + 1 == STORES_PER_WORD && ++along == d.repeat_x) {
          along = 0;
          if (++down == d.repeat_y) break;
        }
      }
    }
    if (++cursor.word == d.words) {
      cursor.word = 0;
      cursor.pixel += d.column_stride;
    }
  }
}

inline void store_tile(const Store& d, StoreBeat* memory, hls::stream<Word> (&words)[LANES]) {
  const uint32_t total = uint32_t(d.columns) * uint32_t(d.words);
  uint32_t image_at = d.ddr;
images:
  for (unsigned i = 0; i < 256; ++i) {
    if (i == d.images) break;
    uint32_t row_at = image_at;
  rows:
    for (unsigned y = 0; y < 4096; ++y) {
      if (y == d.rows) break;
      Cursor begin = {0, 0};
      uint32_t left = total;
    pieces:
      for (uint32_t n = 0; n < ENDLESS; ++n) {
        if (left == 0) break;
        const uint32_t count = left < PIECE ? left : PIECE;
        uint32_t lane_at = row_at;
        Cursor end = begin;
      lanes:
        for (unsigned p = 0; p < LANES; ++p) {
          end = begin;
          store_piece(d, lane_at, bit(d.lane_mask, p), count, end, memory, words[p]);
          lane_at += d.lane_stride;
        }
        begin = end;
        left -= count;
      }
      row_at += d.row_stride;
    }
    image_at += d.image_stride;
  }
}

inline void store(hls::stream<Command>& commands, StoreBeat* memory, hls::stream<Word> (&words)[LANES]) {
  LOOPBACK_SIMULATED(unsigned layer = 0;)
stores:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
    const Command command = commands.read();
    const unsigned op = operation(command);
    if (op != STORE && op != LAYER) break;
    LOOPBACK_SIMULATED(layer = ap_uint<16>(command.range(31, 16)).to_uint();)
    if (op == STORE) store_tile(Store(command), memory, words);
  }
  LOOPBACK_SIMULATED(
      if (PLAIN_STREAMS) for (unsigned p = 0; p < LANES; ++p) LOOPBACK_CHECK(words[p].empty(), layer, "it leaves results behind");)
}

}  // namespace loopback

#endif
