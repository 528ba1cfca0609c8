// flowc: golden design residual for kv260 at 100 MHz
//
// The accelerator.
#ifndef TOP_HPP
#define TOP_HPP

#include "flowc/ap.hpp"

#ifdef FLOWC_KERNEL
#define FLOWC_TOP extern "C"  // v++ finds a kernel by its plain name
#else
#define FLOWC_TOP
#endif

FLOWC_TOP void net(hls::stream<flowc::Axis<1>>& in_x, hls::stream<flowc::Axis<2>>& out_Gemm_49);

#endif
