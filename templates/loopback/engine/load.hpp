// Fetching commands, and loading what they name from the external memory.
#ifndef LOOPBACK_LOAD_HPP
#define LOOPBACK_LOAD_HPP

#include "check.hpp"
#include "descriptors.hpp"
#include "types.hpp"

namespace loopback {

inline unsigned operation(const Command& command) { return ap_uint<16>(command.range(15, 0)).to_uint(); }

// Hands a segment's commands to the processes, in the order of the table. A fence or the end goes to all of them.
inline void fetch(const Beat* table, uint32_t first, uint32_t count, hls::stream<Command>& load_acts,
                  hls::stream<Command>& load_weights, hls::stream<Command>& steps, hls::stream<Command>& registers,
                  hls::stream<Command>& stores, uint32_t& next) {
  uint32_t done = 0;
fetch:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
    Command command = 0;
  beats:
    for (unsigned i = 0; i < 4; ++i) {
#pragma HLS PIPELINE II = 1
      command.range(BEAT_BITS * i + BEAT_BITS - 1, BEAT_BITS * i) = table[4 * (first + n) + i];
    }
    const unsigned op = operation(command);
    const bool ends = op == FENCE || op == END || n + 1 == count;
    LOOPBACK_CHECK(op >= LOAD_ACTS && op <= END, 0, "the table holds an unknown operation");
    LOOPBACK_CHECK(!ends || op == FENCE || op == END, 0, "a segment has no fence");
    if (op == LOAD_ACTS || ends) load_acts.write(command);
    if (op == LOAD_WEIGHTS || ends) load_weights.write(command);
    if (op == LAYER || op == COMPUTE || ends) steps.write(command);
    if (op == LAYER || ends) registers.write(command);
    if (op == STORE || op == LAYER || ends) stores.write(command);
    done = n + 1;
    if (ends) break;
  }
  next = first + done;
}

// Reads one load of activations: image, row, lane, column, beat.
inline void load_tile(const LoadActs& d, const Beat* memory, hls::stream<ActBeat>& out) {
  UInt<5> first_lane = 0, last_lane = 0;
  for (unsigned p = LANES; p > 0; --p) {
#pragma HLS UNROLL
    if (bit(d.lane_mask, p - 1)) first_lane = p - 1;
    if (bit(d.lane_mask, LANES - p)) last_lane = LANES - p;
  }
  uint32_t image_at = d.ddr, image_place = d.buf;
images:
  for (unsigned i = 0; i < 256; ++i) {
    if (i == d.images) break;
    uint32_t row_at = image_at, row_place = image_place;
  rows:
    for (unsigned y = 0; y < 65536; ++y) {
      if (y == d.rows) break;
      uint32_t lane_at = row_at;
    lanes:
      for (unsigned p = 0; p < LANES; ++p) {
        if (bit(d.lane_mask, p)) {
          uint32_t at = lane_at, place = row_place, beat = 0, column = 0;
          const uint32_t total = uint32_t(d.columns) * uint32_t(d.beats);
          LOOPBACK_SIMULATED(const uint64_t begin = uint64_t(BEAT_BITS / 8) * at;
                             const uint64_t end = begin + BEAT_BITS / 8 * (uint64_t(d.columns - 1) * d.column_stride + d.beats);)
          LOOPBACK_CHECK(Simulation::within(Simulation::get().reads, d.layer, begin, end), d.layer,
                         "a load of activations touches bytes of no tensor that the layer reads");
        beats:
          for (uint32_t n = 0; n < ENDLESS; ++n) {
#pragma HLS PIPELINE II = 1
            if (n == total) break;
            ActBeat found;
            found.end = false;
            found.last = n + 1 == total && p == last_lane && i + 1 == d.images && y + 1 == d.rows;
            found.after = d.after;
            found.tag = d.tag;
            found.place = place + beat * WORDS_PER_BEAT / BEATS_PER_WORD;
            found.part = beat % BEATS_PER_WORD;
            found.lane = p;
            found.absent = p == first_lane ? UInt<32>(~d.lane_mask) : UInt<32>(0);
            found.data = memory[at + beat];
            LOOPBACK_CHECK(place + (beat + 1) * WORDS_PER_BEAT / BEATS_PER_WORD <= ACT_WORDS, d.layer,
                           "a load ends behind the activation buffer");
            out.write(found);
            if (++beat == d.beats) {
              beat = 0;
              ++column;
              at += d.column_stride;
              place += d.buf_column;
            }
          }
        }
        lane_at += d.lane_stride;
      }
      row_at += d.row_stride;
      row_place += d.buf_row;
    }
    image_at += d.image_stride;
    image_place += d.buf_image;
  }
}

inline void load_acts(const Beat* memory, hls::stream<Command>& commands, hls::stream<ActBeat>& out) {
loads:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
    const Command command = commands.read();
    if (operation(command) != LOAD_ACTS) break;
    load_tile(LoadActs(command), memory, out);
  }
  ActBeat end = ActBeat();
  end.end = true;
  out.write(end);
}

// Reads weights, then parameters, then tables, which follow each other.
inline void load_words(const LoadWeights& d, const Beat* memory, hls::stream<WeightBeat>& out) {
  const uint32_t weights = uint32_t(d.words) * WEIGHT_BEATS;
  const uint32_t parameters = weights + uint32_t(d.parameters) * PARAMETER_BEATS;
  const uint32_t total = parameters + uint32_t(d.tables) * PARAMETER_BEATS;
  LOOPBACK_CHECK(16 * (uint64_t(d.ddr) + total) <= Simulation::get().weight_bytes, d.layer,
                 "a load of weights touches bytes behind the weights");
  LOOPBACK_CHECK(d.words == 0 || d.buf + d.words <= WEIGHT_WORDS, d.layer, "a load ends behind the weight buffer");
  LOOPBACK_CHECK(d.parameters == 0 || d.parameter + d.parameters <= PARAMETER_WORDS, d.layer,
                 "a load ends behind the parameter memory");
  LOOPBACK_CHECK(d.tables == 0 || d.table + d.tables <= TABLE_WORDS, d.layer, "a load ends behind the table memory");
  uint32_t part = 0, place = d.buf;
words:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
#pragma HLS PIPELINE II = 1
    if (n == total && total != 0) break;
    if (n == weights) place = d.parameter;
    if (n == parameters && d.tables != 0) place = d.table;
    const unsigned where = total == 0 ? NOWHERE : n < weights ? WEIGHT : n < parameters ? PARAMETER : TABLE;
    WeightBeat found;
    found.end = false;
    found.last = n + 1 == total || total == 0;
    found.after = d.after;
    found.tag = d.tag;
    found.where = where;
    found.place = place;
    found.part = part;
    found.data = total == 0 ? Beat(0) : memory[d.ddr + n];
    out.write(found);
    const unsigned beats = where == WEIGHT ? WEIGHT_BEATS : PARAMETER_BEATS;
    if (++part == beats) {
      part = 0;
      ++place;
    }
    if (total == 0) break;
  }
}

inline void load_weights(const Beat* memory, hls::stream<Command>& commands, hls::stream<WeightBeat>& out) {
loads:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
    const Command command = commands.read();
    if (operation(command) != LOAD_WEIGHTS) break;
    load_words(LoadWeights(command), memory, out);
  }
  WeightBeat end = WeightBeat();
  end.end = true;
  out.write(end);
}

}  // namespace loopback

#endif
