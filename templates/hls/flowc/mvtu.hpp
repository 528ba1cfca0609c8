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
  template <unsigned SLICES>
  using Weights = RowOf<Weight, PE * SIMD, SLICES>;

  template <class Row, class Sum>
  static void compute(const Beat<Input, SIMD>& beat, const Row& row, Sum (&sums)[PE]) {
#pragma HLS INLINE
    typename Input::Value x[SIMD];
#pragma HLS ARRAY_PARTITION variable = x type = complete
    unpack<Input, SIMD>(beat, x);
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      Sum sum = 0;
      for (unsigned s = 0; s < SIMD; ++s) {
#pragma HLS UNROLL
        sum += Multiplier::template multiply<Weight, Input>(row.at(p * SIMD + s), x[s]);
      }
      sums[p] = sum;
    }
  }
};

// Several rows in a slice. sum(w * x) = SCALE * sum(code * x) - OFFSET * sum(x), and the last sum is the same for all rows.
template <class Input, class Weight, unsigned ROWS, unsigned FIELD, unsigned CHAIN, unsigned PE, unsigned SIMD>
struct DotProducts<Input, Weight, Packed<ROWS, FIELD, CHAIN>, PE, SIMD> {
  template <unsigned SLICES>
  using Weights = RowOf<Weight, PE * SIMD, SLICES>;

  template <class Row, class Sum>
  static void compute(const Beat<Input, SIMD>& beat, const Row& row, Sum (&sums)[PE]) {
#pragma HLS INLINE
#ifdef FLOWC_NATIVE
    DotProducts<Input, Weight, Any, PE, SIMD>::compute(beat, row, sums);
#else
    constexpr unsigned CHAINS = (SIMD + CHAIN - 1) / CHAIN;
    constexpr unsigned WIDE = (ROWS - 1) * FIELD + Weight::BITS;
    typename Input::Value x[SIMD];
#pragma HLS ARRAY_PARTITION variable = x type = complete
    unpack<Input, SIMD>(beat, x);
    Sum total = 0;
    for (unsigned s = 0; s < SIMD; ++s) {
#pragma HLS UNROLL
      total += x[s];
    }
    for (unsigned first = 0; first < PE; first += ROWS) {
#pragma HLS UNROLL
      Sum coded[ROWS];
#pragma HLS ARRAY_PARTITION variable = coded type = complete
      for (unsigned k = 0; k < ROWS; ++k) {
#pragma HLS UNROLL
        coded[k] = 0;
      }
      for (unsigned c = 0; c < CHAINS; ++c) {
#pragma HLS UNROLL
        ChainSum<Input::SIGNED, FIELD> chain;
        chain.sum = 0;
        for (unsigned i = 0; i < CHAIN; ++i) {
#pragma HLS UNROLL
          const unsigned s = c * CHAIN + i;
          if (s < SIMD) {
            ap_uint<WIDE> codes = 0;
            for (unsigned k = 0; k < ROWS; ++k) {
#pragma HLS UNROLL
              if (first + k < PE) {
                codes.range(k * FIELD + Weight::BITS - 1, k * FIELD) = row.raw((first + k) * SIMD + s) ^ Code<Weight>::FLIP;
              }
            }
            const auto product = codes * x[s];
#pragma HLS BIND_OP variable = product op = mul impl = dsp
            chain.sum += product;
          }
        }
        for (unsigned k = 0; k < ROWS; ++k) {
#pragma HLS UNROLL
          coded[k] += chain.field(k);
        }
      }
      for (unsigned k = 0; k < ROWS; ++k) {
#pragma HLS UNROLL
        if (first + k < PE) sums[first + k] = Code<Weight>::SCALE * coded[k] - Code<Weight>::OFFSET * total;
      }
    }
#endif
  }
};

// Both bipolar: twice the number of equal bits, less SIMD.
template <class Multiplier, unsigned PE, unsigned SIMD>
struct DotProducts<Bipolar, Bipolar, Multiplier, PE, SIMD> {
  template <unsigned SLICES>
  using Weights = BitRowOf<Bipolar, PE * SIMD, SLICES>;

