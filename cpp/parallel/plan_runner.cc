#include "parallel/plan_runner.h"

#include <algorithm>

#include "base/clock.h"

namespace tinyvlm {

namespace {

// The longest that a plan keeps the others waiting, but for its last batch of tiles: a few batches,
// so that taking turns costs nothing.
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
