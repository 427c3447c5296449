#include "parallel/turn_lock.h"

namespace tinyvlm {

#if defined(TINYVLM_THREADS)

void TurnLock::Lock() {
  std::unique_lock<std::mutex> lock(mutex_);
  const uint64_t mine = next_++;
  turn_.wait(lock, [&] { return serving_ == mine; });
}

void TurnLock::Unlock() {
  bool waited_for;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    waited_for = ++serving_ != next_;
  }
  if (waited_for) turn_.notify_all();
}

#endif

}  // namespace tinyvlm
