// The activation unit of an engine: from accumulators to the words that it stores.
#pragma once

#include "engine_state.h"
#include "vectors.h"

namespace engine {

// The word of the activation unit: 18 bits of factor, 40 of offset, 6 of shift.
struct Word {
    int64_t factor, offset;
    int shift;
    explicit Word(uint64_t word)
        : factor((int64_t)(word << 46) >> 46), offset((int64_t)(word << 6) >> 24), shift((int)(word >> 58)) {}
    int64_t wide(int64_t x) const { return (int64_t)((uint64_t)x * (uint64_t)factor + (uint64_t)offset); }
    // 2 to the power of -shift.
    double scale() const {
        const uint64_t bits = (uint64_t)(1023 - shift) << 52;
        return load<double>(&bits);
    }
};

// Where the results of some blocks at a position come from and go to.
struct Place {
    int64_t lane, block, skip;  // the first block; the first word of the position's second operands of a join
    uint8_t* out;
    int64_t* inner;  // results in front of the join; null: nobody wants them
};

// Words are applied in double where everything is a whole number below 2^53 (times a power of two), and thus exact: 31 bits of
// accumulator and 17 of factor make 2^48. Others are computed in int64.
class Results {
  public:
    explicit Results(Core& core) : core(core), s(core.s) {}

    // Before the results of a compute.
    void prepare(const Compute& d) {
        const Layer& r = core.r;
        exact_word = s.acc_bits <= 32 && r.mode != kSearch;
        exact_join = exact_word && join_bound() < (double)((int64_t)1 << 52);
        first = d.parameter;
        if (!exact_word) return;
        const int64_t n = d.blocks * s.rows;
        slopes.resize((size_t)n);
        intercepts.resize((size_t)n);
        for (int64_t i = 0; i < n; i++) {
            const Word word(s.parameters[d.parameter * s.rows + i]);
            const double scale = word.scale();
            slopes[i] = (double)word.factor * scale;
            intercepts[i] = (double)word.offset * scale;
        }
    }

    // Bytes of the results of a block, of `rows` outputs, at a position.
    int64_t bytes(int64_t rows) const { return rows / s.columns * core.r.out_planes * core.word_bytes(); }

    // Results of blocks of `rows` sums each, of which the accumulators hold the low bits.
    void emit(const uint64_t* sums, int64_t blocks, int64_t rows, const Place& place) {
        wide.resize((size_t)(blocks * rows));
        const int unused = 64 - (int)s.acc_bits;
        for (int64_t b = 0; b < blocks; b++) {
            const uint64_t *words = s.parameters + (first + place.block + b) * s.rows, *tables = tables_of(place.block + b);
            for (int64_t row = 0, i = b * rows; row < rows; row++, i++) {
                const int64_t x = (int64_t)(sums[i] << unused) >> unused;
                wide[i] = core.r.mode == kSearch ? searched(tables + row, x) : by_word(Word(words[row]), tables + row, x);
            }
        }
        if (place.inner) std::copy(wide.begin(), wide.end(), place.inner);
        if (core.r.skip_planes) join(wide.data(), blocks, rows, place);
        write(wide.data(), blocks * rows, place.out);
    }

    void emit(const uint32_t* sums, int64_t blocks, int64_t rows, const Place& place) {
        if (!exact_word) {
            wider.assign(sums, sums + blocks * rows);
            return emit(wider.data(), blocks, rows, place);
        }
        levels.resize((size_t)(blocks * rows + 2 * kLanes));
        for (int64_t b = 0; b < blocks; b++)
            core.r.mode == kEarly ? apply<true>(sums + b * rows, place.block + b, rows, levels.data() + b * rows)
                                  : apply<false>(sums + b * rows, place.block + b, rows, levels.data() + b * rows);
        if (place.inner) std::copy_n(levels.data(), blocks * rows, place.inner);
        if (core.r.skip_planes) join(levels.data(), blocks, rows, place);
        write(levels.data(), blocks * rows, place.out);
    }

  private:
    static constexpr int64_t kEarly = 1, kSearch = 2;
    static constexpr int kReals = kLanes / 2;
    typedef int64_t i64v __attribute__((vector_size(kBytesOfVector)));
    typedef uint32_t u32half __attribute__((vector_size(kBytesOfVector / 2)));
    typedef uint8_t Digits __attribute__((vector_size(kReals)));
    typedef uint64_t u64v __attribute__((vector_size(kBytesOfVector)));

