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

// step 0 of the search, [lane][block][path]
// clang-format off
static const int8_t n_Conv_10_activation_keys0[4][1] = {
{17},
{4},
{16},
{47}};
// clang-format on

// step 1 of the search, [lane][block][path]
// clang-format off
static const int8_t n_Conv_10_activation_keys1[4][2] = {
{7, 27},
{-3, 12},
{3, 28},
{27, 67}};
// clang-format on

// step 2 of the search, [lane][block][path]
// clang-format off
static const int8_t n_Conv_10_activation_keys2[4][4] = {
{2, 12, 22, 32},
{-7, 1, 8, 15},
{-3, 9, 22, 34},
{17, 37, 57, 77}};
// clang-format on

// step 3 of the search, [lane][block][path]
// clang-format off
static const int8_t n_Conv_10_activation_keys3[4][8] = {
{-1, 4, 9, 14, 19, 24, 29, 34},
{-9, -5, -1, 2, 6, 10, 14, 17},
{-6, 0, 6, 12, 19, 25, 31, 37},
{12, 22, 32, 42, 52, 62, 72, 82}};
// clang-format on

// 15 thresholds by 4 comparisons, result uint4; reached means accumulator >= threshold
struct n_Conv_10_activation_search {
  using Input = flowc::SInt<10>;
  using Output = flowc::UInt<4>;
  using Result = flowc::Number<Output::VALUE_BITS, Output::SIGNED>;

  Result operator()(const flowc::Number<Input::VALUE_BITS, Input::SIGNED>& value, unsigned, unsigned lane) const {
#pragma HLS INLINE
    const unsigned path = flowc::search<0>(value, 0, lane, 0, n_Conv_10_activation_keys0, n_Conv_10_activation_keys1, n_Conv_10_activation_keys2, n_Conv_10_activation_keys3);
    return Result(static_cast<int>(path));
  }
};

}  // namespace layers

#endif
