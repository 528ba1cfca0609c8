// Sliding windows over a line buffer.
#ifndef FLOWC_WINDOW_HPP
#define FLOWC_WINDOW_HPP

#include "count.hpp"
#include "element.hpp"
#include "step.hpp"

namespace flowc {

// Iterations between an access to the line buffer and the next one to the same word: more than the stages between the
// buffer's read and write in any pipeline made of this loop, so that no access overtakes another.
constexpr unsigned RING_GAP = 4;

// A way of WORDS words through a frame (backward if negative), and the same way round a ring of SIZE.
template <int64_t WORDS, int64_t SIZE>
struct Way {
  static constexpr int FRAME = static_cast<int>(WORDS);
  static constexpr int RING = static_cast<int>((WORDS % SIZE + SIZE) % SIZE);
};

// The ways of a serial window from a word to the one that is emitted next, given which counters are at their ends.
template <class Layer, unsigned SIZE>
struct WindowWays {
  static constexpr unsigned ROW = Layer::WIDTH * Layer::WORDS;
  static constexpr unsigned SPAN_X = (Layer::KERNEL_W - 1) * Layer::DILATION_W * Layer::WORDS;
  static constexpr unsigned SPAN = (Layer::KERNEL_H - 1) * Layer::DILATION_H * ROW + SPAN_X;
  static constexpr unsigned STEP_X = Layer::STRIDE_W * Layer::WORDS;
  static constexpr unsigned STEP_Y = Layer::STRIDE_H * ROW - (Layer::OUT_W - 1) * STEP_X;
  // From the last word of a tap, row of taps, block, position, row of positions to the first word of the next.
  using NextX = Way<int64_t(Layer::DILATION_W) * Layer::WORDS - (Layer::BLOCK_WORDS - 1), SIZE>;
  using NextY = Way<int64_t(Layer::DILATION_H) * ROW - SPAN_X - (Layer::BLOCK_WORDS - 1), SIZE>;
  using NextBlock = Way<1 - int64_t(SPAN), SIZE>;
  using NextPosition = Way<int64_t(STEP_X) - SPAN - (Layer::WORDS - 1), SIZE>;
  using NextRow = Way<int64_t(STEP_Y) - SPAN - (Layer::WORDS - 1), SIZE>;

  static constexpr int frame(bool word, bool x, bool y, bool block, bool column) {
    return !word ? 1 : !x    ? NextX::FRAME
                   : !y      ? NextY::FRAME
                   : !block  ? NextBlock::FRAME
                   : !column ? NextPosition::FRAME
                             : NextRow::FRAME;
  }
  // Behind a frame's last word lies the next frame's first one.
  static constexpr int ring(bool word, bool x, bool y, bool block, bool column, bool last) {
    return !word ? 1 : !x    ? NextX::RING
                   : !y      ? NextY::RING
                   : !block  ? NextBlock::RING
                   : !column ? NextPosition::RING
                   : !last   ? NextRow::RING
                             : 1;
  }
};

// Serial window: one word (SIMD channels of one pixel) per cycle, for every output position in the order
// [BLOCKS][KERNEL_H][KERNEL_W][BLOCK_WORDS].
//
// Layer holds, besides these: HEIGHT, WIDTH (input pixels), WORDS (words per pixel, BLOCKS * BLOCK_WORDS), OUT_H, OUT_W,
// STRIDE_H, STRIDE_W, DILATION_H, DILATION_W, SPARE (rows that the ring holds beyond the window), CYCLES. The kernel has at least
// two taps.
//
// `line` is a ring of (KERNEL_H - 1) * DILATION_H + SPARE rows and (KERNEL_W - 1) * DILATION_W + 1 pixels, and at most 2 * RING_GAP
// words. In each cycle the unit takes a word of input if the ring has room for it, and emits the next word of output if that
// has arrived. The first tap of a position is never needed again, so each of its words makes room for one word.
// CYCLES covers this schedule for one frame; the compiler's model computes it.
//
// What decides a cycle stands in registers: how far the wanted word is behind the newest one (a sign), whether there is room (a
// sign), and how far the word after the wanted one lies from it, once as it is and once less a turn of the ring.
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
  constexpr unsigned REACH = SPAN + WORDS + Layer::SPARE * ROW;
  static_assert(SIZE >= REACH && SIZE <= REACH + 2 * RING_GAP, "size of the line buffer");

