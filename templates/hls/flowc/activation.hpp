// Integer activation functions, applied to one accumulator per lane and cycle.
//
// `block` counts the beats of a position (lane l of beat b is channel b * LANES + l). Parameters are stored per block and
// lane; sizes of 1 mean that all blocks, or all lanes, share them.
#ifndef FLOWC_ACTIVATION_HPP
#define FLOWC_ACTIVATION_HPP

#include "element.hpp"

namespace flowc {

// The one place that says what reaching a threshold means: at or above it.
template <class Value, class Threshold>
inline bool reached(const Value& value, const Threshold& threshold) {
#pragma HLS INLINE
  return value >= threshold;
}

// No activation: accumulators leave the unit.
template <class In>
struct Identity {
  using Input = In;
  using Output = In;
  using Result = Number<In::VALUE_BITS, In::SIGNED>;

  Result operator()(const Result& value, unsigned, unsigned) const {
#pragma HLS INLINE
    return value;
  }
};

// BASE + STEP * (number of thresholds reached). Threshold is the stored type, wide enough for "never reached".
template <class In, class Out, class Threshold, unsigned BLOCKS, unsigned LANES, unsigned LEVELS, int BASE, int STEP>
struct Thresholds {
  using Input = In;
  using Output = Out;
  using Result = Number<Out::VALUE_BITS, Out::SIGNED>;
  Threshold values[BLOCKS][LANES][LEVELS];

  Result operator()(const Number<In::VALUE_BITS, In::SIGNED>& value, unsigned block, unsigned lane) const {
#pragma HLS INLINE
    const unsigned b = BLOCKS == 1 ? 0 : block;
    const unsigned l = LANES == 1 ? 0 : lane;
    int count = 0;
    for (unsigned k = 0; k < LEVELS; ++k) {
#pragma HLS UNROLL
      count += reached(value, values[b][l][k]) ? 1 : 0;
    }
    return Result(BASE + STEP * count);
  }
};

// The number of keys reached, by halving: step k compares with key `path` of its own memory, keys[lane][block * 2^k + path], and
// appends the outcome to the path. Every lane has memories of its own, and every step one, so that each has a read port.
template <unsigned STEP, class Value>
inline unsigned search(const Value&, unsigned, unsigned, unsigned path) {
#pragma HLS INLINE
  return path;
}
template <unsigned STEP, class Value, class Keys, class... Later>
inline unsigned search(const Value& value, unsigned block, unsigned lane, unsigned path, const Keys& keys, const Later&... later) {
#pragma HLS INLINE
  const unsigned next_path = 2 * path + (reached(value, keys[lane][(block << STEP) + path]) ? 1 : 0);
  return search<STEP + 1>(value, block, lane, next_path, later...);
}

// base + the steps of the thresholds reached.
template <class In, class Out, class Threshold, class Step, unsigned BLOCKS, unsigned LANES, unsigned LEVELS>
struct SteppedThresholds {
  using Input = In;
  using Output = Out;
  using Result = Number<Out::VALUE_BITS, Out::SIGNED>;
  Threshold values[BLOCKS][LANES][LEVELS];
  Step base[BLOCKS][LANES];
  Step steps[BLOCKS][LANES][LEVELS];

  Result operator()(const Number<In::VALUE_BITS, In::SIGNED>& value, unsigned block, unsigned lane) const {
#pragma HLS INLINE
    const unsigned b = BLOCKS == 1 ? 0 : block;
    const unsigned l = LANES == 1 ? 0 : lane;
    int64_t result = base[b][l];
    for (unsigned k = 0; k < LEVELS; ++k) {
#pragma HLS UNROLL
      result += reached(value, values[b][l][k]) ? int64_t(steps[b][l][k]) : int64_t(0);
    }
    return Result(result);
  }
};

// clip((value * mult + add) >> SHIFT, LO, HI); the shift floors, or with HALF_EVEN rounds to nearest, ties to even.
// WIDE bits hold value * mult + add.
template <class In, class Out, class Mult, class Add, unsigned BLOCKS, unsigned LANES, unsigned WIDE, unsigned SHIFT, int64_t LO, int64_t HI, bool HALF_EVEN>
struct Requant {
  using Input = In;
  using Output = Out;
  using Result = Number<Out::VALUE_BITS, Out::SIGNED>;
  using Sum = Number<WIDE, true>;
  Mult mult[BLOCKS][LANES];
  Add add[BLOCKS][LANES];

