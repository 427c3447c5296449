#include "parallel/turn_lock.h"

#include <atomic>
#include <chrono>
#include <limits>
#include <thread>
#include <vector>

#include "catch_amalgamated.hpp"
#include "parallel/plan_runner.h"

namespace tinyvlm {
namespace {

#if !defined(__EMSCRIPTEN__)  // there a thread starts only when its maker returns

TEST_CASE("A turn excludes all others", "[parallel][turn_lock]") {
  TurnLock lock;
  size_t counter = 0;  // not atomic: the lock protects it
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const TurnLock::Turn turn(lock);
        ++counter;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(counter == 4000);
}

TEST_CASE("Who asked first gets the first turn, also against the one that just had it",
          "[parallel][turn_lock]") {
  TurnLock lock;
  std::atomic<bool> asks{false}, had_turn{false};
  std::thread other;
  {
    const TurnLock::Turn turn(lock);
    other = std::thread([&] {
      asks = true;
      const TurnLock::Turn mine(lock);
      had_turn = true;
    });
    while (!asks) std::this_thread::yield();
    // From asking to standing in the queue it is a few instructions; there is no way to look.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  {
    const TurnLock::Turn turn(lock);
    CHECK(had_turn);
  }
  other.join();
}

TEST_CASE("Plans of two threads take turns on one pool, and each has its own result",
          "[parallel][plan_runner]") {
  PlanRunner runner(2);
  runner.Receive([] { return uint64_t{100}; });
  const auto run = [&](std::vector<size_t>* values) {
    ExecutionPlan plan;
    plan.Add("fill", 100, Tiling{values->size(), 1000},
             [values](size_t tile, size_t) { (*values)[tile] = tile; });
    plan.Add("square", 100, Tiling{values->size(), 1000},
             [values](size_t tile, size_t) { (*values)[tile] *= (*values)[tile]; });
    for (int i = 0; i < 50; ++i) {
      plan.Restart();
      while (runner.Advance(plan, 0) == RunState::kRunning) {
      }
    }
  };
  std::vector<size_t> a(200), b(300);
  std::thread other([&] { run(&b); });
  run(&a);
  other.join();
  for (size_t t = 0; t < a.size(); ++t) REQUIRE(a[t] == t * t);
  for (size_t t = 0; t < b.size(); ++t) REQUIRE(b[t] == t * t);
}

#endif

TEST_CASE("A plan waits for bytes that have not been received", "[parallel][plan_runner]") {
  PlanRunner runner(1);
  ExecutionPlan plan;
  plan.Add("late", 200, Tiling{1, 1}, [](size_t, size_t) {});
  constexpr double kNoDeadline = std::numeric_limits<double>::infinity();
  CHECK(runner.Advance(plan, kNoDeadline) == RunState::kWaiting);
  runner.Receive([] { return uint64_t{199}; });
  CHECK(runner.Advance(plan, kNoDeadline) == RunState::kWaiting);
  runner.Receive([] { return uint64_t{200}; });
  CHECK(runner.Advance(plan, kNoDeadline) == RunState::kDone);
}

}  // namespace
}  // namespace tinyvlm
