// Brings weights from the external memory to a layer.
#ifndef FLOWC_WEIGHT_READER_HPP
#define FLOWC_WEIGHT_READER_HPP

#include "ap.hpp"

namespace flowc {

// Sends BEATS words of memory; TLAST marks the last one. One cycle per word, once the memory answers: the loop is one burst
// after the other.
template <unsigned BEATS, unsigned BYTES>
inline void read_weights(const ap_uint<8 * BYTES>* memory, hls::stream<Axis<BYTES>>& words) {
#pragma HLS INLINE
  for (unsigned i = 0; i < BEATS; ++i) {
#pragma HLS PIPELINE II = 1
    Axis<BYTES> word;
    word.data = memory[i];
    word.keep = -1;
    word.strb = -1;
    word.last = i == BEATS - 1;
    words.write(word);
  }
}

}  // namespace flowc

#endif
