// FLOWC_STEP() stands first in every pipelined loop: one execution is one clock cycle (initiation interval 1).
// Such a loop handles one frame and leaves every counter as it was at the start, so that it may rewind: the next frame's first
// iteration follows the last one without a pause, and what stands in front of the loop is needed only once, after reset.
// With FLOWC_COUNT_CYCLES defined, C simulation counts them per unit; otherwise both macros are empty.
#ifndef FLOWC_STEP_HPP
#define FLOWC_STEP_HPP

#if defined(FLOWC_COUNT_CYCLES) && !defined(__SYNTHESIS__)
#include <map>
#include <string>

namespace flowc {

inline std::map<std::string, unsigned long long>& steps() {
  static std::map<std::string, unsigned long long> counts;
  return counts;
}

inline unsigned long long*& current_steps() {
  static unsigned long long* current = nullptr;
  return current;
}

}  // namespace flowc

#define FLOWC_UNIT(name) flowc::current_steps() = &flowc::steps()[#name]
#define FLOWC_STEP() ++*flowc::current_steps()
#else
#define FLOWC_UNIT(name) static_cast<void>(0)
#define FLOWC_STEP() static_cast<void>(0)
#endif

#endif
