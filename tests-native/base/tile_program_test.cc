#include "base/tile_program.h"

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

TEST_CASE("A program runs its steps in order and each tile once", "[base][tile_program]") {
  ThreadPool pool(1);
  TileProgram program;
  std::vector<std::string> log;
  program.Add("a", 0, Tiling{2, 1},
              [&](size_t tile, size_t) { log.push_back(Format("a%zu", tile)); });
  program.OnDone([&] { log.push_back("a done"); });
  program.Add(
      "b", 0,
      [&] {
        log.push_back("b begins");
        return Tiling{1, 1};
      },
      [&](size_t tile, size_t) { log.push_back(Format("b%zu", tile)); });
  REQUIRE(program.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  const std::vector<std::string> wanted = {"a0", "a1", "a done", "b begins", "b0"};
  REQUIRE(log == wanted);
  REQUIRE(program.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  REQUIRE(log == wanted);
  program.Restart();
  REQUIRE(program.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  REQUIRE(log.size() == 2 * wanted.size());
}

TEST_CASE("A call with no time left still runs one tile, and the next goes on where it stopped",
          "[base][tile_program]") {
  ThreadPool pool(1);
  TileProgram program;
  std::vector<size_t> tiles;
  size_t begun = 0;
  program.Add(
      "a", 0,
      [&] {
        ++begun;
        return Tiling{3, kBig};
      },
      [&](size_t tile, size_t) { tiles.push_back(tile); });
  program.Add("b", 0, Tiling{1, kBig}, [&](size_t tile, size_t) { tiles.push_back(10 + tile); });
  for (size_t calls = 1; calls <= 3; ++calls) {
    REQUIRE(program.Advance(pool, kPast, 0) == RunState::kRunning);
    REQUIRE(tiles.size() == calls);
  }
  REQUIRE(program.Advance(pool, kPast, 0) == RunState::kDone);
  REQUIRE(tiles == std::vector<size_t>{0, 1, 2, 10});
  REQUIRE(begun == 1);
}

TEST_CASE("A profile adds up steps of one name, and their products once a step is complete",
          "[base][tile_program]") {
  ThreadPool pool(1);
  TileProgram program;
  program.Add("a", 0, Tiling{2, kBig, 30}, [](size_t, size_t) {});
  program.Add("b", 0, Tiling{1, kBig}, [](size_t, size_t) {});
  program.Add("a", 0, [] { return Tiling{1, kBig, 5}; }, [](size_t, size_t) {});
  REQUIRE(program.Advance(pool, kPast, 0) == RunState::kRunning);
  REQUIRE(program.Profile()[0].products == 0);
  REQUIRE(program.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  program.Restart();
  REQUIRE(program.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  const std::vector<TileProgram::StepTime> profile = program.Profile();
  REQUIRE(profile.size() == 2);
  REQUIRE(profile[0].name == "a");
  REQUIRE(profile[0].products == 2 * (30 + 5));
  REQUIRE(profile[1].name == "b");
  REQUIRE(profile[1].products == 0);
}

TEST_CASE("A step waits for the bytes that it needs, and what stands before it runs",
          "[base][tile_program]") {
  ThreadPool pool(1);
  TileProgram program;
  std::vector<int> ran;
  program.Add("ready", 100, Tiling{1, 1}, [&](size_t, size_t) { ran.push_back(1); });
  program.Add("late", 200, Tiling{1, 1}, [&](size_t, size_t) { ran.push_back(2); });
  REQUIRE(program.Advance(pool, kNoDeadline, 99) == RunState::kWaiting);
  REQUIRE(ran.empty());
  REQUIRE(program.Advance(pool, kNoDeadline, 199) == RunState::kWaiting);
  REQUIRE(ran == std::vector<int>{1});
  REQUIRE(program.Advance(pool, kNoDeadline, 199) == RunState::kWaiting);
  REQUIRE(program.Advance(pool, kNoDeadline, 200) == RunState::kDone);
  REQUIRE(ran == std::vector<int>{1, 2});
}

TEST_CASE("A step may have nothing to do this time; it still counts as completed",
          "[base][tile_program]") {
  ThreadPool pool(1);
  TileProgram program;
  size_t tiles = 0, done = 0, run = 0;
  program.Add("maybe", 0, [&] { return Tiling{tiles, 1}; }, [&](size_t, size_t) { ++run; });
  program.OnDone([&] { ++done; });
  REQUIRE(program.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  REQUIRE((run == 0 && done == 1));
  tiles = 2;
  program.Restart();
  REQUIRE(program.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  REQUIRE((run == 2 && done == 2));
}

TEST_CASE("An empty program is done", "[base][tile_program]") {
  ThreadPool pool(1);
  TileProgram program;
  REQUIRE(program.Advance(pool, kPast, 0) == RunState::kDone);
}

TEST_CASE("Tiles run on all workers and the result does not depend on how many there are",
          "[base][tile_program]") {
  for (const size_t workers : {1, 2, 4}) {
    ThreadPool pool(workers);
    TileProgram program;
    std::vector<size_t> values(500, 0);
    std::atomic<bool> foreign_worker{false};
    program.Add("fill", 0, Tiling{values.size(), 1000}, [&](size_t tile, size_t worker) {
      if (worker >= workers) foreign_worker = true;  // assertions belong on the test's own thread
      values[tile] = tile;
    });
    program.Add("square", 0, Tiling{values.size(), kBig},
                [&](size_t tile, size_t) { values[tile] *= values[tile]; });
    RunState state = RunState::kRunning;
    size_t calls = 0;
    while (state == RunState::kRunning) {
      state = program.Advance(pool, kPast, 0);
      ++calls;
    }
    REQUIRE(state == RunState::kDone);
    REQUIRE_FALSE(foreign_worker.load());
    REQUIRE(calls > values.size() / workers);  // each call ran one batch: a tile per worker
    for (size_t t = 0; t < values.size(); ++t) REQUIRE(values[t] == t * t);
  }
}

TEST_CASE("The profile adds up steps of the same name, in order of first use",
          "[base][tile_program]") {
  ThreadPool pool(1);
  TileProgram program;
  const auto burn = [](size_t, size_t) {
    const double until = NowMs() + 2.0;
    while (NowMs() < until) {
    }
  };
  program.Add("x", 0, Tiling{1, 1}, burn);
  program.Add("y", 0, Tiling{1, 1}, [](size_t, size_t) {});
  program.Add("x", 0, Tiling{2, 1}, burn);
  REQUIRE(program.Advance(pool, kNoDeadline, 0) == RunState::kDone);
  const std::vector<TileProgram::StepTime> times = program.Profile();
  REQUIRE(times.size() == 2);
  REQUIRE(times[0].name == "x");
  REQUIRE(times[0].ms >= 6.0);
  REQUIRE(times[1].name == "y");
}

}  // namespace
}  // namespace tinyvlm
