// flowc: golden design residual for kv260 at 100 MHz
//
// n_MaxPool_21_fork alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_n_MaxPool_21_fork(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out0, hls::stream<ap_uint<8>>& out1) {
#pragma HLS INTERFACE mode = ap_fifo port = in
#pragma HLS INTERFACE mode = ap_fifo port = out0
#pragma HLS INTERFACE mode = ap_fifo port = out1
  layers::n_MaxPool_21_fork(in, out0, out1);
}
