// Matrix products of windows and weights, without a copy of the windows.
//
// The inputs under a window are `segments` contiguous runs; a run is `length` steps of four bytes (kBytes), two int16 (kPairs), or one
// table (kLookup). Weights lie as [block of channels][segment][step][channel of the block][elements of the step]; channels
// beyond the last one, and bytes beyond a run's end, have the weight zero, so it does not matter what is read there.
//
// Each kernel is exact where its stated condition holds; the planner checks it (flowc/dataflow/native/products.py).
#pragma once

#include "activation.h"
#include "crew.h"

namespace products {

// Unsigned byte x signed byte, four of them per lane and step.
struct Bytes {
    static constexpr int kStep = 4;
#if defined(FLOWC_AVX512) && defined(__AVX512VNNI__)
    using Acc = i32v;  // exact while the sum fits int32
    static Acc step(Acc acc, i32v a, i32v w) { return (Acc)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)a, (__m512i)w); }
    static i32v wide(Acc acc) { return acc; }
#elif defined(FLOWC_AVX2) && defined(__AVXVNNI__)
    using Acc = i32v;
    static Acc step(Acc acc, i32v a, i32v w) { return (Acc)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)a, (__m256i)w); }
    static i32v wide(Acc acc) { return acc; }
#elif defined(FLOWC_NEON) && defined(__ARM_FEATURE_MATMUL_INT8)
    using Acc = i32v;
    static Acc step(Acc acc, i32v a, i32v w) { return (Acc)vusdotq_s32((int32x4_t)acc, (uint8x16_t)a, (int8x16_t)w); }
    static i32v wide(Acc acc) { return acc; }
#elif defined(FLOWC_EMULATED)
    using Acc = i32v;
    static Acc step(Acc acc, i32v a, i32v w) { return emulated::dpbusd(acc, a, w); }
    static i32v wide(Acc acc) { return acc; }
#else
    // Pairs of products are added in int16, and up to `limit` steps of them: exact while limit * 2 * max|a| * max|w| <= 32767.
    using Acc = i16v;
    static Acc step(Acc acc, i32v a, i32v w) {
#if defined(FLOWC_AVX512)
        return acc + (Acc)_mm512_maddubs_epi16((__m512i)a, (__m512i)w);
#elif defined(FLOWC_AVX2)
        return acc + (Acc)_mm256_maddubs_epi16((__m256i)a, (__m256i)w);
#else
        const i16v x = (i16v)a, y = (i16v)w;
        return acc + (x & 255) * ((y << 8) >> 8) + (i16v)((u16v)x >> 8) * (y >> 8);
#endif
    }
    static i32v wide(Acc acc) { return multiply_pairs(acc, i16v{} + 1); }
#endif
    static constexpr bool kNarrow = !__is_same(Acc, i32v);
};

// int16 x int16, two of them per lane and step: exact while the sum fits int32.
struct Pairs {
    static constexpr int kStep = 4;
    using Acc = i32v;
    static Acc step(Acc acc, i32v a, i32v w) { return acc + multiply_pairs((i16v)a, (i16v)w); }
    static i32v wide(Acc acc) { return acc; }
};

constexpr int kBlock = kColumns * kLanes;            // channels of a tile of Bytes and Pairs
constexpr int kLookupBlock = kColumns * kBytesOfVector;  // channels of a tile of lookups

// One tile: P pixels x kBlock channels, into int32 [P][kBlock].
template <class Dot, int P>
inline void tile(const Operation& op, const uint8_t* const* pixels, const uint8_t* weights, int32_t* out) {
    typename Dot::Acc acc[P][kColumns] = {};
    const uint8_t* from[P];
    int room = op.limit;
    bool empty = true;
    const auto each = [&](auto put) {
#pragma GCC unroll 8
        for (int p = 0; p < P; p++)
#pragma GCC unroll 4
            for (int v = 0; v < kColumns; v++) {
                put(out + p * kBlock + v * kLanes, Dot::wide(acc[p][v]));
                acc[p][v] = typename Dot::Acc{};
            }
    };
    const auto flush = [&] {
        if (empty)
            each([](int32_t* sum, i32v part) { store(sum, part); });
        else
            each([](int32_t* sum, i32v part) { store(sum, load<i32v>(sum) + part); });
        empty = false;
        room = op.limit;
    };
    for (int s = 0; s < op.segments; s++) {
        for (int p = 0; p < P; p++) from[p] = pixels[p] + op.offsets[s];
        int left = op.length;
        while (left > 0) {
            const int steps = left < room ? left : room;
            for (int k = 0; k < steps; k++) {
                i32v w[kColumns];
#pragma GCC unroll 4
                for (int v = 0; v < kColumns; v++) {
                    w[v] = load<i32v>(weights + v * kBytesOfVector);
                    in_register(w[v]);
                }
#pragma GCC unroll 8
                for (int p = 0; p < P; p++) {
                    const i32v a = broadcast(from[p] + (int64_t)k * Dot::kStep);
#pragma GCC unroll 4
                    for (int v = 0; v < kColumns; v++) acc[p][v] = Dot::step(acc[p][v], a, w[v]);
                }
                weights += kColumns * kBytesOfVector;
            }
            for (int p = 0; p < P; p++) from[p] += (int64_t)steps * Dot::kStep;
            left -= steps;
            room -= steps;
            if (room == 0 && (left > 0 || s + 1 < op.segments)) flush();
        }
    }
    flush();
}

