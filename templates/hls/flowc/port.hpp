// The accelerator's own ports: AXI4-Stream beats of whole bytes.
#ifndef FLOWC_PORT_HPP
#define FLOWC_PORT_HPP

#include "ap.hpp"
#include "step.hpp"

namespace flowc {

// Drops the padding bits; TLAST, TKEEP and TSTRB of the input are ignored. One cycle per beat.
template <unsigned BEATS, unsigned BYTES, class Word>
inline void receive(hls::stream<Axis<BYTES>>& in, hls::stream<Word>& out) {
#pragma HLS INLINE
  for (unsigned step = 0; step < BEATS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    const Axis<BYTES> beat = in.read();
    out.write(Word(beat.data));
  }
}

// Pads to whole bytes with zeros; TLAST marks the last beat of the frame. One cycle per beat.
template <unsigned BEATS, unsigned BYTES, class Word>
inline void send(hls::stream<Word>& in, hls::stream<Axis<BYTES>>& out) {
#pragma HLS INLINE
  for (unsigned step = 0; step < BEATS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    Axis<BYTES> beat;
    beat.data = in.read();
    beat.keep = -1;
    beat.strb = -1;
    beat.last = step == BEATS - 1;
    out.write(beat);
  }
}

}  // namespace flowc

#endif
