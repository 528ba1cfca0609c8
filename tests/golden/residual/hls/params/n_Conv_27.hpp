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
{0x2230ed3f02d1fc41, 0x11113dad3e413ce4, 0x0000000000001014},
{0x024e0fe0e0d2efe6, 0xafd30e10cb0ff12c, 0x000000000000fe10},
{0x5edc4400e0fbe101, 0x22e26c0e4ef2df1d, 0x00000000000020ff},
{0x3cc11f01d13e5311, 0xceebd0f70e3f402f, 0x0000000000004f32}};
// clang-format on

// step 0 of the search, [lane][block][path]
// clang-format off
static const int16_t n_Conv_27_activation_keys0[2][2] = {
{5, -14},
{6, 646}};
// clang-format on

// step 1 of the search, [lane][block][path]
// clang-format off
static const int16_t n_Conv_27_activation_keys1[2][4] = {
{-2, 12, -23, -4},
{-16, 28, -570, 646}};
// clang-format on

// step 2 of the search, [lane][block][path]
// clang-format off
static const int16_t n_Conv_27_activation_keys2[2][8] = {
{-6, 1, 9, 16, -28, -18, -9, 1},
{-27, -5, 17, 39, -570, -570, 646, 646}};
// clang-format on

// step 3 of the search, [lane][block][path]
// clang-format off
static const int16_t n_Conv_27_activation_keys3[2][16] = {
{-7, -4, 0, 3, 7, 10, 14, 17, -30, -25, -21, -16, -11, -7, -2, 3},
{-33, -21, -10, 1, 12, 23, 34, 45, -570, -570, -570, -570, 646, 646, 646, 646}};
// clang-format on

// 15 thresholds by 4 comparisons, result int4; reached means accumulator >= threshold
struct n_Conv_27_activation_search {
  using Input = flowc::SInt<11>;
  using Output = flowc::SInt<4>;
  using Result = flowc::Number<Output::VALUE_BITS, Output::SIGNED>;

  Result operator()(const flowc::Number<Input::VALUE_BITS, Input::SIGNED>& value, unsigned block, unsigned lane) const {
#pragma HLS INLINE
    const unsigned path = flowc::search<0>(value, block, lane, 0, n_Conv_27_activation_keys0, n_Conv_27_activation_keys1, n_Conv_27_activation_keys2, n_Conv_27_activation_keys3);
    return Result(-8 + static_cast<int>(path));
  }
};

}  // namespace layers

#endif
