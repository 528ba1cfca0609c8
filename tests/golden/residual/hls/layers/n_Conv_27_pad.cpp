// flowc: golden design residual for kv260 at 100 MHz
//
// n_Conv_27_pad: pad made from n_Conv_27.
// In: (4, 4, 4) uint4, 2 per beat.
// Out: (6, 6, 4) uint4, 2 per beat.
// 72 cycles per frame.
#include "../layers.hpp"
#include "../flowc/pad.hpp"

namespace layers {

struct n_Conv_27_pad_layer {
  using Input = flowc::UInt<4>;
  using Output = flowc::UInt<4>;
  static constexpr unsigned HEIGHT = 4;  // of the input
  static constexpr unsigned WIDTH = 4;
  static constexpr unsigned TOP = 1;
  static constexpr unsigned LEFT = 1;
  static constexpr unsigned OUT_H = 6;
  static constexpr unsigned OUT_W = 6;
  static constexpr unsigned WORDS = 2;  // beats per pixel: 4 channels / 2
  static constexpr unsigned SIMD = 2;  // channels per beat
};

void n_Conv_27_pad(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) {
  FLOWC_UNIT(n_Conv_27_pad);
  flowc::pad<n_Conv_27_pad_layer>(in, out, flowc::repeated<2, 4>(0));
}

}  // namespace layers
