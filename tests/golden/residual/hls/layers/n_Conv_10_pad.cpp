// flowc: golden design residual for kv260 at 100 MHz
//
// n_Conv_10_pad: pad made from n_Conv_10.
// In: (8, 8, 2) int4, 2 per beat.
// Out: (10, 10, 2) int4, 2 per beat.
// 100 cycles per frame.
#include "../layers.hpp"
#include "../flowc/pad.hpp"

namespace layers {

struct n_Conv_10_pad_layer {
  using Input = flowc::SInt<4>;
  using Output = flowc::SInt<4>;
  static constexpr unsigned HEIGHT = 8;  // of the input
  static constexpr unsigned WIDTH = 8;
  static constexpr unsigned TOP = 1;
  static constexpr unsigned LEFT = 1;
  static constexpr unsigned OUT_H = 10;
  static constexpr unsigned OUT_W = 10;
  static constexpr unsigned WORDS = 1;  // beats per pixel: 2 channels / 2
  static constexpr unsigned SIMD = 2;  // channels per beat
};

void n_Conv_10_pad(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) {
  FLOWC_UNIT(n_Conv_10_pad);
  flowc::pad<n_Conv_10_pad_layer>(in, out, flowc::repeated<2, 4>(0));
}

}  // namespace layers
