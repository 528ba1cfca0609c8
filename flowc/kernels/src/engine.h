// Executes segments of a loopback engine's descriptors. flowc/loopback/execute.py says what each does, in numpy; this does the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace engine {

// Fields of the descriptors in the order of flowc/loopback/descriptors.py, a row of kFields integers each.
constexpr int64_t kFields = 32;
enum Kind : int64_t { kLoadActs = 1,
                      kLoadWeights = 2,
                      kLayer = 3,
                      kCompute = 4,
                      kStore = 5,
                      kFence = 6 };

struct LoadActs {
  int64_t op, layer, after, beats, ddr, lane_stride, image_stride, row_stride, column_stride, buf_column, buf, buf_image, buf_row,
      images, rows, columns, lane_mask, tag;
};
struct LoadWeights {
  int64_t op, layer, after, ddr, buf, words, parameter, parameters, table, tables, tag;
};
struct Layer {
  int64_t op, layer, kind, planes, weight_planes, out_planes, skip_planes, join, mode, depth, lo, hi, stride_y, stride_x, dilation_y,
      dilation_x, height, width, pad, lane_rows, tables_each, left_scale, right_scale, left_offset, right_offset, join_word, join_lo,
      join_hi;
};
struct Compute {
  int64_t op, layer, need_acts, need_weights, acts, weights, parameter, images, rows, columns, blocks, kernel_y, kernel_x, first, last,
      channel_blocks, weight_tag, y_step, x_step, ky_step, kx_step, image_step, block_step, y0, x0, act_tag, skip_tag, skip, skip_row,
      skip_pixel, skip_image;
};
struct Store {
  int64_t op, layer, repeat_y, repeat_x, words, ddr, lane_stride, image_stride, row_stride, column_stride, repeat_row, repeat_column,
      images, rows, columns, lane_mask;
};
static_assert(sizeof(Compute) <= 8 * kFields && sizeof(Layer) <= 8 * kFields, "a row holds every descriptor");

// As in flowc/loopback/native.py, which has a text for each.
enum Fault : int {
  kFine = 0,
  kNever,
  kActsBehind,
  kWeightsBehind,
  kParametersBehind,
  kTablesBehind,
  kMemory,
  kNoTensor,
  kNoWait,
  kOutside,
  kOtherActs,
  kOtherWeights,
  kOtherSkip,
  kOtherParameters,
  kOtherTables,
  kStoresMore,
  kLeft
};

// The buffers and counters of a machine; digits are unpacked, a byte each.
struct State {
  int64_t rows, columns, digit, act_words, weight_words, parameter_words, table_words, acc_bits, lanes;
  uint8_t *acts, *weights;  // (lanes, act_words, columns), (weight_words, rows, columns)
  uint64_t *parameters, *tables;
  int64_t *act_tags, *weight_tags, *parameter_tags, *table_tags;
  uint8_t* ddr;
  int64_t ddr_size;
  int64_t loaded_acts, loaded_weights, retired;
  const int64_t *reads, *writes;  // begin and end of each range; a negative number: anywhere
  int64_t read_count, write_count;
  int64_t* inner;  // results in front of joins, compute by compute: (lanes, positions, blocks, rows); null: nobody wants them
};

inline bool reached(int64_t counter, int64_t wanted) { return ((counter - wanted) & 0x8000) == 0; }

// The word of the activation unit: 18 bits of factor, 40 of offset, 6 of shift.
struct Scale {
  int64_t factor, offset;
  int shift;
  explicit Scale(uint64_t word)
      : factor((int64_t)(word << 46) >> 46), offset((int64_t)(word << 6) >> 24), shift((int)(word >> 58)) {}
  int64_t wide(int64_t x) const { return (int64_t)((uint64_t)x * (uint64_t)factor + (uint64_t)offset); }
};

