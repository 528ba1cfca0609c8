// Element types of streams, weights and accumulators, and the packing of elements into beats.
//
// A beat of N elements is an ap_uint<N * BITS> with element 0 in the least significant bits.
//
// Synthesis computes in ap_int / ap_uint of exactly the stated widths. C simulation computes in the native integers that
// hold the same values, which is some fifty times faster; the stated widths hold every value that occurs, so the results
// are equal. Define FLOWC_EXACT to simulate in the stated widths too.
#ifndef FLOWC_ELEMENT_HPP
#define FLOWC_ELEMENT_HPP

#include "ap.hpp"

namespace flowc {

#ifdef FLOWC_NATIVE
namespace native {

template <unsigned BITS, bool SIGNED, unsigned WIDTH = (BITS <= 8 ? 8 : BITS <= 16 ? 16
                                                                    : BITS <= 32   ? 32
                                                                                   : 64)>
struct Storage;
template <unsigned BITS>
struct Storage<BITS, true, 8> {
  using type = int8_t;
};
template <unsigned BITS>
struct Storage<BITS, true, 16> {
  using type = int16_t;
};
template <unsigned BITS>
struct Storage<BITS, true, 32> {
  using type = int32_t;
};
template <unsigned BITS>
struct Storage<BITS, true, 64> {
  using type = int64_t;
};
template <unsigned BITS>
struct Storage<BITS, false, 8> {
  using type = uint8_t;
};
template <unsigned BITS>
struct Storage<BITS, false, 16> {
  using type = uint16_t;
};
template <unsigned BITS>
struct Storage<BITS, false, 32> {
  using type = uint32_t;
};
template <unsigned BITS>
struct Storage<BITS, false, 64> {
  using type = uint64_t;
};

template <bool WIDE>
struct Arithmetic {
  using type = int32_t;
};
template <>
struct Arithmetic<true> {
  using type = int64_t;
};

}  // namespace native

// The type to store an element in.
template <unsigned BITS, bool SIGNED>
using Stored = typename native::Storage<BITS, SIGNED>::type;

// The type to compute in.
template <unsigned BITS, bool SIGNED>
using Number = typename native::Arithmetic<(BITS + (SIGNED ? 0 : 1) > 32)>::type;

template <unsigned BITS>
using Raw = uint64_t;
#else
namespace exact {

template <unsigned BITS, bool SIGNED>
struct Integer {
  using type = ap_uint<BITS>;
};
template <unsigned BITS>
struct Integer<BITS, true> {
  using type = ap_int<BITS>;
};

}  // namespace exact

template <unsigned BITS, bool SIGNED>
using Stored = typename exact::Integer<BITS, SIGNED>::type;

template <unsigned BITS, bool SIGNED>
using Number = typename exact::Integer<BITS, SIGNED>::type;

template <unsigned BITS>
using Raw = ap_uint<BITS>;
#endif

// Unsigned integers of B bits.
template <unsigned B>
struct UInt {
  static constexpr unsigned BITS = B;
  static constexpr unsigned VALUE_BITS = B;
  static constexpr bool SIGNED = false;
  using Value = Stored<B, false>;
  static Value decode(const Raw<B>& raw) { return Value(raw); }
  static Raw<B> encode(const Number<B, false>& value) { return Raw<B>(value); }
};

// Two's complement integers of B bits.
template <unsigned B>
struct SInt {
  static constexpr unsigned BITS = B;
  static constexpr unsigned VALUE_BITS = B;
  static constexpr bool SIGNED = true;
  using Value = Stored<B, true>;
#ifdef FLOWC_NATIVE
  static constexpr uint64_t SIGN = uint64_t(1) << (B - 1);
  static Value decode(uint64_t raw) { return Value((raw ^ SIGN) - SIGN); }
  static uint64_t encode(Number<B, true> value) { return uint64_t(value) & (SIGN | (SIGN - 1)); }
#else
  static Value decode(const ap_uint<B>& raw) { return Value(raw); }
  static ap_uint<B> encode(const ap_int<B>& value) { return ap_uint<B>(value); }
#endif
};

// -1 and +1, on the wire 0 and 1.
struct Bipolar {
  static constexpr unsigned BITS = 1;
  static constexpr unsigned VALUE_BITS = 2;
  static constexpr bool SIGNED = true;
  using Value = Stored<2, true>;
  static Value decode(const Raw<1>& raw) { return raw != 0 ? Value(1) : Value(-1); }
  static Raw<1> encode(const Number<2, true>& value) { return Raw<1>(value > 0 ? 1 : 0); }
};

// A beat of N elements.
template <class Element, unsigned N>
using Beat = ap_uint<N * Element::BITS>;

#ifdef FLOWC_NATIVE
namespace native {

constexpr uint64_t mask(unsigned bits) { return bits >= 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1; }

// `COUNT` (at most 64) bits from bit `at` of an array of words.
template <unsigned COUNT, unsigned WORDS>
inline uint64_t bits_of(const uint64_t (&words)[WORDS], unsigned at) {
  const unsigned word = at / 64;
  const unsigned shift = at % 64;
  uint64_t value = words[word] >> shift;
  if (shift + COUNT > 64) value |= words[word + 1] << (64 - shift);
  return value & mask(COUNT);
}

template <int WIDTH, unsigned WORDS>
inline void to_words(const ap_uint<WIDTH>& beat, uint64_t (&words)[WORDS]) {
  if (WORDS == 1) {
    words[0] = beat.to_uint64();
  } else {
    for (int i = 0; i < static_cast<int>(WORDS); ++i) {
      words[i] = beat.range(64 * i + 63 < WIDTH ? 64 * i + 63 : WIDTH - 1, 64 * i).to_uint64();
    }
  }
}

template <int WIDTH, unsigned WORDS>
inline ap_uint<WIDTH> from_words(const uint64_t (&words)[WORDS]) {
  ap_uint<WIDTH> beat = words[0];
  for (int i = 1; i < static_cast<int>(WORDS); ++i) {
    beat.range(64 * i + 63 < WIDTH ? 64 * i + 63 : WIDTH - 1, 64 * i) = words[i];
  }
  return beat;
}

template <class Element, unsigned N, unsigned WORDS>
inline void unpack_words(const uint64_t (&words)[WORDS], typename Element::Value (&lanes)[N]) {
  constexpr unsigned BITS = Element::BITS;
  if (64 % BITS == 0) {
    constexpr unsigned PER_WORD = 64 / BITS;
    for (unsigned base = 0; base + PER_WORD <= N; base += PER_WORD) {
      const uint64_t word = words[base / PER_WORD];
      for (unsigned i = 0; i < PER_WORD; ++i) lanes[base + i] = Element::decode((word >> (i * BITS)) & mask(BITS));
    }
    for (unsigned i = N / PER_WORD * PER_WORD; i < N; ++i) {
      lanes[i] = Element::decode((words[i / PER_WORD] >> (i % PER_WORD * BITS)) & mask(BITS));
    }
  } else {
    for (unsigned i = 0; i < N; ++i) lanes[i] = Element::decode(bits_of<BITS>(words, i * BITS));
  }
}

}  // namespace native
#endif

// The elements of a beat.
template <class Element, unsigned N>
inline void unpack(const Beat<Element, N>& beat, typename Element::Value (&lanes)[N]) {
#pragma HLS INLINE
  static_assert(N * Element::BITS <= 4096, "a beat is as wide as an integer can be");
#ifdef FLOWC_NATIVE
  uint64_t words[(N * Element::BITS + 63) / 64];
  native::to_words(beat, words);
  native::unpack_words<Element, N>(words, lanes);
#else
  for (unsigned i = 0; i < N; ++i) {
#pragma HLS UNROLL
    const ap_uint<Element::BITS> raw = beat.range((i + 1) * Element::BITS - 1, i * Element::BITS);
    lanes[i] = Element::decode(raw);
  }
#endif
}

// The beat that holds the given elements.
template <class Element, unsigned N, class Value>
inline Beat<Element, N> pack(const Value (&lanes)[N]) {
#pragma HLS INLINE
#ifdef FLOWC_NATIVE
  constexpr unsigned BITS = Element::BITS;
  uint64_t words[(N * BITS + 63) / 64] = {};
  for (unsigned i = 0; i < N; ++i) {
    const uint64_t raw = Element::encode(lanes[i]) & native::mask(BITS);
    const unsigned shift = i * BITS % 64;
    words[i * BITS / 64] |= raw << shift;
    if (shift + BITS > 64) words[i * BITS / 64 + 1] |= raw >> (64 - shift);
  }
  return native::from_words<N * BITS>(words);
#else
  Beat<Element, N> beat = 0;
  for (unsigned i = 0; i < N; ++i) {
#pragma HLS UNROLL
    beat.range((i + 1) * Element::BITS - 1, i * Element::BITS) = Element::encode(lanes[i]);
  }
  return beat;
#endif
}

template <class From, class To, unsigned N>
struct Conversion {
  static Beat<To, N> apply(const Beat<From, N>& beat) {
#pragma HLS INLINE
    typename From::Value before[N];
    typename To::Value after[N];
#pragma HLS ARRAY_PARTITION variable = before type = complete
#pragma HLS ARRAY_PARTITION variable = after type = complete
    unpack<From, N>(beat, before);
    for (unsigned i = 0; i < N; ++i) {
#pragma HLS UNROLL
      after[i] = before[i];
    }
    return pack<To, N>(after);
  }
};
template <class Same, unsigned N>
struct Conversion<Same, Same, N> {
  static Beat<Same, N> apply(const Beat<Same, N>& beat) {
#pragma HLS INLINE
    return beat;
  }
};

// A beat of the same numbers in a type that holds them.
template <class From, class To, unsigned N>
inline Beat<To, N> convert(const Beat<From, N>& beat) {
#pragma HLS INLINE
  return Conversion<From, To, N>::apply(beat);
}

}  // namespace flowc

#endif
