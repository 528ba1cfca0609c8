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

}  // namespace flowc

#endif