    Core& core;
    State& s;
    bool exact_word = false, exact_join = false;
    int64_t first = 0;
    std::vector<double> slopes, intercepts;  // of a compute's words: factors and offsets without their shifts
    std::vector<int64_t> wide;
    std::vector<uint64_t> wider;
    std::vector<int32_t> levels;
    std::vector<uint8_t> digits;

    // The levels of a block: int32 that are at least `lo` and at most `hi`.
    template <bool kByTable>
    void apply(const uint32_t* sums, int64_t block, int64_t rows, int32_t* to) const {
        const double *slope = slopes.data() + block * s.rows, *intercept = intercepts.data() + block * s.rows;
        const uint64_t* tables = tables_of(block);
        const int unused = 32 - (int)s.acc_bits;
        const f64v least = f64v{} + (double)core.r.lo, most = f64v{} + (double)core.r.hi;
        const bool negative = core.r.lo < 0;
        for (int64_t row = 0; row < rows; row += kReals) {
            const i32half x = (i32half)(load<u32half>(sums + row) << unused) >> unused;
            const f64v line = __builtin_convertvector(x, f64v) * load<f64v>(slope + row) + load<f64v>(intercept + row);
            i32half level = floor(line, least, most, negative);
            if (kByTable) level += too_early(line, level, slope + row, tables + row, most + 1);
            store(to + row, level);
        }
    }

    const uint64_t* tables_of(int64_t block) const { return s.tables + (first + block) * core.r.tables_each * s.rows; }

    static i32half floor(f64v x, f64v least, f64v most, bool negative) {
        x = x > least ? x : least;
        x = x < most ? x : most;
        i32half level = __builtin_convertvector(x, i32half);
        if (negative) level += __builtin_convertvector((i64v)(__builtin_convertvector(level, f64v) > x), i32half);
        return level;
    }

    // -1 where a level begins too early: by up to three integers, so that most vectors need no table.
    i32half too_early(f64v line, i32half level, const double* slope, const uint64_t* tables, f64v above) const {
        const f64v steep = load<f64v>(slope), flat = steep < 0 ? -steep : steep, beyond = line - __builtin_convertvector(level, f64v);
        if (none((i64v)(beyond < 3 * flat))) return i32half{};
        const i64v index = __builtin_convertvector(level, i64v) - core.r.lo;
        u64v entry = load<u64v>(tables);
        if (core.r.hi - core.r.lo > 31)
            for (int i = 0; i < kReals; i++) entry[i] = tables[(index[i] >> 5) * s.rows + i];
        const f64v early = __builtin_convertvector((i64v)(entry >> (u64v)(2 * (index & 31)) & 3), f64v);
        const i64v late = (i64v)(beyond < early * flat) & (i64v)(line < above);
        return __builtin_convertvector(late & (i64v)(index > 0), i32half);
    }

    // Whether all bits are zero.
    static bool none(i64v mask) {
#if defined(FLOWC_AVX2)
        return _mm256_testz_si256((__m256i)mask, (__m256i)mask);
#else
        int64_t any = 0;
        for (int i = 0; i < kReals; i++) any |= mask[i];
        return !any;
#endif
    }

    int64_t by_word(const Word& word, const uint64_t* tables, int64_t x) const {
        const Layer& r = core.r;
        const int64_t scaled = word.wide(x);
        int64_t level = scaled >> word.shift;
        if (r.mode == kEarly && level > r.lo && level <= r.hi) {
            const int64_t index = level - r.lo;
            const int64_t early = (int64_t)(tables[(index >> 5) * s.rows] >> (2 * (index & 31)) & 3);
            if (scaled - (int64_t)((uint64_t)level << word.shift) < early * std::abs(word.factor)) level--;
        }
        return std::min(std::max(level, r.lo), r.hi);
    }

    int64_t searched(const uint64_t* tables, int64_t x) const {
        int64_t entry = 0;
        for (int64_t bit = core.r.depth - 1; bit >= 0; bit--) {
            const int64_t tried = entry | (int64_t)1 << bit;
            if (x >= (int32_t)(uint32_t)tables[tried * s.rows]) entry = tried;
        }
        return (int64_t)(tables[entry * s.rows] >> 32);
    }

