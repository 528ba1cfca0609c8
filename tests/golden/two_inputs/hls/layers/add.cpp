// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// add: join made from no ONNX node of its own.
// In: (2, 3, 5) int3, 5 per beat; (2, 3, 5) bipolar, 5 per beat.
// Out: (2, 3, 5) int4, 5 per beat.
// 6 cycles per frame.
#include "../layers.hpp"
#include "../flowc/elementwise.hpp"
#include "../params/add.hpp"

namespace layers {

struct add_layer {
  using Left = flowc::SInt<3>;
  using Right = flowc::Bipolar;
  static constexpr unsigned POSITIONS = 6;  // 2 x 3
  static constexpr unsigned BLOCKS = 1;  // 5 channels / PE
  static constexpr unsigned PE = 5;  // channels in parallel
  static constexpr unsigned WIDE = 5;  // bits of the operation
};

void add(hls::stream<ap_uint<15>>& in0, hls::stream<ap_uint<5>>& in1, hls::stream<ap_uint<20>>& out) {
  FLOWC_UNIT(add);
  flowc::join<add_layer>(in0, in1, out, add_scales, flowc::Identity<flowc::SInt<4>>());
}

}  // namespace layers
