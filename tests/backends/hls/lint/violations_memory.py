"""Planted violations of the rules about memories, as in `tests.backends.hls.lint.violations`."""

MEMORY = {
    "shared-static": """
static int total = 0;  // ! shared-static
static int mine;
static const int same = 4;
void q11(int x) { total += x; }
void q12(int x) { total -= same; mine = same; }
int counter(int x) {
  static int count = 0;  // ! shared-static
  return count += x;
}
template <int N> int own(int x) {
  static int count = 0;
  return count += x;
}
int q13(int x) { return counter(x) + own<1>(x); }
int q14(int x) { return counter(x) + own<2>(x); }
""",
    "rom-const": """
static int open_rom[4] = {1, 2, 3, 4};  // ! rom-const
static const int rom[4] = {1, 2, 3, 4};
int q15(int x) {
#pragma HLS BIND_STORAGE variable=open_rom type=rom_1p impl=bram
#pragma HLS BIND_STORAGE variable=rom type=rom_1p impl=bram
  return open_rom[x] + rom[x];
}
""",
    "missing-partition": """
void fill(int (&lanes)[8], int x) {
  for (int i = 0; i < 8; ++i) {
#pragma HLS UNROLL
    lanes[i] = x;
  }
}
void q16(int x) {
  int none[8];  // ! missing-partition unbound-array
  int some[8];  // ! missing-partition
  int wrong[4][8];  // ! missing-partition
  int sound[4][8], handed[8], serial[8];
#pragma HLS BIND_STORAGE variable=serial type=ram_s2p impl=lutram
#pragma HLS ARRAY_PARTITION variable=some type=cyclic factor=2
#pragma HLS ARRAY_PARTITION variable=wrong type=complete dim=1
#pragma HLS ARRAY_PARTITION variable=sound type=complete dim=2
#pragma HLS ARRAY_RESHAPE variable=handed type=complete
  fill(none, x);
  fill(handed, x);
  for (int i = 0; i < 8; ++i) {
#pragma HLS UNROLL
    const int k = 7 - i;
    some[i] = wrong[x][k] = sound[x][i] = serial[x];
  }
}
template <unsigned LANES, unsigned BLOCKS> struct Shift {
  int base[BLOCKS][LANES];
  int operator()(int x, unsigned block, unsigned lane) const {
#pragma HLS INLINE
    const unsigned own = LANES == 1 ? 0 : lane;
    return x + base[block][own];
  }
};
static const Shift<8, 4> apart = {1};
static const Shift<8, 4> shared = {1};  // ! missing-partition
static const Shift<1, 4> single = {1};
static const int rows[4][8] = {1};  // ! missing-partition
static const int words[4] = {1};
template <unsigned N> int whole(const int (&row)[N]) {
#pragma HLS INLINE
  int sum = 0;
  for (unsigned i = 0; i < N; ++i) {
#pragma HLS UNROLL
    sum += row[i];
  }
  return sum;
}
int whole(int row) { return row; }
template <class Word, unsigned N> int row_of(const Word (&memory)[N], unsigned at) {
#pragma HLS INLINE
  return whole(memory[at]);
}
int chosen(unsigned, unsigned) { return 0; }
template <class Keys, class... Later> int chosen(unsigned at, unsigned lane, const Keys& keys, const Later&... later) {  // ! recursion
#pragma HLS INLINE
  return keys[lane][at] + chosen(at + 1, lane, later...);
}
static const int first[8][4] = {1};  // ! missing-partition
static const int second[8][4] = {1};  // ! missing-partition
template <class Function> int lanes(int x, unsigned block, const Function& function) {
#pragma HLS INLINE
  int sum = 0;
  for (unsigned p = 0; p < 8; ++p) {
#pragma HLS UNROLL
    sum += function(x, block, p) + chosen(block, p, first, second);
  }
  return sum;
}
int q18(int x) {
#pragma HLS ARRAY_PARTITION variable=apart.base type=complete dim=2
  return lanes(x, 0, apart) + lanes(x, 1, shared) + lanes(x, 1, single) + row_of(rows, x) + row_of(words, x);
}
""",
    "unbound-array": """
int q19(int x) {
  int free[8];  // ! unbound-array
  int bound[8], registers[8], one[1];
  constexpr int table[4] = {1, 2, 3, 4};
#pragma HLS BIND_STORAGE variable=bound type=ram_s2p impl=bram
#pragma HLS ARRAY_PARTITION variable=registers type=complete
  return free[x] + bound[x] + registers[x] + one[0] + table[x];
}
""",
    "partition-limit": """
void p6() {
  constexpr int N = 64;
  int a[1025], b[N][17], c[1024];
#pragma HLS ARRAY_PARTITION variable=a complete  // ! partition-limit
#pragma HLS ARRAY_PARTITION variable=b complete dim=0  // ! partition-limit
#pragma HLS ARRAY_PARTITION variable=b complete dim=2
#pragma HLS ARRAY_PARTITION variable=c
#pragma HLS ARRAY_PARTITION variable=a cyclic factor=2*N*N  // ! partition-limit
}
""",
}
