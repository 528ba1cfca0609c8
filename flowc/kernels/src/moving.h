// Kernels that move elements, and those that write the codes of a frame as the products read them.
#pragma once

#include "program.h"
#include "vectors.h"

#include <algorithm>
#include <cstring>

namespace moving {

template <class T>
inline void place(const Operation& op, const T* in, T* out, int64_t samples) {
    const int64_t row = (int64_t)op.w * op.c, wide_row = (int64_t)op.ow * op.oc;
    for (int64_t n = 0; n < samples; n++, in += op.h * row, out += op.oh * wide_row) {
        if (op.sh == 1 && op.sw == 1) {
            // Only the frame is written twice.
            const int64_t left = (int64_t)op.kw * op.c, right = wide_row - left - row;
            std::fill(out, out + op.kh * wide_row, (T)op.value);
            for (int y = 0; y < op.h; y++) {
                T* to = out + (op.kh + y) * wide_row;
                std::fill(to, to + left, (T)op.value);
                std::memcpy(to + left, in + y * row, sizeof(T) * (size_t)row);
                std::fill(to + left + row, to + left + row + right, (T)op.value);
            }
            std::fill(out + (op.kh + op.h) * wide_row, out + op.oh * wide_row, (T)op.value);
            continue;
        }
        std::fill(out, out + op.oh * wide_row, (T)op.value);
        for (int y = 0; y < op.h; y++)
            for (int x = 0; x < op.w; x++)
                std::memcpy(out + (op.kh + (int64_t)y * op.sh) * wide_row + (op.kw + (int64_t)x * op.sw) * op.oc,
                            in + y * row + (int64_t)x * op.c, sizeof(T) * (size_t)op.c);
    }
}

template <class T>
inline void upsample(const Operation& op, const T* in, T* out, int64_t samples) {
    const int64_t row = (int64_t)op.w * op.c, wide_row = (int64_t)op.ow * op.oc;
    for (int64_t n = 0; n < samples; n++, in += op.h * row, out += op.oh * wide_row)
        for (int y = 0; y < op.oh; y++)
            for (int x = 0; x < op.ow; x++)
                std::memcpy(out + y * wide_row + (int64_t)x * op.c, in + y / op.sh * row + (int64_t)(x / op.sw) * op.c,
                            sizeof(T) * (size_t)op.c);
}

// Windows whose rows are at most sixteen bytes: so many are copied of each, and what is too much the next row overwrites.
inline void short_windows(const Operation& op, const uint8_t* in, uint8_t* out, int64_t samples) {
    constexpr int kCopied = 16;
    // Copies: what is written through `out` might else be taken for a field of the operation.
    const int64_t row = (int64_t)op.w * op.c, run = (int64_t)op.kw * op.c, down = op.dh * row, right = (int64_t)op.sw * op.c;
    const int rows = op.oh, columns = op.ow, taps = op.kh;
    const uint8_t* const last = out + samples * op.oh * op.ow * op.kh * run - kCopied;
    for (int64_t n = 0; n < samples; n++, in += op.h * row)
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < columns; x++)
                for (int i = 0; i < taps; i++, out += run) {
                    const uint8_t* from = in + y * op.sh * row + i * down + x * right;
                    if (out <= last)
                        std::memcpy(out, from, kCopied);
                    else
                        std::memcpy(out, from, (size_t)run);
                }
}

// Windows in stream order: [groups = C / block][kernel row][kernel column][block].
template <class T>
inline void window(const Operation& op, const T* in, T* out, int64_t samples) {
    const int64_t row = (int64_t)op.w * op.c;
    const int block = op.c / op.groups;
    if constexpr (sizeof(T) == 1)
        if (op.groups == 1 && op.dw == 1 && op.kw * op.c <= 16) return short_windows(op, in, out, samples);
    for (int64_t n = 0; n < samples; n++, in += op.h * row)
        for (int y = 0; y < op.oh; y++)
            for (int x = 0; x < op.ow; x++)
                for (int g = 0; g < op.groups; g++)
                    for (int i = 0; i < op.kh; i++)
                        for (int j = 0; j < op.kw; j++, out += block)
                            std::memcpy(out,
                                        in + ((int64_t)y * op.sh + i * op.dh) * row +
                                            ((int64_t)x * op.sw + j * op.dw) * op.c + g * block,
                                        sizeof(T) * (size_t)block);
}

// `rows` channels from `start` on, to `start2` on: out = factor * in + value.
template <class A, class B>
inline void slice(const Operation& op, const A* in, B* out, int64_t samples) {
    const int64_t pixels = samples * op.h * op.w;
    in += op.start;
    out += op.start2;
    for (int64_t p = 0; p < pixels; p++, in += op.c, out += op.oc)
        for (int c = 0; c < op.rows; c++) out[c] = (B)((uint32_t)in[c] * (uint32_t)op.factor + (uint32_t)op.value);
}

template <class T>
inline void permute(const Operation& op, const T* in, T* out, int64_t samples) {
    const int64_t taken = op.value, given = op.rows, chunks = samples * op.h * op.w * op.c / taken;
    const int32_t* order = (const int32_t*)op.table;
    for (int64_t k = 0; k < chunks; k++, in += taken, out += given)
        for (int64_t i = 0; i < given; i++) out[i] = in[order[i]];
}

// Four codes of `bits` bits in every lane as one number.
inline i32v joined(const uint8_t* in, int bits) {
    const u32v x = load<u32v>(in);
    return (i32v)((x | x >> (8 - bits) | x >> 2 * (8 - bits) | x >> 3 * (8 - bits)) & 255);
}

// `value` codes of `factor` bits to the number of their lookup table.
inline void pack(const Operation& op, const uint8_t* in, uint8_t* out, int64_t samples) {
    const int64_t groups = samples * op.h * op.w * op.c / op.value;
    const int b = op.factor;
    int64_t i = 0;
    if (op.value == 4) {
        for (; i + kBytesOfVector <= groups; i += kBytesOfVector) {
            const uint8_t* x = in + 4 * i;
            constexpr int n = kBytesOfVector;
            store_bytes(out + i, out + i + n / 2, joined(x, b), joined(x + n, b), joined(x + 2 * n, b), joined(x + 3 * n, b), 255, 0);
        }
        for (; i < groups; i++)
            out[i] = (uint8_t)(in[4 * i] | in[4 * i + 1] << b | in[4 * i + 2] << 2 * b | in[4 * i + 3] << 3 * b);
    } else {
        for (; i + kBytesOfVector / 2 <= groups; i += kBytesOfVector / 2) {
            const u16v x = load<u16v>(in + 2 * i);
            store(out + i, __builtin_convertvector((x | x >> (8 - b)) & 255, u8half));
        }
        for (; i < groups; i++) out[i] = (uint8_t)(in[2 * i] | in[2 * i + 1] << b);
    }
}

inline void widen(const Operation& op, const uint8_t* in, int16_t* out, int64_t samples) {
    const int64_t count = samples * op.h * op.w * op.c;
    for (int64_t i = 0; i < count; i++) out[i] = in[i];
}

}  // namespace moving
