// Byte products by Intel's AMX, which multiplies tiles: registers of 16 rows of 64 bytes.
//
// `tdpbusd` adds to a tile of 16 pixels x 16 channels (int32) the product of one of 16 pixels x 64 bytes and one of 16 steps x 16 channels x
// 4 bytes. The latter is 16 steps of half a block of weights as they lie (products.h), so both kernels read the same weights. The inputs
// under windows are copied side by side, without gaps between their runs, and zeros fill them up to whole tiles:
//
//   remainder of      what a tile holds there
//   a run (< 4)       whatever follows it, times weights of zero
//   the depth (< 64)  zeros, times the steps that follow in memory: up to kMultiplied - 1 steps behind the weights are read
//   the pixels        whatever the buffer held; those sums are not used
//   the channels      weights of zero; a half that has no channel at all is left out
//
// Exact while the sum fits int32: the instruction neither saturates nor rounds.
#pragma once

#include "products.h"

#include <algorithm>
#include <cstdlib>

// FLOWC_EMULATED: the tests' stand-in for the instructions, on machines that have none.
#if defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__linux__) && (defined(FLOWC_AVX512) || defined(FLOWC_AVX2))
#define FLOWC_TILES 1
#elif defined(FLOWC_EMULATED)
#define FLOWC_TILES 1
#endif

#if defined(FLOWC_TILES) && !defined(FLOWC_EMULATED)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tiles {

#if defined(FLOWC_TILES)

constexpr int kRows = 16;                       // of a tile: pixels, or steps
constexpr int kRowBytes = 64;                   // depth, or channels of four bytes
constexpr int kMultiplied = kRowBytes / 4;      // steps of one instruction
constexpr int kTogether = 2 * kRows;            // pixels whose sums are held at once
constexpr int kStepBytes = 4 * products::kBlock;
static_assert(products::kBlock == kRows || products::kBlock == 2 * kRows, "a block of channels is one tile or two");

#if defined(FLOWC_EMULATED)
inline bool available() { return emulated::permitted(); }
#else
// Whether the processor has tiles of this size and their products, and the system saves their state.
inline bool in_processor() {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return false;  // XGETBV
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d >> 24 & 3) != 3) return false;  // AMX-TILE, AMX-INT8
    if (!__get_cpuid_count(0x1d, 1, &a, &b, &c, &d)) return false;  // palette 1
    if ((b & 0xffff) < kRowBytes || b >> 16 < 8 || (c & 0xffff) < kRows) return false;
    unsigned low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low >> 17 & 3) == 3;  // XTILECFG, XTILEDATA
}

