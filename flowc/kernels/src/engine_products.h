// Products and reductions of an engine, a compute at a time, by the tiles of products.h.
//
// Windows are copied, a row of digits each, as many as the first-level cache holds; a tile multiplies some of them with some outputs.
// Digits of 4 bits, and of 8 where weights are one digit and the machine adds their products in int32, are multiplied as bytes, others
// as int16. Steps are few enough that no sum of a tile exceeds int32; tiles are added modulo 2^32 or 2^64, as `Sum` is, which holds the
// accumulators' width.
#pragma once

#include "engine_results.h"
#include "engine_state.h"
#include "engine_windows.h"
#include "products.h"

#include <type_traits>

namespace engine {

// The weights of a compute as tiles want them: [group of inputs][pair of planes][block of channels][step][channel][bytes of a step].
struct Matrix {
    int64_t tag, first, blocks, places;
    int64_t groups, channels, padded;  // of each group; padded to whole blocks
    int64_t steps, pairs;
    std::vector<uint8_t> bytes;

    const uint8_t* block(int64_t group, int64_t pair, int64_t channel) const {
        return bytes.data() + (((group * pairs + pair) * padded + channel) * steps) * 4;
    }
};

template <class Sum>
class Products {
  public:
    Products(Core& core, Results& results) : core(core), s(core.s), results(results), windows(core) {}

    // A compute, its results behind those of each lane's FIFO; `images`: those whose results are wanted of each lane.
    void run(const Compute& d, const std::vector<int64_t>& images) {
        const bool mac = core.r.kind == 0;
        const int64_t rows = mac ? s.rows : s.columns, each = results.bytes(rows), positions = d.positions();
        const Matrix* matrix = mac ? weights(d) : nullptr;
        if (core.fault) return;
        if (mac && d.first) carried.assign((size_t)(d.last ? 0 : s.lanes * positions * d.blocks * rows), 0);
        std::vector<Pixel> pixels;
        std::vector<uint8_t*> out((size_t)s.lanes);
        for (int64_t lane = 0; lane < s.lanes; lane++) {
            const size_t before = core.fifo[lane].size();
            if (d.last) core.fifo[lane].resize(before + (size_t)(positions * d.blocks * each));
            out[lane] = core.fifo[lane].data() + before;
        }
        for (int64_t lane = 0; lane < s.lanes; lane++) {
            if (lane == 0 || windows.by_lane()) windows.find(d, mac ? d.channel_blocks : 1, lane);
            if (core.fault) return;
            const int64_t live = images[lane] * d.rows * d.columns;
            for (int64_t n = 0; n < live; n++) pixels.push_back({lane, n, out[lane] + n * d.blocks * each, skip(d, n)});
            if (!windows.by_lane() && lane + 1 < s.lanes) continue;
            if (mac)
                s.digit == 4 || byte_weights() ? multiply<uint8_t>(d, *matrix, pixels) : multiply<int16_t>(d, *matrix, pixels);
            else
                reduce(d, pixels);
            pixels.clear();
        }
        if (s.inner && d.last) s.inner += s.lanes * positions * d.blocks * rows;
    }

    // Weights that are loaded anew are not those that are kept.
    void forget(int64_t tag) {
        matrices.erase(std::remove_if(matrices.begin(), matrices.end(), [=](const Matrix& m) { return m.tag == tag; }), matrices.end());
    }

  private:
    struct Pixel {
        int64_t lane, position;
        uint8_t* out;
        int64_t skip;
    };
    static constexpr size_t kKept = 8;
    static constexpr int64_t kCached = 24 << 10;  // bytes of windows that stay in the first-level cache
    static constexpr int kBlock = products::kBlock;

    Core& core;
    State& s;
    Results& results;
    Windows windows;
    std::vector<Matrix> matrices;
    std::vector<Sum> carried;  // accumulators between the pieces of a kernel: (lanes, positions, blocks, rows)
    std::vector<uint8_t> gathered;
    std::vector<Sum> acc;

    bool byte_weights() const { return !products::Bytes::kNarrow && core.r.weight_planes == 1; }

    int64_t skip(const Compute& d, int64_t n) const {
        const int64_t x = n % d.columns, y = n / d.columns % d.rows, i = n / d.columns / d.rows;
        return d.skip + i * d.skip_image + y * d.skip_row + x * d.skip_pixel;
    }

