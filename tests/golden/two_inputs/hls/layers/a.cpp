// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// a: input made from no ONNX node of its own.
// In: (2, 3, 5) int3, 5 per beat.
// Out: (2, 3, 5) int3, 5 per beat.
// 6 cycles per frame.
#include "../layers.hpp"
#include "../flowc/port.hpp"

namespace layers {

struct a_layer {
  static constexpr unsigned BEATS = 6;  // per frame
  static constexpr unsigned BYTES = 2;  // 5 x 3 bits, in whole bytes
};

void a(hls::stream<flowc::Axis<2>>& in, hls::stream<ap_uint<15>>& out) {
  FLOWC_UNIT(a);
  flowc::receive<a_layer::BEATS, a_layer::BYTES>(in, out);
}

}  // namespace layers
