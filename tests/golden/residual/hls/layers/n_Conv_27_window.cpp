// flowc: golden design residual for kv260 at 100 MHz
//
// n_Conv_27_window: window made from n_Conv_27.
// In: (6, 6, 4) uint4, 4 per beat.
// Out: (4, 4, 36) uint4, 36 per beat.
// 36 cycles per frame.
#include "../layers.hpp"
#include "../flowc/window.hpp"

namespace layers {

struct n_Conv_27_window_layer {
  static constexpr unsigned HEIGHT = 6;  // of the input
  static constexpr unsigned WIDTH = 6;
  static constexpr unsigned WORDS = 1;  // beats per pixel: 4 channels / 4
  static constexpr unsigned KERNEL_H = 3;
  static constexpr unsigned KERNEL_W = 3;
  static constexpr unsigned STRIDE_H = 1;
  static constexpr unsigned STRIDE_W = 1;
  static constexpr unsigned DILATION_H = 1;
  static constexpr unsigned DILATION_W = 1;
};

void n_Conv_27_window(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<144>>& out) {
  FLOWC_UNIT(n_Conv_27_window);
  ap_uint<16> columns[6][1];  // what lies between neighbouring taps of a row
#pragma HLS ARRAY_PARTITION variable = columns type = complete dim = 0
  ap_uint<16> rows[2][4];  // what lies between the rows of taps
#pragma HLS ARRAY_PARTITION variable = rows type = complete dim = 0
  flowc::window_parallel<n_Conv_27_window_layer>(in, out, columns, rows);
}

}  // namespace layers
