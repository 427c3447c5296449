#include "parallel/plan_runner.h"

#include <algorithm>

#include "base/clock.h"

namespace tinyvlm {

namespace {

// The longest turn of a plan, except that it finishes its last batch of tiles. A turn is a few
// batches, so that taking turns costs almost nothing.
constexpr double kTurnMs = 20;

}  // namespace

RunState PlanRunner::Advance(ExecutionPlan& plan, double deadline_ms) {
  for (;;) {
    RunState state;
    {
      const TurnLock::Turn turn(turns_);
      state = plan.Advance(pool_, std::min(deadline_ms, NowMs() + kTurnMs), ready_bytes_);
    }
    if (state != RunState::kRunning || NowMs() >= deadline_ms) return state;
  }
}

}  // namespace tinyvlm
