// Pools: reductions over the taps of a window, and over a whole frame.
#ifndef FLOWC_POOL_HPP
#define FLOWC_POOL_HPP

#include "activation.hpp"
#include "count.hpp"
#include "step.hpp"

namespace flowc {

struct Maximum {
  template <class Sum>
  static Sum combine(const Sum& a, const Sum& b) {
#pragma HLS INLINE
    return a < b ? b : a;
  }
};

struct Addition {
  template <class Sum>
  static Sum combine(const Sum& a, const Sum& b) {
#pragma HLS INLINE
    return Sum(a + b);
  }
};

// The maximum or sum of TAPS consecutive beats, for each of POSITIONS * BLOCKS groups of beats; then the activation.
// Layer holds the types Input and Reduction (Maximum, Addition) and the numbers POSITIONS, BLOCKS, TAPS, PE.
// One cycle per input beat.
template <class Layer, class Activation>
inline void pool(hls::stream<Beat<typename Layer::Input, Layer::PE>>& in,
                 hls::stream<Beat<typename Activation::Output, Layer::PE>>& out, const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned PE = Layer::PE;
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;
  Sum sums[PE];
#pragma HLS ARRAY_PARTITION variable = sums type = complete
  Count<Layer::TAPS> tap = 0;
  Count<Layer::BLOCKS> block = 0;
  for (unsigned step = 0; step < Layer::POSITIONS * Layer::BLOCKS * Layer::TAPS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    typename Layer::Input::Value x[PE];
    typename Activation::Result results[PE];
#pragma HLS ARRAY_PARTITION variable = x type = complete
#pragma HLS ARRAY_PARTITION variable = results type = complete
    unpack<typename Layer::Input, PE>(in.read(), x);
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      sums[p] = tap == 0 ? Sum(x[p]) : Layer::Reduction::combine(sums[p], Sum(x[p]));
    }
    if (tap == Layer::TAPS - 1) {
      for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        results[p] = activation(sums[p], block, p);
      }
      out.write(pack<typename Activation::Output, PE>(results));
      block = next<Layer::BLOCKS>(block);
    }
    tap = next<Layer::TAPS>(tap);
  }
}

// The same for beats that hold all TAPS of a group, [TAPS][PE]: one cycle per result.
template <class Layer, class Activation>
inline void pool_parallel(hls::stream<Beat<typename Layer::Input, Layer::TAPS * Layer::PE>>& in,
                          hls::stream<Beat<typename Activation::Output, Layer::PE>>& out, const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned PE = Layer::PE;
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;
  Count<Layer::BLOCKS> block = 0;
  for (unsigned step = 0; step < Layer::POSITIONS * Layer::BLOCKS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    typename Layer::Input::Value x[Layer::TAPS * PE];
    typename Activation::Result results[PE];
#pragma HLS ARRAY_PARTITION variable = x type = complete
#pragma HLS ARRAY_PARTITION variable = results type = complete
    unpack<typename Layer::Input, Layer::TAPS * PE>(in.read(), x);
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      Sum sum = Sum(x[p]);
      for (unsigned k = 1; k < Layer::TAPS; ++k) {
#pragma HLS UNROLL
        sum = Layer::Reduction::combine(sum, Sum(x[k * PE + p]));
      }
      results[p] = activation(sum, block, p);
    }
    out.write(pack<typename Activation::Output, PE>(results));
    block = next<Layer::BLOCKS>(block);
  }
}

// The same for PIXELS positions per cycle, [PIXELS][TAPS][PE], PE being all channels. Lane q * PE + p of the activation is channel p of
// position q.
template <class Layer, class Activation>
inline void pool_pixels(hls::stream<Beat<typename Layer::Input, Layer::PIXELS * Layer::TAPS * Layer::PE>>& in,
                        hls::stream<Beat<typename Activation::Output, Layer::PIXELS * Layer::PE>>& out, const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned PE = Layer::PE;
  constexpr unsigned INPUTS = Layer::TAPS * PE;
  constexpr unsigned LANES = Layer::PIXELS * PE;
  static_assert(Layer::POSITIONS % Layer::PIXELS == 0, "beats hold whole positions");
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;
  for (unsigned step = 0; step < Layer::POSITIONS / Layer::PIXELS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    typename Layer::Input::Value x[Layer::PIXELS * INPUTS];
    typename Activation::Result results[LANES];
#pragma HLS ARRAY_PARTITION variable = x type = complete
#pragma HLS ARRAY_PARTITION variable = results type = complete
    unpack<typename Layer::Input, Layer::PIXELS * INPUTS>(in.read(), x);
    for (unsigned lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
      const unsigned first = lane / PE * INPUTS + lane % PE;
      Sum sum = Sum(x[first]);
      for (unsigned k = 1; k < Layer::TAPS; ++k) {
#pragma HLS UNROLL
        sum = Layer::Reduction::combine(sum, Sum(x[first + k * PE]));
      }
      results[lane] = activation(sum, 0, lane);
    }
    out.write(pack<typename Activation::Output, LANES>(results));
  }
}

// The sum over all positions of a frame, per channel; then the activation. Layer holds the types Input and Sum (the element type
// of the accumulators) and the numbers POSITIONS, BLOCKS (beats per position), PE. `sums` is the memory of the accumulators, a word
// of PE sums per block. One cycle per input beat.
template <class Layer, class Activation>
inline void global_sum(hls::stream<Beat<typename Layer::Input, Layer::PE>>& in,
                       hls::stream<Beat<typename Activation::Output, Layer::PE>>& out, Beat<typename Layer::Sum, Layer::PE> (&sums)[Layer::BLOCKS],
                       const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned PE = Layer::PE;
  using Total = typename Layer::Sum;
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;
  Count<Layer::BLOCKS> block = 0;
  Count<Layer::POSITIONS> position = 0;
  for (unsigned step = 0; step < Layer::POSITIONS * Layer::BLOCKS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
#pragma HLS DEPENDENCE variable = sums type = inter direction = RAW distance = Layer::BLOCKS dependent = true
#pragma HLS DEPENDENCE variable = sums type = inter direction = WAR distance = Layer::BLOCKS dependent = true
    FLOWC_STEP();
    typename Layer::Input::Value x[PE];
    typename Total::Value so_far[PE];
    Sum totals[PE];
    typename Activation::Result results[PE];
#pragma HLS ARRAY_PARTITION variable = x type = complete
#pragma HLS ARRAY_PARTITION variable = so_far type = complete
#pragma HLS ARRAY_PARTITION variable = totals type = complete
#pragma HLS ARRAY_PARTITION variable = results type = complete
    unpack<typename Layer::Input, PE>(in.read(), x);
    unpack<Total, PE>(sums[block], so_far);
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      totals[p] = position == 0 ? Sum(x[p]) : Sum(so_far[p] + x[p]);
      results[p] = activation(totals[p], block, p);
    }
    sums[block] = pack<Total, PE>(totals);
    if (position == Layer::POSITIONS - 1) out.write(pack<typename Activation::Output, PE>(results));
    if (block == Layer::BLOCKS - 1) position = next<Layer::POSITIONS>(position);
    block = next<Layer::BLOCKS>(block);
  }
}

}  // namespace flowc

#endif
