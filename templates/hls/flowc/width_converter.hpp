// Another number of elements per beat.
#ifndef FLOWC_WIDTH_CONVERTER_HPP
#define FLOWC_WIDTH_CONVERTER_HPP

#include "count.hpp"
#include "step.hpp"

namespace flowc {

// A whole number of output beats per input beat. One cycle per output beat.
template <unsigned BEATS_OUT, class Wide, class Narrow>
inline void narrow(hls::stream<Wide>& in, hls::stream<Narrow>& out) {
#pragma HLS INLINE
  constexpr unsigned RATIO = Wide::width / Narrow::width;
  Wide held = 0;
  Count<RATIO> part = 0;
  for (unsigned step = 0; step < BEATS_OUT; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    if (part == 0) held = in.read();
    out.write(Narrow(held));
    held >>= Narrow::width;
    part = next<RATIO>(part);
  }
}

// A whole number of input beats per output beat. One cycle per input beat.
template <unsigned BEATS_IN, class Narrow, class Wide>
inline void widen(hls::stream<Narrow>& in, hls::stream<Wide>& out) {
#pragma HLS INLINE
  constexpr unsigned RATIO = Wide::width / Narrow::width;
  Wide held = 0;
  Count<RATIO> part = 0;
  for (unsigned step = 0; step < BEATS_IN; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    held >>= Narrow::width;
    held.range(Wide::width - 1, Wide::width - Narrow::width) = in.read();
    if (part == RATIO - 1) out.write(held);
    part = next<RATIO>(part);
  }
}

// Any ratio; UNIT divides both widths. A cycle takes a beat if fewer bits are held than an output beat has, or if input beats are
// the narrower ones, and gives a beat if enough are held: one cycle per beat of the narrower side.
template <unsigned BEATS_IN, unsigned BEATS_OUT, unsigned UNIT, class In, class Out>
inline void convert(hls::stream<In>& in, hls::stream<Out>& out) {
#pragma HLS INLINE
  constexpr unsigned IN_UNITS = In::width / UNIT;
  constexpr unsigned OUT_UNITS = Out::width / UNIT;
  using Held = ap_uint<In::width + Out::width>;
  Held held = 0;
  Count<IN_UNITS + OUT_UNITS> units = 0;
  for (unsigned step = 0; step < (BEATS_IN > BEATS_OUT ? BEATS_IN : BEATS_OUT); ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    if (IN_UNITS < OUT_UNITS || units < OUT_UNITS) {
      held |= Held(in.read()) << (units * UNIT);
      units += IN_UNITS;
    }
    if (units >= OUT_UNITS) {
      out.write(Out(held));
      held >>= Out::width;
      units -= OUT_UNITS;
    }
  }
}

}  // namespace flowc

#endif
