// The one process that owns buffers: each cycle takes a beat of each load whose place is free, and makes a step of the array.
#ifndef LOOPBACK_COMPUTE_HPP
#define LOOPBACK_COMPUTE_HPP

#include "array.hpp"
#include "buffers.hpp"
#include "check.hpp"
#include "types.hpp"

#if defined(FLOWC_THREADS) && !defined(__SYNTHESIS__)
#include <thread>
#endif

namespace loopback {

// Whether a counter of 16 bits has reached a number.
inline bool reached(uint32_t counter, uint32_t wanted) { return ((counter - wanted) & 0x8000u) == 0; }

// A digit of an operand, as the array's other processes see it.
#ifdef FLOWC_NATIVE
inline void fill(int16_t (&operand)[COLUMNS], unsigned digit) {
  for (unsigned c = 0; c < COLUMNS; ++c) operand[c] = int16_t(digit);
}
inline unsigned operand_digit(const int16_t (&operand)[COLUMNS], unsigned c) { return unsigned(operand[c]); }
#else
inline void fill(Word& operand, unsigned digit) {
#pragma HLS INLINE
  for (unsigned c = 0; c < COLUMNS; ++c) {
#pragma HLS UNROLL
    operand.range(DIGIT * c + DIGIT - 1, DIGIT * c) = ap_uint<DIGIT>(digit);
  }
}
inline unsigned operand_digit(const Word& operand, unsigned c) { return digit_of(operand, c); }
#endif

inline void read_operand(const ActBuffer& buffer, unsigned lane, unsigned place, Operand (&operands)[LANES]) {
#pragma HLS INLINE
#ifdef FLOWC_NATIVE
  buffer.read(lane, place, operands[lane]);
#else
  operands[lane] = buffer.read(lane, place);
#endif
}

// Maximum or sum of taps; `value` gathers the digits of a tap.
inline void reduce(const Step& step, const Operand (&operands)[LANES], Accumulator (&value)[LANES][ROWS], Accumulator (&acc)[LANES][ROWS]) {
#pragma HLS INLINE
  const bool first_digit = step.shift == 0;
  for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
    for (unsigned c = 0; c < COLUMNS; ++c) {
#pragma HLS UNROLL
      const Int<ACC_BITS> moved = Int<ACC_BITS>(operand_digit(operands[p], c)) << step.shift;
      const Int<ACC_BITS> tap = first_digit ? moved : Int<ACC_BITS>(value[p][c] + moved);
      value[p][c] = tap;
      const Int<ACC_BITS> before = step.clears || (step.begins && first_digit) ? Int<ACC_BITS>(0) : Int<ACC_BITS>(acc[p][c]);
      if (step.kind == SUM) {
        acc[p][c] = before + moved;
      } else {
        acc[p][c] = step.closes && tap > before ? tap : before;
      }
    }
  }
}

