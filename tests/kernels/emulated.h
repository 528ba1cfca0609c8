// A machine with AMX and an int8 dot product of 64 bytes, in plain C++: what the tests compile the library with where there is none.
//
// The tile instructions do what "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 2, says of them. What would
// raise an exception there (#UD, #GP) is counted here, and faults can be planted, to see them found.
#pragma once

#include <cstdint>
#include <cstring>

#pragma GCC push_options
#pragma GCC optimize("O2")

#define FLOWC_PORTABLE 1
#define FLOWC_EMULATED 1

extern "C" {
#pragma GCC visibility push(default)
int32_t emulated_fault = 0;       // see Fault
int32_t emulated_refused = 0;     // whether the system refuses permission
int32_t emulated_dots = 0;        // products of tiles so far
int32_t emulated_exceptions = 0;  // what a processor would have refused so far
int32_t emulated_configured = 0;  // threads whose tiles are configured
#pragma GCC visibility pop
}

namespace emulated {

enum Fault : int32_t {
    kNoFault,
    kNotInterleaved,  // four bytes of depth lie in four rows of weights, not side by side
    kSignedInputs,
    kSignedBytesCut,  // -128 is taken for -127
    kSaturating,      // two products are added in int16
    kNotZeroed,       // sums begin with what a tile held
    kLastRow,         // the last row of a tile is not multiplied
    kLastColumn,      // nor the last four bytes
    kFaults,
};

struct Tile {
    uint8_t bytes[16][64] = {};
};

struct State {
    bool live = false;
    int rows[8] = {}, row_bytes[8] = {};
    Tile tiles[8];
};

inline thread_local State state;

inline bool permitted() { return !emulated_refused; }
inline void count(int32_t& counter, int32_t by = 1) { __atomic_add_fetch(&counter, by, __ATOMIC_SEQ_CST); }
inline void except() { count(emulated_exceptions); }

inline bool usable(int tile) {
    const bool right = state.live && tile >= 0 && tile < 8 && state.rows[tile] > 0 && state.row_bytes[tile] > 0;
    if (!right) except();
    return right;
}

__attribute__((always_inline)) inline int32_t word(const Tile& tile, int row, int at) {
    int32_t value;
    std::memcpy(&value, tile.bytes[row] + 4 * at, 4);
    return value;
}

__attribute__((always_inline)) inline int32_t cut(int32_t x) { return x > 32767 ? 32767 : x < -32768 ? -32768 : x; }

// Four unsigned bytes times four signed ones, added to `sum` modulo 2^32.
__attribute__((always_inline)) inline int32_t dot(int32_t sum, const uint8_t* a, const uint8_t* b, int32_t fault) {
    int32_t pairs[2] = {};
    for (int i = 0; i < 4; i++) {
        const int32_t left = fault == kSignedInputs ? (int8_t)a[i] : a[i];
        const int32_t right = fault == kSignedBytesCut && b[i] == 0x80 ? -127 : (int8_t)b[i];
        pairs[i / 2] += left * right;
    }
    if (fault == kSaturating) pairs[0] = cut(pairs[0]), pairs[1] = cut(pairs[1]);
    return (int32_t)((uint32_t)sum + (uint32_t)pairs[0] + (uint32_t)pairs[1]);
}

// The vector instruction, without faults.
template <class Vector>
inline Vector dpbusd(Vector sum, Vector a, Vector b) {
    uint8_t x[sizeof(Vector)];
    int8_t y[sizeof(Vector)];
    std::memcpy(x, &a, sizeof a);
    std::memcpy(y, &b, sizeof b);
    for (unsigned i = 0; i < sizeof(Vector) / 4; i++)
        for (unsigned j = 4 * i; j < 4 * i + 4; j++) sum[i] += x[j] * y[j];
    return sum;
}

}  // namespace emulated

inline void _tile_release() {
    if (emulated::state.live) emulated::count(emulated_configured, -1);
    emulated::state = {};
}

inline void _tile_loadconfig(const void* from) {
    uint8_t raw[64];
    std::memcpy(raw, from, sizeof raw);
    _tile_release();
    bool right = raw[0] == 1 && raw[1] == 0;
    for (int i = 2; i < 16; i++) right &= raw[i] == 0;
    for (int tile = 0; tile < 16; tile++) {
        const int bytes = raw[16 + 2 * tile] | raw[17 + 2 * tile] << 8, rows = raw[48 + tile];
        right &= tile < 8 ? bytes <= 64 && rows <= 16 && (bytes == 0) == (rows == 0) : bytes == 0 && rows == 0;
        if (tile >= 8) continue;
        emulated::state.rows[tile] = rows;
        emulated::state.row_bytes[tile] = bytes;
    }
    if (!right) return emulated::except();
    emulated::state.live = true;
    emulated::count(emulated_configured);
}

inline void _tile_zero(int tile) {
    if (emulated::usable(tile) && emulated_fault != emulated::kNotZeroed) emulated::state.tiles[tile] = {};
}

inline void _tile_loadd(int tile, const void* from, int64_t stride) {
    if (!emulated::usable(tile)) return;
    emulated::state.tiles[tile] = {};
    for (int r = 0; r < emulated::state.rows[tile]; r++)
        std::memcpy(emulated::state.tiles[tile].bytes[r], (const uint8_t*)from + r * stride, (size_t)emulated::state.row_bytes[tile]);
}

inline void _tile_stored(int tile, void* to, int64_t stride) {
    if (!emulated::usable(tile)) return;
    for (int r = 0; r < emulated::state.rows[tile]; r++)
        std::memcpy((uint8_t*)to + r * stride, emulated::state.tiles[tile].bytes[r], (size_t)emulated::state.row_bytes[tile]);
}

inline void _tile_dpbusd(int to, int left, int right) {
    using namespace emulated;
    if (!usable(to) || !usable(left) || !usable(right)) return;
    State& s = state;
    const int rows = s.rows[to], columns = s.row_bytes[to] / 4, depth = s.row_bytes[left] / 4;
    const bool fits = s.rows[left] == rows && s.rows[right] == depth && s.row_bytes[right] == 4 * columns && to != left && to != right &&
                      left != right && s.row_bytes[to] % 4 == 0 && s.row_bytes[left] % 4 == 0;
    if (!fits) return except();
    count(emulated_dots);
    const Tile &a = s.tiles[left], &b = s.tiles[right];
    Tile sums;
    const int32_t fault = emulated_fault;
    for (int m = 0; m < rows - (fault == kLastRow); m++)
        for (int n = 0; n < columns; n++) {
            int32_t sum = word(s.tiles[to], m, n);
            for (int k = 0; k < depth - (fault == kLastColumn); k++) {
                uint8_t weights[4];
                for (int i = 0; i < 4; i++)
                    weights[i] = fault == kNotInterleaved ? b.bytes[k / 4 * 4 + i][16 * (k % 4) + n] : b.bytes[k][4 * n + i];
                sum = dot(sum, a.bytes[m] + 4 * k, weights, fault);
            }
            std::memcpy(sums.bytes[m] + 4 * n, &sum, 4);
        }
    s.tiles[to] = sums;
}

#pragma GCC pop_options
