// flowc: golden design residual for kv260 at 100 MHz
//
// n_Gemm_49_width: width_converter made from n_Gemm_49.
// In: (4, 4, 4) uint4, 2 per beat.
// Out: (4, 4, 4) uint4, 4 per beat.
// 32 cycles per frame.
#include "../layers.hpp"
#include "../flowc/width_converter.hpp"

namespace layers {

struct n_Gemm_49_width_layer {
  static constexpr unsigned BEATS_IN = 32;  // of 2 elements
  static constexpr unsigned BEATS_OUT = 16;  // of 4 elements
  static constexpr unsigned UNIT = 8;  // bits that divide both widths
};

void n_Gemm_49_width(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<16>>& out) {
  FLOWC_UNIT(n_Gemm_49_width);
  using Layer = n_Gemm_49_width_layer;
  flowc::widen<Layer::BEATS_IN>(in, out);
}

}  // namespace layers