// Sums over taps and columns for kTogether positions and R rows: wide(n)[r] = sum of x(n)[tap][c] * w[tap][c][r].
constexpr int kTogether = 6;
template <int R, class Part, class Wide>
void sums(const uint8_t* const* taps, int64_t stride, int64_t places, const Part* w, int64_t columns, int64_t flush, Wide* out) {
  typedef Part V __attribute__((vector_size(R * sizeof(Part))));
  typedef Wide U __attribute__((vector_size(R * sizeof(Wide))));
  U total[kTogether] = {};
  for (int64_t first = 0; first < places; first += flush) {
    V part[kTogether] = {};
    const int64_t end = std::min(places, first + flush);
    for (int64_t s = first; s < end; s++) {
      const uint8_t* x[kTogether];
#pragma GCC unroll 8
      for (int n = 0; n < kTogether; n++) x[n] = taps[n * stride + s];
      for (int64_t c = 0; c < columns; c++, w += R) {
        V weight;
        std::memcpy(&weight, w, sizeof weight);
#pragma GCC unroll 8
        for (int n = 0; n < kTogether; n++) part[n] += weight * (Part)x[n][c];
      }
    }
#pragma GCC unroll 8
    for (int n = 0; n < kTogether; n++) total[n] += __builtin_convertvector(part[n], U);
  }
  std::memcpy(out, total, sizeof total);
}

class Machine {
 public:
  Machine(State& state, const int64_t* rows, int64_t count) : s(state), table(rows), count(count), fifo(state.lanes), taken(state.lanes) {}

  // One segment, from its registers to the fence; a fault, or kFine.
  int run() {
    r = *(const Layer*)table;
    std::vector<const int64_t*> queues[3];
    for (int64_t i = 1; i < count; i++) {
      const int64_t* d = table + kFields * i;
      if (*d == kLoadActs) queues[0].push_back(d);
      if (*d == kLoadWeights) queues[1].push_back(d);
      if (*d == kCompute) queues[2].push_back(d);
    }
    size_t at[3] = {};
    while (!fault && (at[0] < queues[0].size() || at[1] < queues[1].size() || at[2] < queues[2].size())) {
      bool moved = false;
      while (!fault && at[0] < queues[0].size() && reached(s.retired, ((const LoadActs*)queues[0][at[0]])->after)) {
        load_acts(*(const LoadActs*)queues[0][at[0]++]);
        moved = true;
      }
      while (!fault && at[1] < queues[1].size() && reached(s.retired, ((const LoadWeights*)queues[1][at[1]])->after)) {
        load_weights(*(const LoadWeights*)queues[1][at[1]++]);
        moved = true;
      }
      if (!fault && at[2] < queues[2].size()) {
        const Compute& d = *(const Compute*)queues[2][at[2]];
        if (reached(s.loaded_acts, d.need_acts) && reached(s.loaded_weights, d.need_weights)) {
          compute(d);
          at[2]++;
          s.retired++;
          moved = true;
        }
      }
      if (!moved && !fault) fault = kNever;
    }
    for (int64_t i = 1; i < count && !fault; i++)
      if (table[kFields * i] == kStore) store(*(const Store*)(table + kFields * i));
    for (int64_t p = 0; p < s.lanes && !fault; p++)
      if (taken[p] != fifo[p].size()) fault = kLeft;
    return fault;
  }

 private:
  State& s;
  const int64_t* table;
  int64_t count;
  Layer r{};
  int fault = kFine;
  std::vector<std::vector<uint8_t>> fifo;  // words of each lane
  std::vector<size_t> taken;
  std::vector<int64_t> carried;  // accumulators between the pieces of a kernel
  std::vector<uint8_t> matrix;  // weights of a compute as the products want them

  int64_t word_bytes() const { return s.columns * s.digit / 8; }
  bool fails(bool wrong, Fault what) {
    if (wrong && !fault) fault = what;
    return fault;
  }

  bool allowed(int64_t begin, int64_t size, const int64_t* ranges, int64_t n) {
    if (fails(begin < 0 || begin + size > s.ddr_size, kMemory)) return false;
    bool inside = n < 0;
    for (int64_t i = 0; i < n; i++) inside |= ranges[2 * i] <= begin && begin + size <= ranges[2 * i + 1];
    return !fails(!inside, kNoTensor);
  }

  void unpack(const uint8_t* from, int64_t bytes, uint8_t* to) const {
    if (s.digit == 8) {
      std::memcpy(to, from, (size_t)bytes);
      return;
    }
    for (int64_t i = 0; i < bytes; i++) {
      to[2 * i] = from[i] & 15;
      to[2 * i + 1] = from[i] >> 4;
    }
  }

