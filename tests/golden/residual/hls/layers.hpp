// flowc: golden design residual for kv260 at 100 MHz
//
// The layers: one function per hardware unit, called once per frame.
#ifndef LAYERS_HPP
#define LAYERS_HPP

#include "flowc/ap.hpp"

namespace layers {

void in_x(hls::stream<flowc::Axis<1>>& in, hls::stream<ap_uint<8>>& out);
void n_Conv_10_pad(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out);
void n_Conv_10_window(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<72>>& out);
void n_Conv_10(hls::stream<ap_uint<72>>& in, hls::stream<ap_uint<16>>& out);
void n_MaxPool_21_window(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<64>>& out);
void n_MaxPool_21(hls::stream<ap_uint<64>>& in, hls::stream<ap_uint<16>>& out);
void n_MaxPool_21_fork_width(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<8>>& out);
void n_MaxPool_21_fork(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out0, hls::stream<ap_uint<8>>& out1);
void n_Conv_27_pad(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out);
void n_Conv_27_window(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<72>>& out);
void n_Conv_27(hls::stream<ap_uint<72>>& in, hls::stream<ap_uint<8>>& out);
void n_Add_37(hls::stream<ap_uint<8>>& in0, hls::stream<ap_uint<8>>& in1, hls::stream<ap_uint<8>>& out);
void n_Gemm_49_width(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<16>>& out);
void n_Gemm_49(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<12>>& out);
void out_Gemm_49(hls::stream<ap_uint<12>>& in, hls::stream<flowc::Axis<2>>& out);

}  // namespace layers

#endif
