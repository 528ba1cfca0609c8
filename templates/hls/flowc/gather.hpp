// Any elements of a chunk in any order: some leave more than once, others not at all.
#ifndef FLOWC_GATHER_HPP
#define FLOWC_GATHER_HPP

#include <hls_stream.h>

#include "count.hpp"
#include "step.hpp"

namespace flowc {

// A chunk of TAKEN elements lies in one half of the memory while the GIVEN elements of the one before it leave the other.
// GAP idle iterations let what was written last come to rest: SETTLED cycles at least lie between the accesses to a word.
template <class Layer, unsigned SETTLED, class Word, class Index>
inline void gather(hls::stream<Word>& in, hls::stream<Word>& out, Word (&halves)[2 * Layer::TAKEN], const Index (&order)[Layer::GIVEN]) {
#pragma HLS INLINE
  constexpr unsigned PERIOD = (Layer::TAKEN > Layer::GIVEN ? Layer::TAKEN : Layer::GIVEN) + Layer::GAP;
  Count<Layer::CHUNKS + 1> chunk = 0;
  Count<PERIOD> element = 0;
  bool second = false;
  for (unsigned step = 0; step < (Layer::CHUNKS + 1) * PERIOD; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
#pragma HLS DEPENDENCE variable = halves type = inter direction = RAW distance = SETTLED dependent = true
#pragma HLS DEPENDENCE variable = halves type = inter direction = WAR distance = SETTLED dependent = true
    FLOWC_STEP();
    if (element < Layer::GIVEN && chunk > 0) out.write(halves[(second ? 0 : Layer::TAKEN) + order[element]]);
    if (element < Layer::TAKEN && chunk < Layer::CHUNKS) halves[(second ? Layer::TAKEN : 0) + element] = in.read();
    if (element == PERIOD - 1) {
      second = !second;
      chunk = next<Layer::CHUNKS + 1>(chunk);
    }
    element = next<PERIOD>(element);
  }
}

}  // namespace flowc

#endif