  constexpr unsigned STEP_X = Layer::STRIDE_W * WORDS;
  constexpr unsigned STEP_Y = Layer::STRIDE_H * ROW - (Layer::OUT_W - 1) * STEP_X;

  // Holds any distance between two words, also to words behind the frame's end.
  constexpr unsigned FAR = TOTAL + SIZE + Layer::STRIDE_H * ROW;
  using Distance = Number<bits_for(FAR) + 1, true>;
  Distance behind = 0;  // the wanted word's number less that of the first one not to be emitted yet
  Distance filled = -static_cast<int>(SIZE);  // words taken less those that may have been taken so far
  Count<TOTAL> received = 0;
  bool rest = false;  // whether the words that come are not needed
  bool all = false;  // whether no more are to come
  bool done = false;  // whether all of the frame was emitted
  Count<SIZE> read_at = 0;
  Count<SIZE> write_at = 0;
  Count<Layer::BLOCK_WORDS> word = 0;
  Count<Layer::KERNEL_W> kx = 0;
  Count<Layer::KERNEL_H> ky = 0;
  Count<Layer::BLOCKS> block = 0;
  Count<Layer::OUT_W> ox = 0;
  Count<Layer::OUT_H> oy = 0;
  // How far the next word is from the wanted one, in the frame, in the ring, and in the ring less a turn; how many words the wanted
  // one makes room for.
  using Ways = WindowWays<Layer, SIZE>;
  Distance frame_way = Ways::frame(Layer::BLOCK_WORDS == 1, Layer::KERNEL_W == 1, Layer::KERNEL_H == 1, Layer::BLOCKS == 1, Layer::OUT_W == 1);
  Distance ring_way = Ways::ring(Layer::BLOCK_WORDS == 1, Layer::KERNEL_W == 1, Layer::KERNEL_H == 1, Layer::BLOCKS == 1, Layer::OUT_W == 1, false);
  Distance ring_back = ring_way - static_cast<int>(SIZE);
  Distance frees = 1;
  bool arrived[RING_GAP - 1];
  Distance freed[RING_GAP - 1];
#pragma HLS ARRAY_PARTITION variable = arrived type = complete
#pragma HLS ARRAY_PARTITION variable = freed type = complete
  for (unsigned i = 0; i < RING_GAP - 1; ++i) {
#pragma HLS UNROLL
    arrived[i] = false;
    freed[i] = 0;
  }

