// Table of vectors indexed by integers.
#ifndef FLOWC_LOOKUP_HPP
#define FLOWC_LOOKUP_HPP

#include "count.hpp"
#include "element.hpp"
#include "rom.hpp"
#include "step.hpp"

namespace flowc {

// For every index the row of the table at index - FIRST, the first or last one where that is outside. Layer holds the types Input and
// Output and the numbers INDICES, ROWS, FOLDS (beats per row), PE. One cycle per beat of output.
template <class Layer, int FIRST, class Table>
inline void lookup(hls::stream<Beat<typename Layer::Input, 1>>& in, hls::stream<Beat<typename Layer::Output, Layer::PE>>& out,
                   const Table& table) {
#pragma HLS INLINE
  using Input = typename Layer::Input;
  using Output = typename Layer::Output;
  constexpr unsigned LAST = (Layer::ROWS - 1) * Layer::FOLDS;
  unsigned base = 0;
  Count<Layer::FOLDS> fold = 0;
  for (unsigned step = 0; step < Layer::INDICES * Layer::FOLDS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    if (fold == 0) {
      typename Input::Value index[1];
      unpack<Input, 1>(in.read(), index);
      const int row = int(index[0]) - FIRST;
      base = row < 0 ? 0u : row < int(Layer::ROWS) ? unsigned(row) * Layer::FOLDS
                                                   : LAST;
    }
    typename Output::Value entries[Layer::PE];
#pragma HLS ARRAY_PARTITION variable = entries type = complete
    RowOf<Output, Layer::PE, HasRows<Table, Layer::ROWS * Layer::FOLDS>::SLICES> row_read;
#pragma HLS ARRAY_PARTITION variable = row_read.words type = complete
    row_read.read(table, base + unsigned(fold));
    for (unsigned p = 0; p < Layer::PE; ++p) {
#pragma HLS UNROLL
      entries[p] = row_read.at(p);
    }
    out.write(pack<Output, Layer::PE>(entries));
    fold = next<Layer::FOLDS>(fold);
  }
}

}  // namespace flowc

#endif
