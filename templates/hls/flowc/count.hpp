// Loop counters: as narrow as they can be in synthesis, plain integers in C simulation.
#ifndef FLOWC_COUNT_HPP
#define FLOWC_COUNT_HPP

#include "ap.hpp"

namespace flowc {

// Bits that hold the numbers 0 to `greatest`.
constexpr unsigned bits_for(unsigned greatest) {
  unsigned bits = 1;
  while (greatest >>= 1) ++bits;
  return bits;
}

// A counter of the values 0 to SIZE - 1.
#ifdef FLOWC_NATIVE
template <unsigned SIZE>
using Count = unsigned;
#else
template <unsigned SIZE>
using Count = ap_uint<bits_for(SIZE - 1)>;
#endif

// The next value of a counter of SIZE values: 0 follows SIZE - 1.
template <unsigned SIZE>
inline Count<SIZE> next(const Count<SIZE>& value) {
#pragma HLS INLINE
  return value == SIZE - 1 ? Count<SIZE>(0) : Count<SIZE>(value + 1);
}

}  // namespace flowc

#endif
