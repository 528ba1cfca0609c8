// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// a: input made from no ONNX node of its own.
// In: (2, 3, 5) int3, 5 per beat.
// Out: (2, 3, 5) int3, 5 per beat.
// 6 cycles per frame.
#include "../layers.hpp"
#include "../flowc/port.hpp"

namespace layers {

void a(hls::stream<flowc::Axis<2>>& in, hls::stream<ap_uint<15>>& out) {
  FLOWC_UNIT(a);
  constexpr unsigned BEATS = 6;  // per frame
  constexpr unsigned BYTES = 2;  // 5 x 3 bits, in whole bytes
  flowc::receive<BEATS, BYTES>(in, out);
}

}  // namespace layers
