// Units that repeat or reorder elements: upsampling and permutation.
#ifndef FLOWC_ROUTING_HPP
#define FLOWC_ROUTING_HPP

#include "ap.hpp"
#include "step.hpp"

namespace flowc {

// Every pixel FACTOR_W times, every row FACTOR_H times. Layer holds HEIGHT, WIDTH (input), WORDS (beats per pixel), FACTOR_H,
// FACTOR_W. `row` keeps what is repeated. A pixel of fewer than 8 beats would be read from there too soon after it was written,
// so registers, `pixel`, keep it as well. One cycle per output beat.
template <class Layer, class Word, unsigned KEPT>
inline void upsample(hls::stream<Word>& in, hls::stream<Word>& out, Word (&pixel)[KEPT], Word (&row)[Layer::WIDTH * Layer::WORDS]) {
#pragma HLS INLINE
  constexpr bool SHORT = Layer::WORDS < 8;
  static_assert(KEPT == (SHORT ? Layer::WORDS : 1), "size of the pixel's registers");
  unsigned word = 0;
  unsigned repeat_x = 0;
  unsigned first = 0;  // word of the row where the pixel begins
  unsigned repeat_y = 0;
  for (unsigned step = 0; step < Layer::HEIGHT * Layer::FACTOR_H * Layer::WIDTH * Layer::FACTOR_W * Layer::WORDS; ++step) {
#pragma HLS PIPELINE II=1 style=flp
    FLOWC_STEP();
    Word beat = 0;
    if (repeat_x == 0 && repeat_y == 0) {
      beat = in.read();
      row[first + word] = beat;
    } else if (repeat_x != 0 && SHORT) {
      beat = pixel[SHORT ? word : 0];
    } else {
      beat = row[first + word];
    }
    if (SHORT) pixel[SHORT ? word : 0] = beat;
    out.write(beat);
    if (word < Layer::WORDS - 1) {
      ++word;
    } else {
      word = 0;
      if (repeat_x < Layer::FACTOR_W - 1) {
        ++repeat_x;
      } else {
        repeat_x = 0;
        if (first < (Layer::WIDTH - 1) * Layer::WORDS) {
          first += Layer::WORDS;
        } else {
          first = 0;
          repeat_y = repeat_y == Layer::FACTOR_H - 1 ? 0 : repeat_y + 1;
        }
      }
    }
  }
}

// out[i] = in[order[i]] within chunks of CHUNK elements: one chunk is written to one half of `halves` while the one before is
// read from the other half. Layer holds CHUNKS, CHUNK and GAP, idle cycles after each chunk that keep the reads of a half
// clear of its writes. (CHUNKS + 1) * (CHUNK + GAP) cycles.
template <class Layer, class Word, class Index>
inline void permute(hls::stream<Word>& in, hls::stream<Word>& out, Word (&halves)[2 * Layer::CHUNK], const Index (&order)[Layer::CHUNK]) {
#pragma HLS INLINE
  unsigned chunk = 0;
  unsigned element = 0;
  bool second = false;
  for (unsigned step = 0; step < (Layer::CHUNKS + 1) * (Layer::CHUNK + Layer::GAP); ++step) {
#pragma HLS PIPELINE II=1 style=flp
    FLOWC_STEP();
    if (element < Layer::CHUNK) {
      if (chunk > 0) out.write(halves[(second ? 0 : Layer::CHUNK) + order[element]]);
      if (chunk < Layer::CHUNKS) halves[(second ? Layer::CHUNK : 0) + element] = in.read();
    }
    if (element < Layer::CHUNK + Layer::GAP - 1) {
      ++element;
    } else {
      element = 0;
      second = !second;
      ++chunk;
    }
  }
}

}  // namespace flowc

#endif