  void load_acts(const LoadActs& d) {
    const int64_t size = 16 * d.beats, words = size / word_bytes();
    for (int64_t i = 0; i < d.images; i++)
      for (int64_t y = 0; y < d.rows; y++)
        for (int64_t x = 0; x < d.columns; x++) {
          const int64_t place = d.buf + i * d.buf_image + y * d.buf_row + x * d.buf_column;
          if (fails(place + words > s.act_words, kActsBehind)) return;
          for (int64_t p = 0; p < s.lanes; p++) {
            if (!(d.lane_mask >> p & 1)) continue;
            const int64_t unit =
                d.ddr + p * d.lane_stride + i * d.image_stride + y * d.row_stride + x * d.column_stride;
            if (!allowed(16 * unit, size, s.reads, s.read_count)) return;
            unpack(s.ddr + 16 * unit, size, s.acts + (p * s.act_words + place) * s.columns);
          }
          std::fill_n(s.act_tags + place, words, d.tag);
        }
    s.loaded_acts++;
  }

  void load_weights(const LoadWeights& d) {
    int64_t at = 16 * d.ddr;
    const int64_t bytes = s.rows * word_bytes();
    if (d.words) {
      if (fails(d.buf + d.words > s.weight_words, kWeightsBehind) || !allowed(at, d.words * bytes, nullptr, -1)) return;
      unpack(s.ddr + at, d.words * bytes, s.weights + d.buf * s.rows * s.columns);
      std::fill_n(s.weight_tags + d.buf, d.words, d.tag);
      at += d.words * bytes;
    }
    if (d.parameters) {
      if (fails(d.parameter + d.parameters > s.parameter_words, kParametersBehind)) return;
      at += entries(at, d.parameter, d.parameters, s.parameters, s.parameter_tags, d.tag);
    }
    if (d.tables) {
      if (fails(d.table + d.tables > s.table_words, kTablesBehind)) return;
      entries(at, d.table, d.tables, s.tables, s.table_tags, d.tag);
    }
    s.loaded_weights++;
  }

  int64_t entries(int64_t at, int64_t first, int64_t n, uint64_t* to, int64_t* tags, int64_t tag) {
    const int64_t bytes = 8 * s.rows * n;
    if (!allowed(at, bytes, nullptr, -1)) return 0;
    std::memcpy(to + first * s.rows, s.ddr + at, (size_t)bytes);
    std::fill_n(tags + first, n, tag);
    return bytes;
  }

  void store(const Store& d) {
    const int64_t size = d.words * word_bytes();
    for (int64_t p = 0; p < s.lanes; p++)
      for (int64_t i = 0; i < d.images; i++)
        for (int64_t y = 0; y < d.rows; y++)
          for (int64_t x = 0; x < d.columns; x++) {
            if (fails(taken[p] + size > fifo[p].size(), kStoresMore)) return;
            const uint8_t* from = fifo[p].data() + taken[p];
            taken[p] += size;
            if (!(d.lane_mask >> p & 1)) continue;
            const int64_t unit =
                d.ddr + p * d.lane_stride + i * d.image_stride + y * d.row_stride + x * d.column_stride;
            for (int64_t v = 0; v < d.repeat_y; v++)
              for (int64_t u = 0; u < d.repeat_x; u++) {
                const int64_t to = 8 * (unit + v * d.repeat_row + u * d.repeat_column);
                if (!allowed(to, size, s.writes, s.write_count)) return;
                std::memcpy(s.ddr + to, from, (size_t)size);
              }
          }
  }

  // Where the taps of a position lie: pointers to its digits of a plane, those outside to the pad.
  struct Position {
    int64_t lane, address, row, column, skip;
  };

  Position position(const Compute& d, int64_t lane, int64_t n) const {
    const int64_t x = n % d.columns, y = n / d.columns % d.rows, i = n / d.columns / d.rows;
    return {lane, d.acts + i * d.image_step + y * d.y_step + x * d.x_step, d.y0 + y * r.stride_y + lane * r.lane_rows,
            d.x0 + x * r.stride_x, d.skip + i * d.skip_image + y * d.skip_row + x * d.skip_pixel};
  }

