// Loads and stores of an engine: between its external memory, its buffers and its output FIFOs.
#pragma once

#include "engine_state.h"

namespace engine {

// Digits of bytes, a byte each, the first one in the lowest bits.
inline void unpack(int64_t digit, const uint8_t* __restrict from, int64_t bytes, uint8_t* __restrict to) {
    if (digit == 8) {
        std::memcpy(to, from, (size_t)bytes);
        return;
    }
    for (int64_t i = 0; i < bytes; i++) {
        to[2 * i] = from[i] & 15;
        to[2 * i + 1] = from[i] >> 4;
    }
}

class Transfers {
  public:
    explicit Transfers(Core& core) : core(core), s(core.s), taken((size_t)core.s.lanes) {}

    void load_acts(const LoadActs& d) {
        const int64_t size = 16 * d.beats, words = (size + core.word_bytes() - 1) / core.word_bytes();
        const int64_t last = d.buf + (d.images - 1) * d.buf_image + (d.rows - 1) * d.buf_row + (d.columns - 1) * d.buf_column;
        if (core.fails(last + words > s.act_words, kActsBehind)) return;
        const int64_t far = (d.images - 1) * d.image_stride + (d.rows - 1) * d.row_stride + (d.columns - 1) * d.column_stride;
        // Columns that lie side by side on both sides are one piece.
        const bool whole = d.column_stride == d.beats && d.buf_column == words;
        const int64_t pieces = whole ? 1 : d.columns, piece = whole ? d.columns : 1;
        for (int64_t p = 0; p < s.lanes; p++) {
            const int64_t lane = s.first_lane + p, start = d.ddr + lane * d.lane_stride;
            if (!(d.lane_mask >> lane & 1)) continue;
            if (!allowed(16 * start, 16 * far + size, s.reads, s.read_count)) return;
            for (int64_t i = 0; i < d.images; i++)
                for (int64_t y = 0; y < d.rows; y++)
                    for (int64_t x = 0; x < pieces; x++) {
                        const int64_t from = start + i * d.image_stride + y * d.row_stride + x * d.column_stride;
                        const int64_t to = d.buf + i * d.buf_image + y * d.buf_row + x * d.buf_column;
                        unpack(s.digit, s.ddr + 16 * from, piece * size, s.acts + (p * s.act_words + to) * s.columns);
                    }
        }
        for (int64_t i = 0; i < d.images; i++)
            for (int64_t y = 0; y < d.rows; y++)
                for (int64_t x = 0; x < pieces; x++)
                    std::fill_n(s.act_tags + d.buf + i * d.buf_image + y * d.buf_row + x * d.buf_column, piece * words, d.tag);
        s.loaded_acts++;
    }

    void load_weights(const LoadWeights& d) {
        int64_t at = 16 * d.ddr;
        const int64_t bytes = s.rows * core.word_bytes();
        if (d.words) {
            if (core.fails(d.buf + d.words > s.weight_words, kWeightsBehind) || !allowed(at, d.words * bytes, nullptr, -1)) return;
            unpack(s.digit, s.ddr + at, d.words * bytes, s.weights + d.buf * s.rows * s.columns);
            std::fill_n(s.weight_tags + d.buf, d.words, d.tag);
            at += d.words * bytes;
        }
        if (d.parameters) {
            if (core.fails(d.parameter + d.parameters > s.parameter_words, kParametersBehind)) return;
            at += entries(at, d.parameter, d.parameters, s.parameters, s.parameter_tags, d.tag);
        }
        if (d.tables) {
            if (core.fails(d.table + d.tables > s.table_words, kTablesBehind)) return;
            entries(at, d.table, d.tables, s.tables, s.table_tags, d.tag);
        }
        s.loaded_weights++;
    }

    void store(const Store& d) {
        const int64_t size = d.words * core.word_bytes();
        const int64_t far = (d.images - 1) * d.image_stride + (d.rows - 1) * d.row_stride + (d.columns - 1) * d.column_stride +
                            (d.repeat_y - 1) * d.repeat_row + (d.repeat_x - 1) * d.repeat_column;
        for (int64_t p = 0; p < s.lanes; p++) {
            const int64_t lane = s.first_lane + p, start = d.ddr + lane * d.lane_stride;
            const size_t wanted = (size_t)(d.images * d.rows * d.columns * size);
            if (core.fails(taken[p] + wanted > core.fifo[p].size(), kStoresMore)) return;
            const uint8_t* from = core.fifo[p].data() + taken[p];
            taken[p] += wanted;
            if (!(d.lane_mask >> lane & 1)) continue;
            if (!allowed(8 * start, 8 * far + size, s.writes, s.write_count)) return;
            for (int64_t i = 0; i < d.images; i++)
                for (int64_t y = 0; y < d.rows; y++)
                    for (int64_t x = 0; x < d.columns; x++, from += size) {
                        const int64_t unit = start + i * d.image_stride + y * d.row_stride + x * d.column_stride;
                        for (int64_t v = 0; v < d.repeat_y; v++)
                            for (int64_t u = 0; u < d.repeat_x; u++)
                                std::memcpy(s.ddr + 8 * (unit + v * d.repeat_row + u * d.repeat_column), from, (size_t)size);
                    }
        }
    }

    // Results that nobody has stored.
    void finish() {
        for (int64_t p = 0; p < s.lanes; p++) core.fails(taken[p] != core.fifo[p].size(), kLeft);
    }

  private:
    Core& core;
    State& s;
    std::vector<size_t> taken;

    // A span from its first byte to its last, gaps included.
    bool allowed(int64_t begin, int64_t size, const int64_t* ranges, int64_t n) {
        if (core.fails(begin < 0 || begin + size > s.ddr_size, kMemory)) return false;
        bool inside = n < 0;
        for (int64_t i = 0; i < n; i++) inside |= ranges[2 * i] <= begin && begin + size <= ranges[2 * i + 1];
        return !core.fails(!inside, kNoTensor);
    }

    int64_t entries(int64_t at, int64_t first, int64_t n, uint64_t* to, int64_t* tags, int64_t tag) {
        const int64_t bytes = 8 * s.rows * n;
        if (!allowed(at, bytes, nullptr, -1)) return 0;
        std::memcpy(to + first * s.rows, s.ddr + at, (size_t)bytes);
        std::fill_n(tags + first, n, tag);
        return bytes;
    }
};

}  // namespace engine
