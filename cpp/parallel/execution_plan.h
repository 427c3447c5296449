// An execution plan: a list of steps, each cut into independent tiles, that can be run for a while
// and resumed, so that the tower and the decoder do a bounded amount of work per call without
// threads of their own. A plan is built once per session; running it allocates nothing.
#ifndef TINYVLM_PARALLEL_EXECUTION_PLAN_H_
#define TINYVLM_PARALLEL_EXECUTION_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backend/operation_time.h"
#include "backend/run_state.h"
#include "parallel/thread_pool.h"

namespace tinyvlm {

// How one run of a step is cut into tiles: `macs` is the cost of one tile in multiply-adds (a rough
// estimate is enough; it sets how often the clock is read). `products` counts the multiply-adds of
// the matrix products in the whole step, for profiles.
struct Tiling {
  size_t tiles = 0;
  uint64_t macs = 0;
  uint64_t products = 0;
};

class ExecutionPlan {
 public:
  using Begin = std::function<Tiling()>;
  using Tile = std::function<void(size_t tile, size_t worker)>;

  // Appends a step. `begin` runs on the caller's thread when the step starts and says how it is cut
  // (0 tiles: nothing to do this time); `tile` runs once per tile on any worker, and the tiles must
  // not depend on each other. `needs` is the number of data bytes of the model file that must have
  // arrived.
  void Add(std::string name, uint64_t needs, Begin begin, Tile tile);

  // The same for a fixed cut.
  void Add(std::string name, uint64_t needs, Tiling tiling, Tile tile);

  // Runs `done` on the caller's thread each time the last step added so far has been completed
  // (taps of the trace). Replaces an earlier `done` of that step.
  void OnDone(std::function<void()> done);

  // Goes back to the first step.
  void Restart();

  // Runs tiles until the plan ends, NowMs() passes deadline_ms, or a step needs more than
  // ready_bytes. At least one tile is run per call.
  RunState Advance(ThreadPool& pool, double deadline_ms, uint64_t ready_bytes);

  // Milliseconds and multiply-adds of matrix products so far, summed by step name, in order of
  // first use.
  std::vector<OperationTime> Profile() const;

 private:
  struct Step {
    std::string name;
    uint64_t needs;
    Begin begin;
    Tile tile;
    std::function<void()> done;
    double ms = 0;
    uint64_t products = 0;
    double macs_per_ms = 0;  // of a worker, when the step ran last
  };

  static void RunTile(void* step, size_t tile, size_t worker);

  std::vector<Step> steps_;
  size_t step_ = 0;
  size_t tile_ = 0;
  bool begun_ = false;
  Tiling tiling_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_PARALLEL_EXECUTION_PLAN_H_
