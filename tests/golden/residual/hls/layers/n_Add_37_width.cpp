// flowc: golden design residual for kv260 at 100 MHz
//
// n_Add_37_width: width_converter made from n_Add_37, n_Relu_38, n_Quant_42.
// In: (4, 4, 4) uint4, 4 per beat.
// Out: (4, 4, 4) uint4, 1 per beat.
// 64 cycles per frame.
#include "../layers.hpp"
#include "../flowc/width_converter.hpp"

namespace layers {

struct n_Add_37_width_layer {
  static constexpr unsigned BEATS_IN = 16;  // of 4 elements
  static constexpr unsigned BEATS_OUT = 64;  // of 1 elements
  static constexpr unsigned UNIT = 4;  // bits that divide both widths
};

void n_Add_37_width(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<4>>& out) {
  FLOWC_UNIT(n_Add_37_width);
  using Layer = n_Add_37_width_layer;
  flowc::narrow<Layer::BEATS_OUT>(in, out);
}

}  // namespace layers