  void taps(const Compute& d, const Position& at, int64_t shift, int64_t channel_blocks, int64_t plane, const uint8_t* pad,
            const uint8_t** out) {
    for (int64_t ky = 0; ky < d.kernel_y; ky++)
      for (int64_t kx = 0; kx < d.kernel_x; kx++) {
        const int64_t row = at.row + ky * r.dilation_y, column = at.column + kx * r.dilation_x;
        const bool inside = row >= 0 && row < r.height && column >= 0 && column < r.width;
        for (int64_t cb = 0; cb < channel_blocks; cb++) {
          if (!inside) {
            *out++ = pad;
            continue;
          }
          const int64_t word = at.address + shift + ky * d.ky_step + kx * d.kx_step + cb * r.planes + plane;
          if (fails(word < 0 || word >= s.act_words, kOutside)) return;
          const int64_t tag = s.act_tags[word];
          if (fails(tag != d.act_tag && tag != d.skip_tag, kOtherActs)) return;
          *out++ = s.acts + (at.lane * s.act_words + word) * s.columns;
        }
      }
  }

  std::vector<uint8_t> pads() const {
    std::vector<uint8_t> found((size_t)(r.planes * s.columns));
    for (int64_t plane = 0; plane < r.planes; plane++)
      std::fill_n(found.begin() + plane * s.columns, s.columns, (uint8_t)(r.pad >> (s.digit * plane) & ((1 << s.digit) - 1)));
    return found;
  }

  void compute(const Compute& d) {
    const bool waits = reached(d.need_acts, d.act_tag + 1) && reached(d.need_weights, d.weight_tag + 1) &&
                       (!(r.skip_planes && d.last) || reached(d.need_acts, d.skip_tag + 1));
    if (fails(!waits, kNoWait)) return;
    if (d.last) {
      for (int64_t b = d.parameter; b < d.parameter + d.blocks; b++)
        if (fails(b >= s.parameter_words || s.parameter_tags[b] != d.weight_tag, kOtherParameters)) return;
      const int64_t first = d.parameter * r.tables_each, end = (d.parameter + d.blocks) * r.tables_each;
      for (int64_t t = first; t < end; t++)
        if (fails(t >= s.table_words || s.table_tags[t] != d.weight_tag, kOtherTables)) return;
    }
    if (r.kind != 0)
      reduce(d);
    else if (s.digit == 4)
      s.rows % 16 ? products<8, int16_t, int32_t>(d) : products<16, int16_t, int32_t>(d);
    else
      s.rows % 16 ? products<8, int32_t, int64_t>(d) : products<16, int32_t, int64_t>(d);
    if (s.inner && d.last) s.inner += s.lanes * d.images * d.rows * d.columns * d.blocks * (r.kind ? s.columns : s.rows);
  }

  // Weights as [block][R rows][pair of planes][place][column][row of R], signed.
  template <int R, class Part>
  void arrange(const Compute& d, int64_t places, int64_t pairs) {
    const int64_t steps = places * pairs, groups = s.rows / R;
    matrix.resize((size_t)(d.blocks * steps * s.rows * s.columns) * sizeof(Part));
    Part* to = (Part*)matrix.data();
    for (int64_t b = 0; b < d.blocks; b++)
      for (int64_t g = 0; g < groups; g++)
        for (int64_t pair = 0; pair < pairs; pair++) {
          const int sign = pair % r.weight_planes == r.weight_planes - 1 ? 1 << (s.digit - 1) : 0;
          for (int64_t place = 0; place < places; place++) {
            const uint8_t* from =
                s.weights + ((d.weights + b * steps + place * pairs + pair) * s.rows + g * R) * s.columns;
            for (int64_t c = 0; c < s.columns; c++)
              for (int64_t row = 0; row < R; row++) *to++ = (Part)((from[row * s.columns + c] ^ sign) - sign);
          }
        }
  }

