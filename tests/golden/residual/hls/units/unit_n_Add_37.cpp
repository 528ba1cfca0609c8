// flowc: golden design residual for kv260 at 100 MHz
//
// n_Add_37 alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_n_Add_37(hls::stream<ap_uint<8>>& in0, hls::stream<ap_uint<8>>& in1, hls::stream<ap_uint<8>>& out) {
#pragma HLS INTERFACE mode = ap_fifo port = in0
#pragma HLS INTERFACE mode = ap_fifo port = in1
#pragma HLS INTERFACE mode = ap_fifo port = out
  layers::n_Add_37(in0, in1, out);
}
