// Numbers, words and what flows between the engine's processes.
#ifndef LOOPBACK_TYPES_HPP
#define LOOPBACK_TYPES_HPP

#include "../flowc/ap.hpp"
#include "params.hpp"

#include <type_traits>

namespace loopback {

// Integers of BITS bits: as wide as stated in hardware, native ones in simulation.
#ifdef FLOWC_NATIVE
template <int BITS>
using UInt = typename std::conditional<(BITS > 32), uint64_t, uint32_t>::type;
template <int BITS>
using Int = typename std::conditional<(BITS > 32), int64_t, int32_t>::type;
#else
template <int BITS>
using UInt = ap_uint<BITS>;
template <int BITS>
using Int = ap_int<BITS>;
#endif

constexpr unsigned BEAT_BITS = 128;                           // of a memory port
constexpr unsigned WORD_BITS = COLUMNS * DIGIT;               // an activation word: a digit of each of COLUMNS channels
constexpr unsigned BEATS_PER_WORD = WORD_BITS > BEAT_BITS ? WORD_BITS / BEAT_BITS : 1;
constexpr unsigned WORDS_PER_BEAT = WORD_BITS < BEAT_BITS ? BEAT_BITS / WORD_BITS : 1;
constexpr unsigned WEIGHT_BEATS = ROWS * WORD_BITS / BEAT_BITS;  // of a weight word
constexpr unsigned PARAMETER_BEATS = ROWS * 64 / BEAT_BITS;      // of a word of parameters or tables
constexpr unsigned STORE_BITS = WORD_BITS < BEAT_BITS ? WORD_BITS : BEAT_BITS;
constexpr unsigned STORES_PER_WORD = WORD_BITS / STORE_BITS;
constexpr unsigned SPREAD = ROWS / COLUMNS;
// Cycles in which RESULTS units give the results of all lanes: of products, and of what keeps its channels.
constexpr unsigned PRODUCT_SLOTS = (ROWS * LANES + RESULTS - 1) / RESULTS;
constexpr unsigned REDUCTION_SLOTS = (COLUMNS * LANES + RESULTS - 1) / RESULTS;
constexpr uint32_t ENDLESS = 0xffffffff;  // bound of loops that end by what they read

typedef ap_uint<BEAT_BITS> Beat;
typedef ap_uint<STORE_BITS> StoreBeat;
typedef ap_uint<WORD_BITS> Word;
typedef ap_uint<512> Command;

// Whether bit i of a number is set.
template <class T>
inline bool bit(const T& value, unsigned i) {
#pragma HLS INLINE
  return (uint32_t(value) >> i & 1) != 0;
}

// BITS bits of a word from bit AT, in two's complement.
template <int BITS, int AT>
inline int64_t signed_field(const ap_uint<64>& word) {
#pragma HLS INLINE
  return int64_t(word.to_uint64() << (64 - BITS - AT)) >> (64 - BITS);
}

enum Operation { LOAD_ACTS = 1, LOAD_WEIGHTS = 2, LAYER = 3, COMPUTE = 4, STORE = 5, FENCE = 6, END = 7 };
enum Kind { PRODUCTS = 0, MAXIMUM = 1, SUM = 2 };
enum Mode { WORD = 0, EARLY = 1, SEARCH = 2 };
enum Place { WEIGHT = 0, PARAMETER = 1, TABLE = 2, NOWHERE = 3 };
enum Phase { TAP = 0, SECOND = 1, IDLE = 2 };

// A beat on its way into the activation buffers, or the end of the segment.
struct ActBeat {
  bool end, last;       // last: of its load
  UInt<16> after, tag;
  UInt<16> place;       // first word
  UInt<1> part;         // of the word, where a word is two beats
  UInt<5> lane;
  UInt<32> absent;      // lanes that the load leaves out, told with its first lane
  Beat data;
};

// A beat on its way into the weight buffer, the parameters or the tables.
struct WeightBeat {
  bool end, last;
  UInt<16> after, tag;
  UInt<2> where;
  UInt<16> place;
  UInt<8> part;
  Beat data;
};

// What the array does in a cycle.
struct Step {
  bool end;             // of the segment
  bool begins, retires; // first and last step of a compute
  UInt<2> phase;
  UInt<2> kind;
  UInt<16> need_acts, need_weights;
  UInt<16> act, weight; // words
  UInt<LANES> outside;  // lanes that read the pad
  UInt<DIGIT> pad;
  UInt<6> shift;        // of the product
  bool negative;        // the weight's digit is signed
  bool clears, closes;  // accumulators begin at zero; the maximum takes the value
  UInt<4> group;        // second operand: which channels
  bool emits;
  UInt<16> parameter;
  UInt<16> act_tag, second_tag, weight_tag;
};

// Accumulators of a lane, and the second operand of a join.
struct Vector {
  Int<ACC_BITS> acc[ROWS];
  UInt<32> second[ROWS];
};

// What the activation unit does next: a vector of every lane, a beat of parameters or tables, or the end of the segment.
struct PostCommand {
  bool end, vector;
  UInt<2> where;
  UInt<16> place;
  UInt<8> part;
  UInt<16> tag;
  Beat data;
};

// Results of a lane.
struct Block {
  UInt<32> value[ROWS];
};

}  // namespace loopback

#endif
