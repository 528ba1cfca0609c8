// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// b alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_b(hls::stream<flowc::Axis<1>>& in, hls::stream<ap_uint<5>>& out) {
#pragma HLS INTERFACE mode = axis port = in
#pragma HLS INTERFACE mode = ap_fifo port = out
  layers::b(in, out);
}
