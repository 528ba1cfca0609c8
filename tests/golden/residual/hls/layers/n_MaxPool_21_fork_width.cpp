// flowc: golden design residual for kv260 at 100 MHz
//
// n_MaxPool_21_fork_width: width_converter made from n_MaxPool_21.
// In: (4, 4, 4) uint4, 4 per beat.
// Out: (4, 4, 4) uint4, 2 per beat.
// 32 cycles per frame.
#include "../layers.hpp"
#include "../flowc/width_converter.hpp"

namespace layers {

struct n_MaxPool_21_fork_width_layer {
  static constexpr unsigned BEATS_IN = 16;  // of 4 elements
  static constexpr unsigned BEATS_OUT = 32;  // of 2 elements
  static constexpr unsigned UNIT = 8;  // bits that divide both widths
};

void n_MaxPool_21_fork_width(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<8>>& out) {
  FLOWC_UNIT(n_MaxPool_21_fork_width);
  using Layer = n_MaxPool_21_fork_width_layer;
  flowc::narrow<Layer::BEATS_OUT>(in, out);
}

}  // namespace layers
