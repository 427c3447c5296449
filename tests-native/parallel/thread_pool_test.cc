#include "parallel/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

struct Counts {
  explicit Counts(size_t tiles) : runs(tiles) {}
  std::vector<std::atomic<int>> runs;  // how often each tile ran
  std::atomic<size_t> largest_worker{0};
};

void CountTile(void* context, size_t tile, size_t worker) {
  Counts& counts = *static_cast<Counts*>(context);
  counts.runs[tile].fetch_add(1);
  size_t largest = counts.largest_worker.load();
  while (worker > largest && !counts.largest_worker.compare_exchange_weak(largest, worker)) {
  }
}

TEST_CASE("ParallelFor runs every tile of its range once, with a worker below num_workers",
          "[parallel][thread_pool]") {
  for (const size_t workers : {0, 1, 2, 3, 8}) {
    ThreadPool pool(workers);
    REQUIRE(pool.num_workers() >= 1);
    REQUIRE(pool.num_workers() <= std::max<size_t>(1, workers));
    for (const size_t tiles : {0, 1, 2, 7, 1000}) {
      CAPTURE(workers, tiles);
      Counts counts(tiles + 2);
      pool.ParallelFor(1, tiles + 1, &CountTile, &counts);
      REQUIRE(counts.runs.front() == 0);
      REQUIRE(counts.runs.back() == 0);
      for (size_t t = 1; t <= tiles; ++t) REQUIRE(counts.runs[t] == 1);
      REQUIRE(counts.largest_worker < pool.num_workers());
    }
  }
}

TEST_CASE("ParallelFor has finished all tiles when it returns, thousands of times in a row",
          "[parallel][thread_pool]") {
  ThreadPool pool(4);
  // not atomic: each tile has its own, and the next call must see it
  std::vector<size_t> values(64, 0);
  const auto add = [](void* context, size_t tile, size_t) {
    (*static_cast<std::vector<size_t>*>(context))[tile] += tile;
  };
  const size_t rounds = 5000;
  for (size_t i = 0; i < rounds; ++i) pool.ParallelFor(0, values.size(), add, &values);
  for (size_t t = 0; t < values.size(); ++t) REQUIRE(values[t] == t * rounds);
}

TEST_CASE("A pool that was never used, or whose workers sleep, ends", "[parallel][thread_pool]") {
  {
    ThreadPool unused(4);
  }
  auto pool = std::make_unique<ThreadPool>(3);
  Counts counts(10);
  pool->ParallelFor(0, 10, &CountTile, &counts);
  // Long enough for the workers to give up spinning.
  volatile size_t wait = 0;
  for (size_t i = 0; i < 20'000'000; ++i) wait = wait + 1;
  pool->ParallelFor(0, 10, &CountTile, &counts);
  for (const auto& runs : counts.runs) REQUIRE(runs == 2);
  for (size_t i = 0; i < 20'000'000; ++i) wait = wait + 1;
  pool.reset();
}

}  // namespace
}  // namespace tinyvlm
