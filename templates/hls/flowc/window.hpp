// Sliding windows over a line buffer.
#ifndef FLOWC_WINDOW_HPP
#define FLOWC_WINDOW_HPP

#include "count.hpp"
#include "step.hpp"

namespace flowc {

// Iterations between an access to the line buffer and the next one to the same word: more than the stages between the
// buffer's read and write in any pipeline made of this loop, so that no access overtakes another.
constexpr unsigned RING_GAP = 4;

// A way of WORDS words through a frame (backward if negative; sums with it wrap), and the same way round a ring of SIZE.
template <int64_t WORDS, unsigned SIZE>
struct Way {
  static constexpr unsigned FRAME = static_cast<unsigned>(WORDS);
  static constexpr unsigned RING = static_cast<unsigned>((WORDS % SIZE + SIZE) % SIZE);
};

// Serial window: one word (SIMD channels of one pixel) per cycle, for every output position in the order
// [BLOCKS][KERNEL_H][KERNEL_W][BLOCK_WORDS].
//
// Layer holds, besides these: HEIGHT, WIDTH (input pixels), WORDS (words per pixel, BLOCKS * BLOCK_WORDS), OUT_H, OUT_W,
// STRIDE_H, STRIDE_W, DILATION_H, DILATION_W, CYCLES. The kernel has at least two taps.
//
// `line` is a ring of (KERNEL_H - 1) * DILATION_H rows and (KERNEL_W - 1) * DILATION_W + 1 pixels, and 2 * RING_GAP
// words. In each cycle the unit takes a word of input if the ring has room for it, and emits the next word of output if that
// has arrived. The first tap of a position is never needed again, so each of its words makes room for one word.
// CYCLES covers this schedule for one frame; the compiler's model computes it.
template <class Layer, class Word, unsigned SIZE>
inline void window(hls::stream<Word>& in, hls::stream<Word>& out, Word (&line)[SIZE]) {
#pragma HLS INLINE
  constexpr unsigned WORDS = Layer::WORDS;
  constexpr unsigned ROW = Layer::WIDTH * WORDS;
  constexpr unsigned SPAN_X = (Layer::KERNEL_W - 1) * Layer::DILATION_W * WORDS;
  constexpr unsigned SPAN = (Layer::KERNEL_H - 1) * Layer::DILATION_H * ROW + SPAN_X;
  constexpr unsigned TOTAL = Layer::HEIGHT * ROW;
  constexpr unsigned LAST = (Layer::OUT_H - 1) * Layer::STRIDE_H * ROW + (Layer::OUT_W - 1) * Layer::STRIDE_W * WORDS;
  constexpr unsigned NEEDED = LAST + SPAN + WORDS;
  static_assert(SIZE == SPAN + WORDS + 2 * RING_GAP, "size of the line buffer");

  // Ways, in words, from a position's first pixel to the next one's, and from the last word of a tap, row of taps, block,
  // position, row of positions to the first word of the next.
  constexpr unsigned STEP_X = Layer::STRIDE_W * WORDS;
  constexpr unsigned STEP_Y = Layer::STRIDE_H * ROW - (Layer::OUT_W - 1) * STEP_X;
  using NextX = Way<int64_t(Layer::DILATION_W) * WORDS - (Layer::BLOCK_WORDS - 1), SIZE>;
  using NextY = Way<int64_t(Layer::DILATION_H) * ROW - SPAN_X - (Layer::BLOCK_WORDS - 1), SIZE>;
  using NextBlock = Way<1 - int64_t(SPAN), SIZE>;
  using NextPosition = Way<int64_t(STEP_X) - SPAN - (WORDS - 1), SIZE>;
  using NextRow = Way<int64_t(STEP_Y) - SPAN - (WORDS - 1), SIZE>;

  // Holds the number of any word that is ever allowed for, also behind the frame's end.
  using Number = Count<TOTAL + SIZE + Layer::STRIDE_H * ROW>;
  Number received = 0;  // words taken from the input
  Number limit = SIZE;  // words that may have been taken so far
  Number visible = 0;  // words that may be emitted
  Number wanted = 0;  // the word to emit next: its number in the frame
  Count<2 * SIZE> read_at = 0;  // and its place in the ring
  Count<SIZE> write_at = 0;
  Count<Layer::BLOCK_WORDS> word = 0;
  Count<Layer::KERNEL_W> kx = 0;
  Count<Layer::KERNEL_H> ky = 0;
  Count<Layer::BLOCKS> block = 0;
  Count<Layer::OUT_W> ox = 0;
  Count<Layer::OUT_H + 1> oy = 0;
  bool arrived[RING_GAP];
  Number freed[RING_GAP];
#pragma HLS ARRAY_PARTITION variable = arrived type = complete
#pragma HLS ARRAY_PARTITION variable = freed type = complete
  for (unsigned i = 0; i < RING_GAP; ++i) {
#pragma HLS UNROLL
    arrived[i] = false;
    freed[i] = 0;
  }

  for (unsigned step = 0; step < Layer::CYCLES; ++step) {
#pragma HLS PIPELINE II = 1 style = flp
    FLOWC_STEP();
    visible += arrived[RING_GAP - 1] ? 1 : 0;
    limit += freed[RING_GAP - 1];
    for (unsigned i = RING_GAP - 1; i > 0; --i) {
#pragma HLS UNROLL
      arrived[i] = arrived[i - 1];
      freed[i] = freed[i - 1];
    }
    arrived[0] = false;
    freed[0] = 0;

    if (oy < Layer::OUT_H && wanted < visible) {
      out.write(line[read_at]);
      unsigned frame_way = 1;
      unsigned ring_way = 1;
      freed[0] = kx == 0 && ky == 0 ? 1 : 0;
      if (word < Layer::BLOCK_WORDS - 1) {
        ++word;
      } else {
        word = 0;
        if (kx < Layer::KERNEL_W - 1) {
          ++kx;
          frame_way = NextX::FRAME;
          ring_way = NextX::RING;
        } else {
          kx = 0;
          if (ky < Layer::KERNEL_H - 1) {
            ++ky;
            frame_way = NextY::FRAME;
            ring_way = NextY::RING;
          } else {
            ky = 0;
            if (block < Layer::BLOCKS - 1) {
              ++block;
              frame_way = NextBlock::FRAME;
              ring_way = NextBlock::RING;
            } else {
              block = 0;
              if (ox < Layer::OUT_W - 1) {
                ++ox;
                frame_way = NextPosition::FRAME;
                ring_way = NextPosition::RING;
                freed[0] = STEP_X - WORDS;
              } else {
                ox = 0;
                ++oy;
                frame_way = NextRow::FRAME;
                ring_way = NextRow::RING;
                freed[0] = STEP_Y - WORDS;
              }
            }
          }
        }
      }
      wanted += frame_way;
      read_at += ring_way;
      if (read_at >= SIZE) read_at -= SIZE;
    }

    if (received < TOTAL && (received < limit || received >= NEEDED)) {
      const Word taken = in.read();
      if (received < NEEDED) {
        line[write_at] = taken;
        write_at = next<SIZE>(write_at);
        arrived[0] = true;
      }
      ++received;
    }
  }
}

// A kernel of one tap with a stride: drops pixels. One cycle per input word.
template <class Layer, class Word>
inline void subsample(hls::stream<Word>& in, hls::stream<Word>& out) {
#pragma HLS INLINE
  Count<Layer::WORDS> word = 0;
  Count<Layer::WIDTH> x = 0;
  Count<Layer::STRIDE_W> phase_x = 0;
  Count<Layer::STRIDE_H> phase_y = 0;
  for (unsigned step = 0; step < Layer::HEIGHT * Layer::WIDTH * Layer::WORDS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp
    FLOWC_STEP();
    const Word taken = in.read();
    if (phase_x == 0 && phase_y == 0) out.write(taken);
    if (word == Layer::WORDS - 1) {
      if (x == Layer::WIDTH - 1) {
        phase_x = 0;
        phase_y = next<Layer::STRIDE_H>(phase_y);
      } else {
        phase_x = next<Layer::STRIDE_W>(phase_x);
      }
      x = next<Layer::WIDTH>(x);
    }
    word = next<Layer::WORDS>(word);
  }
}

// Parallel window: a block's whole window per cycle, in the order [KERNEL_H][KERNEL_W][block].
//
// A chain of delays: a tap is its right-hand neighbour DILATION_W pixels later (`columns`), and the last tap of a row is
// the first one of the row below, the rest of DILATION_H rows later (`rows`). One cycle per input word; a window leaves
// when its last word has come.
template <class Layer, class Word, unsigned COLUMNS, unsigned COLUMN_DELAY, unsigned ROWS, unsigned ROW_DELAY>
inline void window_parallel(hls::stream<Word>& in, hls::stream<ap_uint<Word::width * Layer::KERNEL_H * Layer::KERNEL_W>>& out,
                            Word (&columns)[COLUMNS][COLUMN_DELAY], Word (&rows)[ROWS][ROW_DELAY]) {
#pragma HLS INLINE
  constexpr unsigned KH = Layer::KERNEL_H;
  constexpr unsigned KW = Layer::KERNEL_W;
  constexpr unsigned FIRST_Y = (KH - 1) * Layer::DILATION_H;
  constexpr unsigned FIRST_X = (KW - 1) * Layer::DILATION_W;
  static_assert(COLUMN_DELAY == (KW == 1 ? 1 : Layer::DILATION_W * Layer::WORDS), "a tap's delay");
  static_assert(ROW_DELAY == (KH == 1 ? 1 : (Layer::DILATION_H * Layer::WIDTH - FIRST_X) * Layer::WORDS), "a row's delay");
  Count<Layer::WORDS> word = 0;
  Count<Layer::WIDTH> x = 0;
  Count<Layer::HEIGHT> y = 0;
  Count<Layer::STRIDE_W> phase_x = 0;  // x - FIRST_X modulo the stride
  Count<Layer::STRIDE_H> phase_y = 0;
  Count<COLUMN_DELAY> column_at = 0;
  Count<ROW_DELAY> row_at = 0;
  for (unsigned step = 0; step < Layer::HEIGHT * Layer::WIDTH * Layer::WORDS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp
    FLOWC_STEP();
    ap_uint<Word::width * KH * KW> taps = 0;
    Word moving = in.read();
    for (unsigned i = 0; i < KH * KW; ++i) {
#pragma HLS UNROLL
      const unsigned tap = KH * KW - 1 - i;
      taps.range(static_cast<int>((tap + 1) * Word::width - 1), static_cast<int>(tap * Word::width)) = moving;
      if (tap % KW != 0) {
        const unsigned column = tap / KW * (KW - 1) + tap % KW - 1;
        const Word delayed = columns[column][column_at];
        columns[column][column_at] = moving;
        moving = delayed;
      } else if (tap != 0) {
        const Word delayed = rows[tap / KW - 1][row_at];
        rows[tap / KW - 1][row_at] = moving;
        moving = delayed;
      }
    }
    const bool right = x + 1 > FIRST_X;
    const bool below = y + 1 > FIRST_Y;
    if (right && below && phase_x == 0 && phase_y == 0) out.write(taps);

    column_at = next<COLUMN_DELAY>(column_at);
    row_at = next<ROW_DELAY>(row_at);
    if (word == Layer::WORDS - 1) {
      if (x == Layer::WIDTH - 1) {
        phase_x = 0;
        if (below) phase_y = next<Layer::STRIDE_H>(phase_y);
        y = next<Layer::HEIGHT>(y);
      } else if (right) {
        phase_x = next<Layer::STRIDE_W>(phase_x);
      }
      x = next<Layer::WIDTH>(x);
    }
    word = next<Layer::WORDS>(word);
  }
}

}  // namespace flowc

#endif
