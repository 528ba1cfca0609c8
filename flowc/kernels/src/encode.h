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

// Every element; 1 if one of them is no integer from low to high of which the type has a code, else 0.
template <class Value, class Code>
inline int all(const Frames& f, Code* codes) {
    bool wrong = false;
    const Value low = (Value)f.low, high = (Value)f.high;
    for (int64_t n = 0; n < f.shape[0]; n++)
        for (int64_t y = 0; y < f.shape[1]; y++)
            for (int64_t x = 0; x < f.shape[2]; x++) {
                const char* at = f.values + n * f.strides[0] + y * f.strides[1] + x * f.strides[2];
                for (int64_t c = 0; c < f.shape[3]; c++, at += f.strides[3]) {
                    const Value value = *(const Value*)at;
                    const bool inside = value >= low && value <= high;
                    const int64_t whole = inside ? (int64_t)value : 0;
                    const int64_t shifted = whole - f.base;
                    wrong |= !inside || whole < f.low || whole > f.high || (Value)whole != value || (f.step == 2 && (shifted & 1));
                    *codes++ = (Code)(f.step == 2 ? shifted >> 1 : shifted);
                }
            }
    return wrong;
}

template <class Value>
inline int as(const Frames& f, void* codes, int wide) {
    return wide ? all<Value>(f, (int32_t*)codes) : all<Value>(f, (uint8_t*)codes);
}

}  // namespace encode
