// Runs the execution plans of a model, which take turns on one thread pool.
#ifndef TINYVLM_PARALLEL_PLAN_RUNNER_H_
#define TINYVLM_PARALLEL_PLAN_RUNNER_H_

#include <cstddef>
#include <cstdint>

#include "backend/run_state.h"
#include "parallel/execution_plan.h"
#include "parallel/thread_pool.h"
#include "parallel/turn_lock.h"

namespace tinyvlm {

// Any number of plans may be advanced, each by a thread of its own: they take turns of a bounded
// length.
class PlanRunner {
 public:
  // `threads` includes the caller's.
  explicit PlanRunner(size_t threads) : pool_(threads) {}

  size_t workers() const { return pool_.num_workers(); }

  // Runs `plan` until it ends, waits for weights, or NowMs() passes deadline_ms; at least one tile.
  // Waits while other plans have their turns; the deadline does not move.
  RunState Advance(ExecutionPlan& plan, double deadline_ms);

  // Calls receive() while no plan runs; it returns the number of leading data bytes of the model
  // file that plans may read from then on.
  template <class Body>
  void Receive(const Body& receive) {
    const TurnLock::Turn turn(turns_);
    ready_bytes_ = receive();
  }

 private:
  ThreadPool pool_;
  TurnLock turns_;
  uint64_t ready_bytes_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_PARALLEL_PLAN_RUNNER_H_
