// Rows of weights. A row is what a unit reads in one cycle; element 0 lies in the least significant bits. In a constant
// memory it is an unsigned word (uint8_t ... uint64_t), or an array of 64-bit words when that is wider; in a memory that
// was filled from a stream, and on a stream itself, one wide integer.
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
inline Row<1> whole_row(const Word& row) { return Row<1>{{row}}; }
template <unsigned WIDTH, int BITS>
inline Row<(WIDTH + 63) / 64> whole_row(const ap_uint<BITS>& row) {
  Row<(WIDTH + 63) / 64> copy;
  native::to_words(ap_uint<WIDTH>(row), copy.words);
  return copy;
}
template <unsigned WIDTH, unsigned WORDS>
inline Row<WORDS> whole_row(const uint64_t (&row)[WORDS]) {
  Row<WORDS> copy;
  for (unsigned i = 0; i < WORDS; ++i) copy.words[i] = row[i];
  return copy;
}
#else
// A row as one wide integer.
template <unsigned WIDTH, class Word>
inline ap_uint<WIDTH> whole_row(const Word& row) {
#pragma HLS INLINE
  return ap_uint<WIDTH>(row);
}
template <unsigned WIDTH, unsigned WORDS>
inline ap_uint<WIDTH> whole_row(const uint64_t (&row)[WORDS]) {
#pragma HLS INLINE
  ap_uint<64 * WORDS> wide = 0;
  for (unsigned i = 0; i < WORDS; ++i) {
#pragma HLS UNROLL
    wide.range(64 * i + 63, 64 * i) = row[i];
  }
  return ap_uint<WIDTH>(wide);
}
#endif

// Whether a memory has COUNT rows. A stream has as many as are wanted.
template <class Rows, unsigned COUNT>
struct HasRows {
  static constexpr bool value = true;
};
template <class Word, unsigned ROWS, unsigned COUNT>
struct HasRows<Word[ROWS], COUNT> {
  static constexpr bool value = ROWS == COUNT;
};

// The row at an address of a memory, or the next one of a stream.
template <unsigned WIDTH, class Word, unsigned ROWS, class Address>
inline auto read_row(const Word (&rows)[ROWS], const Address& address) {
#pragma HLS INLINE
  return whole_row<WIDTH>(rows[address]);
}
template <unsigned WIDTH, class Transfer, class Address>
inline auto read_row(hls::stream<Transfer>& rows, const Address&) {
#pragma HLS INLINE
  const Transfer transfer = rows.read();
  return whole_row<WIDTH>(transfer.data);
}

// The N elements of a row.
template <class Element, unsigned N, class Rows, class Address>
inline void unpack_row(Rows& rows, const Address& address, typename Element::Value (&lanes)[N]) {
#pragma HLS INLINE
  const auto row = read_row<N * Element::BITS>(rows, address);
#ifdef FLOWC_NATIVE
  native::unpack_words<Element, N>(row.words, lanes);
#else
  unpack<Element, N>(row, lanes);
#endif
}

// Fills a memory from a stream. One cycle per row, not counted: it happens once, before the first frame.
template <class Transfer, class Word, unsigned ROWS>
inline void load_rows(hls::stream<Transfer>& in, Word (&rows)[ROWS]) {
#pragma HLS INLINE
  for (unsigned row = 0; row < ROWS; ++row) {
#pragma HLS PIPELINE II = 1 style = flp
    const Transfer transfer = in.read();
    rows[row] = Word(transfer.data);
  }
}

}  // namespace flowc

#endif
