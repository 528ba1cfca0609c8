// flowc: golden design residual for kv260 at 100 MHz
//
// n_Gemm_49: mvtu made from n_Gemm_49.
// In: (1, 1, 64) uint4, 4 per beat.
// Out: (1, 1, 5) int12, 1 per beat.
// 80 cycles per frame.
#include "../layers.hpp"
#include "../flowc/mvtu.hpp"
#include "../params/n_Gemm_49.hpp"

namespace layers {

struct n_Gemm_49_layer {
  using Input = flowc::UInt<4>;
  using Weight = flowc::SInt<4>;
  using Multiplier = flowc::Dsp;
  static constexpr unsigned POSITIONS = 1;  // 1 x 1
  static constexpr unsigned GROUPS = 1;
  static constexpr unsigned PE = 1;  // output rows in parallel
  static constexpr unsigned SIMD = 4;  // inputs per cycle
  static constexpr unsigned ROW_FOLDS = 5;  // 5 output rows per group / PE
  static constexpr unsigned COLUMN_FOLDS = 16;  // 64 inputs per output / SIMD
};

void n_Gemm_49(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<12>>& out) {
#pragma HLS BIND_STORAGE variable = n_Gemm_49_weights type = rom_1p impl = lutram
  FLOWC_UNIT(n_Gemm_49);
  ap_uint<16> held[16];  // inputs of a position, read again for every row fold but the first
#pragma HLS BIND_STORAGE variable = held type = ram_s2p impl = lutram
  flowc::mvtu<n_Gemm_49_layer>(in, out, held, n_Gemm_49_weights, flowc::Identity<flowc::SInt<12>>());
}

}  // namespace layers
