// flowc: golden design residual for kv260 at 100 MHz
//
// in_x alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_in_x(hls::stream<flowc::Axis<1>>& in, hls::stream<ap_uint<8>>& out) {
#pragma HLS INTERFACE mode = axis port = in
#pragma HLS INTERFACE mode = ap_fifo port = out
  layers::in_x(in, out);
}
