// Products and their binding: `Any` leaves the choice to the tool, `Fabric` asks for LUTs, `Dsp` for DSP slices.
#ifndef FLOWC_MULTIPLY_HPP
#define FLOWC_MULTIPLY_HPP

#include "element.hpp"

namespace flowc {

// The type of the product of an A and a B.
template <class A, class B>
using Product = Number<A::VALUE_BITS + B::VALUE_BITS + ((A::SIGNED || B::SIGNED) ? 1 : 0), A::SIGNED || B::SIGNED>;

struct Any {
  template <class A, class B>
  static Product<A, B> multiply(const typename A::Value& a, const typename B::Value& b) {
#pragma HLS INLINE
#ifdef FLOWC_NATIVE
    return static_cast<Product<A, B>>(a) * static_cast<Product<A, B>>(b);
#else
    const Product<A, B> product = a * b;
    return product;
#endif
  }
};

struct Fabric {
  template <class A, class B>
  static Product<A, B> multiply(const typename A::Value& a, const typename B::Value& b) {
#pragma HLS INLINE
    const Product<A, B> product = Any::multiply<A, B>(a, b);
#pragma HLS BIND_OP variable=product op=mul impl=fabric
    return product;
  }
};

struct Dsp {
  template <class A, class B>
  static Product<A, B> multiply(const typename A::Value& a, const typename B::Value& b) {
#pragma HLS INLINE
    const Product<A, B> product = Any::multiply<A, B>(a, b);
#pragma HLS BIND_OP variable=product op=mul impl=dsp
    return product;
  }
};

}  // namespace flowc

#endif
