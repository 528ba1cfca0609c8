// flowc: golden design residual for kv260 at 100 MHz
//
// Parameters of n_Add_37, join made from n_Add_37, n_Relu_38, n_Quant_42.
#ifndef PARAMS_N_ADD_37_HPP
#define PARAMS_N_ADD_37_HPP

#include <stdint.h>
#include "../flowc/elementwise.hpp"

namespace layers {

// results uint4 of the arguments -8 to 22, [lane][block][argument]
// clang-format off
static const flowc::Table<flowc::SInt<6>, flowc::UInt<4>, int8_t, 1, 2, 31, -8> n_Add_37_activation = {
{{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15, 15, 15, 15, 15, 15, 15},
{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15, 15, 15, 15, 15, 15, 15}}};
// clang-format on

// factors of the left, then of the right operand, [block][lane]
// clang-format off
static const flowc::ScaledSum<int8_t, 1, 1> n_Add_37_scales = {
{{1}},
{{1}}};
// clang-format on

}  // namespace layers

#endif
