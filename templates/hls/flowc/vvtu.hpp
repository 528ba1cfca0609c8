// Vector-vector-threshold unit: depthwise products with an activation.
#ifndef FLOWC_VVTU_HPP
#define FLOWC_VVTU_HPP

#include "activation.hpp"
#include "count.hpp"
#include "multiply.hpp"
#include "rom.hpp"
#include "step.hpp"

namespace flowc {

// acc[c * COPIES + j] = sum over taps k of weights[c * COPIES + j][k] * x[k][c], then activation(acc).
//
// Layer holds the types Input, Weight, Multiplier and the numbers POSITIONS, BLOCKS (channels / PE), TAPS, TAPS_PER_BEAT
// (1, or TAPS where the window comes in one beat), PE and COPIES (outputs per channel).
// Beats and rows of weights are ordered [tap of the beat][channel]; a row holds [tap of the beat][channel][copy].
// One cycle per position, block and beat, nested in this order. `weights` is a memory with a row for every cycle of a
// position, or a stream that brings these rows for every position.
template <class Layer, class Activation, class Weights>
inline void vvtu(hls::stream<Beat<typename Layer::Input, Layer::TAPS_PER_BEAT * Layer::PE>>& in,
                 hls::stream<Beat<typename Activation::Output, Layer::PE * Layer::COPIES>>& out, Weights& weights,
                 const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned COPIES = Layer::COPIES;
  constexpr unsigned IN_LANES = Layer::TAPS_PER_BEAT * Layer::PE;
  constexpr unsigned LANES = Layer::PE * COPIES;
  constexpr unsigned BEATS = Layer::TAPS / Layer::TAPS_PER_BEAT;
  constexpr unsigned ROWS = Layer::BLOCKS * BEATS;
  static_assert(HasRows<Weights, ROWS>::value, "one row of weights per cycle of a position");
  static_assert(IN_LANES <= MAX_LANES && LANES <= MAX_LANES, "arrays of so many parts can't be partitioned");
  static_assert(LANES * Layer::TAPS_PER_BEAT <= MAX_PRODUCTS, "one loop can't be scheduled with so many products");
  using Input = typename Layer::Input;
  using Weight = typename Layer::Weight;
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;

  Sum sums[LANES];
#pragma HLS ARRAY_PARTITION variable = sums type = complete
  Count<BEATS> tap = 0;
  Count<Layer::BLOCKS> block = 0;
  Count<ROWS> address = 0;
  for (unsigned step = 0; step < Layer::POSITIONS * ROWS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    typename Input::Value x[IN_LANES];
#pragma HLS ARRAY_PARTITION variable = x type = complete
    unpack<Input, IN_LANES>(in.read(), x);
    RowOf<Weight, IN_LANES * COPIES, HasRows<Weights, ROWS>::SLICES> row;
#pragma HLS ARRAY_PARTITION variable = row.words type = complete
    row.read(weights, address);
    for (unsigned lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
      Sum sum = tap == 0 ? Sum(0) : sums[lane];
      for (unsigned k = 0; k < Layer::TAPS_PER_BEAT; ++k) {
#pragma HLS UNROLL
        sum += Layer::Multiplier::template multiply<Weight, Input>(row.at(k * LANES + lane), x[k * Layer::PE + lane / COPIES]);
      }
      sums[lane] = sum;
    }
    if (tap == BEATS - 1) {
      typename Activation::Result results[LANES];
#pragma HLS ARRAY_PARTITION variable = results type = complete
      for (unsigned lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
        results[lane] = activation(sums[lane], block, lane);
      }
      out.write(pack<typename Activation::Output, LANES>(results));
      block = next<Layer::BLOCKS>(block);
    }
    tap = next<BEATS>(tap);
    address = next<ROWS>(address);
  }
}

// The same for PIXELS positions per cycle, each computed whole: TAPS_PER_BEAT is TAPS, BLOCKS is 1. All positions share the weights.
// Lane q * PE * COPIES + l of the activation is output l of position q.
template <class Layer, class Activation, class Weights>
inline void vvtu_pixels(hls::stream<Beat<typename Layer::Input, Layer::PIXELS * Layer::TAPS * Layer::PE>>& in,
                        hls::stream<Beat<typename Activation::Output, Layer::PIXELS * Layer::PE * Layer::COPIES>>& out, Weights& weights,
                        const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned COPIES = Layer::COPIES;
  constexpr unsigned INPUTS = Layer::TAPS * Layer::PE;
  constexpr unsigned OUTPUTS = Layer::PE * COPIES;
  constexpr unsigned LANES = Layer::PIXELS * OUTPUTS;
  static_assert(HasRows<Weights, 1>::value, "one row of weights");
  static_assert(Layer::PIXELS * INPUTS <= MAX_LANES && LANES <= MAX_LANES, "arrays of so many parts can't be partitioned");
  static_assert(LANES * Layer::TAPS <= MAX_PRODUCTS, "one loop can't be scheduled with so many products");
  static_assert(Layer::POSITIONS % Layer::PIXELS == 0, "beats hold whole positions");
  using Input = typename Layer::Input;
  using Weight = typename Layer::Weight;
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;

  for (unsigned step = 0; step < Layer::POSITIONS / Layer::PIXELS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    typename Input::Value x[Layer::PIXELS * INPUTS];
#pragma HLS ARRAY_PARTITION variable = x type = complete
    unpack<Input, Layer::PIXELS * INPUTS>(in.read(), x);
    RowOf<Weight, INPUTS * COPIES, HasRows<Weights, 1>::SLICES> row;
#pragma HLS ARRAY_PARTITION variable = row.words type = complete
    row.read(weights, 0U);
    typename Activation::Result results[LANES];
#pragma HLS ARRAY_PARTITION variable = results type = complete
    for (unsigned q = 0; q < Layer::PIXELS; ++q) {
#pragma HLS UNROLL
      for (unsigned lane = 0; lane < OUTPUTS; ++lane) {
#pragma HLS UNROLL
        Sum sum = 0;
        for (unsigned k = 0; k < Layer::TAPS; ++k) {
#pragma HLS UNROLL
          sum += Layer::Multiplier::template multiply<Weight, Input>(row.at(k * OUTPUTS + lane), x[q * INPUTS + k * Layer::PE + lane / COPIES]);
        }
        results[q * OUTPUTS + lane] = activation(sum, 0, q * OUTPUTS + lane);
      }
    }
    out.write(pack<typename Activation::Output, LANES>(results));
  }
}

}  // namespace flowc

#endif
