// Index of the greatest channel.
#ifndef FLOWC_ARGMAX_HPP
#define FLOWC_ARGMAX_HPP

#include "count.hpp"
#include "element.hpp"
#include "step.hpp"

namespace flowc {

// The channel of the maximum at every position, the first of equals. Layer holds the types Input and Output and the numbers
// POSITIONS, BLOCKS (beats per position), PE. One cycle per input beat.
template <class Layer>
inline void argmax(hls::stream<Beat<typename Layer::Input, Layer::PE>>& in, hls::stream<Beat<typename Layer::Output, 1>>& out) {
#pragma HLS INLINE
  using Input = typename Layer::Input;
  using Output = typename Layer::Output;
  using Value = Number<Input::VALUE_BITS, Input::SIGNED>;
  using Index = Number<Output::BITS, false>;
  Value best = 0;
  Index where = 0;
  Count<Layer::BLOCKS> block = 0;
  for (unsigned step = 0; step < Layer::POSITIONS * Layer::BLOCKS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    typename Input::Value x[Layer::PE];
#pragma HLS ARRAY_PARTITION variable = x type = complete
    unpack<Input, Layer::PE>(in.read(), x);
    Value top = x[0];
    unsigned lane = 0;
    for (unsigned p = 1; p < Layer::PE; ++p) {
#pragma HLS UNROLL
      if (Value(x[p]) > top) {
        top = x[p];
        lane = p;
      }
    }
    if (block == 0 || top > best) {
      best = top;
      where = Index(block * Layer::PE + lane);
    }
    if (block == Layer::BLOCKS - 1) {
      const Index result[1] = {where};
      out.write(pack<Output, 1>(result));
    }
    block = next<Layer::BLOCKS>(block);
  }
}

}  // namespace flowc

#endif
