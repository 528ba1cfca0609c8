// What the parts of an engine share: descriptors, buffers, registers, and the first fault.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace engine {

// Fields of the descriptors in the order of flowc/loopback/descriptors.py, a row of kFields integers each.
constexpr int64_t kFields = 32;
enum Kind : int64_t { kLoadActs = 1, kLoadWeights = 2, kLayer = 3, kCompute = 4, kStore = 5, kFence = 6 };

struct LoadActs {
    int64_t op, layer, after, beats, ddr, lane_stride, image_stride, row_stride, column_stride, buf_column, buf, buf_image, buf_row,
        images, rows, columns, lane_mask, tag;
};
struct LoadWeights {
    int64_t op, layer, after, ddr, buf, words, parameter, parameters, table, tables, tag;
};
struct Layer {
    int64_t op, layer, kind, planes, weight_planes, out_planes, skip_planes, join, mode, depth, lo, hi, stride_y, stride_x, dilation_y,
        dilation_x, height, width, pad, lane_rows, tables_each, left_scale, right_scale, left_offset, right_offset, join_word, join_lo,
        join_hi;
};
struct Compute {
    int64_t op, layer, need_acts, need_weights, acts, weights, parameter, images, rows, columns, blocks, kernel_y, kernel_x, first, last,
        channel_blocks, weight_tag, y_step, x_step, ky_step, kx_step, image_step, block_step, y0, x0, act_tag, skip_tag, skip, skip_row,
        skip_pixel, skip_image;

    int64_t taps() const { return kernel_y * kernel_x; }
    int64_t positions() const { return images * rows * columns; }
};
struct Store {
    int64_t op, layer, repeat_y, repeat_x, words, ddr, lane_stride, image_stride, row_stride, column_stride, repeat_row, repeat_column,
        images, rows, columns, lane_mask;
};
static_assert(sizeof(Compute) <= 8 * kFields && sizeof(Layer) <= 8 * kFields, "a row holds every descriptor");

// As in flowc/loopback/native.py, which has a text for each.
enum Fault : int {
    kFine = 0,
    kNever,
    kActsBehind,
    kWeightsBehind,
    kParametersBehind,
    kTablesBehind,
    kMemory,
    kNoTensor,
    kNoWait,
    kOutside,
    kOtherActs,
    kOtherWeights,
    kOtherSkip,
    kOtherParameters,
    kOtherTables,
    kStoresMore,
    kLeft
};

// The buffers and counters of a machine; digits are unpacked, a byte each. Mirrored in flowc/kernels/engine.py.
struct State {
    int64_t rows, columns, digit, act_words, weight_words, parameter_words, table_words, acc_bits;
    int64_t lanes, first_lane, all_lanes;  // those that are computed, and how many the engine has
    uint8_t *acts, *weights;               // (lanes, act_words, columns), (weight_words, rows, columns)
    uint64_t *parameters, *tables;
    int64_t *act_tags, *weight_tags, *parameter_tags, *table_tags;
    uint8_t* ddr;
    int64_t ddr_size;
    int64_t loaded_acts, loaded_weights, retired;
    const int64_t *reads, *writes;  // begin and end of each range; a negative number: anywhere
    int64_t read_count, write_count;
    int64_t* inner;         // results in front of joins, compute by compute: (lanes, positions, blocks, rows); null: nobody wants them
    const int64_t* groups;  // of each row that is a compute, its first image of a lane
    int64_t images;         // images of the batch whose results are wanted; others are zero
};

// State, registers and the first fault of a segment that is executed.
struct Core {
    State& s;
    Layer r{};
    int fault = kFine;
    std::vector<std::vector<uint8_t>> fifo;  // words of each lane

    explicit Core(State& state) : s(state), fifo((size_t)state.lanes) {}

    bool fails(bool wrong, Fault what) {
        if (wrong && !fault) fault = what;
        return fault;
    }
    int64_t word_bytes() const { return s.columns * s.digit / 8; }
    uint8_t digits(int64_t value, int64_t plane) const { return (uint8_t)(value >> std::min<int64_t>(63, s.digit * plane) & ((1 << s.digit) - 1)); }
};

}  // namespace engine
