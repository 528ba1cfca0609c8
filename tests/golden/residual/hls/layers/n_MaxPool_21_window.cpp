// flowc: golden design residual for kv260 at 100 MHz
//
// n_MaxPool_21_window: window made from n_MaxPool_21.
// In: (8, 8, 4) uint4, 4 per beat.
// Out: (4, 4, 16) uint4, 16 per beat.
// 64 cycles per frame.
#include "../layers.hpp"
#include "../flowc/window.hpp"

namespace layers {

struct n_MaxPool_21_window_layer {
  static constexpr unsigned HEIGHT = 8;  // of the input
  static constexpr unsigned WIDTH = 8;
  static constexpr unsigned WORDS = 1;  // beats per pixel: 4 channels / 4
  static constexpr unsigned KERNEL_H = 2;
  static constexpr unsigned KERNEL_W = 2;
  static constexpr unsigned STRIDE_H = 2;
  static constexpr unsigned STRIDE_W = 2;
  static constexpr unsigned DILATION_H = 1;
  static constexpr unsigned DILATION_W = 1;
};

void n_MaxPool_21_window(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<64>>& out) {
  FLOWC_UNIT(n_MaxPool_21_window);
  ap_uint<32> columns[1];  // what lies between neighbouring taps of a row
#pragma HLS ARRAY_PARTITION variable = columns type = complete
  ap_uint<16> rows[7];  // what lies between the rows of taps
#pragma HLS ARRAY_PARTITION variable = rows type = complete
  flowc::window_parallel<n_MaxPool_21_window_layer>(in, out, columns, rows);
}

}  // namespace layers