  template <int R, class Part, class Wide>
  void products(const Compute& d) {
    const int64_t places = d.kernel_y * d.kernel_x * d.channel_blocks, pairs = r.planes * r.weight_planes;
    for (int64_t w = d.weights; w < d.weights + d.blocks * places * pairs; w++)
      if (fails(w >= s.weight_words || s.weight_tags[w] != d.weight_tag, kOtherWeights)) return;
    arrange<R, Part>(d, places, pairs);
    const int64_t digits = (int64_t)1 << s.digit, greatest = (digits - 1) * digits * s.columns;
    const int64_t flush = std::max<int64_t>(1, (sizeof(Part) == 2 ? 32767 : 2147483647) / greatest);
    const int64_t positions = d.images * d.rows * d.columns, groups = s.rows / R;
    const std::vector<uint8_t> pad = pads();
    std::vector<const uint8_t*> pointers((size_t)(r.planes * kTogether * places));
    std::vector<int64_t> acc((size_t)(kTogether * s.rows));
    Wide found[kTogether * R];
    if (d.first) carried.assign((size_t)(d.last ? 0 : s.lanes * positions * d.blocks * s.rows), 0);
    const int64_t each = result_bytes(s.rows);
    for (int64_t lane = 0; lane < s.lanes; lane++) {
      uint8_t* out = room(lane, d.last ? positions * d.blocks * each : 0);
      for (int64_t first = 0; first < positions; first += kTogether) {
        Position at[kTogether];
        for (int n = 0; n < kTogether; n++) at[n] = position(d, lane, std::min(first + n, positions - 1));
        for (int64_t b = 0; b < d.blocks; b++) {
          if (b == 0 || d.block_step)
            for (int64_t plane = 0; plane < r.planes; plane++)
              for (int n = 0; n < kTogether; n++)
                taps(d, at[n], b * d.block_step, d.channel_blocks, plane, pad.data() + plane * s.columns,
                     pointers.data() + (plane * kTogether + n) * places);
          if (fault) return;
          std::fill(acc.begin(), acc.end(), 0);
          for (int64_t g = 0; g < groups; g++)
            for (int64_t pair = 0; pair < pairs; pair++) {
              const int64_t plane = pair / r.weight_planes;
              const Part* w = (const Part*)matrix.data() + (((b * groups + g) * pairs + pair) * places) * s.columns * R;
              sums<R, Part, Wide>(pointers.data() + plane * kTogether * places, places, places, w, s.columns, flush, found);
              const int shift = (int)(s.digit * (plane + pair % r.weight_planes));
              for (int n = 0; n < kTogether; n++)
                for (int row = 0; row < R; row++)
                  acc[n * s.rows + g * R + row] += (int64_t)((uint64_t)(int64_t)found[n * R + row] << shift);
            }
          for (int64_t n = 0; n < std::min<int64_t>(kTogether, positions - first); n++) {
            int64_t* mine = acc.data() + n * s.rows;
            if (!carried.empty()) {
              int64_t* kept = carried.data() + ((lane * positions + first + n) * d.blocks + b) * s.rows;
              for (int64_t row = 0; row < s.rows; row++) mine[row] = kept[row] += mine[row];
            }
            const int64_t place = (first + n) * d.blocks + b;
            if (d.last) activate(d, at[n], b, mine, s.rows, out + place * each, kept_at(lane, positions, d.blocks, place, s.rows));
            if (fault) return;
          }
        }
      }
    }
  }

  void reduce(const Compute& d) {
    const int64_t places = d.kernel_y * d.kernel_x, positions = d.images * d.rows * d.columns;
    const std::vector<uint8_t> pad = pads();
    std::vector<const uint8_t*> pointers((size_t)(r.planes * places));
    std::vector<int64_t> acc((size_t)s.columns);
    const int64_t each = result_bytes(s.columns);
    for (int64_t lane = 0; lane < s.lanes; lane++) {
      uint8_t* out = room(lane, d.last ? positions * d.blocks * each : 0);
      for (int64_t n = 0; n < positions; n++) {
        const Position at = position(d, lane, n);
        for (int64_t b = 0; b < d.blocks; b++) {
          for (int64_t plane = 0; plane < r.planes; plane++)
            taps(d, at, b * d.block_step, 1, plane, pad.data() + plane * s.columns, pointers.data() + plane * places);
          if (fault) return;
          for (int64_t c = 0; c < s.columns; c++) {
            int64_t found = 0;
            for (int64_t t = 0; t < places; t++) {
              int64_t value = 0;
              for (int64_t plane = 0; plane < r.planes; plane++)
                value += (int64_t)pointers[plane * places + t][c] << (s.digit * plane);
              found = r.kind == 2 ? found + value : std::max(found, value);
            }
            acc[c] = found;
          }
          const int64_t place = n * d.blocks + b;
          if (d.last) activate(d, at, b, acc.data(), s.columns, out + place * each, kept_at(lane, positions, d.blocks, place, s.columns));
          if (fault) return;
        }
      }
    }
  }

  // Bytes of the results of a block at a position.
  int64_t result_bytes(int64_t rows) const { return rows / s.columns * r.out_planes * word_bytes(); }

