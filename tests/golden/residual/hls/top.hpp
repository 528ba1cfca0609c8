// flowc: golden design residual for kv260 at 100 MHz
//
// The accelerator.
#ifndef TOP_HPP
#define TOP_HPP

#include "flowc/ap.hpp"

void net(hls::stream<flowc::Axis<1>>& in_Quant_4_q, hls::stream<flowc::Axis<2>>& out_n_Gemm_49_MatMul_acc);

#endif
