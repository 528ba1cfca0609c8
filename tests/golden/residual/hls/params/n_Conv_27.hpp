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
{0x200e3e3f21142acf, 0x0eeec2d0012320d1, 0x000000000000e42c},
{0x10adcb3e0f41f13c, 0x1014af11d3110e3d, 0x000000000000fe10},
{0x3f20d215bd2fff0f, 0xd4b24f34f1cc0f00, 0x000000000000e1f3},
{0xf70e0e4e3ff240df, 0x32ffce22ebe2d06c, 0x0000000000004f20}};
// clang-format on

// clip((x * mult + add) >> 9, -8, 7), rounding down; mult, then add, [block][lane]
// clang-format off
static const flowc::Requant<flowc::SInt<11>, flowc::SInt<4>, int16_t, int16_t, 4, 1, 20, 9, -8, 7, false> n_Conv_27_activation = {
{{-290},
{93},
{-218},
{0}},
{{-1306},
{-515},
{3066},
{-257}}};
// clang-format on

}  // namespace layers

#endif
