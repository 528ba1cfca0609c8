// Activations on blocks of accumulators, and the writing of what they give.
#pragma once

#include "program.h"
#include "vectors.h"

namespace activation {

// rows x count accumulators, rows `stride` apart and padded to whole vectors; results go to rows `out_stride` elements apart.
struct Block {
    int32_t* acc;
    int64_t stride;
    int rows, count;
    int channel;  // padded index of the first channel (parameters)
    void* out = nullptr;
    int64_t out_stride = 0;
};

inline void write(const Block& b, int row, int c, i32v x, uint8_t*) {
    uint8_t* to = (uint8_t*)b.out + row * b.out_stride + c;
    if (c + kLanes <= b.count) return store_bytes(to, x);
    for (int i = 0; i < b.count - c; i++) to[i] = (uint8_t)x[i];
}

inline void write(const Block& b, int row, int c, i32v x, int32_t*) {
    int32_t* to = (int32_t*)b.out + row * b.out_stride + c;
    if (c + kLanes <= b.count) return store(to, x);
    for (int i = 0; i < b.count - c; i++) to[i] = x[i];
}

template <class Out, class Function>
inline void each_vector(const Block& b, Function function) {
    for (int c = 0; c < b.count; c += kLanes)
        for (int r = 0; r < b.rows; r++) write(b, r, c, function(load<i32v>(b.acc + r * b.stride + c), b.channel + c), (Out*)nullptr);
}

template <class Out, int kLevels>
inline void compare_few(const Activation& act, const Block& b) {
    const int32_t* thresholds = (const int32_t*)act.first + b.channel;
    const i32v low = splat(act.low);
    for (int c = 0; c < b.count; c += kLanes) {
        i32v limits[kLevels];
        for (int k = 0; k < kLevels; k++) limits[k] = load<i32v>(thresholds + k * act.stride + c);
        for (int r = 0; r < b.rows; r++) {
            const i32v x = load<i32v>(b.acc + r * b.stride + c);
            i32v level = low;
            for (int k = 0; k < kLevels; k++) level -= (i32v)(x >= limits[k]);
            write(b, r, c, level, (Out*)nullptr);
        }
    }
}

// Rows share the loads of the thresholds, kRows at a time.
template <class Out, int kRows>
inline void compare_rows(const Activation& act, const Block& b, int row) {
    const int32_t* thresholds = (const int32_t*)act.first + b.channel;
    for (int c = 0; c < b.count; c += kLanes) {
        i32v x[kRows], level[kRows];
        for (int r = 0; r < kRows; r++) {
            x[r] = load<i32v>(b.acc + (row + r) * b.stride + c);
            level[r] = splat(act.low);
        }
        for (int k = 0; k < act.levels; k++) {
            const i32v limit = load<i32v>(thresholds + k * act.stride + c);
            for (int r = 0; r < kRows; r++) level[r] -= (i32v)(x[r] >= limit);
        }
        for (int r = 0; r < kRows; r++) write(b, row + r, c, level[r], (Out*)nullptr);
    }
}

template <class Out>
inline void compare(const Activation& act, const Block& b) {
    if (act.levels == 1) return compare_few<Out, 1>(act, b);
    if (act.levels == 2) return compare_few<Out, 2>(act, b);
    if (act.levels == 3) return compare_few<Out, 3>(act, b);
    int row = 0;
    for (; row + 6 <= b.rows; row += 6) compare_rows<Out, 6>(act, b, row);
    for (; row + 2 <= b.rows; row += 2) compare_rows<Out, 2>(act, b, row);
    for (; row < b.rows; row++) compare_rows<Out, 1>(act, b, row);
}

// Truncation is floor here: the clamped value is not negative. The product is rounded before the sum (-ffp-contract=off).
template <class V, class Real>
inline V clamped(V x, const Real* slope, const Real* intercept, Real top) {
    V y = x * load<V>(slope) + load<V>(intercept);
    y = y > V{} ? y : V{};
    const V most = top - V{};
    return y < most ? y : most;
}

template <class Out>
inline void affine32(const Activation& act, const Block& b) {
    const float *slope = (const float*)act.first, *intercept = (const float*)act.second;
    const float top = (float)act.levels;
    const i32v low = splat(act.low);
    each_vector<Out>(b, [=](i32v x, int c) {
        return __builtin_convertvector(clamped(__builtin_convertvector(x, f32v), slope + c, intercept + c, top), i32v) + low;
    });
}

template <class Out>
inline void affine64(const Activation& act, const Block& b) {
    const double *slope = (const double*)act.first, *intercept = (const double*)act.second;
    const double top = act.levels;
    const i32v low = splat(act.low);
    each_vector<Out>(b, [=](i32v x, int c) {
        i32half half[2];
        std::memcpy(half, &x, sizeof x);
        for (int i = 0; i < 2; i++) {
            const int at = c + i * kLanes / 2;
            half[i] = __builtin_convertvector(clamped(__builtin_convertvector(half[i], f64v), slope + at, intercept + at, top), i32half);
        }
        return load<i32v>(half) + low;
    });
}

template <class Out>
inline void guess(const Activation& act, const Block& b) {
    const float *slope = (const float*)act.first, *intercept = (const float*)act.second;
    const float top = (float)act.levels;
    const i32v low = splat(act.low), set = counting() * (act.levels + 1);
    each_vector<Out>(b, [=](i32v x, int c) {
        i32v level = __builtin_convertvector(clamped(__builtin_convertvector(x, f32v), slope + c, intercept + c, top), i32v);
        const i32v next = gather(act.third, level + set + c * (act.levels + 1));
        return level - (i32v)(x >= next) + low;
    });
}

inline int32_t reached(const int32_t* thresholds, int32_t levels, int32_t x) {
    const int32_t* base = thresholds;
    int32_t left = levels;
    while (left > 1) {
        const int32_t half = left / 2;
        base += (base[half - 1] <= x) ? half : 0;
        left -= half;
    }
    return (int32_t)(base - thresholds) + (left == 1 && *base <= x);
}

inline i32v searched(const Activation& act, int c, i32v x) {
    for (int i = 0; i < kLanes; i++) {
        const int64_t set = act.shared ? 0 : c + i;
        const int32_t level = reached((const int32_t*)act.first + set * act.levels, act.levels, x[i]);
        x[i] = ((const int32_t*)act.second)[set * (act.levels + 1) + level];
    }
    return x;
}

// Entries outside do not occur; no memory outside is read if they do.
inline i32v tabled(const Activation& act, int c, i32v x) {
    const i32v last = splat(act.levels - 1);
    x -= act.low;
    x = x > 0 ? x : i32v{};
    x = x < last ? x : last;
    return gather((const int32_t*)act.second, act.shared ? x : x + (counting() + c) * act.levels);
}

// scale * acc + offset, and what follows.
template <class Out>
inline void scaled(const Activation& act, const Block& b) {
    each_vector<Out>(b, [&](i32v x, int c) {
        u32v y = (u32v)x;
        if (act.scale) y *= load<u32v>(act.scale + c);
        if (act.offset) y += load<u32v>(act.offset + c);
        if (act.kind == kNone) return (i32v)y;
        return act.kind == kSearch ? searched(act, c, (i32v)y) : tabled(act, c, (i32v)y);
    });
}

template <class Out>
inline void apply(const Activation& act, const Block& b) {
    switch (act.kind) {
        case kCompare: return compare<Out>(act, b);
        case kAffine32: return affine32<Out>(act, b);
        case kAffine64: return affine64<Out>(act, b);
        case kGuess: return guess<Out>(act, b);
        default: return scaled<Out>(act, b);
    }
}

// Applies an operation's activation to the block of its output that starts at `position` (output pixel) and `column` (channel).
inline void emit(const Operation& op, void* out, int64_t position, int column, Block b) {
    const int64_t at = position * op.oc + column;
    b.out_stride = op.oc;
    if (op.wide_out) {
        b.out = (int32_t*)out + at;
        apply<int32_t>(op.act, b);
    } else {
        b.out = (uint8_t*)out + at;
        apply<uint8_t>(op.act, b);
    }
}

}  // namespace activation