// `fresh`: a table begins, and with it the counters. `worked`: cycles in which something moved.
inline void compute(bool fresh, hls::stream<ActBeat>& act_beats, hls::stream<WeightBeat>& weight_beats, hls::stream<Step>& steps,
                    hls::stream<PostCommand>& control, hls::stream<Vector> (&vectors)[LANES], uint32_t& worked) {
  static ActBuffer acts;
  static WeightBuffer weights;
  static Accumulator acc[LANES][ROWS], value[LANES][ROWS];
  static UInt<32> second[LANES][ROWS];
  static uint16_t retired = 0, loaded_acts = 0, loaded_weights = 0;
#pragma HLS ARRAY_PARTITION variable = acts.words type = complete dim = 1
#pragma HLS ARRAY_PARTITION variable = acts.words type = complete dim = 2
#pragma HLS ARRAY_PARTITION variable = acts.words type = complete dim = 3
#pragma HLS ARRAY_PARTITION variable = weights.words type = complete dim = 1
#pragma HLS ARRAY_PARTITION variable = acc type = complete dim = 0
#pragma HLS ARRAY_PARTITION variable = value type = complete dim = 0
#pragma HLS ARRAY_PARTITION variable = second type = complete dim = 0
  if (fresh) retired = loaded_acts = loaded_weights = 0;
  uint32_t moving = 0;
#ifndef __SYNTHESIS__
  static std::vector<Tags> act_tags(LANES, Tags(ACT_WORDS));
  static Tags weight_tags(WEIGHT_WORDS);
  uint64_t cycles = 0, busy = 0;
  const unsigned layer = Simulation::get().layer;
#endif
  ActBeat act = ActBeat();
  WeightBeat weight = WeightBeat();
  Step step = Step();
  bool have_act = false, have_weight = false, have_step = false, act_end = false, weight_end = false, step_end = false;
cycles:
  for (uint32_t n = 0; n < ENDLESS; ++n) {
#pragma HLS PIPELINE II = 1
// What is written in one cycle may be read in the next one, where it was counted as loaded; and the other way round.
#pragma HLS DEPENDENCE variable = acts.words type = inter direction = RAW distance = 1 dependent = true
#pragma HLS DEPENDENCE variable = acts.words type = inter direction = WAR distance = 1 dependent = true
#pragma HLS DEPENDENCE variable = weights.words type = inter direction = RAW distance = 1 dependent = true
#pragma HLS DEPENDENCE variable = weights.words type = inter direction = WAR distance = 1 dependent = true
    if (act_end && weight_end && step_end) break;
    if (!have_act && !act_end && !act_beats.empty()) {
      act = act_beats.read();
      have_act = !act.end;
      act_end = act.end;
    }
    if (!have_weight && !weight_end && !weight_beats.empty()) {
      weight = weight_beats.read();
      have_weight = !weight.end;
      weight_end = weight.end;
    }
    if (!have_step && !step_end && !steps.empty()) {
      step = steps.read();
      have_step = !step.end;
      step_end = step.end;
    }
    const bool goes = have_step && (!step.begins || (reached(loaded_acts, step.need_acts) && reached(loaded_weights, step.need_weights)));
    const bool emits = goes && step.emits;
    const bool takes_act = have_act && reached(retired, act.after);
    // The activation unit hears of one thing per cycle.
    const bool takes_weight = have_weight && reached(retired, weight.after) && (weight.where == WEIGHT || !emits);
    const bool moves = takes_act || takes_weight || goes;
    if (moves) ++moving;
#ifndef __SYNTHESIS__
    if (!moves && !(act_end && weight_end && step_end)) {
#ifdef FLOWC_THREADS
      std::this_thread::yield();
#else
      LOOPBACK_CHECK(false, layer, "it waits for what never comes");
#endif
    }
    if (moves) ++cycles;
#endif
    if (goes && step.phase != IDLE) {
      Operand operands[LANES];
#pragma HLS ARRAY_PARTITION variable = operands type = complete dim = 1
      for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
        if (bit(step.outside, p)) {
          fill(operands[p], step.pad);
        } else {
          LOOPBACK_CHECK(act_tags[p].is(step.act, step.phase == SECOND ? step.second_tag : step.act_tag) ||
                             (step.phase == TAP && act_tags[p].is(step.act, step.second_tag)),
                         layer, "a compute reads activations of another load");
          read_operand(acts, p, step.act, operands);
        }
      }
      if (step.phase == SECOND) {
        for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
          for (unsigned c = 0; c < ROWS; ++c) {
#pragma HLS UNROLL
            const UInt<32> moved = UInt<32>(operand_digit(operands[p], c % COLUMNS)) << step.shift;
            if (c / COLUMNS == step.group) second[p][c] = step.shift == 0 ? moved : UInt<32>(second[p][c] + moved);
          }
        }
      } else if (step.kind == PRODUCTS) {
        LOOPBACK_CHECK(weight_tags.is(step.weight, step.weight_tag), layer, "a compute reads weights of another load");
        multiply(weights, step.weight, operands, step.negative, step.shift, step.clears, acc);
      } else {
        reduce(step, operands, value, acc);
      }
    }
    if (emits) {
      for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
        Vector vector;
        for (unsigned r = 0; r < ROWS; ++r) {
#pragma HLS UNROLL
          vector.acc[r] = Int<ACC_BITS>(acc[p][r]);
          vector.second[r] = second[p][r];
        }
        vectors[p].write(vector);
      }
    }
    if (emits || (takes_weight && (weight.where == PARAMETER || weight.where == TABLE))) {
      PostCommand command;
      command.end = false;
      command.vector = emits;
      command.where = weight.where;
      command.place = emits ? step.parameter : weight.place;
      command.part = weight.part;
      command.tag = emits ? step.weight_tag : weight.tag;
      command.data = weight.data;
      control.write(command);
    }
    if (takes_act) {
      acts.write(act.lane, act.place, act.part, act.data);
      LOOPBACK_SIMULATED(for (unsigned p = 0; p < LANES; ++p)
                           if (p == act.lane || (act.absent >> p & 1) != 0)
                             for (unsigned i = 0; i < WORDS_PER_BEAT; ++i) act_tags[p].set(act.place + i, act.tag);)
      if (act.last) ++loaded_acts;
      have_act = false;
    }
    if (takes_weight) {
      if (weight.where == WEIGHT) {
        weights.write(weight.place, weight.part, weight.data);
        LOOPBACK_SIMULATED(weight_tags.set(weight.place, weight.tag);)
      }
      if (weight.last) ++loaded_weights;
      have_weight = false;
    }
    if (goes) {
      if (step.retires) ++retired;
      have_step = false;
      LOOPBACK_SIMULATED(if (step.retires) busy = cycles;)
    }
  }
  PostCommand end = PostCommand();
  end.end = true;
  control.write(end);
  worked = moving;
  LOOPBACK_SIMULATED(Simulation::get().cycles.push_back(busy); Simulation::get().tails.push_back(cycles - busy);)
}

}  // namespace loopback

#endif
