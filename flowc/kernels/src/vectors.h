// Vectors of the width that the machine has, in GCC's and clang's vector extension; intrinsics only where the extension has no word for it.
#pragma once

#include <cstdint>
#include <cstring>

#if !defined(FLOWC_PORTABLE) && (defined(__x86_64__) || defined(__i386__))
#include <immintrin.h>
#endif
#if !defined(FLOWC_PORTABLE) && defined(__aarch64__)
#include <arm_neon.h>
#endif

#if !defined(FLOWC_PORTABLE) && defined(__AVX512BW__)
#define FLOWC_AVX512 1
constexpr int kBytesOfVector = 64;
#elif !defined(FLOWC_PORTABLE) && defined(__AVX2__)
#define FLOWC_AVX2 1
constexpr int kBytesOfVector = 32;
#elif defined(FLOWC_EMULATED)
constexpr int kBytesOfVector = 64;
#else
#if !defined(FLOWC_PORTABLE) && defined(__aarch64__)
#define FLOWC_NEON 1
#endif
constexpr int kBytesOfVector = 16;
#endif

typedef int32_t i32v __attribute__((vector_size(kBytesOfVector)));
typedef uint32_t u32v __attribute__((vector_size(kBytesOfVector)));
typedef int16_t i16v __attribute__((vector_size(kBytesOfVector)));
typedef uint16_t u16v __attribute__((vector_size(kBytesOfVector)));
typedef uint8_t u8v __attribute__((vector_size(kBytesOfVector)));
typedef float f32v __attribute__((vector_size(kBytesOfVector)));
typedef double f64v __attribute__((vector_size(kBytesOfVector)));
typedef int32_t i32half __attribute__((vector_size(kBytesOfVector / 2)));
typedef int16_t i16half __attribute__((vector_size(kBytesOfVector / 2)));
typedef uint8_t u8half __attribute__((vector_size(kBytesOfVector / 2)));

constexpr int kLanes = kBytesOfVector / 4;

// Registers of a product's tile: kPixels x kColumns accumulators beside kColumns weights, an input and a product.
#if defined(FLOWC_AVX512) || defined(FLOWC_NEON)
constexpr int kPixels = 8, kColumns = 2;
#elif defined(FLOWC_AVX2)
constexpr int kPixels = 6, kColumns = 2;
#else
constexpr int kPixels = 4, kColumns = 2;
#endif

template <class V>
inline V load(const void* from) {
    V value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class V>
inline void store(void* to, V value) {
    std::memcpy(to, &value, sizeof value);
}

// Tells the compiler that a value is best kept in a register: it would read it from memory again at every use.
template <class V>
inline void in_register(V& value) {
#if defined(FLOWC_AVX512)
    asm("" : "+v"(value));
#elif defined(FLOWC_AVX2)
    asm("" : "+x"(value));
#elif defined(FLOWC_NEON)
    asm("" : "+w"(value));
#else
    (void)value;
#endif
}

// The low byte of every lane.
inline void store_bytes(uint8_t* to, i32v value) {
#if defined(FLOWC_AVX512)
    _mm_storeu_si128((__m128i*)to, _mm512_cvtepi32_epi8((__m512i)value));
#elif defined(FLOWC_AVX2)
    const __m256i pick = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12,
                                          -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i parts = _mm256_shuffle_epi8((__m256i)value, pick);
    _mm_storel_epi64((__m128i*)to, _mm_or_si128(_mm256_castsi256_si128(parts), _mm256_extracti128_si256(parts, 1)));
#else
    for (int i = 0; i < kLanes; i++) to[i] = (uint8_t)value[i];
#endif
}

// Cut off at zero and at `top`.
inline i32v between(i32v value, i32v top) {
    value = value > 0 ? value : i32v{};
    return value < top ? value : top;
}

// Bytes of two vectors, cut off at 0 and 255, at most `top`, plus `low`.
inline void store_bytes(uint8_t* to, i32v a, i32v b, uint8_t top, uint8_t low) {
#if defined(FLOWC_AVX2)
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)a, (__m256i)b), 0xd8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i*)to, _mm_add_epi8(_mm_min_epu8(bytes, _mm_set1_epi8((char)top)), _mm_set1_epi8((char)low)));
#else
    const i32v most = i32v{} + top, addend = i32v{} + low;
    store_bytes(to, between(a, most) + addend);
    store_bytes(to + kLanes, between(b, most) + addend);
#endif
}

// The same of two rows: a and b to `first`, c and d to `second`.
inline void store_bytes(uint8_t* first, uint8_t* second, i32v a, i32v b, i32v c, i32v d, uint8_t top, uint8_t low) {
#if defined(FLOWC_AVX2)
    const __m256i words = _mm256_packs_epi32((__m256i)a, (__m256i)b), more = _mm256_packs_epi32((__m256i)c, (__m256i)d);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(words, more), order);
    bytes = _mm256_add_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8((char)top)), _mm256_set1_epi8((char)low));
    _mm_storeu_si128((__m128i*)first, _mm256_castsi256_si128(bytes));
    _mm_storeu_si128((__m128i*)second, _mm256_extracti128_si256(bytes, 1));
#else
    store_bytes(first, a, b, top, low);
    store_bytes(second, c, d, top, low);
#endif
}

inline i32v splat(int32_t value) { return value - i32v{}; }

// from[index] of every lane.
inline i32v gather(const int32_t* from, i32v index) {
#if defined(FLOWC_AVX512)
    return (i32v)_mm512_i32gather_epi32((__m512i)index, from, 4);
#elif defined(FLOWC_AVX2)
    return (i32v)_mm256_i32gather_epi32(from, (__m256i)index, 4);
#else
    i32v result;
    for (int i = 0; i < kLanes; i++) result[i] = from[index[i]];
    return result;
#endif
}

// 0, 1, 2, ...
inline i32v counting() {
    i32v result;
    for (int i = 0; i < kLanes; i++) result[i] = i;
    return result;
}

// Four bytes of memory in every lane.
inline i32v broadcast(const void* from) {
    int32_t word;
    std::memcpy(&word, from, 4);
    return splat(word);
}

// Sixteen bytes of memory in every 128-bit part.
inline u8v broadcast16(const void* from) {
#if defined(FLOWC_AVX512)
    return (u8v)_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)from));
#elif defined(FLOWC_AVX2)
    return (u8v)_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)from));
#else
    return load<u8v>(from);
#endif
}

// table[index], both within 128-bit parts; indices are 0 to 15.
inline u8v lookup(u8v table, u8v index) {
#if defined(FLOWC_AVX512)
    return (u8v)_mm512_shuffle_epi8((__m512i)table, (__m512i)index);
#elif defined(FLOWC_AVX2)
    return (u8v)_mm256_shuffle_epi8((__m256i)table, (__m256i)index);
#elif defined(FLOWC_NEON)
    return (u8v)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)index);
#else
    u8v result;
    for (int i = 0; i < kBytesOfVector; i++) result[i] = table[index[i] & 15];
    return result;
#endif
}

// The sums of neighbouring int16 products, as int32: a[2i] * b[2i] + a[2i + 1] * b[2i + 1].
inline i32v multiply_pairs(i16v a, i16v b) {
#if defined(FLOWC_AVX512)
    return (i32v)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(FLOWC_AVX2)
    return (i32v)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
    const i32v x = (i32v)a, y = (i32v)b;
    return ((x << 16) >> 16) * ((y << 16) >> 16) + (x >> 16) * (y >> 16);
#endif
}