// One tile of lookups: a group of inputs chooses a table of sixteen sums, four bits of weights the entry.
// Entries are added in bytes, `limit` of them, then in uint16: exact while limit * max(entry) <= 255 and the whole sum <= 65535.
// Sums lie as [P][V][2]: those of the even channels of a vector, then those of the odd ones.
template <int P, int V>
inline void lookup_tile(const Operation& op, const uint8_t* const* pixels, const uint8_t* weights, u16v* sums) {
    const uint8_t* entries = (const uint8_t*)op.table;
    u8v acc[P][V] = {};
    const uint8_t* from[P];
    for (int i = 0; i < 2 * P * V; i++) sums[i] = u16v{};
    int room = op.limit;
    const auto flush = [&] {
#pragma GCC unroll 8
        for (int p = 0; p < P; p++)
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) {
                u16v* sum = sums + 2 * (p * V + v);
                sum[0] += (u16v)acc[p][v] & 255;
                sum[1] += (u16v)acc[p][v] >> 8;
                acc[p][v] = u8v{};
            }
        room = op.limit;
    };
    for (int s = 0; s < op.segments; s++) {
        for (int p = 0; p < P; p++) from[p] = pixels[p] + op.offsets[s];
        int left = op.length;
        while (left > 0) {
            const int steps = left < room ? left : room;
            for (int k = 0; k < steps; k++) {
                u8v w[V];
#pragma GCC unroll 4
                for (int v = 0; v < V; v++) {
                    w[v] = load<u8v>(weights + v * kBytesOfVector);
                    in_register(w[v]);
                }
#pragma GCC unroll 8
                for (int p = 0; p < P; p++) {
                    const u8v sixteen = broadcast16(entries + 16 * (size_t)from[p][k]);
#pragma GCC unroll 4
                    for (int v = 0; v < V; v++) acc[p][v] += lookup(sixteen, w[v]);
                }
                weights += V * kBytesOfVector;
            }
            for (int p = 0; p < P; p++) from[p] += steps;
            left -= steps;
            room -= steps;
            if (room == 0) flush();
        }
    }
    flush();
}

// Sums of lookups of one row as int32, channel by channel.
inline void spread(const u16v* sums, int vectors, int32_t* out) {
    constexpr int kHalf = kBytesOfVector / 2;
    for (int v = 0; v < vectors; v++, out += kBytesOfVector)
        for (int i = 0; i < kHalf; i++) {
            out[2 * i] = sums[2 * v][i];
            out[2 * i + 1] = sums[2 * v + 1][i];
        }
}

template <class Out>
using Tile = void (*)(const Operation&, const uint8_t* const*, const uint8_t*, Out*);

// Products by a dot product of bytes or of pairs.
template <class Dot>
struct Dots {
    using Sum = int32_t;
    static constexpr int kChannels = kBlock;
    static constexpr int kBytesPerStep = 4 * kBlock;

    static Tile<Sum> choose(int pixels) {
        static const Tile<Sum> tiles[] = {tile<Dot, 1>, tile<Dot, 2>, tile<Dot, 3>, tile<Dot, 4>, tile<Dot, 5>, tile<Dot, 6>
#if defined(FLOWC_AVX512) || defined(FLOWC_NEON)
                                          , tile<Dot, 7>, tile<Dot, 8>
#endif
        };
        return tiles[pixels - 1];
    }

    static void emit(const Operation& op, void* out, int64_t position, int column, int32_t* sums, activation::Block b) {
        b.acc = sums;
        activation::emit(op, out, position, column, b);
    }
};

// Products by lookups, for V vectors of channels.
template <int V>
struct Lookups {
    using Sum = u16v;
    static constexpr int kChannels = V * kBytesOfVector;
    static constexpr int kBytesPerStep = kChannels;