    // The greatest magnitude of a joined value, after its word's factor and offset.
    double join_bound() const {
        const Layer& r = core.r;
        const double own = std::max(std::abs((double)r.lo), std::abs((double)r.hi));
        double second = 1;
        for (int64_t i = 0; i < s.digit * r.skip_planes; i++) second *= 2;
        const double value = r.join == 1 ? std::abs((double)r.left_scale) * own + std::abs((double)r.right_scale) * second
                                         : (own + std::abs((double)r.left_offset)) * (second + std::abs((double)r.right_offset));
        return value * (1 << 17) + (double)((int64_t)1 << 39);
    }

    // Results to words: digit after digit of as many as a word has.
    template <class Level>
    void write(const Level* level, int64_t count, uint8_t* out) {
        digits.resize((size_t)(count + 2 * kBytesOfVector));
        for (int64_t plane = 0; plane < core.r.out_planes; plane++) {
            split(level, count, plane);
            for (int64_t from = 0, word = plane; from < count; from += s.columns, word += core.r.out_planes)
                pack(digits.data() + from, out + word * core.word_bytes());
        }
    }

    // A digit each, a byte each; what is behind `count` is anything.
    void split(const int32_t* level, int64_t count, int64_t plane) {
        const int shift = (int)std::min<int64_t>(31, s.digit * plane);
        const i32v mask = i32v{} + ((1 << s.digit) - 1);
        for (int64_t i = 0; i < count; i += 2 * kLanes)
            store_bytes(digits.data() + i, load<i32v>(level + i) >> shift & mask, load<i32v>(level + i + kLanes) >> shift & mask, 255, 0);
    }
    void split(const int64_t* level, int64_t count, int64_t plane) {
        for (int64_t i = 0; i < count; i++) digits[i] = core.digits(level[i], plane);
    }

    // Digits of a word, a byte each, to its bytes.
    void pack(const uint8_t* from, uint8_t* to) const {
        if (s.digit == 8) return void(std::memcpy(to, from, (size_t)s.columns));
        for (int64_t c = 0; c < s.columns; c += 8, to += 4) {
            uint64_t x = load<uint64_t>(from + c);
            x = (x | x >> 4) & 0x00ff00ff00ff00ff;
            x = (x | x >> 8) & 0x0000ffff0000ffff;
            store(to, (uint32_t)(x | x >> 16));
        }
    }

    template <class Level>
    void join(Level* level, int64_t blocks, int64_t rows, const Place& place) const {
        const Layer& r = core.r;
        const Word word((uint64_t)r.join_word);
        const int64_t first_word = place.skip + place.block * (rows / s.columns) * r.skip_planes;
        const uint8_t* from = s.acts + (place.lane * s.act_words + first_word) * s.columns;
        for (int64_t i = 0; i < blocks * rows; i += s.columns, from += r.skip_planes * s.columns)
            if (sizeof(Level) == 4 && exact_join)
                join_reals((int32_t*)level + i, from, word);
            else
                for (int64_t c = 0; c < s.columns; c++) {
                    int64_t second = 0;
                    for (int64_t plane = 0; plane < r.skip_planes; plane++)
                        second += (int64_t)from[plane * s.columns + c] << (s.digit * plane);
                    const int64_t own = level[i + c];
                    const int64_t value = r.join == 1 ? r.left_scale * own + r.right_scale * second
                                                      : (own - r.left_offset) * (second - r.right_offset);
                    level[i + c] = (Level)std::min(std::max(word.wide(value) >> word.shift, r.join_lo), r.join_hi);
                }
    }

    void join_reals(int32_t* level, const uint8_t* from, const Word& word) const {
        const Layer& r = core.r;
        const double slope = (double)word.factor * word.scale(), intercept = (double)word.offset * word.scale();
        const f64v least = f64v{} + (double)r.join_lo, most = f64v{} + (double)r.join_hi;
        for (int64_t c = 0; c < s.columns; c += kReals) {
            const f64v own = __builtin_convertvector(load<i32half>(level + c), f64v);
            f64v second = {};
            double unit = 1;
            for (int64_t plane = 0; plane < r.skip_planes; plane++, unit *= 1 << s.digit)
                second += unit * __builtin_convertvector(__builtin_convertvector(load<Digits>(from + plane * s.columns + c), i32half), f64v);
            const f64v value = r.join == 1 ? (double)r.left_scale * own + (double)r.right_scale * second
                                           : (own - (double)r.left_offset) * (second - (double)r.right_offset);
            store(level + c, floor(value * slope + intercept, least, most, r.join_lo < 0));
        }
    }
};

}  // namespace engine
