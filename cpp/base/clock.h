// The one clock: budgets of Advance and the timings that users see.
#ifndef TINYVLM_BASE_CLOCK_H_
#define TINYVLM_BASE_CLOCK_H_

#include <chrono>

namespace tinyvlm {

// Milliseconds since an arbitrary point; never goes back.
inline double NowMs() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_CLOCK_H_
