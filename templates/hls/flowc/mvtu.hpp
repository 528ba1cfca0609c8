// Matrix-vector-threshold unit: dense and grouped integer matrix products with an activation.
#ifndef FLOWC_MVTU_HPP
#define FLOWC_MVTU_HPP

#include "activation.hpp"
#include "count.hpp"
#include "multiply.hpp"
#include "rom.hpp"
#include "step.hpp"

namespace flowc {

// Partial dot products of SIMD inputs with PE rows of weights.
template <class Input, class Weight, class Multiplier, unsigned PE, unsigned SIMD>
struct DotProducts {
  template <class Rows, class Address, class Sum>
  static void compute(const Beat<Input, SIMD>& beat, Rows& rows, const Address& address, Sum (&sums)[PE]) {
#pragma HLS INLINE
    typename Input::Value x[SIMD];
    typename Weight::Value w[PE * SIMD];
#pragma HLS ARRAY_PARTITION variable = x type = complete
#pragma HLS ARRAY_PARTITION variable = w type = complete
    unpack<Input, SIMD>(beat, x);
    unpack_row<Weight, PE * SIMD>(rows, address, w);
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      Sum sum = 0;
      for (unsigned s = 0; s < SIMD; ++s) {
#pragma HLS UNROLL
        sum += Multiplier::template multiply<Weight, Input>(w[p * SIMD + s], x[s]);
      }
      sums[p] = sum;
    }
  }
};

// Two rows at a time, which share their inputs.
template <class Input, class Weight, unsigned PE, unsigned SIMD>
struct DotProducts<Input, Weight, Packed, PE, SIMD> {
  template <class Rows, class Address, class Sum>
  static void compute(const Beat<Input, SIMD>& beat, Rows& rows, const Address& address, Sum (&sums)[PE]) {
#pragma HLS INLINE
    typename Input::Value x[SIMD];
    typename Weight::Value w[PE * SIMD];
#pragma HLS ARRAY_PARTITION variable = x type = complete
#pragma HLS ARRAY_PARTITION variable = w type = complete
    unpack<Input, SIMD>(beat, x);
    unpack_row<Weight, PE * SIMD>(rows, address, w);
    for (unsigned p = 0; p < PE; p += 2) {
#pragma HLS UNROLL
      const unsigned other = p + 1 < PE ? p + 1 : p;
      Sum low = 0;
      Sum high = 0;
      for (unsigned s = 0; s < SIMD; ++s) {
#pragma HLS UNROLL
        const auto pair = Packed::multiply<Weight, Input>(w[p * SIMD + s], w[other * SIMD + s], x[s]);
        low += pair.low;
        high += pair.high;
      }
      sums[p] = low;
      sums[other] = other == p ? low : high;
    }
  }
};

// Both bipolar: twice the number of equal bits, less SIMD.
template <class Multiplier, unsigned PE, unsigned SIMD>
struct DotProducts<Bipolar, Bipolar, Multiplier, PE, SIMD> {
  template <class Rows, class Address, class Sum>
  static void compute(const ap_uint<SIMD>& beat, Rows& rows, const Address& address, Sum (&sums)[PE]) {
#pragma HLS INLINE
#ifdef FLOWC_NATIVE
    uint64_t x[(SIMD + 63) / 64];
    native::to_words(beat, x);
    const auto w = read_row<PE * SIMD>(rows, address);
    for (unsigned p = 0; p < PE; ++p) {
      int equal = 0;
      for (unsigned s = 0; s + 64 <= SIMD; s += 64) {
        equal += __builtin_popcountll(~(x[s / 64] ^ native::bits_of<64>(w.words, p * SIMD + s)));
      }
      constexpr unsigned REST = SIMD % 64;
      if (REST != 0) {
        const uint64_t differ = x[SIMD / 64 - (REST == 0)] ^ native::bits_of<REST == 0 ? 1 : REST>(w.words, p * SIMD + SIMD - REST);
        equal += __builtin_popcountll(~differ & native::mask(REST));
      }
      sums[p] = Sum(2 * equal - static_cast<int>(SIMD));
    }
#else
    const ap_uint<PE * SIMD> w = read_row<PE * SIMD>(rows, address);
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      const ap_uint<SIMD> weights = w.range((p + 1) * SIMD - 1, p * SIMD);
      const ap_uint<SIMD> equal = ~(beat ^ weights);
      ap_uint<bits_for(SIMD)> count = 0;
      for (unsigned s = 0; s < SIMD; ++s) {
#pragma HLS UNROLL
        count += equal[s];
      }
      sums[p] = 2 * count - static_cast<int>(SIMD);
    }
#endif
  }
};

