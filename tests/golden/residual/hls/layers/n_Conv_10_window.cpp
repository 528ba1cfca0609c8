// flowc: golden design residual for kv260 at 100 MHz
//
// n_Conv_10_window: window made from n_Conv_10.
// In: (10, 10, 2) int4, 2 per beat.
// Out: (8, 8, 18) int4, 18 per beat.
// 100 cycles per frame.
#include "../layers.hpp"
#include "../flowc/window.hpp"

namespace layers {

struct n_Conv_10_window_layer {
  static constexpr unsigned HEIGHT = 10;  // of the input
  static constexpr unsigned WIDTH = 10;
  static constexpr unsigned WORDS = 1;  // beats per pixel: 2 channels / 2
  static constexpr unsigned KERNEL_H = 3;
  static constexpr unsigned KERNEL_W = 3;
  static constexpr unsigned STRIDE_H = 1;
  static constexpr unsigned STRIDE_W = 1;
  static constexpr unsigned DILATION_H = 1;
  static constexpr unsigned DILATION_W = 1;
};

void n_Conv_10_window(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<72>>& out) {
  FLOWC_UNIT(n_Conv_10_window);
  ap_uint<48> columns[1];  // what lies between neighbouring taps of a row
#pragma HLS ARRAY_PARTITION variable = columns type = complete
  ap_uint<16> rows[8];  // what lies between the rows of taps
#pragma HLS BIND_STORAGE variable = rows type = ram_s2p impl = lutram
  flowc::window_parallel<n_Conv_10_window_layer>(in, out, columns, rows);
}

}  // namespace layers
