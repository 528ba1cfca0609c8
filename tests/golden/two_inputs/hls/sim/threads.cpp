// flowc: golden design two_inputs for pynq-z2 at 100 MHz
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

void run_threads(std::size_t frames, hls::stream<flowc::Axis<2>>& a, hls::stream<flowc::Axis<1>>& b, hls::stream<flowc::Axis<3>>& s) {
  hls::stream<ap_uint<15>> a_to_add("a_to_add", 4);
  hls::stream<ap_uint<5>> b_to_add("b_to_add", 4);
  hls::stream<ap_uint<20>> add_to_s("add_to_s", 4);

  std::atomic<unsigned> working(4);
  std::vector<std::thread> units;
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::a(a, a_to_add);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::b(b, b_to_add);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::add(a_to_add, b_to_add, add_to_s);
    --working;
  });
  units.emplace_back([&]() {
    for (std::size_t frame = 0; frame < frames; ++frame) layers::s(add_to_s, s);
    --working;
  });
  watch(working);
  for (std::thread& unit : units) unit.join();
}
#endif