// acc[o] = sum over i of weights[o][i] * x[group(o)][i] at every position, then activation(acc[o]).
//
// Layer holds the types Input, Weight, Multiplier and the numbers POSITIONS, GROUPS, PE, SIMD,
// ROW_FOLDS (output rows of a group / PE) and COLUMN_FOLDS (inputs of a group / SIMD).
// One cycle per position, group, row fold and column fold, nested in this order. `held` keeps a group's inputs for the
// later row folds (it has one element, unused, when there is a single row fold). `weights` is a memory with a row for every
// cycle of a position, or a stream that brings these rows for every position.
template <class Layer, class Activation, class Weights, unsigned HELD>
inline void mvtu(hls::stream<Beat<typename Layer::Input, Layer::SIMD>>& in,
                 hls::stream<Beat<typename Activation::Output, Layer::PE>>& out,
                 Beat<typename Layer::Input, Layer::SIMD> (&held)[HELD], Weights& weights, const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned PE = Layer::PE;
  constexpr unsigned BLOCKS = Layer::GROUPS * Layer::ROW_FOLDS;
  constexpr unsigned STEPS = Layer::POSITIONS * BLOCKS * Layer::COLUMN_FOLDS;
  constexpr unsigned ROWS = BLOCKS * Layer::COLUMN_FOLDS;
  static_assert(HasRows<Weights, ROWS>::value, "one row of weights per cycle of a position");
  using Input = typename Layer::Input;
  using Output = typename Activation::Output;
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;

  Sum sums[PE];
#pragma HLS ARRAY_PARTITION variable = sums type = complete
  Count<Layer::COLUMN_FOLDS> column = 0;
  Count<Layer::ROW_FOLDS> row = 0;
  Count<BLOCKS> block = 0;
  Count<ROWS> address = 0;
  for (unsigned step = 0; step < STEPS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp
    FLOWC_STEP();
    const unsigned slot = HELD == 1 ? 0 : static_cast<unsigned>(column);
    Beat<Input, Layer::SIMD> beat;
    if (row == 0) {
      beat = in.read();
      held[slot] = beat;
    } else {
      beat = held[slot];
    }
    Sum partial[PE];
#pragma HLS ARRAY_PARTITION variable = partial type = complete
    DotProducts<Input, typename Layer::Weight, typename Layer::Multiplier, PE, Layer::SIMD>::compute(beat, weights, address, partial);
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      sums[p] = column == 0 ? partial[p] : Sum(sums[p] + partial[p]);
    }
    if (column == Layer::COLUMN_FOLDS - 1) {
      typename Activation::Result results[PE];
#pragma HLS ARRAY_PARTITION variable = results type = complete
      for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        results[p] = activation(sums[p], block, p);
      }
      out.write(pack<Output, PE>(results));
    }
    address = next<ROWS>(address);
    if (column == Layer::COLUMN_FOLDS - 1) {
      row = next<Layer::ROW_FOLDS>(row);
      block = next<BLOCKS>(block);
    }
    column = next<Layer::COLUMN_FOLDS>(column);
  }
}

}  // namespace flowc

#endif
