// flowc: golden design residual for kv260 at 100 MHz
//
// n_MaxPool_21_window: window made from n_MaxPool_21.
// In: (8, 8, 4) uint4, 4 per beat.
// Out: (4, 4, 16) uint4, 4 per beat.
// 86 cycles per frame.
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
  static constexpr unsigned OUT_H = 4;
  static constexpr unsigned OUT_W = 4;
  static constexpr unsigned BLOCKS = 1;  // channel blocks
  static constexpr unsigned BLOCK_WORDS = 1;  // beats per block and tap
  static constexpr unsigned SPARE = 0;  // rows that the ring holds beyond the window
  static constexpr unsigned CYCLES = 86;  // per frame
};

void n_MaxPool_21_window(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<16>>& out) {
  FLOWC_UNIT(n_MaxPool_21_window);
  ap_uint<16> line[18];  // 1 rows and 2 pixels of 1 words, and 8 words
#pragma HLS BIND_STORAGE variable = line type = ram_s2p impl = lutram
  flowc::window<n_MaxPool_21_window_layer>(in, out, line);
}

}  // namespace layers