    // The weights of a compute, checked; arranged unless they are kept from an earlier one.
    const Matrix* weights(const Compute& d) {
        const int64_t pairs = core.r.planes * core.r.weight_planes, places = d.taps() * d.channel_blocks;
        const int64_t end = d.weights + d.blocks * places * pairs;
        bool other = end > s.weight_words;
        for (int64_t w = d.weights; w < end && !other; w++) other = s.weight_tags[w] != d.weight_tag;
        if (core.fails(other, kOtherWeights)) return nullptr;
        for (const Matrix& m : matrices)
            if (m.tag == d.weight_tag && m.first == d.weights && m.blocks == d.blocks && m.places == places && (m.groups > 1) == (d.block_step && d.blocks > 1))
                return &m;
        if (matrices.size() >= kKept) matrices.clear();
        matrices.push_back({d.weight_tag, d.weights, d.blocks, places, 1, d.blocks * s.rows, 0, 0, pairs, {}});
        Matrix& m = matrices.back();
        if (d.block_step) m.groups = d.blocks, m.channels = s.rows;
        m.padded = (m.channels + kBlock - 1) / kBlock * kBlock;
        s.digit == 4 || byte_weights() ? arrange<uint8_t>(m) : arrange<int16_t>(m);
        return &m;
    }

    template <class Element>
    void arrange(Matrix& m) const {
        constexpr int64_t kStep = 4 / sizeof(Element);
        const int64_t each = s.columns / kStep;
        m.steps = m.places * each;
        m.bytes.assign((size_t)(m.groups * m.pairs * m.padded * m.steps * 4), 0);
        for (int64_t b = 0; b < m.blocks; b++)
            for (int64_t place = 0; place < m.places; place++)
                for (int64_t pair = 0; pair < m.pairs; pair++) {
                    const bool top = pair % core.r.weight_planes == core.r.weight_planes - 1;
                    const uint8_t* from = s.weights + (m.first + (b * m.places + place) * m.pairs + pair) * s.rows * s.columns;
                    for (int64_t row = 0; row < s.rows; row++, from += s.columns) {
                        const int64_t channel = m.groups > 1 ? row : b * s.rows + row, in_block = channel % kBlock;
                        uint8_t* to = (uint8_t*)m.block(m.groups > 1 ? b : 0, pair, channel - in_block);
                        to += (place * each * kBlock + in_block) * 4;
                        for (int64_t q = 0; q < each; q++, to += 4 * kBlock) step_of((Element*)nullptr, from + q * kStep, top, to);
                    }
                }
    }

    // Four digits as signed bytes, two as int16; those of a weight's last digit are signed.
    void step_of(uint8_t*, const uint8_t* from, bool top, uint8_t* to) const {
        uint32_t four = load<uint32_t>(from);
        if (top && s.digit == 4) four |= (four & 0x08080808u) * 0x1e;
        store(to, four);
    }
    void step_of(int16_t*, const uint8_t* from, bool top, uint8_t* to) const {
        for (int i = 0; i < 2; i++) store(to + 2 * i, top ? (int16_t)(int8_t)from[i] : (int16_t)from[i]);
    }

    template <class Element>
    void multiply(const Compute& d, const Matrix& m, const std::vector<Pixel>& pixels) {
        using Dot = std::conditional_t<sizeof(Element) == 1, products::Bytes, products::Pairs>;
        const Layer& r = core.r;
        const int64_t length = m.places * s.columns, row = length * (int64_t)sizeof(Element), blocks = d.blocks / m.groups;
        const int64_t fit = kCached / std::max<int64_t>(1, row * r.planes) / kPixels * kPixels;
        const int64_t most = std::max<int64_t>(kPixels, fit);
        for (int64_t group = 0; group < m.groups; group++)
            for (size_t first = 0; first < pixels.size(); first += (size_t)most) {
                const int64_t count = std::min<int64_t>(most, (int64_t)(pixels.size() - first));
                gathered.resize((size_t)(r.planes * count * row));
                acc.resize((size_t)(count * m.padded));
                for (int64_t plane = 0; plane < r.planes; plane++)
                    for (int64_t i = 0; i < count; i++) {
                        const Pixel& p = pixels[first + (size_t)i];
                        windows.gather(d, p.lane, p.position, group, plane, (Element*)(gathered.data() + (plane * count + i) * row));
                    }
                for (int64_t channel = 0; channel < m.padded; channel += kBlock)
                    for (int64_t i = 0; i < count; i += kPixels)
                        for (int64_t pair = 0; pair < m.pairs; pair++) {
                            const int64_t plane = pair / r.weight_planes, shift = s.digit * (plane + pair % r.weight_planes);
                            const uint8_t* in = gathered.data() + (plane * count + i) * row;
                            const int together = (int)std::min<int64_t>(kPixels, count - i);
                            tile<Dot>(m, group, pair, channel, in, row, together, shift, acc.data() + i * m.padded + channel);
                        }
                for (int64_t i = 0; i < count; i++) finish(d, pixels[first + (size_t)i], group * blocks, blocks, acc.data() + i * m.padded, s.rows);
            }
    }