    static Tile<Sum> choose(int pixels) {
        static const Tile<Sum> tiles[] = {lookup_tile<1, V>, lookup_tile<2, V>, lookup_tile<3, V>, lookup_tile<4, V>, lookup_tile<5, V>,
                                          lookup_tile<6, V>
#if defined(FLOWC_AVX512) || defined(FLOWC_NEON)
                                          , lookup_tile<7, V>, lookup_tile<8, V>
#endif
        };
        return tiles[pixels - 1];
    }

    static void emit(const Operation& op, void* out, int64_t position, int column, u16v* sums, activation::Block b) {
        if (op.act.kind == kCompareHalf) return activation::emit_half(op, out, position, column, sums, V, b);
        alignas(64) int32_t acc[kPixels * kChannels];
        for (int r = 0; r < b.rows; r++) spread(sums + 2 * V * r, V, acc + r * kChannels);
        b.acc = acc;
        activation::emit(op, out, position, column, b);
    }
};

// Where the windows of some output positions, counted over all samples, begin, in bytes.
inline void window_starts(const Operation& op, Range positions, int64_t element, int64_t* starts) {
    const int64_t pixel = op.c * element, row = op.w * pixel, frame = op.h * row, all = (int64_t)op.oh * op.ow;
    int64_t n = positions.from / all, y = positions.from % all / op.ow, x = positions.from % op.ow;
    for (int64_t m = positions.from; m < positions.to; m++) {
        *starts++ = n * frame + y * op.sh * row + x * op.sw * pixel;
        if (++x < op.ow) continue;
        x = 0;
        if (++y == op.oh) y = 0, n++;
    }
}

// The tiles of a share of a product. Blocks of channels are the outer loop: their weights stay in the cache while windows pass.
// Shares are of windows, or, where these are few, of blocks.
template <class Kernel>
inline void product(const Operation& op, const uint8_t* in, void* out, int64_t positions, Share share, int64_t element, int64_t* starts) {
    constexpr int block = Kernel::kChannels;
    alignas(64) typename Kernel::Sum sums[kPixels * 4 * block / sizeof(typename Kernel::Sum)];
    const int64_t blocks = (op.rows + block - 1) / block, all = op.groups * blocks;
    const int64_t block_bytes = (int64_t)op.segments * op.length * Kernel::kBytesPerStep;
    const bool by_window = positions >= 2 * kPixels * share.count;
    const Range windows = by_window ? share.of(positions, kPixels) : Range{0, positions};
    window_starts(op, windows, element, starts);
    const Range mine = by_window ? Range{0, all} : share.of(all);
    for (int64_t at = mine.from; at < mine.to; at++) {
        const int64_t g = at / blocks, b = at % blocks;
        const uint8_t* weights = (const uint8_t*)op.weights + at * block_bytes;
        const int count = (int)(op.rows - b * block < block ? op.rows - b * block : block);
        for (int64_t m = windows.from; m < windows.to; m += kPixels) {
            const int pixels = (int)(windows.to - m < kPixels ? windows.to - m : kPixels);
            const uint8_t* first[kPixels];
            for (int p = 0; p < pixels; p++) first[p] = in + starts[m - windows.from + p] + g * op.group_step;
            Kernel::choose(pixels)(op, first, weights, sums);
            Kernel::emit(op, out, m, (int)(g * op.rows + b * block), sums, {nullptr, block, pixels, count, (int)(at * block)});
        }
    }
}

// int32 x int32 modulo 2^32: exact where the result fits int32, however large the terms are.
// Weights lie as [group][segment][element][channel padded to whole vectors].
inline void words(const Operation& op, const int32_t* in, void* out, Range windows, int64_t* starts, uint32_t* acc) {
    window_starts(op, windows, 4, starts);
    const int padded = (op.rows + kLanes - 1) / kLanes * kLanes;
    for (int g = 0; g < op.groups; g++)
        for (int64_t m = windows.from; m < windows.to; m++) {
            const uint32_t* w = (const uint32_t*)op.weights + (int64_t)g * op.segments * op.length * padded;
            std::memset(acc, 0, 4 * (size_t)padded);
            for (int s = 0; s < op.segments; s++) {
                const int32_t* x = in + starts[m - windows.from] / 4 + op.offsets[s] + (int64_t)g * op.group_step;
                for (int k = 0; k < op.length; k++, w += padded) {
                    const uint32_t a = (uint32_t)x[k];
                    for (int c = 0; c < padded; c++) acc[c] += a * w[c];
                }
            }
            activation::emit(op, out, m, g * op.rows, {(int32_t*)acc, padded, 1, op.rows, g * padded});
        }
}

}  // namespace products
