// Units that repeat or reorder elements: upsampling and permutation.
#ifndef FLOWC_ROUTING_HPP
#define FLOWC_ROUTING_HPP

#include "count.hpp"
#include "step.hpp"

namespace flowc {

// Every pixel FACTOR_W times, every row FACTOR_H times. Layer holds HEIGHT, WIDTH (input), WORDS (beats per pixel), FACTOR_H,
// FACTOR_W. `row` keeps what is repeated. A pixel of fewer than 8 beats would be read from there too soon after it was written,
// so registers, `pixel`, keep it as well. One cycle per output beat.
template <class Layer, class Word, unsigned KEPT>
inline void upsample(hls::stream<Word>& in, hls::stream<Word>& out, Word (&pixel)[KEPT], Word (&row)[Layer::WIDTH * Layer::WORDS]) {
#pragma HLS INLINE
  constexpr bool SHORT = Layer::WORDS < 8;
  // Cycles after which a word of the row is read again.
  constexpr unsigned AGAIN = SHORT || Layer::FACTOR_W == 1 ? Layer::WIDTH * Layer::FACTOR_W * Layer::WORDS : Layer::WORDS;
  static_assert(KEPT == (SHORT ? Layer::WORDS : 1), "size of the pixel's registers");
  Count<Layer::WORDS> word = 0;
  Count<Layer::FACTOR_W> repeat_x = 0;
  Count<Layer::WIDTH * Layer::WORDS> first = 0;  // word of the row where the pixel begins
  Count<Layer::FACTOR_H> repeat_y = 0;
  for (unsigned step = 0; step < Layer::HEIGHT * Layer::FACTOR_H * Layer::WIDTH * Layer::FACTOR_W * Layer::WORDS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
#pragma HLS DEPENDENCE variable = row type = inter direction = RAW distance = AGAIN dependent = true
#pragma HLS DEPENDENCE variable = row type = inter direction = WAR distance = AGAIN dependent = true
    FLOWC_STEP();
    const unsigned kept = SHORT ? static_cast<unsigned>(word) : 0;
    Word beat = 0;
    if (repeat_x == 0 && repeat_y == 0) {
      beat = in.read();
      row[first + word] = beat;
    } else if (repeat_x != 0 && SHORT) {
      beat = pixel[kept];
    } else {
      beat = row[first + word];
    }
    if (SHORT) pixel[kept] = beat;
    out.write(beat);
    if (word == Layer::WORDS - 1) {
      if (repeat_x == Layer::FACTOR_W - 1) {
        if (first == (Layer::WIDTH - 1) * Layer::WORDS) {
          first = 0;
          repeat_y = next<Layer::FACTOR_H>(repeat_y);
        } else {
          first += Layer::WORDS;
        }
      }
      repeat_x = next<Layer::FACTOR_W>(repeat_x);
    }
    word = next<Layer::WORDS>(word);
  }
}

// out[i] = in[order[i]] within chunks of CHUNK elements: one chunk is written to one half of `halves` while the one before is
// read from the other half. Layer holds CHUNKS, CHUNK and GAP, idle cycles after each chunk that keep the reads of a half
// clear of its writes: SETTLED cycles at least lie between the accesses to a word. (CHUNKS + 1) * (CHUNK + GAP) cycles.
template <class Layer, unsigned SETTLED, class Word, class Index>
inline void permute(hls::stream<Word>& in, hls::stream<Word>& out, Word (&halves)[2 * Layer::CHUNK], const Index (&order)[Layer::CHUNK]) {
#pragma HLS INLINE
  constexpr unsigned PERIOD = Layer::CHUNK + Layer::GAP;
  Count<Layer::CHUNKS + 1> chunk = 0;
  Count<PERIOD> element = 0;
  bool second = false;
  for (unsigned step = 0; step < (Layer::CHUNKS + 1) * PERIOD; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
#pragma HLS DEPENDENCE variable = halves type = inter direction = RAW distance = SETTLED dependent = true
#pragma HLS DEPENDENCE variable = halves type = inter direction = WAR distance = SETTLED dependent = true
    FLOWC_STEP();
    if (element < Layer::CHUNK) {
      if (chunk > 0) out.write(halves[(second ? 0 : Layer::CHUNK) + order[element]]);
      if (chunk < Layer::CHUNKS) halves[(second ? Layer::CHUNK : 0) + element] = in.read();
    }
    if (element == PERIOD - 1) {
      second = !second;
      chunk = next<Layer::CHUNKS + 1>(chunk);
    }
    element = next<PERIOD>(element);
  }
}

}  // namespace flowc

#endif