  template <class Row, class Sum>
  static void compute(const ap_uint<SIMD>& beat, const Row& row, Sum (&sums)[PE]) {
#pragma HLS INLINE
#ifdef FLOWC_NATIVE
    uint64_t x[(SIMD + 63) / 64];
    native::to_words(beat, x);
    for (unsigned p = 0; p < PE; ++p) {
      int equal = 0;
      for (unsigned s = 0; s + 64 <= SIMD; s += 64) {
        equal += __builtin_popcountll(~(x[s / 64] ^ row.template bits<64>(p * SIMD + s)));
      }
      constexpr unsigned REST = SIMD % 64;
      if (REST != 0) {
        const uint64_t differ = x[SIMD / 64 - (REST == 0)] ^ row.template bits<REST == 0 ? 1 : REST>(p * SIMD + SIMD - REST);
        equal += __builtin_popcountll(~differ & native::mask(REST));
      }
      sums[p] = Sum(2 * equal - static_cast<int>(SIMD));
    }
#else
    for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
      ap_uint<bits_for(SIMD)> count = 0;
      for (unsigned s = 0; s < SIMD; ++s) {
#pragma HLS UNROLL
        count += row.raw(p * SIMD + s) == beat[s] ? 1 : 0;
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
  static_assert(PE <= MAX_LANES && Layer::SIMD <= MAX_LANES, "arrays of so many parts can't be partitioned");
  static_assert(PE * Layer::SIMD <= MAX_PRODUCTS, "one loop can't be scheduled with so many products");
  using Input = typename Layer::Input;
  using Output = typename Activation::Output;
  using Products = DotProducts<Input, typename Layer::Weight, typename Layer::Multiplier, PE, Layer::SIMD>;
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;

  Sum sums[PE];
#pragma HLS ARRAY_PARTITION variable = sums type = complete
  Count<Layer::COLUMN_FOLDS> column = 0;
  Count<Layer::ROW_FOLDS> row = 0;
  Count<BLOCKS> block = 0;
  Count<ROWS> address = 0;
  for (unsigned step = 0; step < STEPS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
#pragma HLS DEPENDENCE variable = held type = inter direction = RAW distance = HELD dependent = true
#pragma HLS DEPENDENCE variable = held type = inter direction = WAR distance = HELD dependent = true
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
    using WeightRow = typename Products::template Weights<HasRows<Weights, ROWS>::SLICES>;
    WeightRow weight_row;
#pragma HLS ARRAY_PARTITION variable = weight_row.words type = complete
    weight_row.read(weights, address);
    Products::compute(beat, weight_row, partial);
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

// The same for PIXELS positions per cycle, each computed whole: the word of weights, PE rows of SIMD, is all that there is, and all
// positions share it. Layer holds the types Input, Weight, Multiplier and the numbers POSITIONS, PIXELS, PE, SIMD. Lane q * PE + p of
// the activation is row p of position q.
template <class Layer, class Activation, class Weights>
inline void mvtu_pixels(hls::stream<Beat<typename Layer::Input, Layer::PIXELS * Layer::SIMD>>& in,
                        hls::stream<Beat<typename Activation::Output, Layer::PIXELS * Layer::PE>>& out, Weights& weights,
                        const Activation& activation) {
#pragma HLS INLINE
  constexpr unsigned PE = Layer::PE;
  constexpr unsigned LANES = Layer::PIXELS * PE;
  using Input = typename Layer::Input;
  using Output = typename Activation::Output;
  using Products = DotProducts<Input, typename Layer::Weight, typename Layer::Multiplier, PE, Layer::SIMD>;
  using Sum = Number<Activation::Input::VALUE_BITS, Activation::Input::SIGNED>;
  constexpr int BITS = static_cast<int>(Layer::SIMD * Input::BITS);
  static_assert(HasRows<Weights, 1>::value, "one row of weights");
  static_assert(LANES <= MAX_LANES && Layer::PIXELS * Layer::SIMD <= MAX_LANES, "arrays of so many parts can't be partitioned");
  static_assert(LANES * Layer::SIMD <= MAX_PRODUCTS, "one loop can't be scheduled with so many products");
  static_assert(Layer::POSITIONS % Layer::PIXELS == 0, "beats hold whole positions");

  for (unsigned step = 0; step < Layer::POSITIONS / Layer::PIXELS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    const Beat<Input, Layer::PIXELS * Layer::SIMD> beat = in.read();
    using WeightRow = typename Products::template Weights<HasRows<Weights, 1>::SLICES>;
    WeightRow weight_row;
#pragma HLS ARRAY_PARTITION variable = weight_row.words type = complete
    weight_row.read(weights, 0U);
    typename Activation::Result results[LANES];
#pragma HLS ARRAY_PARTITION variable = results type = complete
    for (unsigned q = 0; q < Layer::PIXELS; ++q) {
#pragma HLS UNROLL
      const Beat<Input, Layer::SIMD> position = beat.range(static_cast<int>(q + 1) * BITS - 1, static_cast<int>(q) * BITS);
      Sum sums[PE];
#pragma HLS ARRAY_PARTITION variable = sums type = complete
      Products::compute(position, weight_row, sums);
      for (unsigned p = 0; p < PE; ++p) {
#pragma HLS UNROLL
        results[q * PE + p] = activation(sums[p], 0, q * PE + p);
      }
    }
    out.write(pack<Output, LANES>(results));
  }
}

}  // namespace flowc

#endif
