// flowc: golden design residual for kv260 at 100 MHz
//
// n_Gemm_49_width alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_n_Gemm_49_width(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<16>>& out) {
#pragma HLS INTERFACE mode = ap_fifo port = in
#pragma HLS INTERFACE mode = ap_fifo port = out
  layers::n_Gemm_49_width(in, out);
}
