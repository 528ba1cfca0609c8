// flowc: golden design residual for kv260 at 100 MHz
//
// n_MaxPool_21_fork: fork made from n_MaxPool_21.
// In: (4, 4, 4) uint4, 2 per beat.
// Out: (4, 4, 4) uint4, 2 per beat; (4, 4, 4) uint4, 2 per beat.
// 32 cycles per frame.
#include "../layers.hpp"
#include "../flowc/count.hpp"
#include "../flowc/step.hpp"

namespace layers {

struct n_MaxPool_21_fork_layer {
  static constexpr unsigned BEATS = 32;  // per frame
};

void n_MaxPool_21_fork(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out0, hls::stream<ap_uint<8>>& out1) {
  FLOWC_UNIT(n_MaxPool_21_fork);
  for (unsigned step = 0; step < n_MaxPool_21_fork_layer::BEATS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
    FLOWC_STEP();
    const ap_uint<8> beat = in.read();
    out0.write(beat);
    out1.write(beat);
  }
}

}  // namespace layers
