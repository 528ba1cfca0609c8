// flowc: golden design residual for kv260 at 100 MHz
//
// out_Gemm_49: output made from no ONNX node of its own.
// In: (1, 1, 5) int12, 1 per beat.
// Out: (1, 1, 5) int12, 1 per beat.
// 5 cycles per frame.
#include "../layers.hpp"
#include "../flowc/port.hpp"

namespace layers {

void out_Gemm_49(hls::stream<ap_uint<12>>& in, hls::stream<flowc::Axis<2>>& out) {
  FLOWC_UNIT(out_Gemm_49);
  constexpr unsigned BEATS = 5;  // per frame
  constexpr unsigned BYTES = 2;  // 1 x 12 bits, in whole bytes
  flowc::send<BEATS, BYTES>(in, out);
}

}  // namespace layers
