// Kernels that compute with one element per tap and channel: depthwise products, pools, joins, activations, argmax.
// Each forms the accumulators of some output pixels (channels padded to whole vectors) and passes them to the activation.
#pragma once

#include "activation.h"

namespace elementwise {

constexpr int64_t padded(int64_t channels) { return (channels + 63) / 64 * 64; }

constexpr int kMostPixels = 12;
constexpr int64_t kPixelBytes = 12288;

// Pixels whose accumulators are kept until the activation is applied to all of them: what the first-level cache holds beside the rest.
inline int pixels_at_once(int64_t channels) {
    const int64_t fit = kPixelBytes / (4 * padded(channels));
    return (int)(fit < 1 ? 1 : fit > kMostPixels ? kMostPixels : fit);
}

// Collects the accumulators of consecutive output pixels.
class Collector {
  public:
    Collector(const Operation& op, int32_t* acc, void* out)
        : op_(op), acc_(acc), out_(out), stride_(padded(op.oc)), most_(pixels_at_once(op.oc)) {}
    ~Collector() { flush(); }

    // Where the next pixel's accumulators are to be written.
    int32_t* next() {
        if (held_ == most_) flush();
        return acc_ + stride_ * held_++;
    }

    void flush() {
        if (held_) activation::emit(op_, out_, done_, 0, {acc_, stride_, held_, op_.oc, 0});
        done_ += held_;
        held_ = 0;
    }

  private:
    const Operation& op_;
    int32_t* acc_;
    void* out_;
    int64_t stride_, done_ = 0;
    int most_, held_ = 0;
};

// Calls body(first element of the window, output pixel) for every output position of every sample.
template <class T, class Body>
inline void each_window(const Operation& op, const T* in, int64_t samples, Body body) {
    const int64_t row = (int64_t)op.w * op.c, frame = op.h * row;
    int64_t at = 0;
    for (int64_t n = 0; n < samples; n++)
        for (int y = 0; y < op.oh; y++)
            for (int x = 0; x < op.ow; x++, at++) body(in + n * frame + (int64_t)y * op.sh * row + (int64_t)x * op.sw * op.c, at);
}

// Where the taps of a window lie, in elements from its first.
struct Taps {
    static constexpr int kMost = 64;
    int64_t at[kMost];
    int count;

