#include "cli/measure.h"

#include <cmath>
#include <cstdint>
#include <cstdio>

namespace tinyvlm {

namespace {

constexpr double kSteadyWithin = 0.10;
constexpr double kTwoCores = 1.8;
constexpr size_t kTurns = 500'000;  // about a millisecond

// The steps of a linear congruential generator: each waits for the one before.
struct ScalarLoop {
  static void Run(void* context, size_t tile, size_t) {
    uint64_t value = tile;
    for (size_t turn = 0; turn < kTurns; ++turn)
      value = value * 6364136223846793005u + 1442695040888963407u;
    static_cast<ScalarLoop*>(context)->result[tile] = value;
  }
  volatile uint64_t result[2];  // keeps the compiler from removing the loop
};

// The load average from Linux's /proc, which wasm under Node can read too; -1 elsewhere.
double LoadAverage() {
  double load = -1;
  if (std::FILE* const file = std::fopen("/proc/loadavg", "r")) {
    if (std::fscanf(file, "%lf", &load) != 1) load = -1;
    std::fclose(file);
  }
  return load;
}

}  // namespace

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

Spread PerSecond(double amount, const Spread& seconds) {
  return {amount / seconds.median, amount / seconds.high, amount / seconds.low};
}

JsonWriter SpreadReport(const Spread& spread) {
  JsonWriter report;
  report.Number("median", spread.median).Number("low", spread.low).Number("high", spread.high);
  return report;
}

MachineState CheckMachine(ThreadPool& two) {
  constexpr size_t kRounds = 5;
  constexpr double kRoundMs = 12;
  ScalarLoop loop;
  MachineState state;
  state.load = LoadAverage();
  const double one =
      MeasureSeconds(kRounds, kRoundMs, [&] { ScalarLoop::Run(&loop, 0, 0); }).median;
  state.turns_per_second = static_cast<double>(kTurns) / one;
  if (two.num_workers() == 2)
    state.scaling = 2 * one / MeasureSeconds(kRounds, kRoundMs, [&] {
                                two.ParallelFor(0, 2, &ScalarLoop::Run, &loop);
                              }).median;
  return state;
}

void PrintMachine(const char* when, const MachineState& state) {
  std::printf("%s: load average %.2f, %.0f M turns/s of the scalar loop, two threads x %.2f\n",
              when, state.load, state.turns_per_second / 1e6, state.scaling);
}

JsonWriter MachineReport(const MachineState& state) {
  JsonWriter report;
  report.Number("load", state.load)
      .Number("turnsPerSecond", state.turns_per_second)
      .Number("scaling", state.scaling);
  return report;
}

bool IsSteady(const MachineState& before, const MachineState& after) {
  const double faster = std::max(before.turns_per_second, after.turns_per_second);
  return std::fabs(before.turns_per_second - after.turns_per_second) <= kSteadyWithin * faster;
}

bool HasTwoCores(const MachineState& before, const MachineState& after) {
  return std::min(before.scaling, after.scaling) >= kTwoCores;
}

}  // namespace tinyvlm
