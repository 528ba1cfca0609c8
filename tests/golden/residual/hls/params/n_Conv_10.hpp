// flowc: golden design residual for kv260 at 100 MHz
//
// Parameters of n_Conv_10, mvtu made from n_Conv_10, n_BatchNormalization_15, n_Relu_16, n_Quant_20.
#ifndef PARAMS_N_CONV_10_HPP
#define PARAMS_N_CONV_10_HPP

#include <stdint.h>
#include "../flowc/mvtu.hpp"

namespace layers {

// 1 rows of 72 x int4 = 288 bits; rows ordered [group][row fold][column fold], each [PE][SIMD]; columns in the stream order of the window
// clang-format off
static const uint64_t n_Conv_10_weights[1][5] = {
{0xe3e4c1fe9002e0c0, 0x12010fe300f2e1fe, 0x144d545240fe1f00, 0x4d52f111fc2102d4, 0x00000000250daf2e}};
// clang-format on

// clip((x * mult + add) >> 8, 0, 15), rounding down; mult, then add, [block][lane]
// clang-format off
static const flowc::Requant<flowc::SInt<10>, flowc::UInt<4>, int16_t, int16_t, 1, 4, 18, 8, 0, 15, false> n_Conv_10_activation = {
{{102, 138, 83, 51}},
{{390, 1524, 799, -324}}};
// clang-format on

}  // namespace layers

#endif
