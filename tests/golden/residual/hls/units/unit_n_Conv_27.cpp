// flowc: golden design residual for kv260 at 100 MHz
//
// n_Conv_27 alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_n_Conv_27(hls::stream<ap_uint<72>>& in, hls::stream<ap_uint<8>>& out) {
#pragma HLS INTERFACE mode = ap_fifo port = in
#pragma HLS INTERFACE mode = ap_fifo port = out
  layers::n_Conv_27(in, out);
}