  for (unsigned step = 0; step < Layer::CYCLES; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
#pragma HLS DEPENDENCE variable = line type = inter direction = RAW distance = RING_GAP dependent = true
#pragma HLS DEPENDENCE variable = line type = inter direction = WAR distance = RING_GAP dependent = true
    FLOWC_STEP();
    const bool gives = !done && behind < 0;
    const bool takes = !all && (filled < 0 || rest);
    Distance way = 0;
    Distance makes_room = 0;
    bool brings = false;
    if (gives) {
      out.write(line[read_at]);
      way = frame_way;
      makes_room = frees;
      const Distance turned = Distance(read_at) + ring_back;
      read_at = turned >= 0 ? Count<SIZE>(turned) : Count<SIZE>(Distance(read_at) + ring_way);

      const bool word_ends = word == Layer::BLOCK_WORDS - 1;
      const bool x_ends = word_ends && kx == Layer::KERNEL_W - 1;
      const bool y_ends = x_ends && ky == Layer::KERNEL_H - 1;
      const bool block_ends = y_ends && block == Layer::BLOCKS - 1;
      const bool row_ends = block_ends && ox == Layer::OUT_W - 1;
      if (row_ends) {
        done = oy == Layer::OUT_H - 1;
        oy = next<Layer::OUT_H>(oy);
      }
      if (block_ends) ox = next<Layer::OUT_W>(ox);
      if (y_ends) block = next<Layer::BLOCKS>(block);
      if (x_ends) ky = next<Layer::KERNEL_H>(ky);
      if (word_ends) kx = next<Layer::KERNEL_W>(kx);
      word = next<Layer::BLOCK_WORDS>(word);

      const bool last_word = word == Layer::BLOCK_WORDS - 1;
      const bool last_x = kx == Layer::KERNEL_W - 1;
      const bool last_y = ky == Layer::KERNEL_H - 1;
      const bool last_block = block == Layer::BLOCKS - 1;
      const bool last_column = ox == Layer::OUT_W - 1;
      const bool last = last_column && oy == Layer::OUT_H - 1;
      frame_way = Ways::frame(last_word, last_x, last_y, last_block, last_column);
      ring_way = Ways::ring(last_word, last_x, last_y, last_block, last_column, last);
      ring_back = ring_way - static_cast<int>(SIZE);
      if (last_word && last_x && last_y && last_block) {
        frees = last_column ? STEP_Y - WORDS : STEP_X - WORDS;
      } else {
        frees = kx == 0 && ky == 0 ? 1 : 0;
      }
    }

    if (takes) {
      const Word taken = in.read();
      if (!rest) {
        line[write_at] = taken;
        write_at = next<SIZE>(write_at);
        brings = true;
      }
      rest = rest || received == NEEDED - 1;
      all = received == TOTAL - 1;
      received = next<TOTAL>(received);
    }

    behind += way - (arrived[RING_GAP - 2] ? 1 : 0);
    filled += (takes ? 1 : 0) - freed[RING_GAP - 2];
    for (unsigned i = RING_GAP - 2; i > 0; --i) {
#pragma HLS UNROLL
      arrived[i] = arrived[i - 1];
      freed[i] = freed[i - 1];
    }
    arrived[0] = brings;
    freed[0] = makes_room;

    // The ring goes on where it is; the rest begins anew.
    if (step == Layer::CYCLES - 1) {
      behind = 0;
      filled = -static_cast<int>(SIZE);
      rest = false;
      all = false;
      done = false;
      for (unsigned i = 0; i < RING_GAP - 1; ++i) {
#pragma HLS UNROLL
        arrived[i] = false;
        freed[i] = 0;
      }
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
#pragma HLS PIPELINE II = 1 style = flp rewind
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
// the first one of the row below, the rest of DILATION_H rows later (`rows`). Each of the two is one memory, a word of which holds
// what all its delays hold at one time. One cycle per input word; a window leaves when its last word has come.
template <class Layer, class Word, class Columns, unsigned COLUMN_DELAY, class Rows, unsigned ROW_DELAY>
inline void window_parallel(hls::stream<Word>& in, hls::stream<ap_uint<Word::width * Layer::KERNEL_H * Layer::KERNEL_W>>& out,
                            Columns (&columns)[COLUMN_DELAY], Rows (&rows)[ROW_DELAY]) {
#pragma HLS INLINE
  constexpr unsigned KH = Layer::KERNEL_H;
  constexpr unsigned KW = Layer::KERNEL_W;
  constexpr int BITS = Word::width;
  constexpr unsigned FIRST_Y = (KH - 1) * Layer::DILATION_H;
  constexpr unsigned FIRST_X = (KW - 1) * Layer::DILATION_W;
  static_assert(COLUMN_DELAY == (KW == 1 ? 1 : Layer::DILATION_W * Layer::WORDS), "a tap's delay");
  static_assert(ROW_DELAY == (KH == 1 ? 1 : (Layer::DILATION_H * Layer::WIDTH - FIRST_X) * Layer::WORDS), "a row's delay");
  static_assert(Columns::width == BITS * static_cast<int>(KW == 1 ? 1 : KH * (KW - 1)), "the delays of all taps");
  static_assert(Rows::width == BITS * static_cast<int>(KH == 1 ? 1 : KH - 1), "the delays of all rows");
  Count<Layer::WORDS> word = 0;
  Count<Layer::WIDTH> x = 0;
  Count<Layer::HEIGHT> y = 0;
  Count<Layer::STRIDE_W> phase_x = 0;  // x - FIRST_X modulo the stride
  Count<Layer::STRIDE_H> phase_y = 0;
  Count<COLUMN_DELAY> column_at = 0;
  Count<ROW_DELAY> row_at = 0;
  for (unsigned step = 0; step < Layer::HEIGHT * Layer::WIDTH * Layer::WORDS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
#pragma HLS DEPENDENCE variable = columns type = inter direction = RAW distance = COLUMN_DELAY dependent = true
#pragma HLS DEPENDENCE variable = rows type = inter direction = RAW distance = ROW_DELAY dependent = true
    FLOWC_STEP();
    const Columns delayed_columns = columns[column_at];
    const Rows delayed_rows = rows[row_at];
    Columns moved_columns = 0;
    Rows moved_rows = 0;
    ap_uint<Word::width * KH * KW> taps = 0;
    Word moving = in.read();
    for (unsigned i = 0; i < KH * KW; ++i) {
#pragma HLS UNROLL
      const unsigned tap = KH * KW - 1 - i;
      taps.range(static_cast<int>(tap + 1) * BITS - 1, static_cast<int>(tap) * BITS) = moving;
      if (tap % KW != 0) {
        const int at = static_cast<int>(tap / KW * (KW - 1) + tap % KW - 1) * BITS;
        moved_columns.range(at + BITS - 1, at) = moving;
        moving = delayed_columns.range(at + BITS - 1, at);
      } else if (tap != 0) {
        const int at = static_cast<int>(tap / KW - 1) * BITS;
        moved_rows.range(at + BITS - 1, at) = moving;
        moving = delayed_rows.range(at + BITS - 1, at);
      }
    }
    columns[column_at] = moved_columns;
    rows[row_at] = moved_rows;
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

// Parallel window over beats of PIXELS pixels, all channels of each: the windows of GIVEN positions per cycle, each [KERNEL_H][KERNEL_W]
// [channel].
//
// Layer holds, besides kernel, stride and dilation: HEIGHT, ROW_BEATS, OUT_BEATS (beats of input and output rows), PIXELS, GIVEN and
// BEHIND: the pixels of a beat of positions lie in BEHIND + 1 beats of each row of taps. `columns` keeps the BEHIND last ones, of all
// rows of taps in one word, the latest first. The last of a row's goes on to the row above, the rest of DILATION_H rows later
// (`rows`). One cycle per input beat; positions leave when their last beat has come.
template <class Layer, class Word, class Columns, unsigned COLUMNS, class Rows, unsigned ROW_DELAY>
inline void window_pixels(hls::stream<Word>& in,
                          hls::stream<ap_uint<Word::width / Layer::PIXELS * Layer::GIVEN * Layer::KERNEL_H * Layer::KERNEL_W>>& out,
                          Columns (&columns)[COLUMNS], Rows (&rows)[ROW_DELAY]) {
#pragma HLS INLINE
  constexpr unsigned KH = Layer::KERNEL_H;
  constexpr unsigned KW = Layer::KERNEL_W;
  constexpr unsigned BEHIND = Layer::BEHIND;
  constexpr int BEAT = Word::width;
  constexpr int BITS = BEAT / static_cast<int>(Layer::PIXELS);
  constexpr unsigned FIRST_Y = (KH - 1) * Layer::DILATION_H;
  constexpr unsigned LAST = (Layer::GIVEN - 1) * Layer::STRIDE_W + (KW - 1) * Layer::DILATION_W;
  static_assert(Layer::GIVEN * Layer::STRIDE_W == Layer::PIXELS, "a beat stands for whole positions");
  static_assert(BEHIND == LAST / Layer::PIXELS, "beats that hold the pixels of a beat of positions");
  static_assert(COLUMNS == (BEHIND == 0 ? 1 : BEHIND), "a word for each beat before");
  static_assert(ROW_DELAY == (KH == 1 ? 1 : Layer::DILATION_H * Layer::ROW_BEATS - BEHIND), "a row's delay");
  static_assert(Columns::width == BEAT * static_cast<int>(KH), "a beat of every row of taps");
  static_assert(Rows::width == BEAT * static_cast<int>(KH == 1 ? 1 : KH - 1), "the delays of all rows");
  Count<Layer::ROW_BEATS> x = 0;
  Count<Layer::HEIGHT> y = 0;
  Count<Layer::STRIDE_H> phase_y = 0;
  Count<ROW_DELAY> row_at = 0;
  for (unsigned step = 0; step < Layer::HEIGHT * Layer::ROW_BEATS; ++step) {
#pragma HLS PIPELINE II = 1 style = flp rewind
#pragma HLS DEPENDENCE variable = rows type = inter direction = RAW distance = ROW_DELAY dependent = true
    FLOWC_STEP();
    const Rows delayed_rows = rows[row_at];
    Rows moved_rows = 0;
    Columns arrived = 0;
    ap_uint<Word::width / Layer::PIXELS * Layer::GIVEN * KH * KW> taps = 0;
    Word moving = in.read();
    for (unsigned i = 0; i < KH; ++i) {
#pragma HLS UNROLL
      const unsigned ky = KH - 1 - i;
      const int row = static_cast<int>(ky) * BEAT;
      arrived.range(row + BEAT - 1, row) = moving;
      for (unsigned tap = 0; tap < Layer::GIVEN * KW; ++tap) {
#pragma HLS UNROLL
        const unsigned column = tap / KW * Layer::STRIDE_W + tap % KW * Layer::DILATION_W;
        const unsigned past = BEHIND - column / Layer::PIXELS;  // 0: in the beat that has just come
        const int from = static_cast<int>(column % Layer::PIXELS) * BITS;
        const int to = static_cast<int>((tap / KW * KH + ky) * KW + tap % KW) * BITS;
        const Columns source = past == 0 ? arrived : columns[past == 0 ? 0 : past - 1];
        taps.range(to + BITS - 1, to) = source.range(row + from + BITS - 1, row + from);
      }
      if (ky != 0) {
        const int at = static_cast<int>(ky - 1) * BEAT;
        const Columns oldest = BEHIND == 0 ? arrived : columns[COLUMNS - 1];
        moved_rows.range(at + BEAT - 1, at) = oldest.range(row + BEAT - 1, row);
        moving = delayed_rows.range(at + BEAT - 1, at);
      }
    }
    rows[row_at] = moved_rows;
    for (unsigned i = 1; i < COLUMNS; ++i) {
#pragma HLS UNROLL
      columns[COLUMNS - i] = columns[COLUMNS - 1 - i];
    }
    columns[0] = arrived;
    const bool below = y + 1 > FIRST_Y;
    if (below && phase_y == 0 && x + 1 > BEHIND && x < BEHIND + Layer::OUT_BEATS) out.write(taps);

    row_at = next<ROW_DELAY>(row_at);
    if (x == Layer::ROW_BEATS - 1) {
      if (below) phase_y = next<Layer::STRIDE_H>(phase_y);
      y = next<Layer::HEIGHT>(y);
    }
    x = next<Layer::ROW_BEATS>(x);
  }
}

}  // namespace flowc

#endif