  // Room for results behind those of a lane.
  uint8_t* room(int64_t lane, int64_t bytes) {
    const size_t before = fifo[lane].size();
    fifo[lane].resize(before + (size_t)bytes);
    return fifo[lane].data() + before;
  }

  // Where the results in front of a join are kept of a block at a position, `place` counting both; null: nowhere.
  int64_t* kept_at(int64_t lane, int64_t positions, int64_t blocks, int64_t place, int64_t rows) const {
    return s.inner ? s.inner + (lane * positions * blocks + place) * rows : nullptr;
  }

  // Results of a block at a position, as words; those in front of the join to `inner`.
  void activate(const Compute& d, const Position& at, int64_t b, int64_t* acc, int64_t rows, uint8_t* out, int64_t* inner) {
    const uint64_t half = (uint64_t)1 << (s.acc_bits - 1);
    const uint64_t* words = s.parameters + (d.parameter + b) * s.rows;
    const uint64_t* tables = s.tables + (d.parameter + b) * r.tables_each * s.rows;
    for (int64_t row = 0; row < rows; row++) {
      const int64_t x = (int64_t)(((uint64_t)acc[row] + half) & (2 * half - 1)) - (int64_t)half;
      acc[row] = r.mode == 2 ? searched(tables + row, x) : by_word(Scale(words[row]), tables + row, x);
    }
    if (inner) std::copy(acc, acc + rows, inner);
    const int64_t spread = rows / s.columns;
    if (r.skip_planes && !join(d, at, b, spread, acc)) return;
    const int64_t mask = ((int64_t)1 << s.digit) - 1;
    for (int64_t g = 0; g < spread; g++)
      for (int64_t plane = 0; plane < r.out_planes; plane++) {
        const int64_t shift = std::min<int64_t>(63, s.digit * plane);
        const int64_t* from = acc + g * s.columns;
        for (int64_t c = 0; c < s.columns; c += 8 / s.digit) {
          int64_t byte = from[c] >> shift & mask;
          if (s.digit == 4) byte |= (from[c + 1] >> shift & mask) << 4;
          *out++ = (uint8_t)byte;
        }
      }
  }

  int64_t by_word(const Scale& scale, const uint64_t* tables, int64_t x) const {
    const int64_t wide = scale.wide(x);
    int64_t level = wide >> scale.shift;
    if (r.mode == 1 && level > r.lo && level <= r.hi) {
      const int64_t index = level - r.lo;
      const int64_t early = (int64_t)(tables[(index >> 5) * s.rows] >> (2 * (index & 31)) & 3);
      if (wide - (int64_t)((uint64_t)level << scale.shift) < early * std::abs(scale.factor)) level--;
    }
    return std::min(std::max(level, r.lo), r.hi);
  }

  int64_t searched(const uint64_t* tables, int64_t x) const {
    int64_t entry = 0;
    for (int64_t bit = r.depth - 1; bit >= 0; bit--) {
      const int64_t tried = entry | (int64_t)1 << bit;
      if (x >= (int32_t)(uint32_t)tables[tried * s.rows]) entry = tried;
    }
    return (int64_t)(tables[entry * s.rows] >> 32);
  }

  bool join(const Compute& d, const Position& at, int64_t b, int64_t spread, int64_t* result) {
    const Scale scale((uint64_t)r.join_word);
    const int64_t first = at.skip + b * spread * r.skip_planes;
    for (int64_t w = first; w < first + spread * r.skip_planes; w++)
      if (fails(w >= s.act_words || s.act_tags[w] != d.skip_tag, kOtherSkip)) return false;
    const uint8_t* words = s.acts + (at.lane * s.act_words + first) * s.columns;
    for (int64_t g = 0; g < spread; g++)
      for (int64_t c = 0; c < s.columns; c++) {
        int64_t second = 0;
        for (int64_t plane = 0; plane < r.skip_planes; plane++)
          second += (int64_t)words[(g * r.skip_planes + plane) * s.columns + c] << (s.digit * plane);
        int64_t& own = result[g * s.columns + c];
        const int64_t value = r.join == 1 ? r.left_scale * own + r.right_scale * second
                                          : (own - r.left_offset) * (second - r.right_offset);
        own = std::min(std::max(scale.wide(value) >> scale.shift, r.join_lo), r.join_hi);
      }
    return true;
  }
};

}  // namespace engine