// Linux (from 5.16) gives a process the large state of tiles when it asks. It refuses where a thread's alternate signal stack
// would not hold it, and sandboxes may refuse the call.
inline bool available() {
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return in_processor() && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

// What `ldtilecfg` reads: all eight tiles are of full size.
struct alignas(64) Configuration {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(Configuration) == 64, "as the instruction wants it");

// Bytes between two pixels in the buffer: whole tiles, and an odd number of cache lines, which spreads a tile's rows over the cache.
inline int64_t pixel_stride(const Operation& op) {
    const int64_t lines = ((int64_t)op.segments * op.length + kMultiplied - 1) / kMultiplied;
    return (lines | 1) * kRowBytes;
}

// Pixels that are copied together: so many that blocks of weights are read seldom, so few that they stay in the second-level cache.
inline int64_t pixels_at_once(const Operation& op) {
    constexpr int64_t kBytes = 512 << 10;
    return std::max<int64_t>(kBytes / pixel_stride(op) / kTogether, 1) * kTogether;
}

// A thread's tiles, from the first product that needs them to the thread's end of the program, and its buffer of inputs.
class Worker {
  public:
    bool reserve(const Operation& op, int64_t positions) {
        const int64_t pixels = std::min(pixels_at_once(op), (positions + kTogether - 1) / kTogether * kTogether);
        const int64_t bytes = pixels * pixel_stride(op) + kRowBytes;
        if (bytes <= size_) return true;
        std::free(inputs_);
        inputs_ = (uint8_t*)std::aligned_alloc(kRowBytes, (size_t)bytes);
        size_ = inputs_ ? bytes : 0;
        return inputs_;
    }

    uint8_t* inputs() { return inputs_; }

    void configure() {
        static constexpr Configuration all{};
        if (!configured_) _tile_loadconfig(&all);
        configured_ = true;
    }

    // Without live tiles the system has less to save when it switches threads.
    ~Worker() {
        if (configured_) _tile_release();
        std::free(inputs_);
    }

  private:
    uint8_t* inputs_ = nullptr;
    int64_t size_ = 0;
    bool configured_ = false;
};

// Whether tiles are filled well enough. At their peak they do 1024 products per cycle (16 x 16 x 64 in 16 cycles) where two ports of
// `vpdpbusd` do 128. Half of the advantage is kept for copying inputs and for storing tiles; the other half is worth it from a quarter
// of the places on. (Channels are padded alike.)
inline bool pay(const Operation& op, int64_t positions) {
    const int64_t steps = (int64_t)op.segments * op.length;
    const auto whole = [](int64_t n) { return (n + 15) / 16 * 16; };
    return 4 * positions * steps >= whole(positions) * whole(steps);
}

// Inputs under windows, side by side. Whole vectors are copied: what is too much, the next run, the zeros or the next pixel overwrites.
inline void gather_inputs(const Operation& op, const uint8_t* in, const int64_t* starts, int64_t count, uint8_t* to) {
    const int64_t run = 4 * (int64_t)op.length, depth = op.segments * run, stride = pixel_stride(op);
    for (int64_t i = 0; i < count; i++, to += stride) {
        for (int s = 0; s < op.segments; s++) {
            const uint8_t* from = in + starts[i] + op.offsets[s];
            for (int64_t k = 0; k < run; k += kBytesOfVector) store(to + s * run + k, load<u8v>(from + k));
        }
        std::memset(to + depth, 0, (size_t)(stride - depth));
    }
}

// Sums of P x 16 pixels and C x 16 channels, into int32 [P * 16][kBlock]. Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7 weights.
template <int P, int C>
inline void multiply(const uint8_t* inputs, int64_t stride, const uint8_t* weights, int64_t steps, int32_t* sums) {
    const uint8_t* more = inputs + kRows * stride;
    _tile_zero(0);
    if constexpr (C == 2) _tile_zero(1);
    if constexpr (P == 2) _tile_zero(2);
    if constexpr (P == 2 && C == 2) _tile_zero(3);
    for (int64_t k = 0; k < steps; k += kMultiplied) {
        _tile_loadd(4, inputs, stride);
        _tile_loadd(6, weights, kStepBytes);
        _tile_dpbusd(0, 4, 6);
        if constexpr (C == 2) {
            _tile_loadd(7, weights + kRowBytes, kStepBytes);
            _tile_dpbusd(1, 4, 7);
        }
        if constexpr (P == 2) {
            _tile_loadd(5, more, stride);
            _tile_dpbusd(2, 5, 6);
            if constexpr (C == 2) _tile_dpbusd(3, 5, 7);
        }
        inputs += kRowBytes;
        more += kRowBytes;
        weights += kMultiplied * kStepBytes;
    }
    _tile_stored(0, sums, kStepBytes);
    if constexpr (C == 2) _tile_stored(1, sums + kRows, kStepBytes);
    if constexpr (P == 2) _tile_stored(2, sums + kRows * products::kBlock, kStepBytes);
    if constexpr (P == 2 && C == 2) _tile_stored(3, sums + kRows * products::kBlock + kRows, kStepBytes);
}

// A share of a product, as products::product. Inputs are copied once for all blocks of a group that the share has.
inline void product(const Operation& op, const uint8_t* in, void* out, int64_t positions, Share share, int64_t* starts, Worker& worker) {
    constexpr int block = products::kBlock;
    alignas(64) int32_t sums[kTogether * block];
    const int64_t blocks = (op.rows + block - 1) / block, all = op.groups * blocks;
    const int64_t steps = (int64_t)op.segments * op.length, stride = pixel_stride(op), at_once = pixels_at_once(op);
    const bool by_window = positions >= 2 * kTogether * share.count;
    const Range windows = by_window ? share.of(positions, kTogether) : Range{0, positions};
    const Range mine = by_window ? Range{0, all} : share.of(all);
    products::window_starts(op, windows, 1, starts);
    worker.configure();
    for (int64_t m = windows.from; m < windows.to; m += at_once) {
        const int64_t count = std::min(at_once, windows.to - m);
        int64_t copied = -1;
        for (int64_t at = mine.from; at < mine.to; at++) {
            const int64_t g = at / blocks, b = at % blocks;
            if (g != copied) gather_inputs(op, in + g * op.group_step, starts + (m - windows.from), count, worker.inputs());
            copied = g;
            // GCC's intrinsics do not say that they read memory: what was written must not come later.
            asm volatile("" ::: "memory");
            const uint8_t* weights = (const uint8_t*)op.weights + at * steps * kStepBytes;
            const int channels = (int)std::min<int64_t>(op.rows - b * block, block);
            for (int64_t p = 0; p < count; p += kTogether) {
                const int pixels = (int)std::min<int64_t>(count - p, kTogether);
                const auto of_size = channels > kRows ? (pixels > kRows ? multiply<2, 2> : multiply<1, 2>)
                                                      : (pixels > kRows ? multiply<2, 1> : multiply<1, 1>);
                of_size(worker.inputs() + p * stride, stride, weights, steps, sums);
                activation::emit(op, out, m + p, (int)(g * op.rows + b * block), {sums, block, pixels, channels, (int)(at * block)});
            }
        }
    }
}

#else

inline bool available() { return false; }

#endif

}  // namespace tiles
