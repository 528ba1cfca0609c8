// Constant memories. A row is what a unit reads in one cycle: an unsigned word (uint8_t ... uint64_t), or an array of
// 64-bit words when that is wider; element 0 lies in the least significant bits of the first word.
#ifndef FLOWC_ROM_HPP
#define FLOWC_ROM_HPP

#include "element.hpp"

namespace flowc {

#ifdef FLOWC_NATIVE
// A row as 64-bit words.
template <unsigned WORDS>
struct Row {
  uint64_t words[WORDS];
};

template <unsigned WIDTH, class Word>
inline Row<1> read_row(const Word& row) { return Row<1>{{row}}; }
template <unsigned WIDTH, unsigned WORDS>
inline Row<WORDS> read_row(const uint64_t (&row)[WORDS]) {
  Row<WORDS> copy;
  for (unsigned i = 0; i < WORDS; ++i) copy.words[i] = row[i];
  return copy;
}
#else
// A row as one wide integer.
template <unsigned WIDTH, class Word>
inline ap_uint<WIDTH> read_row(const Word& row) {
#pragma HLS INLINE
  return ap_uint<WIDTH>(row);
}
template <unsigned WIDTH, unsigned WORDS>
inline ap_uint<WIDTH> read_row(const uint64_t (&row)[WORDS]) {
#pragma HLS INLINE
  ap_uint<64 * WORDS> wide = 0;
  for (unsigned i = 0; i < WORDS; ++i) {
#pragma HLS UNROLL
    wide.range(64 * i + 63, 64 * i) = row[i];
  }
  return ap_uint<WIDTH>(wide);
}
#endif

// The N elements of a row.
template <class Element, unsigned N, class Word>
inline void unpack_row(const Word& row, typename Element::Value (&lanes)[N]) {
#pragma HLS INLINE
#ifdef FLOWC_NATIVE
  native::unpack_words<Element, N>(read_row<N * Element::BITS>(row).words, lanes);
#else
  unpack<Element, N>(read_row<N * Element::BITS>(row), lanes);
#endif
}

}  // namespace flowc

#endif
