// The windows of a compute: which words lie under them, whether a compute may read these, and rows of them as products want them.
#pragma once

#include "engine_state.h"

namespace engine {

class Windows {
  public:
    explicit Windows(Core& core) : core(core), s(core.s) {}

    // Whether lanes see different rows of the input, so that each has windows of its own.
    bool by_lane() const { return core.r.lane_rows != 0; }

    // Finds the words under all windows of a lane, and checks them; a block reads `channel_blocks` words per tap and plane.
    void find(const Compute& d, int64_t channel_blocks, int64_t lane) {
        const Layer r = core.r;
        const int64_t kernel_y = d.kernel_y, kernel_x = d.kernel_x, ky_step = d.ky_step, kx_step = d.kx_step;
        words.resize((size_t)(d.positions() * d.taps()));
        run = channel_blocks * r.planes;
        known = known_end = 0;
        const int64_t span = run + (d.blocks - 1) * d.block_step;
        int64_t* to = words.data();
        for (int64_t i = 0; i < d.images; i++)
            for (int64_t y = 0; y < d.rows; y++)
                for (int64_t x = 0; x < d.columns; x++) {
                    const int64_t row = d.y0 + y * r.stride_y + (s.first_lane + lane) * r.lane_rows, column = d.x0 + x * r.stride_x;
                    const int64_t address = d.acts + i * d.image_step + y * d.y_step + x * d.x_step;
                    for (int64_t ky = 0; ky < kernel_y; ky++) {
                        const int64_t at_y = row + ky * r.dilation_y;
                        const bool rows = at_y >= 0 && at_y < r.height;
                        int64_t word = address + ky * ky_step, at_x = column;
                        for (int64_t kx = 0; kx < kernel_x; kx++, word += kx_step, at_x += r.dilation_x) {
                            const bool inside = rows && at_x >= 0 && at_x < r.width;
                            *to++ = inside ? word : kPad;
                            if (inside && (word < known || word + span > known_end) && !readable(d, word)) return;
                        }
                    }
                }
    }

    // Digits of a plane under a window, tap by tap: `taps * channel_blocks * columns` of them.
    template <class Element>
    void gather(const Compute& d, int64_t lane, int64_t position, int64_t block, int64_t plane, Element* to) const {
        const int64_t step = core.r.planes, each = run / step, columns = s.columns;
        const int64_t* from = words.data() + position * d.taps();
        const uint8_t* acts = s.acts + (lane * s.act_words + block * d.block_step + plane) * columns;
        for (int64_t t = 0; t < d.taps(); t++, to += each * columns) {
            if (from[t] == kPad)
                std::fill_n(to, each * columns, (Element)core.digits(core.r.pad, plane));
            else if (step == 1)
                copy(acts + from[t] * columns, each * columns, to);
            else
                for (int64_t c = 0; c < each; c++) copy(acts + (from[t] + c * step) * columns, columns, to + c * columns);
        }
    }

  private:
    static constexpr int64_t kPad = INT64_MIN;
    Core& core;
    State& s;
    int64_t run = 0;             // words of a tap that a block reads
    int64_t known = 0, known_end = 0;  // words that are known to be loaded for the compute
    std::vector<int64_t> words;  // (positions, taps): the first of them at block 0

    // Whether a compute may read a tap's words, of every block; those that are known from other taps are not looked at again.
    bool readable(const Compute& d, int64_t word) {
        for (int64_t b = 0; b < (d.block_step ? d.blocks : 1); b++) {
            const int64_t first = word + b * d.block_step, end = first + run;
            if (core.fails(first < 0 || end > s.act_words, kOutside)) return false;
            if (first >= known && end <= known_end) continue;
            if (known == known_end) known = known_end = first;
            if (first >= known) {
                while (known_end < end && loaded(d, known_end)) known_end++;
                if (end <= known_end) continue;
            }
            for (int64_t w = first; w < end; w++)
                if (core.fails(!loaded(d, w), kOtherActs)) return false;
        }
        return true;
    }

    bool loaded(const Compute& d, int64_t word) const { return s.act_tags[word] == d.act_tag || s.act_tags[word] == d.skip_tag; }

    // Multiples of eight bytes.
    static void copy(const uint8_t* from, int64_t n, uint8_t* to) {
        if (n >= 128) return void(std::memcpy(to, from, (size_t)n));
        if (n == 16) return void(std::memcpy(to, from, 16));
        for (int64_t i = 0; i < n; i += 8) std::memcpy(to + i, from + i, 8);
    }
    static void copy(const uint8_t* __restrict from, int64_t n, int16_t* __restrict to) {
        for (int64_t i = 0; i < n; i++) to[i] = from[i];
    }
};

}  // namespace engine
