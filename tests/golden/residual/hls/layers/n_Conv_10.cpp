// flowc: golden design residual for kv260 at 100 MHz
//
// n_Conv_10: mvtu made from n_Conv_10, n_BatchNormalization_15, n_Relu_16, n_Quant_20.
// In: (8, 8, 18) int4, 18 per beat.
// Out: (8, 8, 4) uint4, 4 per beat.
// 64 cycles per frame.
#include "../layers.hpp"
#include "../flowc/mvtu.hpp"
#include "../params/n_Conv_10.hpp"

namespace layers {

struct n_Conv_10_layer {
  using Input = flowc::SInt<4>;
  using Weight = flowc::SInt<4>;
  using Multiplier = flowc::Packed<2, 22, 16>;
  static constexpr unsigned POSITIONS = 64;  // 8 x 8
  static constexpr unsigned GROUPS = 1;
  static constexpr unsigned PE = 4;  // output rows in parallel
  static constexpr unsigned SIMD = 18;  // inputs per cycle
  static constexpr unsigned ROW_FOLDS = 1;  // 4 output rows per group / PE
  static constexpr unsigned COLUMN_FOLDS = 1;  // 18 inputs per output / SIMD
};

void n_Conv_10(hls::stream<ap_uint<72>>& in, hls::stream<ap_uint<16>>& out) {
#pragma HLS ARRAY_RESHAPE variable = n_Conv_10_weights type = complete dim = 2
#pragma HLS ARRAY_PARTITION variable = n_Conv_10_activation_keys0 type = complete dim = 1
#pragma HLS ARRAY_PARTITION variable = n_Conv_10_activation_keys1 type = complete dim = 1
#pragma HLS BIND_STORAGE variable = n_Conv_10_activation_keys1 type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = n_Conv_10_activation_keys2 type = complete dim = 1
#pragma HLS BIND_STORAGE variable = n_Conv_10_activation_keys2 type = rom_1p impl = lutram
#pragma HLS ARRAY_PARTITION variable = n_Conv_10_activation_keys3 type = complete dim = 1
#pragma HLS BIND_STORAGE variable = n_Conv_10_activation_keys3 type = rom_1p impl = lutram
  FLOWC_UNIT(n_Conv_10);
  ap_uint<72> held[1];  // inputs of a position, read again for every row fold but the first
#pragma HLS ARRAY_PARTITION variable = held type = complete
  flowc::mvtu<n_Conv_10_layer>(in, out, held, n_Conv_10_weights, n_Conv_10_activation_search());
}

}  // namespace layers