    // The products of some windows, `row` bytes apart, with a block of channels, shifted to the left: added, those of the first pair put.
    template <class Dot>
    void tile(const Matrix& m, int64_t group, int64_t pair, int64_t channel, const uint8_t* in, int64_t row, int together, int64_t shift, Sum* to) const {
        alignas(64) int32_t found[kPixels * kBlock];
        const int64_t digits = (int64_t)1 << s.digit, greatest = (digits - 1) * (digits - 1), per_step = row / m.steps * greatest;
        static const int32_t nowhere = 0;
        Operation op{};
        op.segments = 1;
        op.offsets = &nowhere;
        op.limit = (int)(s.digit == 4 ? 32767 / (2 * greatest) : INT32_MAX);
        const int64_t most = INT32_MAX / per_step;
        for (int64_t step = 0; step < m.steps; step += most) {
            op.length = (int)std::min(most, m.steps - step);
            const uint8_t* from[kPixels];
            for (int p = 0; p < together; p++) from[p] = in + p * row + 4 * step;
            products::Dots<Dot>::choose(together)(op, from, m.block(group, pair, channel) + step * 4 * kBlock, found);
            const bool fresh = pair == 0 && step == 0;
            for (int p = 0; p < together; p++) fresh ? put(found + p * kBlock, to + p * m.padded) : add(found + p * kBlock, shift, to + p * m.padded);
        }
    }

    static void put(const int32_t* found, Sum* to) {
        for (int c = 0; c < kBlock; c++) to[c] = (Sum)(std::make_signed_t<Sum>)found[c];
    }
    static void add(const int32_t* found, int64_t shift, Sum* to) {
        if (shift >= (int64_t)(8 * sizeof(Sum))) return;
        for (int c = 0; c < kBlock; c++) to[c] += (Sum)(std::make_signed_t<Sum>)found[c] << shift;
    }

    // Accumulators of some blocks at a position: kept, or to results.
    void finish(const Compute& d, const Pixel& p, int64_t block, int64_t blocks, Sum* found, int64_t rows) {
        const int64_t at = ((p.lane * d.positions() + p.position) * d.blocks + block) * rows;
        if (!carried.empty())
            for (int64_t i = 0; i < blocks * rows; i++) found[i] = carried[at + i] += found[i];
        if (!d.last) return;
        results.emit(found, blocks, rows, {p.lane, block, p.skip, p.out + block * results.bytes(rows), s.inner ? s.inner + at : nullptr});
    }

    // The greatest value, or the sum, under each window.
    void reduce(const Compute& d, const std::vector<Pixel>& pixels) {
        const Layer& r = core.r;
        const int64_t length = d.taps() * s.columns;
        gathered.resize((size_t)(r.planes * length));
        acc.resize((size_t)s.columns);
        std::vector<uint64_t> values((size_t)length), found((size_t)s.columns);
        for (const Pixel& p : pixels)
            for (int64_t b = 0; b < d.blocks; b++) {
                std::fill(values.begin(), values.end(), 0);
                for (int64_t plane = 0; plane < r.planes; plane++) {
                    windows.gather(d, p.lane, p.position, b, plane, gathered.data());
                    const int64_t shift = std::min<int64_t>(63, s.digit * plane);
                    for (int64_t i = 0; i < length; i++) values[i] += (uint64_t)gathered[i] << shift;
                }
                std::fill(found.begin(), found.end(), 0);
                for (int64_t t = 0; t < d.taps(); t++)
                    for (int64_t c = 0; c < s.columns; c++) {
                        const uint64_t value = values[t * s.columns + c];
                        found[c] = r.kind == 2 ? found[c] + value : std::max(found[c], value);
                    }
                for (int64_t c = 0; c < s.columns; c++) acc[c] = (Sum)found[c];
                finish(d, p, b, 1, acc.data(), s.columns);
            }
    }
};

}  // namespace engine