  Result operator()(const Number<In::VALUE_BITS, In::SIGNED>& value, unsigned block, unsigned lane) const {
#pragma HLS INLINE
    const unsigned b = BLOCKS == 1 ? 0 : block;
    const unsigned l = LANES == 1 ? 0 : lane;
    const Sum sum = Sum(Sum(value) * Sum(mult[b][l])) + Sum(add[b][l]);
    Sum level = sum >> SHIFT;
    if (HALF_EVEN && SHIFT > 0) {
      const Sum rest = sum & Sum((Sum(1) << SHIFT) - 1);
      const Sum half = Sum(1) << (SHIFT > 0 ? SHIFT - 1 : 0);
      if (rest > half || (rest == half && (level & 1) != 0)) level += 1;
    }
    if (level < Sum(LO)) return Result(LO);
    if (level > Sum(HI)) return Result(HI);
    return Result(level);
  }
};

// As Requant without HALF_EVEN, for lines that enter some levels a few integers too early: late[lane][block * LEVELS + level - LO - 1]
// says how many, and the level counts only once that many integers have passed since it was entered. As of a Table, every lane
// has a copy of its own.
template <class In, class Out, class Mult, class Add, class Late, unsigned BLOCKS, unsigned LANES, unsigned WIDE, unsigned SHIFT, int64_t LO, int64_t HI>
struct LateRequant {
  using Input = In;
  using Output = Out;
  using Result = Number<Out::VALUE_BITS, Out::SIGNED>;
  using Sum = Number<WIDE, true>;
  static const unsigned LEVELS = static_cast<unsigned>(HI - LO);
  Mult mult[BLOCKS][LANES];
  Add add[BLOCKS][LANES];
  Late late[LANES][BLOCKS * LEVELS];

  Result operator()(const Number<In::VALUE_BITS, In::SIGNED>& value, unsigned block, unsigned lane) const {
#pragma HLS INLINE
    const unsigned b = BLOCKS == 1 ? 0 : block;
    const unsigned l = LANES == 1 ? 0 : lane;
    const Sum factor = Sum(mult[b][l]);
    const Sum sum = Sum(Sum(value) * factor) + Sum(add[b][l]);
    const Sum level = sum >> SHIFT;
    if (level <= Sum(LO)) return Result(LO);
    if (level > Sum(HI)) return Result(HI);
    const Sum rest = sum & Sum((Sum(1) << SHIFT) - 1);
    const Sum passed = factor < Sum(0) ? Sum(-factor) : factor;
    const unsigned entry = static_cast<unsigned>(int64_t(level) - LO - 1);
    const bool early = rest < Sum(passed * Sum(late[l][b * LEVELS + entry]));
    return Result(int64_t(level) - (early ? 1 : 0));
  }
};

// values[channel][value - FIRST]; ENTRIES per channel. Every lane has a copy of its own, so that each has a read port.
template <class In, class Out, class Entry, unsigned BLOCKS, unsigned LANES, unsigned ENTRIES, int64_t FIRST>
struct Table {
  using Input = In;
  using Output = Out;
  using Result = Number<Out::VALUE_BITS, Out::SIGNED>;
  Entry values[LANES][BLOCKS * ENTRIES];

  Result operator()(const Number<In::VALUE_BITS, In::SIGNED>& value, unsigned block, unsigned lane) const {
#pragma HLS INLINE
    const unsigned entry = static_cast<unsigned>(int64_t(value) - FIRST);
    return Result(values[lane][(BLOCKS == 1 ? 0 : block) * ENTRIES + entry]);
  }
};

}  // namespace flowc

#endif
