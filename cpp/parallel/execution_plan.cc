#include "parallel/execution_plan.h"

#include <algorithm>

#include "base/clock.h"

namespace tinyvlm {

namespace {

// Work per worker, in milliseconds, between two readings of the clock, each of which is a barrier
// for all workers; estimated from the speed of the step's last batch. Long enough to make the
// barrier's cost negligible, short enough for any budget.
constexpr double kDispatchMs = 4.0;

// The resolution of a browser's clock may be as coarse as this.
constexpr double kClockMs = 0.1;

// Work per worker in a step's first batch, in multiply-adds: about 1 ms in the slowest build.
constexpr double kFirstMacs = 2e6;

}  // namespace

void ExecutionPlan::Add(std::string name, uint64_t needs, Begin begin, Tile tile) {
  steps_.push_back(Step{std::move(name), needs, std::move(begin), std::move(tile), nullptr});
}

void ExecutionPlan::Add(std::string name, uint64_t needs, Tiling tiling, Tile tile) {
  Add(std::move(name), needs, [tiling] { return tiling; }, std::move(tile));
}

void ExecutionPlan::OnDone(std::function<void()> done) { steps_.back().done = std::move(done); }

void ExecutionPlan::Restart() {
  step_ = 0;
  tile_ = 0;
  begun_ = false;
}

void ExecutionPlan::RunTile(void* step, size_t tile, size_t worker) {
  static_cast<Step*>(step)->tile(tile, worker);
}

RunState ExecutionPlan::Advance(ThreadPool& pool, double deadline_ms, uint64_t ready_bytes) {
  double now = NowMs();
  bool ran = false;
  while (step_ < steps_.size()) {
    Step& step = steps_[step_];
    if (step.needs > ready_bytes) return RunState::kWaiting;
    if (!begun_) {
      tiling_ = step.begin();
      tile_ = 0;
      begun_ = true;
    }
    while (tile_ < tiling_.tiles) {
      if (ran && now >= deadline_ms) return RunState::kRunning;
      const double macs = static_cast<double>(std::max<uint64_t>(1, tiling_.macs));
      const double wanted = step.macs_per_ms > 0
                                ? step.macs_per_ms * std::min(kDispatchMs, deadline_ms - now)
                                : kFirstMacs;
      const uint64_t per_worker = static_cast<uint64_t>(std::clamp(wanted / macs, 1.0, 1e6));
      const uint64_t batch =
          std::min<uint64_t>(per_worker * pool.num_workers(), tiling_.tiles - tile_);
      pool.ParallelFor(tile_, tile_ + static_cast<size_t>(batch), &RunTile, &step);
      tile_ += static_cast<size_t>(batch);
      ran = true;
      const double after = NowMs();
      step.ms += after - now;
      step.macs_per_ms =
          static_cast<double>(batch) * macs /
          (static_cast<double>(pool.num_workers()) * std::max(after - now, kClockMs));
      now = after;
    }
    step.products += tiling_.products;
    if (step.done) step.done();
    ++step_;
    begun_ = false;
  }
  return RunState::kDone;
}

std::vector<OperationTime> ExecutionPlan::Profile() const {
  std::vector<OperationTime> times;
  for (const Step& step : steps_) {
    auto same = std::find_if(times.begin(), times.end(),
                             [&](const OperationTime& t) { return t.name == step.name; });
    if (same == times.end()) {
      times.push_back({step.name, step.ms, step.products});
    } else {
      same->ms += step.ms;
      same->products += step.products;
    }
  }
  return times;
}

}  // namespace tinyvlm
