// Elementwise units: a standalone activation, and two streams into one.
#ifndef FLOWC_ELEMENTWISE_HPP
#define FLOWC_ELEMENTWISE_HPP

#include "activation.hpp"
#include "count.hpp"
#include "multiply.hpp"
#include "step.hpp"

namespace flowc {

// activation(x). Layer holds POSITIONS, BLOCKS (beats per position) and PE. One cycle per beat.
template <class Layer, class Activation>
inline void activate(hls::stream<Beat<typename Activation::Input, Layer::PE>>& in,
                     hls::stream<Beat<typename Activation::Output, Layer::PE>>& out, const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned PE = Layer::PE;
  using Input = typename Activation::Input;
  Count<Layer::BLOCKS> block = 0;
  for (unsigned step = 0; step < Layer::POSITIONS * Layer::BLOCKS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    typename Input::Value x[PE];
    typename Activation::Result results[PE];
#pragma HLS ARRAY_PARTITION variable = x type = complete
#pragma HLS ARRAY_PARTITION variable = results type = complete
    unpack<Input, PE>(in.read(), x);
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      results[p] = activation(Number<Input::VALUE_BITS, Input::SIGNED>(x[p]), block, p);
    }
    out.write(pack<typename Activation::Output, PE>(results));
    block = next<Layer::BLOCKS>(block);
  }
}

// left_scale[c] * a + right_scale[c] * b. Scales are stored per block and lane; sizes of 1 are shared.
template <class Scale, unsigned BLOCKS, unsigned LANES>
struct ScaledSum {
  Scale left[BLOCKS][LANES];
  Scale right[BLOCKS][LANES];

  template <class Sum, class A, class B>
  Sum combine(const A& a, const B& b, unsigned block, unsigned lane) const {
#pragma HLS INLINE
    const unsigned s = BLOCKS == 1 ? 0 : block;
    const unsigned l = LANES == 1 ? 0 : lane;
    return Sum(Sum(a) * left[s][l]) + Sum(Sum(b) * right[s][l]);
  }
};

// (a - LEFT_OFFSET) * (b - RIGHT_OFFSET).
template <int64_t LEFT_OFFSET, int64_t RIGHT_OFFSET>
struct OffsetProduct {
  template <class Sum, class A, class B>
  Sum combine(const A& a, const B& b, unsigned, unsigned) const {
#pragma HLS INLINE
    return Sum((Sum(a) - Sum(LEFT_OFFSET)) * (Sum(b) - Sum(RIGHT_OFFSET)));
  }
};

// activation(operation(a, b)). Layer holds the types Left and Right and the numbers POSITIONS, BLOCKS, PE, WIDE (bits that
// hold the operation's operands and results). One cycle per beat.
template <class Layer, class Operation, class Activation>
inline void join(hls::stream<Beat<typename Layer::Left, Layer::PE>>& left, hls::stream<Beat<typename Layer::Right, Layer::PE>>& right,
                 hls::stream<Beat<typename Activation::Output, Layer::PE>>& out, const Operation& operation, const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned PE = Layer::PE;
  using Wide = Number<Layer::WIDE, true>;
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;
  Count<Layer::BLOCKS> block = 0;
  for (unsigned step = 0; step < Layer::POSITIONS * Layer::BLOCKS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    typename Layer::Left::Value a[PE];
    typename Layer::Right::Value b[PE];
    typename Activation::Result results[PE];
#pragma HLS ARRAY_PARTITION variable = a type = complete
#pragma HLS ARRAY_PARTITION variable = b type = complete
#pragma HLS ARRAY_PARTITION variable = results type = complete
    unpack<typename Layer::Left, PE>(left.read(), a);
    unpack<typename Layer::Right, PE>(right.read(), b);
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      results[p] = activation(Sum(operation.template combine<Wide>(a[p], b[p], block, p)), block, p);
    }
    out.write(pack<typename Activation::Output, PE>(results));
    block = next<Layer::BLOCKS>(block);
  }
}

}  // namespace flowc

#endif
