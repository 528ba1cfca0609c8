// flowc: golden design residual for kv260 at 100 MHz
//
// n_Conv_27: mvtu made from n_Conv_27, n_BatchNormalization_32, n_Quant_36.
// In: (4, 4, 36) uint4, 36 per beat.
// Out: (4, 4, 4) int4, 1 per beat.
// 64 cycles per frame.
#include "../layers.hpp"
#include "../flowc/mvtu.hpp"
#include "../params/n_Conv_27.hpp"

namespace layers {

struct n_Conv_27_layer {
  using Input = flowc::UInt<4>;
  using Weight = flowc::SInt<4>;
  using Multiplier = flowc::Fabric;
  static constexpr unsigned POSITIONS = 16;  // 4 x 4
  static constexpr unsigned GROUPS = 1;
  static constexpr unsigned PE = 1;  // output rows in parallel
  static constexpr unsigned SIMD = 36;  // inputs per cycle
  static constexpr unsigned ROW_FOLDS = 4;  // 4 output rows per group / PE
  static constexpr unsigned COLUMN_FOLDS = 1;  // 36 inputs per output / SIMD
};

void n_Conv_27(hls::stream<ap_uint<144>>& in, hls::stream<ap_uint<4>>& out) {
#pragma HLS ARRAY_RESHAPE variable = n_Conv_27_weights type = complete dim = 2
#pragma HLS BIND_STORAGE variable = n_Conv_27_weights type = rom_1p impl = lutram
  FLOWC_UNIT(n_Conv_27);
  ap_uint<144> held[1];  // inputs of a position, read again for every row fold but the first
#pragma HLS ARRAY_PARTITION variable = held type = complete dim = 0
  flowc::mvtu<n_Conv_27_layer>(in, out, held, n_Conv_27_weights, n_Conv_27_activation);
}

}  // namespace layers
