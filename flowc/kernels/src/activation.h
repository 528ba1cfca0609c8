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

// Of bytes: low + the function's values, cut off at 0 and at `top`. Of int32: low + the function's values.
template <class Function>
inline void each_vector(const Block& b, int32_t, int32_t low, int32_t*, Function function) {
    for (int c = 0; c < b.count; c += kLanes)
        for (int r = 0; r < b.rows; r++)
            write(b, r, c, function(load<i32v>(b.acc + r * b.stride + c), b.channel + c) + splat(low), (int32_t*)nullptr);
}

template <class Function>
inline void each_vector(const Block& b, int32_t top, int32_t low, uint8_t*, Function function) {
    const auto at = [&](int r, int c) { return function(load<i32v>(b.acc + r * b.stride + c), b.channel + c); };
    int c = 0;
    for (; c + 2 * kLanes <= b.count; c += 2 * kLanes) {
        uint8_t* to = (uint8_t*)b.out + c;
        int r = 0;
        for (; r + 2 <= b.rows; r += 2, to += 2 * b.out_stride) {
            const i32v x0 = at(r, c), x1 = at(r, c + kLanes), y0 = at(r + 1, c), y1 = at(r + 1, c + kLanes);
            store_bytes(to, to + b.out_stride, x0, x1, y0, y1, (uint8_t)top, (uint8_t)low);
        }
        if (r < b.rows) store_bytes(to, at(r, c), at(r, c + kLanes), (uint8_t)top, (uint8_t)low);
    }
    const i32v most = splat(top), addend = splat(low);
    for (; c < b.count; c += kLanes)
        for (int r = 0; r < b.rows; r++) write(b, r, c, between(at(r, c), most) + addend, (uint8_t*)nullptr);
}

template <class Out, int kLevels>
inline void compare_few(const Activation& act, const Block& b) {
    const int32_t* thresholds = (const int32_t*)act.first;
    const i32v all = splat(kLevels);
    each_vector(b, kLevels, act.low, (Out*)nullptr, [=](i32v x, int c) {
        i32v level = all;
#pragma GCC unroll 4
        for (int k = 0; k < kLevels; k++) level += (i32v)(load<i32v>(thresholds + k * act.stride + c) > x);
        return level;
    });
}

// Rows share the loads of the thresholds, kRows at a time.
template <class Out, int kRows>
inline void compare_rows(const Activation& act, const Block& b, int row) {
    const int32_t* thresholds = (const int32_t*)act.first + b.channel;
    for (int c = 0; c < b.count; c += kLanes) {
        i32v x[kRows], level[kRows];
#pragma GCC unroll 8
        for (int r = 0; r < kRows; r++) {
            x[r] = load<i32v>(b.acc + (row + r) * b.stride + c);
            level[r] = splat(act.low + act.levels);
        }
        for (int k = 0; k < act.levels; k++) {
            const i32v limit = load<i32v>(thresholds + k * act.stride + c);
#pragma GCC unroll 8
            for (int r = 0; r < kRows; r++) level[r] += (i32v)(limit > x[r]);
        }
#pragma GCC unroll 8
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

// x * slope + intercept, truncated. The product is rounded before the sum (-ffp-contract=off); the planner knows that int32 holds it.
inline i32v on_line(i32v x, const float* slope, const float* intercept) {
    return __builtin_convertvector(__builtin_convertvector(x, f32v) * load<f32v>(slope) + load<f32v>(intercept), i32v);
}

inline i32v on_line(i32v x, const double* slope, const double* intercept) {
    i32half half[2];
    std::memcpy(half, &x, sizeof x);
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        const int at = i * kLanes / 2;
        const f64v y = __builtin_convertvector(half[i], f64v) * load<f64v>(slope + at) + load<f64v>(intercept + at);
        half[i] = __builtin_convertvector(y, i32half);
    }
    return load<i32v>(half);
}

// Truncation is floor here: what is negative is cut off at zero.
template <class Out, class Real>
inline void affine(const Activation& act, const Block& b) {
    const Real *slope = (const Real*)act.first, *intercept = (const Real*)act.second;
    const i32v top = splat(act.levels);
    each_vector(b, act.levels, act.low, (Out*)nullptr, [=](i32v x, int c) {
        const i32v level = on_line(x, slope + c, intercept + c);
        return sizeof(Out) == 1 ? level : between(level, top);
    });
}

template <class Out>
inline void guess(const Activation& act, const Block& b) {
    const float *slope = (const float*)act.first, *intercept = (const float*)act.second;
    const i32v top = splat(act.levels), set = counting() * (act.levels + 1);
    each_vector(b, act.levels, act.low, (Out*)nullptr, [=](i32v x, int c) {
        const i32v level = between(on_line(x, slope + c, intercept + c), top);
        return level - (i32v)(x >= gather(act.third, level + set + c * (act.levels + 1)));
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
    x = between(x - act.low, last);
    return gather((const int32_t*)act.second, act.shared ? x : x + (counting() + c) * act.levels);
}

// scale * acc + offset, and what follows.
template <class Out>
inline void scaled(const Activation& act, const Block& b) {
    each_vector(b, 255, 0, (Out*)nullptr, [&](i32v x, int c) {
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
        case kAffine32: return affine<Out, float>(act, b);
        case kAffine64: return affine<Out, double>(act, b);
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

// kCompareHalf on the sums of lookups (products.h), `vectors` of them per row; as emit.
inline void emit_half(const Operation& op, void* out, int64_t position, int column, const u16v* sums, int vectors, Block b) {
    const int levels = op.act.levels;
    const u8v all = u8v{} + (uint8_t)(op.act.low + levels);
    for (int v = 0; v * kBytesOfVector < b.count; v++) {
        const uint8_t* thresholds = (const uint8_t*)op.act.first + (int64_t)(b.channel + v * kBytesOfVector) * 2 * levels;
        const int count = b.count - v * kBytesOfVector;
        uint8_t* to = (uint8_t*)out + position * op.oc + column + v * kBytesOfVector;
        for (int r = 0; r < b.rows; r++, to += op.oc) {
            i16v below[2] = {};
            for (int k = 0; k < levels; k++)
                for (int odd = 0; odd < 2; odd++)
                    below[odd] += (i16v)(load<i16v>(thresholds + (2 * k + odd) * kBytesOfVector) > (i16v)sums[2 * (r * vectors + v) + odd]);
            const u8v level = all + (u8v)((below[0] & 255) | (i16v)((u16v)below[1] << 8));
            if (count >= kBytesOfVector)
                store(to, level);
            else
                std::memcpy(to, &level, (size_t)count);
        }
    }
}

}  // namespace activation
