// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// s: output made from no ONNX node of its own.
// In: (2, 3, 5) int4, 5 per beat.
// Out: (2, 3, 5) int4, 5 per beat.
// 6 cycles per frame.
#include "../layers.hpp"
#include "../flowc/port.hpp"

namespace layers {

void s(hls::stream<ap_uint<20>>& in, hls::stream<flowc::Axis<3>>& out) {
  FLOWC_UNIT(s);
  constexpr unsigned BEATS = 6;  // per frame
  constexpr unsigned BYTES = 3;  // 5 x 4 bits, in whole bytes
  flowc::send<BEATS, BYTES>(in, out);
}

}  // namespace layers
