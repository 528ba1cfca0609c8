// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// s: output made from no ONNX node of its own.
// In: (2, 3, 5) int4, 5 per beat.
// Out: (2, 3, 5) int4, 5 per beat.
// 6 cycles per frame.
#include "../layers.hpp"
#include "../flowc/port.hpp"

namespace layers {

struct s_layer {
  static constexpr unsigned BEATS = 6;  // per frame
  static constexpr unsigned BYTES = 3;  // 5 x 4 bits, in whole bytes
};

void s(hls::stream<ap_uint<20>>& in, hls::stream<flowc::Axis<3>>& out) {
  FLOWC_UNIT(s);
  flowc::send<s_layer::BEATS, s_layer::BYTES>(in, out);
}

}  // namespace layers