    explicit Taps(const Operation& op) : count(0) {
        const int64_t row = (int64_t)op.w * op.c;
        for (int i = 0; i < op.kh; i++)
            for (int j = 0; j < op.kw; j++, count++)
                if (count < kMost) at[count] = i * op.dh * row + (int64_t)j * op.dw * op.c;
    }
};

// Byte codes times int16 weights [tap][padded channel], one result per channel: exact where every partial sum fits int16.
// Channels beyond the last have the weight zero, whatever is read there.
inline void depthwise_narrow(const Operation& op, const uint8_t* in, void* out, int64_t samples, int32_t* acc) {
    constexpr int kHalf = kBytesOfVector / 2;
    const Taps taps(op);
    const int64_t stride = padded(op.c);
    Collector pixels(op, acc, out);
    each_window(op, in, samples, [&](const uint8_t* window, int64_t) {
        int32_t* to = pixels.next();
        for (int c = 0; c < op.c; c += kHalf) {
            i16v sum = {};
            const int16_t* w = (const int16_t*)op.weights + c;
            for (int k = 0; k < taps.count; k++, w += stride)
                sum += __builtin_convertvector(load<u8half>(window + taps.at[k] + c), i16v) * load<i16v>(w);
            i16half parts[2];
            std::memcpy(parts, &sum, sizeof sum);
            store(to + c, __builtin_convertvector(parts[0], i32v));
            store(to + c + kLanes, __builtin_convertvector(parts[1], i32v));
        }
    });
}

// Any codes times int32 weights [tap][padded output channel], modulo 2^32: exact where the sum fits int32.
template <class T>
inline void depthwise(const Operation& op, const T* in, void* out, int64_t samples, int32_t* acc) {
    const int64_t row = (int64_t)op.w * op.c, stride = padded(op.oc);
    const int copies = op.oc / op.c;
    Collector pixels(op, acc, out);
    each_window(op, in, samples, [&](const T* window, int64_t) {
        const uint32_t* w = (const uint32_t*)op.weights;
        uint32_t* to = (uint32_t*)pixels.next();
        for (int c = 0; c < op.oc; c++) to[c] = 0;
        for (int i = 0; i < op.kh; i++)
            for (int j = 0; j < op.kw; j++, w += stride) {
                const T* x = window + i * op.dh * row + (int64_t)j * op.dw * op.c;
                if (copies == 1)
                    for (int c = 0; c < op.c; c++) to[c] += (uint32_t)x[c] * w[c];
                else
                    for (int c = 0; c < op.oc; c++) to[c] += (uint32_t)x[c / copies] * w[c];
            }
    });
}

inline void maximum(uint8_t* to, const uint8_t* x, int count) {
    int c = 0;
    for (; c + kBytesOfVector <= count; c += kBytesOfVector) {
        const u8v a = load<u8v>(to + c), b = load<u8v>(x + c);
        store(to + c, a > b ? a : b);
    }
    for (; c < count; c++) to[c] = to[c] < x[c] ? x[c] : to[c];
}

inline void maximum(int32_t* to, const int32_t* x, int count) {
    for (int c = 0; c < count; c++) to[c] = to[c] < x[c] ? x[c] : to[c];
}

// Maxima of codes: a code grows with its value.
template <class T>
inline void pool_max(const Operation& op, const T* in, void* out, int64_t samples, int32_t* acc, T* best) {
    const int64_t row = (int64_t)op.w * op.c;
    const bool plain = op.act.kind == kNone && !op.act.offset && !op.act.scale && (sizeof(T) == 4) == (op.wide_out != 0);
    Collector pixels(op, acc, out);
    each_window(op, in, samples, [&](const T* window, int64_t pixel) {
        T* to = plain ? (T*)out + pixel * op.oc : best;
        std::memcpy(to, window, sizeof(T) * (size_t)op.c);
        for (int i = 0; i < op.kh; i++)
            for (int j = i == 0; j < op.kw; j++) maximum(to, window + i * op.dh * row + (int64_t)j * op.dw * op.c, op.c);
        if (plain) return;
        int32_t* sum = pixels.next();
        for (int c = 0; c < op.c; c++) sum[c] = best[c];
    });
}

// Sums modulo 2^32.
template <class T>
inline void pool_sum(const Operation& op, const T* in, void* out, int64_t samples, int32_t* acc) {
    const int64_t row = (int64_t)op.w * op.c;
    Collector pixels(op, acc, out);
    each_window(op, in, samples, [&](const T* window, int64_t) {
        uint32_t* sum = (uint32_t*)pixels.next();
        std::memset(sum, 0, 4 * (size_t)op.c);
        for (int i = 0; i < op.kh; i++)
            for (int j = 0; j < op.kw; j++) {
                const T* x = window + i * op.dh * row + (int64_t)j * op.dw * op.c;
                for (int c = 0; c < op.c; c++) sum[c] += (uint32_t)x[c];
            }
    });
}

template <class T>
inline void global_sum(const Operation& op, const T* in, void* out, int64_t samples, int32_t* acc) {
    const int64_t positions = (int64_t)op.h * op.w;
    Collector pixels(op, acc, out);
    for (int64_t n = 0; n < samples; n++) {
        uint32_t* sum = (uint32_t*)pixels.next();
        std::memset(sum, 0, 4 * (size_t)op.c);
        for (int64_t p = 0; p < positions; p++, in += op.c)
            for (int c = 0; c < op.c; c++) sum[c] += (uint32_t)in[c];
    }
}

// A single channel is spread over all output channels: each has a function of its own.
template <class T>
inline void activate(const Operation& op, const T* in, void* out, int64_t samples, int32_t* acc) {
    const int64_t positions = samples * op.h * op.w;
    Collector pixels(op, acc, out);
    for (int64_t p = 0; p < positions; p++, in += op.c) {
        int32_t* to = pixels.next();
        if (op.c == 1)
            for (int c = 0; c < op.oc; c++) to[c] = (int32_t)in[0];
        else
            for (int c = 0; c < op.c; c++) to[c] = (int32_t)in[c];
    }
}

// weights[c] * a + table[c] * b + offsets[c] modulo 2^32.
template <class A, class B>
inline void add(const Operation& op, const A* left, const B* right, void* out, int64_t samples, int32_t* acc) {
    const int64_t positions = samples * op.h * op.w;
    const uint32_t *first = (const uint32_t*)op.weights, *second = (const uint32_t*)op.table;
    const uint32_t* addend = (const uint32_t*)op.offsets;
    Collector pixels(op, acc, out);
    for (int64_t p = 0; p < positions; p++, left += op.c, right += op.c) {
        uint32_t* __restrict to = (uint32_t*)pixels.next();
        for (int c = 0; c < op.c; c++) to[c] = (uint32_t)left[c] * first[c] + (uint32_t)right[c] * second[c] + addend[c];
    }
}

// (factor * a + start) * (value * b + start2) modulo 2^32.
template <class A, class B>
inline void multiply(const Operation& op, const A* left, const B* right, void* out, int64_t samples, int32_t* acc) {
    const int64_t positions = samples * op.h * op.w;
    Collector pixels(op, acc, out);
    for (int64_t p = 0; p < positions; p++, left += op.c, right += op.c) {
        uint32_t* __restrict to = (uint32_t*)pixels.next();
        for (int c = 0; c < op.c; c++)
            to[c] = ((uint32_t)left[c] * (uint32_t)op.factor + (uint32_t)op.start) *
                    ((uint32_t)right[c] * (uint32_t)op.value + (uint32_t)op.start2);
    }
}

// The first of the greatest.
template <class T>
inline void argmax(const Operation& op, const T* in, void* out, int64_t samples) {
    const int64_t positions = samples * op.h * op.w;
    for (int64_t p = 0; p < positions; p++, in += op.c) {
        int best = 0;
        for (int c = 1; c < op.c; c++)
            if (in[c] > in[best]) best = c;
        if (op.wide_out)
            ((int32_t*)out)[p] = best;
        else
            ((uint8_t*)out)[p] = (uint8_t)best;
    }
}

}  // namespace elementwise
