// flowc: golden design residual for kv260 at 100 MHz
//
// n_Conv_27: mvtu made from n_Conv_27, n_BatchNormalization_32, n_Quant_36.
// In: (4, 4, 36) uint4, 18 per beat.
// Out: (4, 4, 4) int4, 2 per beat.
// 64 cycles per frame.
#include "../layers.hpp"
#include "../flowc/mvtu.hpp"
#include "../params/n_Conv_27.hpp"

namespace layers {

struct n_Conv_27_layer {
  using Input = flowc::UInt<4>;
  using Weight = flowc::SInt<4>;
  using Multiplier = flowc::Packed<2, 22, 16>;
  static constexpr unsigned POSITIONS = 16;  // 4 x 4
  static constexpr unsigned GROUPS = 1;
  static constexpr unsigned PE = 2;  // output rows in parallel
  static constexpr unsigned SIMD = 18;  // inputs per cycle
  static constexpr unsigned ROW_FOLDS = 2;  // 4 output rows per group / PE
  static constexpr unsigned COLUMN_FOLDS = 2;  // 36 inputs per output / SIMD
};

void n_Conv_27(hls::stream<ap_uint<72>>& in, hls::stream<ap_uint<8>>& out) {
#pragma HLS ARRAY_RESHAPE variable = n_Conv_27_weights type = complete dim = 2
#pragma HLS BIND_STORAGE variable = n_Conv_27_weights type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = n_Conv_27_activation_keys0 type = complete dim = 1
#pragma HLS BIND_STORAGE variable = n_Conv_27_activation_keys0 type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = n_Conv_27_activation_keys1 type = complete dim = 1
#pragma HLS BIND_STORAGE variable = n_Conv_27_activation_keys1 type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = n_Conv_27_activation_keys2 type = complete dim = 1
#pragma HLS BIND_STORAGE variable = n_Conv_27_activation_keys2 type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = n_Conv_27_activation_keys3 type = complete dim = 1
#pragma HLS BIND_STORAGE variable = n_Conv_27_activation_keys3 type = rom_1p impl = lutram
  FLOWC_UNIT(n_Conv_27);
  ap_uint<72> held[2];  // inputs of a position, read again for every row fold but the first
#pragma HLS ARRAY_PARTITION variable = held type = complete
  flowc::mvtu<n_Conv_27_layer>(in, out, held, n_Conv_27_weights, n_Conv_27_activation_search());
}

}  // namespace layers
