// What the simulation checks while the engine runs, and counts; nothing of it is in the hardware.
#ifndef LOOPBACK_CHECK_HPP
#define LOOPBACK_CHECK_HPP

#ifdef __SYNTHESIS__
#define LOOPBACK_CHECK(condition, ...)
#define LOOPBACK_SIMULATED(...)
#else
#define LOOPBACK_SIMULATED(...) __VA_ARGS__
#define LOOPBACK_CHECK(condition, ...) \
  do {                                 \
    if (!(condition)) ::loopback::fail(__VA_ARGS__); \
  } while (false)

#include <stdint.h>

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace loopback {

#ifdef FLOWC_THREADS
const bool PLAIN_STREAMS = false;
#else
const bool PLAIN_STREAMS = true;  // a process has ended before the next one begins
#endif

const int WRONG_SCHEDULE = 4;  // exit code

// Ends the program: a descriptor touches what it may not.
inline void fail(unsigned layer, const char* what) {
  std::fprintf(stderr, "layer %u: %s\n", layer, what);
  std::fflush(stderr);
  std::_Exit(WRONG_SCHEDULE);
}

typedef std::vector<std::pair<uint64_t, uint64_t> > Ranges;

// What the test bench tells the processes, and they it.
struct Simulation {
  uint64_t memory_bytes = 0;
  uint64_t weight_bytes = 0;
  unsigned layer = 0;                 // that runs
  std::vector<Ranges> reads, writes;  // of each layer
  std::vector<uint64_t> cycles;       // iterations of the array's loop until the layer's last compute retires
  std::vector<uint64_t> tails;        // and from there until the next layer's first weights are in
  uint64_t least = ~uint64_t(0), most = 0;  // bytes that the layer wrote

  static Simulation& get() {
    static Simulation only;
    return only;
  }

  static bool within(const std::vector<Ranges>& all, unsigned layer, uint64_t first, uint64_t end) {
    if (end > get().memory_bytes || layer >= all.size()) return false;
    for (const std::pair<uint64_t, uint64_t>& range : all[layer])
      if (range.first <= first && end <= range.second) return true;
    return false;
  }

  void wrote(uint64_t first, uint64_t end) {
    if (first < least) least = first;
    if (end > most) most = end;
  }
};

}  // namespace loopback
#endif

#endif
