// Products and their binding: `Any` leaves the choice to the tool, `Fabric` asks for LUTs, `Dsp` for DSP slices, `Packed` for
// DSP slices that compute several products each, and for chains of them.
#ifndef FLOWC_MULTIPLY_HPP
#define FLOWC_MULTIPLY_HPP

#include "element.hpp"

namespace flowc {

// Most parts of an array that is partitioned completely, and most products of one pipelined loop.
constexpr unsigned MAX_LANES = 1024;
constexpr unsigned MAX_PRODUCTS = 2048;

// The type of the product of an A and a B.
template <class A, class B>
using Product = Number<A::VALUE_BITS + B::VALUE_BITS, A::SIGNED || B::SIGNED>;

// An operand of that product: as narrow as it is in synthesis (so that the product is what a multiplier gives, to the bit), wide
// enough for the product in C simulation.
#ifdef FLOWC_NATIVE
template <class A, class B, class Value>
inline Product<A, B> operand(const Value& value) { return static_cast<Product<A, B>>(value); }
#else
template <class A, class B, class Value>
inline const Value& operand(const Value& value) {
#pragma HLS INLINE
  return value;
}
#endif

struct Any {
  template <class A, class B>
  static Product<A, B> multiply(const typename A::Value& a, const typename B::Value& b) {
#pragma HLS INLINE
    const auto product = operand<A, B>(a) * operand<A, B>(b);
    return product;
  }
};

struct Fabric {
  template <class A, class B>
  static Product<A, B> multiply(const typename A::Value& a, const typename B::Value& b) {
#pragma HLS INLINE
    const auto product = operand<A, B>(a) * operand<A, B>(b);
#pragma HLS BIND_OP variable = product op = mul impl = fabric
    return product;
  }
};

struct Dsp {
  template <class A, class B>
  static Product<A, B> multiply(const typename A::Value& a, const typename B::Value& b) {
#pragma HLS INLINE
    const auto product = operand<A, B>(a) * operand<A, B>(b);
#pragma HLS BIND_OP variable = product op = mul impl = dsp
    return product;
  }
};

// Products of ROWS weights with one activation in one slice: the weights lie FIELD bits apart in its wide operand, each as an
// unsigned code (weight = SCALE * code - OFFSET), so that they are joined by wires alone and none reaches into another. A chain of
// CHAIN slices adds their products; the sums of all fields still fit, and are taken apart behind it.
template <unsigned ROWS, unsigned FIELD, unsigned CHAIN>
struct Packed {};

// The unsigned code of a weight.
template <class Weight>
struct Code;
template <unsigned B>
struct Code<UInt<B>> {
  static constexpr int SCALE = 1;
  static constexpr int OFFSET = 0;
  static constexpr unsigned FLIP = 0;
};
template <unsigned B>
struct Code<SInt<B>> {
  static constexpr int SCALE = 1;
  static constexpr int OFFSET = 1 << (B - 1);
  static constexpr unsigned FLIP = 1u << (B - 1);  // the sign bit
};
template <>
struct Code<Bipolar> {
  static constexpr int SCALE = 2;
  static constexpr int OFFSET = 1;
  static constexpr unsigned FLIP = 0;
};

#ifndef FLOWC_NATIVE
// A chain of slices: the sum of the products of `both` operands, and its fields.
template <bool SIGNED, unsigned FIELD>
struct ChainSum {
  ap_uint<48> sum;
  int field(unsigned i) const {
#pragma HLS INLINE
    return ap_uint<FIELD>(sum.range((i + 1) * FIELD - 1, i * FIELD));
  }
};
// Where products can be negative, a field lacks one if the field below it is negative.
template <unsigned FIELD>
struct ChainSum<true, FIELD> {
  ap_int<48> sum;
  int field(unsigned i) const {
#pragma HLS INLINE
    const ap_int<FIELD> value = sum.range((i + 1) * FIELD - 1, i * FIELD);
    return value + (i > 0 && sum[i * FIELD - 1] ? 1 : 0);
  }
};
#endif

}  // namespace flowc

#endif
