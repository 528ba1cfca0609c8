// Integers of any numpy type and layout to codes: value = step * code + base.
#pragma once

#include <cstdint>

namespace encode {

struct Frames {
    const char* values;
    int64_t shape[4];    // samples, h, w, c
    int64_t strides[4];  // bytes
    int64_t low, high;   // of the type
    int64_t base, step;
};

// A type that holds a value and the bounds of any type.
template <class Value>
struct Signed {
    using type = Value;
};
template <>
struct Signed<uint8_t> {
    using type = int32_t;
};

// `count` elements that are `stride` bytes apart, of types whose values float and int32 hold; whether one of them has no code.
template <class Value>
inline bool narrow_row(const char* from, int64_t count, int64_t stride, const Frames& f, uint8_t* codes) {
    using Real = typename Signed<Value>::type;
    const Real low = (Real)f.low, high = (Real)f.high;
    const int32_t base = (int32_t)f.base, odd = f.step == 2 ? 1 : 0;
    int32_t wrong = 0;
    const auto one = [&](Real value, uint8_t& code) {
        const Real inside = value >= low && value <= high ? value : low;
        const int32_t whole = (int32_t)inside, shifted = whole - base;
        wrong |= ((Real)whole != value) | (shifted & odd);
        code = (uint8_t)(shifted >> odd);
    };
    if (stride == (int64_t)sizeof(Value))
        for (int64_t i = 0; i < count; i++) one(((const Value*)from)[i], codes[i]);
    else
        for (int64_t i = 0; i < count; i++) one(*(const Value*)(from + i * stride), codes[i]);
    return wrong != 0;
}

template <class Value>
inline bool wide_row(const char* from, int64_t count, int64_t stride, const Frames& f, int32_t* codes) {
    using Real = typename Signed<Value>::type;
    const Real low = (Real)f.low, high = (Real)f.high;
    bool wrong = false;
    for (int64_t i = 0; i < count; i++) {
        const Real value = *(const Value*)(from + i * stride);
        const bool inside = value >= low && value <= high;
        const int64_t whole = inside ? (int64_t)value : 0;
        wrong |= !inside || whole < f.low || whole > f.high || (Real)whole != value;
        codes[i] = (int32_t)(whole - f.base);
    }
    return wrong;
}

template <class Value>
inline bool row(const char* from, int64_t count, int64_t stride, const Frames& f, uint8_t* codes) {
    return narrow_row<Value>(from, count, stride, f, codes);
}

template <class Value>
inline bool row(const char* from, int64_t count, int64_t stride, const Frames& f, int32_t* codes) {
    return wide_row<Value>(from, count, stride, f, codes);
}

// One image row whose pixels lie one behind the other and its channels apart (as in NCHW).
template <class Value, class Code>
inline bool by_channel(const char* from, const Frames& f, Code* codes) {
    constexpr int64_t kAtOnce = 256;
    Code part[kAtOnce];
    bool wrong = false;
    const int64_t channels = f.shape[3];
    for (int64_t c = 0; c < channels; c++)
        for (int64_t x = 0; x < f.shape[2]; x += kAtOnce) {
            const int64_t count = f.shape[2] - x < kAtOnce ? f.shape[2] - x : kAtOnce;
            wrong |= row<Value>(from + c * f.strides[3] + x * (int64_t)sizeof(Value), count, sizeof(Value), f, part);
            for (int64_t i = 0; i < count; i++) codes[(x + i) * channels + c] = part[i];
        }
    return wrong;
}

// Every element; 1 if one of them is no integer from low to high of which the type has a code, else 0.
template <class Value, class Code>
inline int all(const Frames& f, Code* codes) {
    bool wrong = false;
    if (f.shape[3] > 1 && f.strides[2] == (int64_t)sizeof(Value) && f.strides[3] != f.strides[2]) {
        for (int64_t n = 0; n < f.shape[0]; n++)
            for (int64_t y = 0; y < f.shape[1]; y++, codes += f.shape[2] * f.shape[3])
                wrong |= by_channel<Value>(f.values + n * f.strides[0] + y * f.strides[1], f, codes);
        return wrong;
    }
    // Channels one behind the other, and pixels too, are one row.
    const bool joined = f.strides[2] == f.shape[3] * f.strides[3];
    const int64_t length = joined ? f.shape[2] * f.shape[3] : f.shape[3], rows = joined ? 1 : f.shape[2];
    for (int64_t n = 0; n < f.shape[0]; n++)
        for (int64_t y = 0; y < f.shape[1]; y++)
            for (int64_t x = 0; x < rows; x++, codes += length)
                wrong |= row<Value>(f.values + n * f.strides[0] + y * f.strides[1] + x * f.strides[2], length, f.strides[3], f, codes);
    return wrong;
}

template <class Value>
inline int as(const Frames& f, void* codes, int wide) {
    return wide ? all<Value>(f, (int32_t*)codes) : all<Value>(f, (uint8_t*)codes);
}

}  // namespace encode
