// Rows of weights. A row is what a unit reads in one cycle; element 0 lies in the least significant bits. In a constant
// memory it is an unsigned word (uint8_t ... uint64_t), or an array of 64-bit words when that is wider; a row that is wider
// than any one memory is cut into equal slices, each in a memory of its own. In a memory that was filled from a stream, and on
// a stream itself, it is one wide integer.
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

// Whether a memory has COUNT rows, and in how many slices each is. A stream has as many as are wanted.
template <class Rows, unsigned COUNT>
struct HasRows {
  static constexpr bool value = true;
  static constexpr unsigned SLICES = 1;
};
template <class Word, unsigned ROWS, unsigned COUNT>
struct HasRows<Word[ROWS], COUNT> {
  static constexpr bool value = ROWS == COUNT;
  static constexpr unsigned SLICES = 1;
};
template <class Word, unsigned CUTS, unsigned ROWS, unsigned WORDS, unsigned COUNT>
struct HasRows<Word[CUTS][ROWS][WORDS], COUNT> {
  static constexpr bool value = ROWS == COUNT;
  static constexpr unsigned SLICES = CUTS;
};

// A slice of the row at an address of a memory, or of the next one of a stream.
template <unsigned WIDTH, class Word, unsigned ROWS, class Address>
inline auto read_slice(const Word (&rows)[ROWS], unsigned, const Address& address) {
#pragma HLS INLINE
  return whole_row<WIDTH>(rows[address]);
}
template <unsigned WIDTH, class Word, unsigned SLICES, unsigned ROWS, unsigned WORDS, class Address>
inline auto read_slice(const Word (&rows)[SLICES][ROWS][WORDS], unsigned slice, const Address& address) {
#pragma HLS INLINE
  return whole_row<WIDTH>(rows[slice][address]);
}
template <unsigned WIDTH, class Transfer, class Address>
inline auto read_slice(hls::stream<Transfer>& rows, unsigned, const Address&) {
#pragma HLS INLINE
  const Transfer transfer = rows.read();
  return whole_row<WIDTH>(transfer.data);
}

// The COUNT elements of one row, in SLICES parts. `words` is to be partitioned where a row is declared.
template <class Element, unsigned COUNT, unsigned SLICES>
struct RowOf {
  static_assert(COUNT % SLICES == 0, "slices are equal");
  static constexpr unsigned PART = COUNT / SLICES;
  static constexpr unsigned BITS = Element::BITS;
  static_assert(PART * BITS <= 4096, "a slice is as wide as an integer can be");
#ifdef FLOWC_NATIVE
  typename Element::Value values[SLICES][PART];

  template <class Rows, class Address>
  void read(Rows& rows, const Address& address) {
    for (unsigned i = 0; i < SLICES; ++i) {
      const auto slice = read_slice<PART * BITS>(rows, i, address);
      native::unpack_words<Element, PART>(slice.words, values[i]);
    }
  }
  typename Element::Value at(unsigned i) const { return (&values[0][0])[i]; }
#else
  ap_uint<PART * BITS> words[SLICES];

  template <class Rows, class Address>
  void read(Rows& rows, const Address& address) {
#pragma HLS INLINE
    for (unsigned i = 0; i < SLICES; ++i) {
#pragma HLS UNROLL
      words[i] = read_slice<PART * BITS>(rows, i, address);
    }
  }
  typename Element::Value at(unsigned i) const {
#pragma HLS INLINE
    return Element::decode(raw(i));
  }
  ap_uint<BITS> raw(unsigned i) const {
#pragma HLS INLINE
    return words[i / PART].range((i % PART + 1) * BITS - 1, i % PART * BITS);
  }
#endif
};

// The same for elements of one bit whose simulation works on many at once.
#ifdef FLOWC_NATIVE
template <class Element, unsigned COUNT, unsigned SLICES>
struct BitRowOf {
  static_assert(Element::BITS == 1 && COUNT % SLICES == 0, "slices are equal");
  static constexpr unsigned PART = COUNT / SLICES;
  Row<(PART + 63) / 64> slices[SLICES];

  template <class Rows, class Address>
  void read(Rows& rows, const Address& address) {
    for (unsigned i = 0; i < SLICES; ++i) slices[i] = read_slice<PART>(rows, i, address);
  }
  // N elements from element i on, none of them in the next slice.
  template <unsigned N>
  uint64_t bits(unsigned i) const { return native::bits_of<N>(slices[i / PART].words, i % PART); }
};
#else
template <class Element, unsigned COUNT, unsigned SLICES>
using BitRowOf = RowOf<Element, COUNT, SLICES>;
#endif

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
