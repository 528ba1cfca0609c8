// Padding, and the zero insertion of transposed convolutions.
#ifndef FLOWC_PAD_HPP
#define FLOWC_PAD_HPP

#include "ap.hpp"
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

// Surrounds a frame with `filler`. Layer holds HEIGHT, WIDTH (input), TOP, LEFT, OUT_H, OUT_W and WORDS (beats per pixel).
// One cycle per output beat.
template <class Layer, class Word>
inline void pad(hls::stream<Word>& in, hls::stream<Word>& out, const Word& filler) {
#pragma HLS INLINE
  unsigned word = 0;
  unsigned x = 0;
  unsigned y = 0;
  for (unsigned step = 0; step < Layer::OUT_H * Layer::OUT_W * Layer::WORDS; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    FLOWC_STEP();
    // Unsigned differences: what lies above or left of the frame becomes large.
    const bool inside = y - Layer::TOP < Layer::HEIGHT && x - Layer::LEFT < Layer::WIDTH;
    out.write(inside ? in.read() : filler);
    if (word < Layer::WORDS - 1) {
      ++word;
    } else {
      word = 0;
      if (x < Layer::OUT_W - 1) {
        ++x;
      } else {
        x = 0;
        ++y;
      }
    }
  }
}

// Puts pixel (y, x) at (y * STRIDE_H, x * STRIDE_W), with `filler` between. Layer holds OUT_H, OUT_W, STRIDE_H, STRIDE_W,
// WORDS. One cycle per output beat.
template <class Layer, class Word>
inline void pixel_pad(hls::stream<Word>& in, hls::stream<Word>& out, const Word& filler) {
#pragma HLS INLINE
  unsigned word = 0;
  unsigned x = 0;
  unsigned phase_x = 0;
  unsigned phase_y = 0;
  for (unsigned step = 0; step < Layer::OUT_H * Layer::OUT_W * Layer::WORDS; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    FLOWC_STEP();
    out.write(phase_x == 0 && phase_y == 0 ? in.read() : filler);
    if (word < Layer::WORDS - 1) {
      ++word;
    } else {
      word = 0;
      if (x < Layer::OUT_W - 1) {
        ++x;
        phase_x = phase_x == Layer::STRIDE_W - 1 ? 0 : phase_x + 1;
      } else {
        x = 0;
        phase_x = 0;
        phase_y = phase_y == Layer::STRIDE_H - 1 ? 0 : phase_y + 1;
      }
    }
  }
}

}  // namespace flowc

#endif
