#include "parallel/execution_plan.h"

#include <atomic>
#include <limits>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

constexpr double kNoDeadline = std::numeric_limits<double>::infinity();
constexpr double kPast = -1.0;
constexpr uint64_t kBig = 1'000'000'000;  // multiply-adds per tile: one tile per look at the clock

TEST_CASE("A plan runs its steps in order and each tile once", "[parallel][execution_plan]") {
  ThreadPool pool(1);
  ExecutionPlan plan;
  std::vector<std::string> log;
  plan.Add("a", 0, Tiling{2, 1}, [&](size_t tile, size_t) { log.push_back(Format("a%zu", tile)); });
  plan.OnDone([&] { log.push_back("a done"); });
  plan.Add(
      "b", 0,
      [&] {
        log.push_back("b begins");
        return Tiling{1, 1};
      },
      [&](size_t tile, size_t) { log.push_back(Format("b%zu", tile)); });
  REQUIRE(plan.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  const std::vector<std::string> wanted = {"a0", "a1", "a done", "b begins", "b0"};
  REQUIRE(log == wanted);
  REQUIRE(plan.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  REQUIRE(log == wanted);
  plan.Restart();
  REQUIRE(plan.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  REQUIRE(log.size() == 2 * wanted.size());
}

TEST_CASE("A call with no time left still runs one tile, and the next goes on where it stopped",
          "[parallel][execution_plan]") {
  ThreadPool pool(1);
  ExecutionPlan plan;
  std::vector<size_t> tiles;
  size_t begun = 0;
  plan.Add(
      "a", 0,
      [&] {
        ++begun;
        return Tiling{3, kBig};
      },
      [&](size_t tile, size_t) { tiles.push_back(tile); });
  plan.Add("b", 0, Tiling{1, kBig}, [&](size_t tile, size_t) { tiles.push_back(10 + tile); });
  for (size_t calls = 1; calls <= 3; ++calls) {
    REQUIRE(plan.Advance(pool, kPast, 0) == RunState::kRunning);
    REQUIRE(tiles.size() == calls);
  }
  REQUIRE(plan.Advance(pool, kPast, 0) == RunState::kDone);
  REQUIRE(tiles == std::vector<size_t>{0, 1, 2, 10});
  REQUIRE(begun == 1);
}

TEST_CASE("A profile adds up steps of one name, and their products once a step is complete",
          "[parallel][execution_plan]") {
  ThreadPool pool(1);
  ExecutionPlan plan;
  plan.Add("a", 0, Tiling{2, kBig, 30}, [](size_t, size_t) {});
  plan.Add("b", 0, Tiling{1, kBig}, [](size_t, size_t) {});
  plan.Add("a", 0, [] { return Tiling{1, kBig, 5}; }, [](size_t, size_t) {});
  REQUIRE(plan.Advance(pool, kPast, 0) == RunState::kRunning);
  REQUIRE(plan.Profile()[0].products == 0);
  REQUIRE(plan.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  plan.Restart();
  REQUIRE(plan.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  const std::vector<OperationTime> profile = plan.Profile();
  REQUIRE(profile.size() == 2);
  REQUIRE(profile[0].name == "a");
  REQUIRE(profile[0].products == 2 * (30 + 5));
  REQUIRE(profile[1].name == "b");
  REQUIRE(profile[1].products == 0);
}

TEST_CASE("A step waits for the bytes that it needs, and what stands before it runs",
          "[parallel][execution_plan]") {
  ThreadPool pool(1);
  ExecutionPlan plan;
  std::vector<int> ran;
  plan.Add("ready", 100, Tiling{1, 1}, [&](size_t, size_t) { ran.push_back(1); });
  plan.Add("late", 200, Tiling{1, 1}, [&](size_t, size_t) { ran.push_back(2); });
  REQUIRE(plan.Advance(pool, kNoDeadline, 99) == RunState::kWaiting);
  REQUIRE(ran.empty());
  REQUIRE(plan.Advance(pool, kNoDeadline, 199) == RunState::kWaiting);
  REQUIRE(ran == std::vector<int>{1});
  REQUIRE(plan.Advance(pool, kNoDeadline, 199) == RunState::kWaiting);
  REQUIRE(plan.Advance(pool, kNoDeadline, 200) == RunState::kDone);
  REQUIRE(ran == std::vector<int>{1, 2});
}

TEST_CASE("A step may have nothing to do this time; it still counts as completed",
          "[parallel][execution_plan]") {
  ThreadPool pool(1);
  ExecutionPlan plan;
  size_t tiles = 0, done = 0, run = 0;
  plan.Add("maybe", 0, [&] { return Tiling{tiles, 1}; }, [&](size_t, size_t) { ++run; });
  plan.OnDone([&] { ++done; });
  REQUIRE(plan.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  REQUIRE((run == 0 && done == 1));
  tiles = 2;
  plan.Restart();
  REQUIRE(plan.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  REQUIRE((run == 2 && done == 2));
}

TEST_CASE("An empty plan is done", "[parallel][execution_plan]") {
  ThreadPool pool(1);
  ExecutionPlan plan;
  REQUIRE(plan.Advance(pool, kPast, 0) == RunState::kDone);
}

TEST_CASE("Tiles run on all workers and the result does not depend on how many there are",
          "[parallel][execution_plan]") {
  for (const size_t workers : {1, 2, 4}) {
    ThreadPool pool(workers);
    ExecutionPlan plan;
    std::vector<size_t> values(500, 0);
    std::atomic<bool> unknown_worker{false};
    plan.Add("fill", 0, Tiling{values.size(), 1000}, [&](size_t tile, size_t worker) {
      if (worker >= workers) unknown_worker = true;  // assertions belong on the test's own thread
      values[tile] = tile;
    });
    plan.Add("square", 0, Tiling{values.size(), kBig},
             [&](size_t tile, size_t) { values[tile] *= values[tile]; });
    RunState state = RunState::kRunning;
    size_t calls = 0;
    while (state == RunState::kRunning) {
      state = plan.Advance(pool, kPast, 0);
      ++calls;
    }
    REQUIRE(state == RunState::kDone);
    REQUIRE_FALSE(unknown_worker.load());
    REQUIRE(calls > values.size() / workers);  // each call ran one batch: a tile per worker
    for (size_t t = 0; t < values.size(); ++t) REQUIRE(values[t] == t * t);
  }
}

TEST_CASE("The profile adds up steps of the same name, in order of first use",
          "[parallel][execution_plan]") {
  ThreadPool pool(1);
  ExecutionPlan plan;
  const auto burn = [](size_t, size_t) {
    const double until = NowMs() + 2.0;
    while (NowMs() < until) {
    }
  };
  plan.Add("x", 0, Tiling{1, 1}, burn);
  plan.Add("y", 0, Tiling{1, 1}, [](size_t, size_t) {});
  plan.Add("x", 0, Tiling{2, 1}, burn);
  REQUIRE(plan.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  const std::vector<OperationTime> times = plan.Profile();
  REQUIRE(times.size() == 2);
  REQUIRE(times[0].name == "x");
  REQUIRE(times[0].ms >= 6.0);
  REQUIRE(times[1].name == "y");
}

}  // namespace
}  // namespace tinyvlm
