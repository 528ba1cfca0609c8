// flowc: golden design residual for kv260 at 100 MHz
//
// n_Add_37: join made from n_Add_37, n_Relu_38, n_Quant_42.
// In: (4, 4, 4) uint4, 2 per beat; (4, 4, 4) int4, 2 per beat.
// Out: (4, 4, 4) uint4, 2 per beat.
// 32 cycles per frame.
#include "../layers.hpp"
#include "../flowc/elementwise.hpp"
#include "../params/n_Add_37.hpp"

namespace layers {

struct n_Add_37_layer {
  using Left = flowc::UInt<4>;
  using Right = flowc::SInt<4>;
  static constexpr unsigned POSITIONS = 16;  // 4 x 4
  static constexpr unsigned BLOCKS = 2;  // 4 channels / PE
  static constexpr unsigned PE = 2;  // channels in parallel
  static constexpr unsigned WIDE = 7;  // bits of the operation
};

void n_Add_37(hls::stream<ap_uint<8>>& in0, hls::stream<ap_uint<8>>& in1, hls::stream<ap_uint<8>>& out) {
#pragma HLS ARRAY_PARTITION variable = n_Add_37_activation.values type = complete dim = 1
#pragma HLS BIND_STORAGE variable = n_Add_37_activation.values type = rom_1p impl = lutram
  FLOWC_UNIT(n_Add_37);
  flowc::join<n_Add_37_layer>(in0, in1, out, n_Add_37_scales, n_Add_37_activation);
}

}  // namespace layers
