// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// add alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_add(hls::stream<ap_uint<15>>& in0, hls::stream<ap_uint<5>>& in1, hls::stream<ap_uint<20>>& out) {
#pragma HLS INTERFACE mode = ap_fifo port = in0
#pragma HLS INTERFACE mode = ap_fifo port = in1
#pragma HLS INTERFACE mode = ap_fifo port = out
  layers::add(in0, in1, out);
}
