// flowc: golden design residual for kv260 at 100 MHz
//
// n_MaxPool_21_window alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_n_MaxPool_21_window(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<64>>& out) {
#pragma HLS INTERFACE mode = ap_fifo port = in
#pragma HLS INTERFACE mode = ap_fifo port = out
  layers::n_MaxPool_21_window(in, out);
}
