// flowc: golden design two_inputs for pynq-z2 at 100 MHz
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

FLOWC_TOP void two_inputs(hls::stream<flowc::Axis<2>>& a, hls::stream<flowc::Axis<1>>& b, hls::stream<flowc::Axis<3>>& s);

#endif
