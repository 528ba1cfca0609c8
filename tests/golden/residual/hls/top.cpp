// flowc: golden design residual for kv260 at 100 MHz
//
// The accelerator: one call processes one frame. In hardware it is free running (ap_ctrl_none): it starts with
// the first beat and begins the next frame as soon as its first layer is free.
#include "top.hpp"
#include "layers.hpp"

void net(hls::stream<flowc::Axis<1>>& in_x, hls::stream<flowc::Axis<2>>& out_Gemm_49) {
#pragma HLS INTERFACE mode = axis port = in_x
#pragma HLS INTERFACE mode = axis port = out_Gemm_49
#pragma HLS INTERFACE mode = ap_ctrl_none port = return
#pragma HLS DATAFLOW
  hls::stream<ap_uint<8>> in_x_to_n_Conv_10_pad("in_x_to_n_Conv_10_pad");  // 8 x 8 x 2 int4, 2 per beat: Quant_4/q
#pragma HLS STREAM variable = in_x_to_n_Conv_10_pad depth = 3
#pragma HLS BIND_STORAGE variable = in_x_to_n_Conv_10_pad type = fifo impl = srl
  hls::stream<ap_uint<8>> n_Conv_10_pad_to_n_Conv_10_window("n_Conv_10_pad_to_n_Conv_10_window");  // 10 x 10 x 2 int4, 2 per beat: n_Conv_10/padded
#pragma HLS STREAM variable = n_Conv_10_pad_to_n_Conv_10_window depth = 3
#pragma HLS BIND_STORAGE variable = n_Conv_10_pad_to_n_Conv_10_window type = fifo impl = srl
  hls::stream<ap_uint<72>> n_Conv_10_window_to_n_Conv_10("n_Conv_10_window_to_n_Conv_10");  // 8 x 8 x 18 int4, 18 per beat
#pragma HLS STREAM variable = n_Conv_10_window_to_n_Conv_10 depth = 3
#pragma HLS BIND_STORAGE variable = n_Conv_10_window_to_n_Conv_10 type = fifo impl = srl
  hls::stream<ap_uint<16>> n_Conv_10_to_n_MaxPool_21_window("n_Conv_10_to_n_MaxPool_21_window");  // 8 x 8 x 4 uint4, 4 per beat: Quant_20/q
#pragma HLS STREAM variable = n_Conv_10_to_n_MaxPool_21_window depth = 3
#pragma HLS BIND_STORAGE variable = n_Conv_10_to_n_MaxPool_21_window type = fifo impl = srl
  hls::stream<ap_uint<64>> n_MaxPool_21_window_to_n_MaxPool_21("n_MaxPool_21_window_to_n_MaxPool_21");  // 4 x 4 x 16 uint4, 16 per beat
#pragma HLS STREAM variable = n_MaxPool_21_window_to_n_MaxPool_21 depth = 3
#pragma HLS BIND_STORAGE variable = n_MaxPool_21_window_to_n_MaxPool_21 type = fifo impl = srl
  hls::stream<ap_uint<16>> n_MaxPool_21_to_n_MaxPool_21_fork_width("n_MaxPool_21_to_n_MaxPool_21_fork_width");  // 4 x 4 x 4 uint4, 4 per beat: n_MaxPool_21/q
#pragma HLS STREAM variable = n_MaxPool_21_to_n_MaxPool_21_fork_width depth = 3
#pragma HLS BIND_STORAGE variable = n_MaxPool_21_to_n_MaxPool_21_fork_width type = fifo impl = srl
  hls::stream<ap_uint<8>> n_MaxPool_21_fork_width_to_n_MaxPool_21_fork("n_MaxPool_21_fork_width_to_n_MaxPool_21_fork");  // 4 x 4 x 4 uint4, 2 per beat
#pragma HLS STREAM variable = n_MaxPool_21_fork_width_to_n_MaxPool_21_fork depth = 3
#pragma HLS BIND_STORAGE variable = n_MaxPool_21_fork_width_to_n_MaxPool_21_fork type = fifo impl = srl
  hls::stream<ap_uint<8>> n_MaxPool_21_fork_to_n_Conv_27_pad("n_MaxPool_21_fork_to_n_Conv_27_pad");  // 4 x 4 x 4 uint4, 2 per beat
#pragma HLS STREAM variable = n_MaxPool_21_fork_to_n_Conv_27_pad depth = 3
#pragma HLS BIND_STORAGE variable = n_MaxPool_21_fork_to_n_Conv_27_pad type = fifo impl = srl
  hls::stream<ap_uint<8>> n_MaxPool_21_fork_to_n_Add_37("n_MaxPool_21_fork_to_n_Add_37");  // 4 x 4 x 4 uint4, 2 per beat
#pragma HLS STREAM variable = n_MaxPool_21_fork_to_n_Add_37 depth = 32
#pragma HLS BIND_STORAGE variable = n_MaxPool_21_fork_to_n_Add_37 type = fifo impl = srl
  hls::stream<ap_uint<8>> n_Conv_27_pad_to_n_Conv_27_window("n_Conv_27_pad_to_n_Conv_27_window");  // 6 x 6 x 4 uint4, 2 per beat: n_Conv_27/padded
#pragma HLS STREAM variable = n_Conv_27_pad_to_n_Conv_27_window depth = 3
#pragma HLS BIND_STORAGE variable = n_Conv_27_pad_to_n_Conv_27_window type = fifo impl = srl
  hls::stream<ap_uint<72>> n_Conv_27_window_to_n_Conv_27("n_Conv_27_window_to_n_Conv_27");  // 4 x 4 x 36 uint4, 18 per beat
#pragma HLS STREAM variable = n_Conv_27_window_to_n_Conv_27 depth = 3
#pragma HLS BIND_STORAGE variable = n_Conv_27_window_to_n_Conv_27 type = fifo impl = srl
  hls::stream<ap_uint<8>> n_Conv_27_to_n_Add_37("n_Conv_27_to_n_Add_37");  // 4 x 4 x 4 int4, 2 per beat: Quant_36/q
#pragma HLS STREAM variable = n_Conv_27_to_n_Add_37 depth = 3
#pragma HLS BIND_STORAGE variable = n_Conv_27_to_n_Add_37 type = fifo impl = srl
  hls::stream<ap_uint<8>> n_Add_37_to_n_Gemm_49_width("n_Add_37_to_n_Gemm_49_width");  // 4 x 4 x 4 uint4, 2 per beat: Quant_42/q
#pragma HLS STREAM variable = n_Add_37_to_n_Gemm_49_width depth = 3
#pragma HLS BIND_STORAGE variable = n_Add_37_to_n_Gemm_49_width type = fifo impl = srl
  hls::stream<ap_uint<16>> n_Gemm_49_width_to_n_Gemm_49("n_Gemm_49_width_to_n_Gemm_49");  // 4 x 4 x 4 uint4, 4 per beat
#pragma HLS STREAM variable = n_Gemm_49_width_to_n_Gemm_49 depth = 16
#pragma HLS BIND_STORAGE variable = n_Gemm_49_width_to_n_Gemm_49 type = fifo impl = srl
  hls::stream<ap_uint<12>> n_Gemm_49_to_out_Gemm_49("n_Gemm_49_to_out_Gemm_49");  // 1 x 1 x 5 int12, 1 per beat: n_Gemm_49/MatMul/acc
#pragma HLS STREAM variable = n_Gemm_49_to_out_Gemm_49 depth = 3
#pragma HLS BIND_STORAGE variable = n_Gemm_49_to_out_Gemm_49 type = fifo impl = srl

  layers::in_x(in_x, in_x_to_n_Conv_10_pad);
  layers::n_Conv_10_pad(in_x_to_n_Conv_10_pad, n_Conv_10_pad_to_n_Conv_10_window);
  layers::n_Conv_10_window(n_Conv_10_pad_to_n_Conv_10_window, n_Conv_10_window_to_n_Conv_10);
  layers::n_Conv_10(n_Conv_10_window_to_n_Conv_10, n_Conv_10_to_n_MaxPool_21_window);
  layers::n_MaxPool_21_window(n_Conv_10_to_n_MaxPool_21_window, n_MaxPool_21_window_to_n_MaxPool_21);
  layers::n_MaxPool_21(n_MaxPool_21_window_to_n_MaxPool_21, n_MaxPool_21_to_n_MaxPool_21_fork_width);
  layers::n_MaxPool_21_fork_width(n_MaxPool_21_to_n_MaxPool_21_fork_width, n_MaxPool_21_fork_width_to_n_MaxPool_21_fork);
  layers::n_MaxPool_21_fork(n_MaxPool_21_fork_width_to_n_MaxPool_21_fork, n_MaxPool_21_fork_to_n_Conv_27_pad, n_MaxPool_21_fork_to_n_Add_37);
  layers::n_Conv_27_pad(n_MaxPool_21_fork_to_n_Conv_27_pad, n_Conv_27_pad_to_n_Conv_27_window);
  layers::n_Conv_27_window(n_Conv_27_pad_to_n_Conv_27_window, n_Conv_27_window_to_n_Conv_27);
  layers::n_Conv_27(n_Conv_27_window_to_n_Conv_27, n_Conv_27_to_n_Add_37);
  layers::n_Add_37(n_MaxPool_21_fork_to_n_Add_37, n_Conv_27_to_n_Add_37, n_Add_37_to_n_Gemm_49_width);
  layers::n_Gemm_49_width(n_Add_37_to_n_Gemm_49_width, n_Gemm_49_width_to_n_Gemm_49);
  layers::n_Gemm_49(n_Gemm_49_width_to_n_Gemm_49, n_Gemm_49_to_out_Gemm_49);
  layers::out_Gemm_49(n_Gemm_49_to_out_Gemm_49, out_Gemm_49);
}
