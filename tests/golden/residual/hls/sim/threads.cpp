// flowc: golden design residual for kv260 at 100 MHz
//
// The dataflow region of top.cpp with every unit in a thread of its own and every stream bounded to its depth.
// Ends the program with status 3 when no stream has moved for some seconds although units still work: a deadlock.
#ifdef FLOWC_THREADS
#include "threads.hpp"
#include "../layers.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <vector>

namespace {

const int DEADLOCK_SECONDS = 5;

unsigned long long moved() {
  unsigned long long operations = 0;
  for (hls::stream_base* stream : hls::stream_base::all()) operations += stream->operations();
  return operations;
}

void watch(const std::atomic<unsigned>& working) {
  typedef std::chrono::steady_clock Clock;
  unsigned long long before = moved();
  Clock::time_point since = Clock::now();
  while (working != 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const unsigned long long now = moved();
    if (now != before) {
      before = now;
      since = Clock::now();
    } else if (Clock::now() - since > std::chrono::seconds(DEADLOCK_SECONDS)) {
      std::cerr << "deadlock: " << working << " units wait for streams\n";
      for (hls::stream_base* stream : hls::stream_base::all()) stream->describe(std::cerr);
      std::cerr.flush();
      std::_Exit(3);
    }
  }
}

}  // namespace

void run_threads(std::size_t frames, hls::stream<flowc::Axis<1>>& in_x, hls::stream<flowc::Axis<2>>& out_Gemm_49) {
  hls::stream<ap_uint<8>> in_x_to_n_Conv_10_pad("in_x_to_n_Conv_10_pad", 3);
  hls::stream<ap_uint<8>> n_Conv_10_pad_to_n_Conv_10_window("n_Conv_10_pad_to_n_Conv_10_window", 3);
  hls::stream<ap_uint<72>> n_Conv_10_window_to_n_Conv_10("n_Conv_10_window_to_n_Conv_10", 3);
  hls::stream<ap_uint<16>> n_Conv_10_to_n_MaxPool_21_window("n_Conv_10_to_n_MaxPool_21_window", 3);
  hls::stream<ap_uint<64>> n_MaxPool_21_window_to_n_MaxPool_21("n_MaxPool_21_window_to_n_MaxPool_21", 3);
  hls::stream<ap_uint<16>> n_MaxPool_21_to_n_MaxPool_21_fork_width("n_MaxPool_21_to_n_MaxPool_21_fork_width", 3);
  hls::stream<ap_uint<8>> n_MaxPool_21_fork_width_to_n_MaxPool_21_fork("n_MaxPool_21_fork_width_to_n_MaxPool_21_fork", 3);
  hls::stream<ap_uint<8>> n_MaxPool_21_fork_to_n_Conv_27_pad("n_MaxPool_21_fork_to_n_Conv_27_pad", 3);
  hls::stream<ap_uint<8>> n_MaxPool_21_fork_to_n_Add_37("n_MaxPool_21_fork_to_n_Add_37", 32);
  hls::stream<ap_uint<8>> n_Conv_27_pad_to_n_Conv_27_window("n_Conv_27_pad_to_n_Conv_27_window", 3);
  hls::stream<ap_uint<72>> n_Conv_27_window_to_n_Conv_27("n_Conv_27_window_to_n_Conv_27", 3);
  hls::stream<ap_uint<8>> n_Conv_27_to_n_Add_37("n_Conv_27_to_n_Add_37", 3);
  hls::stream<ap_uint<8>> n_Add_37_to_n_Gemm_49_width("n_Add_37_to_n_Gemm_49_width", 3);
  hls::stream<ap_uint<16>> n_Gemm_49_width_to_n_Gemm_49("n_Gemm_49_width_to_n_Gemm_49", 16);
  hls::stream<ap_uint<12>> n_Gemm_49_to_out_Gemm_49("n_Gemm_49_to_out_Gemm_49", 3);

  std::atomic<unsigned> working(15);
  std::vector<std::thread> units;
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::in_x(in_x, in_x_to_n_Conv_10_pad);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_Conv_10_pad(in_x_to_n_Conv_10_pad, n_Conv_10_pad_to_n_Conv_10_window);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_Conv_10_window(n_Conv_10_pad_to_n_Conv_10_window, n_Conv_10_window_to_n_Conv_10);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_Conv_10(n_Conv_10_window_to_n_Conv_10, n_Conv_10_to_n_MaxPool_21_window);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_MaxPool_21_window(n_Conv_10_to_n_MaxPool_21_window, n_MaxPool_21_window_to_n_MaxPool_21);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_MaxPool_21(n_MaxPool_21_window_to_n_MaxPool_21, n_MaxPool_21_to_n_MaxPool_21_fork_width);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_MaxPool_21_fork_width(n_MaxPool_21_to_n_MaxPool_21_fork_width, n_MaxPool_21_fork_width_to_n_MaxPool_21_fork);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_MaxPool_21_fork(n_MaxPool_21_fork_width_to_n_MaxPool_21_fork, n_MaxPool_21_fork_to_n_Conv_27_pad, n_MaxPool_21_fork_to_n_Add_37);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_Conv_27_pad(n_MaxPool_21_fork_to_n_Conv_27_pad, n_Conv_27_pad_to_n_Conv_27_window);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_Conv_27_window(n_Conv_27_pad_to_n_Conv_27_window, n_Conv_27_window_to_n_Conv_27);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_Conv_27(n_Conv_27_window_to_n_Conv_27, n_Conv_27_to_n_Add_37);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_Add_37(n_MaxPool_21_fork_to_n_Add_37, n_Conv_27_to_n_Add_37, n_Add_37_to_n_Gemm_49_width);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_Gemm_49_width(n_Add_37_to_n_Gemm_49_width, n_Gemm_49_width_to_n_Gemm_49);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::n_Gemm_49(n_Gemm_49_width_to_n_Gemm_49, n_Gemm_49_to_out_Gemm_49);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::out_Gemm_49(n_Gemm_49_to_out_Gemm_49, out_Gemm_49);
    --working;
  });
  watch(working);
  for (std::thread& unit : units) unit.join();
}
#endif
