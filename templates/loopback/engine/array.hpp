// The multipliers: every cycle ROWS x COLUMNS products in each lane.
#ifndef LOOPBACK_ARRAY_HPP
#define LOOPBACK_ARRAY_HPP

#include "buffers.hpp"
#include "types.hpp"

namespace loopback {

#ifdef FLOWC_NATIVE

typedef int64_t Accumulator;
typedef int16_t Operand[COLUMNS];

// acc[lane][row] += sum over columns of weight * operand, shifted.
inline void multiply(const WeightBuffer& weights, unsigned place, const Operand (&operands)[LANES], bool negative, unsigned shift,
                     bool clears, Accumulator (&acc)[LANES][ROWS]) {
  int16_t matrix[COLUMNS][ROWS];
  const int16_t sign = negative ? int16_t(1 << (DIGIT - 1)) : int16_t(0);
  for (unsigned c = 0; c < COLUMNS; ++c)
    for (unsigned r = 0; r < ROWS; ++r) matrix[c][r] = int16_t((weights.words[place][c][r] ^ sign) - sign);
  for (unsigned p = 0; p < LANES; ++p) {
    // Sums of 4 x 4 bits fit 16, those of 8 x 8 do not.
    typedef std::conditional<(DIGIT == 4 && COLUMNS <= 64), int16_t, int32_t>::type Part;
    Part sums[ROWS] = {};
    for (unsigned c = 0; c < COLUMNS; ++c) {
      const Part x = operands[p][c];
      for (unsigned r = 0; r < ROWS; ++r) sums[r] = Part(sums[r] + x * Part(matrix[c][r]));
    }
    const int64_t scale = int64_t(1) << shift;
    for (unsigned r = 0; r < ROWS; ++r) acc[p][r] = (clears ? 0 : acc[p][r]) + int64_t(sums[r]) * scale;
  }
}

#else

typedef Int<ACC_BITS> Accumulator;
typedef Word Operand;

// Two weights and, with digits of 4 bits, two operands share a slice: sums of CHAIN products stay apart in fields of FIELD bits.
constexpr unsigned SHARED = DIGIT == 4 ? 2 : 1;
constexpr int FIELD = DIGIT == 4 ? (WIDE_SLICE ? 11 : 10) : 18;
constexpr unsigned CHAIN = DIGIT == 4 && WIDE_SLICE ? 8 : 4;
constexpr int PRODUCT_BITS = 48;

// Sums of up to CHAIN products from one chain of slices; weights are signed or unsigned, operands unsigned.
struct Chain {
  Int<PRODUCT_BITS> sum;

  void add(Int<DIGIT + 1> w0, Int<DIGIT + 1> w1, unsigned x0, unsigned x1) {
#pragma HLS INLINE
    const Int<27> a = Int<27>(w0) + (Int<27>(w1) << int(SHARED * FIELD));
    const ap_uint<17> b = ap_uint<17>(SHARED == 2 ? x0 | x1 << FIELD : x0);
    sum += Int<PRODUCT_BITS>(a * b);
  }

  // Field i, with the borrow of the field below where fields are signed.
  Int<FIELD + 1> field(unsigned i, bool negative) const {
#pragma HLS INLINE
    const ap_uint<FIELD> bits = sum >> int(FIELD * i);
    if (!negative) return Int<FIELD + 1>(bits);
    const bool borrow = i > 0 && ap_uint<1>(sum >> int(FIELD * i - 1)) == 1;
    return Int<FIELD + 1>(ap_int<FIELD>(bits)) + Int<FIELD + 1>(borrow ? 1 : 0);
  }
};

// A digit of a weight as a number.
inline Int<DIGIT + 1> weight_digit(const Word& word, unsigned c, bool negative) {
#pragma HLS INLINE
  const ap_uint<DIGIT> digit = digit_of(word, c);
  return negative ? Int<DIGIT + 1>(ap_int<DIGIT>(digit)) : Int<DIGIT + 1>(digit);
}

// The sums of two rows in SHARED lanes: of the first row in each lane, then of the second.
inline void packed_sums(const Word& w0, const Word& w1, const Word& x0, const Word& x1, bool negative,
                        Int<32> (&sums)[2 * SHARED]) {
#pragma HLS INLINE
  for (unsigned i = 0; i < 2 * SHARED; ++i) {
#pragma HLS UNROLL
    sums[i] = 0;
  }
  for (unsigned first = 0; first < COLUMNS; first += CHAIN) {
#pragma HLS UNROLL
    Chain chain;
    chain.sum = 0;
    for (unsigned k = 0; k < CHAIN; ++k) {
#pragma HLS UNROLL
      const unsigned c = first + k;
      chain.add(weight_digit(w0, c, negative), weight_digit(w1, c, negative), digit_of(x0, c), digit_of(x1, c));
    }
    for (unsigned i = 0; i < 2 * SHARED; ++i) {
#pragma HLS UNROLL
      sums[i] += chain.field(i, negative);
    }
  }
}

// The sum of a row in a lane, each product by itself: in look-up tables.
inline Int<32> plain_sum(const Word& w, const Word& x, bool negative) {
#pragma HLS INLINE
  Int<32> sum = 0;
  for (unsigned c = 0; c < COLUMNS; ++c) {
#pragma HLS UNROLL
    const Int<2 * DIGIT + 1> product = weight_digit(w, c, negative) * ap_uint<DIGIT>(digit_of(x, c));
#pragma HLS BIND_OP variable = product op = mul impl = fabric
    sum += product;
  }
  return sum;
}

inline void multiply(const WeightBuffer& weights, unsigned place, const Operand (&operands)[LANES], bool negative, unsigned shift,
                     bool clears, Accumulator (&acc)[LANES][ROWS]) {
#pragma HLS INLINE
  const ap_uint<ROWS * WORD_BITS> word = weights.read(place);
  Int<32> sums[LANES][ROWS];
#pragma HLS ARRAY_PARTITION variable = sums type = complete dim = 0
  for (unsigned r = 0; r < ROWS; r += 2) {
#pragma HLS UNROLL
    const Word w0 = word >> (WORD_BITS * r), w1 = word >> (WORD_BITS * (r + 1));
    for (unsigned p = 0; p < DSP_LANES; p += SHARED) {
#pragma HLS UNROLL
      Int<32> found[2 * SHARED];
#pragma HLS ARRAY_PARTITION variable = found type = complete
      packed_sums(w0, w1, operands[p], operands[p + SHARED - 1], negative, found);
      for (unsigned i = 0; i < SHARED; ++i) {
#pragma HLS UNROLL
        sums[p + i][r] = found[i];
        sums[p + i][r + 1] = found[SHARED + i];
      }
    }
    for (unsigned p = DSP_LANES; p < LANES; ++p) {
#pragma HLS UNROLL
      sums[p][r] = plain_sum(w0, operands[p], negative);
      sums[p][r + 1] = plain_sum(w1, operands[p], negative);
    }
  }
  for (unsigned p = 0; p < LANES; ++p) {
#pragma HLS UNROLL
    for (unsigned r = 0; r < ROWS; ++r) {
#pragma HLS UNROLL
      const Int<ACC_BITS> moved = Int<ACC_BITS>(sums[p][r]) << shift;
      acc[p][r] = clears ? moved : Int<ACC_BITS>(acc[p][r] + moved);
    }
  }
}

#endif

}  // namespace loopback

#endif
