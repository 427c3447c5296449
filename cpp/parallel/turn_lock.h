// A ticket lock: threads get it in the order in which they asked for it.
#ifndef TINYVLM_PARALLEL_TURN_LOCK_H_
#define TINYVLM_PARALLEL_TURN_LOCK_H_

#include <cstdint>

#include "parallel/threads.h"
#if defined(TINYVLM_THREADS)
#include <condition_variable>
#include <mutex>
#endif

namespace tinyvlm {

// A mutex would let the thread that gives the lock back take it again before those that wait wake
// up: two sessions that each work in a loop would not take turns. Not recursive. In builds without
// threads nothing is locked.
class TurnLock {
 public:
  // Holds the lock while it exists; the constructor waits for those that asked earlier.
  class Turn {
   public:
    explicit Turn(TurnLock& lock) : lock_(lock) { lock_.Lock(); }
    ~Turn() { lock_.Unlock(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    TurnLock& lock_;
  };

  TurnLock() = default;
  TurnLock(const TurnLock&) = delete;
  TurnLock& operator=(const TurnLock&) = delete;

 private:
#if defined(TINYVLM_THREADS)
  void Lock();
  void Unlock();

  std::mutex mutex_;
  std::condition_variable turn_;
  uint64_t next_ = 0;     // the next ticket
  uint64_t serving_ = 0;  // the ticket that has the lock or gets it next
#else
  void Lock() {}
  void Unlock() {}
#endif
};

}  // namespace tinyvlm

#endif  // TINYVLM_PARALLEL_TURN_LOCK_H_
