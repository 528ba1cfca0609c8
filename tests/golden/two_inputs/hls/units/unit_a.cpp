// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// a alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_a(hls::stream<flowc::Axis<2>>& in, hls::stream<ap_uint<15>>& out) {
#pragma HLS INTERFACE mode = axis port = in
#pragma HLS INTERFACE mode = ap_fifo port = out
  layers::a(in, out);
}
