// Padding, and the zero insertion of transposed convolutions.
#ifndef FLOWC_PAD_HPP
#define FLOWC_PAD_HPP

#include "count.hpp"
#include "element.hpp"
#include "step.hpp"

namespace flowc {

// A beat of LANES times the same BITS bits.
template <unsigned LANES, unsigned BITS>
inline ap_uint<LANES * BITS> repeated(uint64_t bits) {
#pragma HLS INLINE
  ap_uint<LANES * BITS> beat = 0;
  for (unsigned i = 0; i < LANES; ++i) {
#pragma HLS UNROLL
    beat.range(static_cast<int>((i + 1) * BITS - 1), static_cast<int>(i * BITS)) = bits;
  }
  return beat;
}

// Surrounds a frame with `filler`. Layer holds the types Input and Output and the numbers HEIGHT, WIDTH (input), TOP, LEFT,
// OUT_H, OUT_W, WORDS (beats per pixel), SIMD. One cycle per output beat.
template <class Layer>
inline void pad(hls::stream<Beat<typename Layer::Input, Layer::SIMD>>& in,
                hls::stream<Beat<typename Layer::Output, Layer::SIMD>>& out,
                const Beat<typename Layer::Output, Layer::SIMD>& filler) {
#pragma HLS INLINE
  Count<Layer::WORDS> word = 0;
  Count<Layer::OUT_W> x = 0;
  Count<Layer::OUT_H> y = 0;
  for (unsigned step = 0; step < Layer::OUT_H * Layer::OUT_W * Layer::WORDS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    const bool rows = y + 1 > Layer::TOP && y < Layer::TOP + Layer::HEIGHT;
    const bool columns = x + 1 > Layer::LEFT && x < Layer::LEFT + Layer::WIDTH;
    Beat<typename Layer::Output, Layer::SIMD> beat = filler;
    if (rows && columns) beat = convert<typename Layer::Input, typename Layer::Output, Layer::SIMD>(in.read());
    out.write(beat);
    if (word == Layer::WORDS - 1) {
      if (x == Layer::OUT_W - 1) y = next<Layer::OUT_H>(y);
      x = next<Layer::OUT_W>(x);
    }
    word = next<Layer::WORDS>(word);
  }
}

// Puts pixel (y, x) at (y * STRIDE_H, x * STRIDE_W), with `filler` between. Layer holds the types Input and Output and the
// numbers OUT_H, OUT_W, STRIDE_H, STRIDE_W, WORDS, SIMD. One cycle per output beat.
template <class Layer>
inline void pixel_pad(hls::stream<Beat<typename Layer::Input, Layer::SIMD>>& in,
                      hls::stream<Beat<typename Layer::Output, Layer::SIMD>>& out,
                      const Beat<typename Layer::Output, Layer::SIMD>& filler) {
#pragma HLS INLINE
  Count<Layer::WORDS> word = 0;
  Count<Layer::OUT_W> x = 0;
  Count<Layer::STRIDE_W> phase_x = 0;
  Count<Layer::STRIDE_H> phase_y = 0;
  for (unsigned step = 0; step < Layer::OUT_H * Layer::OUT_W * Layer::WORDS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    Beat<typename Layer::Output, Layer::SIMD> beat = filler;
    if (phase_x == 0 && phase_y == 0) beat = convert<typename Layer::Input, typename Layer::Output, Layer::SIMD>(in.read());
    out.write(beat);
    if (word == Layer::WORDS - 1) {
      if (x == Layer::OUT_W - 1) {
        phase_x = 0;
        phase_y = next<Layer::STRIDE_H>(phase_y);
      } else {
        phase_x = next<Layer::STRIDE_W>(phase_x);
      }
      x = next<Layer::OUT_W>(x);
    }
    word = next<Layer::WORDS>(word);
  }
}

}  // namespace flowc

#endif
