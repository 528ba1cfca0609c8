// Vendor types and the AXI4-Stream beat.
#ifndef FLOWC_AP_HPP
#define FLOWC_AP_HPP

#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 4096  // the widest that Vitis HLS accepts; its default is 1024
#endif
#include <ap_int.h>
#include <hls_stream.h>
#include <stdint.h>

#if defined(FLOWC_THREADS)
// The vendor's header would bring the vendor's streams.
#elif defined(__has_include)
#if __has_include(<ap_axi_sdata.h>)
#define FLOWC_VENDOR_AXIS
#endif
#elif defined(__SYNTHESIS__)
#define FLOWC_VENDOR_AXIS
#endif

#ifdef FLOWC_VENDOR_AXIS
#include <ap_axi_sdata.h>
#else
// What the simulation needs of the vendor's ap_axiu, for installations of the AP types that lack it.
template <int DATA, int USER, int ID, int DEST>
struct ap_axiu {
  ap_uint<DATA> data;
  ap_uint<DATA / 8> keep;
  ap_uint<DATA / 8> strb;
  ap_uint<1> last;
};
#endif

// C simulation computes in native integers; synthesis, or with FLOWC_EXACT also simulation, in ap_int of the stated widths.
#if !defined(__SYNTHESIS__) && !defined(FLOWC_EXACT)
#define FLOWC_NATIVE
#endif

namespace flowc {

// One AXI4-Stream transfer of BYTES bytes, with TKEEP, TSTRB and TLAST.
template <unsigned BYTES>
using Axis = ap_axiu<8 * BYTES, 0, 0, 0>;

}  // namespace flowc

#endif
