"""Planted violations, by rule. Behind ``// !`` stand the rules that must fire on the line."""

from tests.backends.hls.lint.violations_memory import MEMORY

PLANTED = {
    "dynamic-memory": """
int* f1() { return new int; }  // ! dynamic-memory
void f2(int* p) { delete p; }  // ! dynamic-memory
void f3() { void* p = malloc(4); }  // ! dynamic-memory
struct S { S(const S&) = delete; };
void f4(int n) { unique_ptr<int> p; }  // ! dynamic-memory
""",
    "recursion": """
int direct(int n) {  // ! recursion
  return n == 0 ? 1 : n * direct(n - 1);
}
int odd(int n);
int even(int n) {  // ! recursion
  return n == 0 ? 1 : odd(n - 1);
}
int odd(int n) { return n == 0 ? 0 : even(n - 1); }
namespace a { int same(int n) { return n; } }
namespace b { int same(int n) { return a::same(n); } }
int overloaded(int n, int m) { return n + m; }
int overloaded(int n) { return overloaded(n, 1); }
template <class T> struct Tree {
  static int depth(int n) {  // ! recursion
    return Tree::depth(n - 1);
  }
};
""",
    "virtual": """
struct Base { virtual int f() const = 0; };  // ! virtual
struct Derived : Base { int f() const override { return 1; } };  // ! virtual
""",
    "std-library": """
void g1() { std::vector<int> v; }  // ! std-library
void g2(std::size_t n, std::uint8_t m) { std::sort(&n, &n); }  // ! std-library
""",
    "system-call": """
void h1() { printf("x"); }  // ! system-call
void h2() { exit(1); }  // ! system-call
struct File { int read(int n); void open() { read(3); } };  // ! system-call
void h3(File& f) { f.read(2); }
""",
    "exceptions": """
void t() { throw 1; }  // ! exceptions
""",
    "floating-point": """
float half = 0;  // ! floating-point
""",
    "unbounded-loop": """
void l1(int n) {
  while (n > 0) --n;  // ! unbounded-loop
  do { ++n; } while (n < 3);  // ! unbounded-loop unbounded-loop missing-pipeline
  for (;;) {}  // ! unbounded-loop missing-pipeline
  for (int i = 0; i < n; ++i) {}  // ! unbounded-loop missing-pipeline
  for (int i = 0; n < 4; ++i) {}  // ! unbounded-loop missing-pipeline
  const int m = n + 1;
  for (int i = m; i >= 0; --i) {}  // ! missing-pipeline
  for (int i = 0; i < m; ++i) {}  // ! unbounded-loop missing-pipeline
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 9
  }
  for (int i = 0; i < n; ++i) {  // ! unbounded-loop
#pragma HLS UNROLL
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 9
  }
  constexpr int k = 3;
  for (int i = 0; i < k && i < 7; ++i) {}  // ! missing-pipeline
  for (int i = 0, j = 9; i < j; ++i) {}  // ! unbounded-loop missing-pipeline
  goto end;  // ! unbounded-loop
end:
  return;
}
constexpr unsigned bits(unsigned n) {
  unsigned b = 1;
  while (n >>= 1) ++b;
  return b;
}
template <unsigned SIZE> using Counter = ap_uint<bits(SIZE)>;
template <unsigned SIZE> int l3(int n) {
  ap_uint<bits(SIZE - 1)> counter = bits(2 * SIZE);
  return bits(n);  // ! unbounded-loop
}
void l2(hls::stream<int>& in) {
  for (int i = 0; i < in.read(); ++i) {}  // ! unbounded-loop missing-pipeline
}
""",
    "vla": """
void v(int n) {
  int a[n];  // ! vla unbound-array
  const int m = 2 * n;
  int b[3][m + 1];  // ! vla unbound-array
  const int k = 4;
  int c[k];  // ! unbound-array
}
template <int N> void w(int (&x)[N]) { int y[N]; }  // ! unbound-array
""",
    "include": """
#include <iostream>  // ! include
#include "missing.hpp"  // ! include
""",
    "int-width": """
ap_uint<1025> wide;  // ! int-width
constexpr int HALF = 600;
ap_int<2 * HALF> wider;  // ! int-width
ap_int<HALF> fits;
""",
    "stream-width": """
#define AP_INT_MAX_W 8192
template <unsigned BYTES>
using Axis = ap_axiu<8 * BYTES, 0, 0, 0>;
void s() {
  hls::stream<ap_uint<4096>> fits;  // ! missing-dataflow
  hls::stream<Axis<512>> fits_too;
  hls::stream<Axis<513>> wide;  // ! stream-width
  hls::stream<ap_uint<4097>, 4> wider;  // ! stream-width int-width
}
""",
    "dataflow-form": """
void d(hls::stream<int>& in, hls::stream<int>& out) {
#pragma HLS DATAFLOW
  int n = 3;
  n = n + 1;  // ! dataflow-form
  unit::narrow(in, out);
}
void e(hls::stream<int>& in, hls::stream<int>& out) {
#pragma HLS DATAFLOW
  for (int i = 0; i < 3; ++i) {  // ! dataflow-form
    unit::narrow(in, out);
  }
}
void q30(hls::stream<int>& in, hls::stream<int>& out, int n) {
#pragma HLS DATAFLOW
  if (n > 3) unit::narrow(in, out);  // ! dataflow-form
}
void q31(hls::stream<int>& in, hls::stream<int>& out, int n) {
#pragma HLS DATAFLOW
  int k = n;
  if (k > 3) {  // ! dataflow-form
    unit::narrow(in, out);
  }
}
""",
    "pragma-unknown": """
void p1() {
#pragma HLS PIPLINE II=1  // ! pragma-unknown
#pragma HLS RESOURCE variable=x core=RAM  // ! pragma-unknown
#pragma GCC unroll 4  // ! pragma-unknown
#pragma HLS  // ! pragma-unknown
}
""",
    "pragma-option": """
void p2(int x[8], int y, hls::stream<int>& s) {  // ! rom-const
#pragma HLS PIPELINE I=1  // ! pragma-option
#pragma HLS INLINE of  // ! pragma-option
#pragma HLS ARRAY_PARTITION variable=x type=complet  // ! pragma-option
#pragma HLS ARRAY_PARTITION variable=x type=cyclic  // ! pragma-option
#pragma HLS ARRAY_PARTITION variable=x type=complete factor=2  // ! pragma-option
#pragma HLS ARRAY_PARTITION variable=x cyclic factor=0  // ! pragma-option
#pragma HLS ARRAY_PARTITION variable=x complete dim=3  // ! pragma-option
#pragma HLS ARRAY_PARTITION type=complete  // ! pragma-option
#pragma HLS BIND_STORAGE variable=x type=rom_1p impl=uram  // ! pragma-option
#pragma HLS BIND_STORAGE variable=x impl=bram  // ! pragma-option
#pragma HLS BIND_OP variable=y op=div  // ! pragma-option
#pragma HLS STREAM variable=s depth=0  // ! pragma-option
#pragma HLS STREAM variable=s depth=2 depth=3  // ! pragma-option
#pragma HLS DEPENDENCE variable=x type=inter  // ! pragma-option
#pragma HLS DEPENDENCE variable=x inter false distance=2  // ! pragma-option
#pragma HLS DEPENDENCE variable=x class=array false  // ! pragma-option
#pragma HLS LATENCY  // ! pragma-option
  for (int i = 0; i < 4; ++i) {  // ! pipeline-nest
#pragma HLS UNROLL factor=two+  // ! pragma-option
#pragma HLS PIPELINE off II=1  // ! pragma-option
  }
  for (int i = 0; i < 4; ++i) {  // ! pipeline-nest
#pragma HLS PIPELINE rewind style=frp  // ! pragma-option
#pragma HLS LOOP_TRIPCOUNT min=1  // ! pragma-option
  }
}
""",
    "pragma-position": """
#pragma HLS INLINE  // ! pragma-position
void p3(int x) {
#pragma HLS UNROLL  // ! pragma-position
#pragma HLS INTERFACE mode=ap_none port=x  // ! pragma-position
  for (int i = 0; i < 4; ++i)  // ! missing-pipeline
#pragma HLS PIPELINE  // ! pragma-position
    x += i;
  if (x > 3) {
#pragma HLS PIPELINE  // ! pragma-position
    x = 3;
  }
  for (int i = 0; i < 4; ++i) {  // ! pipeline-nest
#pragma HLS INLINE  // ! pragma-position
    x += 1;
  }
}
void p4(int x) {
#pragma HLS PIPELINE
#pragma HLS DATAFLOW  // ! pragma-position
  f(x);
}
""",
    "pragma-variable": """
void p5() {
#pragma HLS ARRAY_PARTITION variable=later complete  // ! pragma-variable
  int later[4];
  int scalar;
#pragma HLS ARRAY_PARTITION variable=scalar complete  // ! pragma-variable
#pragma HLS ARRAY_PARTITION variable=absent complete  // ! pragma-variable
  for (int i = 0; i < 3; ++i) {  // ! missing-pipeline
    int inner[2];
  }
#pragma HLS ARRAY_PARTITION variable=inner complete  // ! pragma-variable
}
struct Member {
  int values[4];
  int get() {
#pragma HLS ARRAY_PARTITION variable=values complete
#pragma HLS ARRAY_PARTITION variable=this->values complete
    return values[0];
  }
};
""",
    "missing-dataflow": """
void q1(hls::stream<int>& in, hls::stream<int>& out) {
  hls::stream<int> between;  // ! missing-dataflow
  unit::narrow(in, between);
  unit::narrow(between, out);
}
""",
    "missing-interface": """
namespace other { void second(int x) {} }
void second(hls::stream<int>& x, int n) {  // ! missing-interface missing-interface
#pragma HLS INTERFACE mode=axis port=x
}
""",
    "shared-bundle": """
void second(const int* a, const int* b, int* c, const int* d, const int* e) {  // ! shared-bundle shared-bundle
#pragma HLS INTERFACE mode=m_axi port=a bundle=one
#pragma HLS INTERFACE m_axi port=b bundle=one
#pragma HLS INTERFACE mode=m_axi port=c bundle=one
#pragma HLS INTERFACE mode=m_axi port=d
#pragma HLS INTERFACE mode=m_axi port=e
#pragma HLS INTERFACE mode=s_axilite port=return
}
""",
    "stream-ends": """
void q2(hls::stream<int>& in, hls::stream<int>& out, hls::stream<int>& unused) {  // ! stream-ends
#pragma HLS DATAFLOW
  hls::stream<int> twice, never, lost, strange;  // ! stream-ends stream-ends
  unit::narrow(in, twice);
  unit::narrow(twice, out);
  unit::narrow(twice, lost);  // ! stream-ends
  unit::narrow(never, strange);
  elsewhere(strange);  // ! stream-ends
}
void both(hls::stream<int>& in, hls::stream<int>& out) { unit::narrow(in, out); }
void q3(hls::stream<int>& in, hls::stream<int>& out) {
#pragma HLS DATAFLOW
  hls::stream<int> between[2];  // ! stream-ends
  both(in, out);
  both(in, out);  // ! stream-ends stream-ends
}
""",
    "stream-value": """
void q4(hls::stream<ap_uint<8>> in, const hls::stream<int>& out);  // ! stream-value
template <class T> void q5(int n, hls::stream<T> in) {}  // ! stream-value
""",
    "stream-probe": """
void q6(hls::stream<int>& in, int& x) {
  if (!in.empty()) x = in.read();  // ! stream-probe
  in.read_nb(x);  // ! stream-probe
}
""",
    "missing-pipeline": """
void q7(int (&x)[4]) {
  for (int i = 0; i < 4; ++i) x[i] = 0;  // ! missing-pipeline
  for (int i = 0; i < 4; ++i) {  // ! missing-pipeline
    x[i] = 1;
  }
  for (int i = 0; i < 4; ++i) {
    for (int k = 0; k < 4; ++k) {
#pragma HLS PIPELINE
      x[k] = i;
    }
  }
}
""",
    "pipeline-nest": """
void inner(int (&x)[4]) {
  for (int i = 0; i < 4; ++i) {
#pragma HLS PIPELINE
    x[i] = 1;
  }
}
void q8(int (&x)[4]) {
#pragma HLS PIPELINE
  for (int i = 0; i < 4; ++i) {  // ! pipeline-nest
    x[i] = 1;
  }
  for (int i = 0; i < 4; ++i) {
#pragma HLS UNROLL
    x[i] = 1;
  }
  inner(x);  // ! pipeline-nest
}
void q9(int (&x)[4]) {
  for (int i = 0; i < 4; ++i) {
#pragma HLS PIPELINE
    for (int k = 0; k < 4; ++k) {  // ! pipeline-nest
#pragma HLS UNROLL factor=2
      x[k] = i;
    }
  }
}
""",
    "divider": """
template <unsigned N, unsigned D> unsigned q10(unsigned x, unsigned (&y)[N]) {
  constexpr unsigned FOLDS = N / 3;
  constexpr unsigned EIGHT = 8;
  for (unsigned i = 0; i < N; ++i) {
#pragma HLS UNROLL
    const unsigned next = i + 1;
    y[i % 3] = next / 5 + FOLDS / 7;
    y[i] = (x + i) / 3;  // ! divider
  }
  x %= 10;  // ! divider
  x = x / EIGHT + x % 16 + (x - 1) / D;  // ! divider
  return y[0] / x;  // ! divider
}
int third(int x) {
#pragma HLS INLINE
  return x / 3;
}
int fifth(int x) {
#pragma HLS INLINE
  return x / 5;  // ! divider
}
int q17(int n) {
  int sum = 0;
  for (int i = 0; i < 9; ++i) {
#pragma HLS UNROLL
    sum += third(i) + fifth(i) + fifth(n);
  }
  return sum;
}
""",
    **MEMORY,
}
