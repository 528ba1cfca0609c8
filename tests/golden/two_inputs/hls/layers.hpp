// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// The layers: one function per hardware unit, called once per frame.
#ifndef LAYERS_HPP
#define LAYERS_HPP

#include "flowc/ap.hpp"

namespace layers {

void a(hls::stream<flowc::Axis<2>>& in, hls::stream<ap_uint<15>>& out);
void b(hls::stream<flowc::Axis<1>>& in, hls::stream<ap_uint<5>>& out);
void add(hls::stream<ap_uint<15>>& in0, hls::stream<ap_uint<5>>& in1, hls::stream<ap_uint<20>>& out);
void s(hls::stream<ap_uint<20>>& in, hls::stream<flowc::Axis<3>>& out);

}  // namespace layers

#endif
