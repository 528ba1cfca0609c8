// Products and their binding: `Any` leaves the choice to the tool, `Fabric` asks for LUTs, `Dsp` for DSP slices, `Packed` for
// DSP slices that compute two products each.
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

// Two products with a factor in common: (high * 2^K + low) * b, K bits apart, so that neither reaches into the other but by the
// sign of the lower one, which is one less in the upper.
struct Packed {
  template <class A, class B>
  struct Pair {
    Product<A, B> low;
    Product<A, B> high;
  };

  template <class A, class B>
  static Pair<A, B> multiply(const typename A::Value& low, const typename A::Value& high, const typename B::Value& b) {
#pragma HLS INLINE
    Pair<A, B> pair;
#ifdef FLOWC_NATIVE
    pair.low = operand<A, B>(low) * operand<A, B>(b);
    pair.high = operand<A, B>(high) * operand<A, B>(b);
#else
    constexpr int K = A::BITS + B::BITS + (A::SIGNED || B::SIGNED ? 0 : 1);
    constexpr int WIDE = K + A::BITS + 1;
    const ap_int<WIDE> both = (ap_int<WIDE>(high) << K) + low;
    const ap_int<WIDE + B::BITS + 1> product = both * b;
#pragma HLS BIND_OP variable = product op = mul impl = dsp
    const ap_int<K> lower = product;
    pair.low = lower;
    pair.high = (product >> K) + (lower < 0 ? 1 : 0);
#endif
    return pair;
  }
};

}  // namespace flowc

#endif
