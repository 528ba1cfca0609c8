// Products and their binding: `Any` leaves the choice to the tool, `Fabric` asks for LUTs, `Dsp` for DSP slices.
#ifndef FLOWC_MULTIPLY_HPP
#define FLOWC_MULTIPLY_HPP

#include "element.hpp"

namespace flowc {

// The type of the product of an A and a B.
template <class A, class B>
using Product = Number<A::VALUE_BITS + B::VALUE_BITS + ((A::SIGNED || B::SIGNED) ? 1 : 0), A::SIGNED || B::SIGNED>;

// An operand of that product: as narrow as it is in synthesis, wide enough for the product in C simulation.
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
    const Product<A, B> product = operand<A, B>(a) * operand<A, B>(b);
    return product;
  }
};

struct Fabric {
  template <class A, class B>
  static Product<A, B> multiply(const typename A::Value& a, const typename B::Value& b) {
#pragma HLS INLINE
    const Product<A, B> product = operand<A, B>(a) * operand<A, B>(b);
#pragma HLS BIND_OP variable = product op = mul impl = fabric
    return product;
  }
};

struct Dsp {
  template <class A, class B>
  static Product<A, B> multiply(const typename A::Value& a, const typename B::Value& b) {
#pragma HLS INLINE
    const Product<A, B> product = operand<A, B>(a) * operand<A, B>(b);
#pragma HLS BIND_OP variable = product op = mul impl = dsp
    return product;
  }
};

}  // namespace flowc

#endif
