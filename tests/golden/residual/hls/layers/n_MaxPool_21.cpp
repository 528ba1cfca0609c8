// flowc: golden design residual for kv260 at 100 MHz
//
// n_MaxPool_21: pool made from n_MaxPool_21.
// In: (4, 4, 16) uint4, 16 per beat.
// Out: (4, 4, 4) uint4, 4 per beat.
// 16 cycles per frame.
#include "../layers.hpp"
#include "../flowc/pool.hpp"

namespace layers {

struct n_MaxPool_21_layer {
  using Input = flowc::UInt<4>;
  using Reduction = flowc::Maximum;
  static constexpr unsigned POSITIONS = 16;  // 4 x 4
  static constexpr unsigned BLOCKS = 1;  // 4 channels / PE
  static constexpr unsigned TAPS = 4;
  static constexpr unsigned PE = 4;  // channels in parallel
};

void n_MaxPool_21(hls::stream<ap_uint<64>>& in, hls::stream<ap_uint<16>>& out) {
  FLOWC_UNIT(n_MaxPool_21);
  flowc::pool_parallel<n_MaxPool_21_layer>(in, out, flowc::Identity<flowc::UInt<4>>());
}

}  // namespace layers
