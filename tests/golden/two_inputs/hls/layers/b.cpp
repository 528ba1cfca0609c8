// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// b: input made from no ONNX node of its own.
// In: (2, 3, 5) bipolar, 5 per beat.
// Out: (2, 3, 5) bipolar, 5 per beat.
// 6 cycles per frame.
#include "../layers.hpp"
#include "../flowc/port.hpp"

namespace layers {

void b(hls::stream<flowc::Axis<1>>& in, hls::stream<ap_uint<5>>& out) {
  FLOWC_UNIT(b);
  constexpr unsigned BEATS = 6;  // per frame
  constexpr unsigned BYTES = 1;  // 5 x 1 bits, in whole bytes
  flowc::receive<BEATS, BYTES>(in, out);
}

}  // namespace layers
