// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// s alone, for units.py: its streams are ports, so that synthesis shows what it costs by itself.
#include "../layers.hpp"

void unit_s(hls::stream<ap_uint<20>>& in, hls::stream<flowc::Axis<3>>& out) {
#pragma HLS INTERFACE mode = ap_fifo port = in
#pragma HLS INTERFACE mode = axis port = out
  layers::s(in, out);
}
