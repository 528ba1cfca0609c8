// Read in front of the sources that Verilator writes: ones are counted by the processor's instruction, where it has one, and not by
// shifts and sums. Dot products on heaps count most of the time.
#ifndef FLOWC_POPCOUNT_H
#define FLOWC_POPCOUNT_H
#include "verilated.h"

#if defined(__POPCNT__) || defined(__aarch64__)
static inline IData flowc_ones(IData bits) { return static_cast<IData>(__builtin_popcount(bits)); }
static inline IData flowc_ones_of_64(QData bits) { return static_cast<IData>(__builtin_popcountll(bits)); }
static inline IData flowc_ones_of_words(int words, WDataInP const bits) {
  IData ones = 0;
  for (int i = 0; i < words; ++i) ones += flowc_ones(bits[i]);
  return ones;
}
#define VL_COUNTONES_I flowc_ones
#define VL_COUNTONES_Q flowc_ones_of_64
#define VL_COUNTONES_W flowc_ones_of_words
#endif
#endif
