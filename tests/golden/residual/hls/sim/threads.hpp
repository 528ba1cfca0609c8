// flowc: golden design residual for kv260 at 100 MHz
//
// The accelerator with every unit in a thread of its own.
#ifndef SIM_THREADS_HPP
#define SIM_THREADS_HPP

#include "../flowc/ap.hpp"

#include <cstddef>

void run_threads(std::size_t frames, hls::stream<flowc::Axis<1>>& in_x, hls::stream<flowc::Axis<2>>& out_Gemm_49);

#endif
