// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// Parameters of add, join made from no ONNX node of its own.
#ifndef PARAMS_ADD_HPP
#define PARAMS_ADD_HPP

#include <stdint.h>
#include "../flowc/elementwise.hpp"

namespace layers {

// factors of the left, then of the right operand, [block][lane]
// clang-format off
static const flowc::ScaledSum<int8_t, 1, 1> add_scales = {
{{1}},
{{1}}};
// clang-format on

}  // namespace layers

#endif
