// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// b: input made from no ONNX node of its own.
// In: (2, 3, 5) bipolar, 5 per beat.
// Out: (2, 3, 5) bipolar, 5 per beat.
// 6 cycles per frame.
#include "../layers.hpp"
#include "../flowc/port.hpp"

namespace layers {

struct b_layer {
  static constexpr unsigned BEATS = 6;  // per frame
  static constexpr unsigned BYTES = 1;  // 5 x 1 bits, in whole bytes
};

void b(hls::stream<flowc::Axis<1>>& in, hls::stream<ap_uint<5>>& out) {
  FLOWC_UNIT(b);
  flowc::receive<b_layer::BEATS, b_layer::BYTES>(in, out);
}

}  // namespace layers
