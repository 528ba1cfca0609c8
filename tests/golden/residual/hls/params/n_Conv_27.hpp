// flowc: golden design residual for kv260 at 100 MHz
//
// Parameters of n_Conv_27, mvtu made from n_Conv_27, n_BatchNormalization_32, n_Quant_36.
#ifndef PARAMS_N_CONV_27_HPP
#define PARAMS_N_CONV_27_HPP

#include <stdint.h>
#include "../flowc/mvtu.hpp"

namespace layers {

// 4 rows of 36 x int4 = 144 bits; rows ordered [group][row fold][column fold], each [PE][SIMD]; columns in the stream order of the window
// clang-format off
static const uint64_t n_Conv_27_weights[4][3] = {
{0xeed023d10e3f14cf, 0x11113dad3e413c2c, 0x0000000000001014},
{0x0ec20120203e212a, 0xafd30e10cb0ff1e4, 0x000000000000fe10},
{0xb234cc0020152f0f, 0x22e26c0e4ef2dff3, 0x00000000000020ff},
{0xd44ff10f3fd2bdff, 0xceebd0f70e3f40e1, 0x0000000000004f32}};
// clang-format on

// clip((x * mult + add) >> 9, -8, 7), rounding down; mult, then add, [block][lane]
// clang-format off
static const flowc::Requant<flowc::SInt<11>, flowc::SInt<4>, int16_t, int16_t, 2, 2, 20, 9, -8, 7, false> n_Conv_27_activation = {
{{-290, 93},
{-218, 0}},
{{-1306, -515},
{3066, -257}}};
// clang-format on

}  // namespace layers

#endif
