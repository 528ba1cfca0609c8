// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// The accelerator: one call processes one frame. In hardware it is free running (ap_ctrl_none): it starts with
// the first beat and begins the next frame as soon as its first layer is free.
#include "top.hpp"
#include "layers.hpp"

void two_inputs(hls::stream<flowc::Axis<2>>& a, hls::stream<flowc::Axis<1>>& b, hls::stream<flowc::Axis<3>>& s) {
#pragma HLS INTERFACE mode = axis port = a
#pragma HLS INTERFACE mode = axis port = b
#pragma HLS INTERFACE mode = axis port = s
#pragma HLS INTERFACE mode = ap_ctrl_none port = return
#pragma HLS DATAFLOW
  hls::stream<ap_uint<15>> a_to_add("a_to_add");  // 2 x 3 x 5 int3, 5 per beat
#pragma HLS STREAM variable = a_to_add depth = 4
  hls::stream<ap_uint<5>> b_to_add("b_to_add");  // 2 x 3 x 5 bipolar, 5 per beat
#pragma HLS STREAM variable = b_to_add depth = 4
  hls::stream<ap_uint<20>> add_to_s("add_to_s");  // 2 x 3 x 5 int4, 5 per beat
#pragma HLS STREAM variable = add_to_s depth = 4

  layers::a(a, a_to_add);
  layers::b(b, b_to_add);
  layers::add(a_to_add, b_to_add, add_to_s);
  layers::s(add_to_s, s);
}
