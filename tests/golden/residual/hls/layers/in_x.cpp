// flowc: golden design residual for kv260 at 100 MHz
//
// in_x: input made from no ONNX node of its own.
// In: (8, 8, 2) int4, 2 per beat.
// Out: (8, 8, 2) int4, 2 per beat.
// 64 cycles per frame.
#include "../layers.hpp"
#include "../flowc/port.hpp"

namespace layers {

void in_x(hls::stream<flowc::Axis<1>>& in, hls::stream<ap_uint<8>>& out) {
  FLOWC_UNIT(in_x);
  constexpr unsigned BEATS = 64;  // per frame
  constexpr unsigned BYTES = 1;  // 2 x 4 bits, in whole bytes
  flowc::receive<BEATS, BYTES>(in, out);
}

}  // namespace layers
