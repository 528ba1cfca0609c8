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

// As `pad`, PIXELS pixels of SIMD channels per beat. WIDTH is whole beats; an output row is ROW_BEATS beats, filled up at its end. Where
// the left edge is no whole beat, the last pixels of a beat wait for the next one.
template <class Layer>
inline void pad_pixels(hls::stream<Beat<typename Layer::Input, Layer::PIXELS * Layer::SIMD>>& in,
                       hls::stream<Beat<typename Layer::Output, Layer::PIXELS * Layer::SIMD>>& out,
                       const Beat<typename Layer::Output, Layer::PIXELS * Layer::SIMD>& filler) {
#pragma HLS INLINE
  constexpr unsigned LANES = Layer::PIXELS * Layer::SIMD;
  constexpr unsigned FIRST = Layer::LEFT / Layer::PIXELS;
  constexpr unsigned END = FIRST + Layer::WIDTH / Layer::PIXELS;
  constexpr int KEPT = static_cast<int>(Layer::LEFT % Layer::PIXELS * Layer::SIMD * Layer::Output::BITS);
  constexpr int BITS = static_cast<int>(LANES * Layer::Output::BITS);
  static_assert(Layer::WIDTH % Layer::PIXELS == 0, "a row is whole beats");
  static_assert(Layer::ROW_BEATS * Layer::PIXELS >= Layer::LEFT + Layer::WIDTH, "a row holds all pixels");
  Count<Layer::ROW_BEATS> x = 0;
  Count<Layer::OUT_H> y = 0;
  Beat<typename Layer::Output, LANES> before = filler;
  for (unsigned step = 0; step < Layer::OUT_H * Layer::ROW_BEATS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    const bool rows = y + 1 > Layer::TOP && y < Layer::TOP + Layer::HEIGHT;
    const bool columns = x + 1 > FIRST && x < END;
    Beat<typename Layer::Output, LANES> taken = filler;
    if (rows && columns) taken = convert<typename Layer::Input, typename Layer::Output, LANES>(in.read());
    Beat<typename Layer::Output, LANES> beat = taken;
    if (KEPT > 0) {
      beat = taken << KEPT;
      beat.range(KEPT > 0 ? KEPT - 1 : 0, 0) = before.range(BITS - 1, KEPT > 0 ? BITS - KEPT : 0);
    }
    before = taken;
    out.write(beat);
    if (x == Layer::ROW_BEATS - 1) y = next<Layer::OUT_H>(y);
    x = next<Layer::ROW_BEATS>(x);
  }
}

}  // namespace flowc

#endif
