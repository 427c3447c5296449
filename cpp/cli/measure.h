// Timing on a machine that may be doing other things: medians of rounds with their spread, and how
// steady the machine was meanwhile.
#ifndef TINYVLM_CLI_MEASURE_H_
#define TINYVLM_CLI_MEASURE_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/clock.h"
#include "base/json_writer.h"
#include "parallel/thread_pool.h"

namespace tinyvlm {

// Of the values of several rounds.
struct Spread {
  double median = 0;
  double low = 0;   // the smallest
  double high = 0;  // the largest
};

// `values` holds at least one; of an even number the median is the mean of the two in the middle.
Spread SpreadOf(std::vector<double> values);

// Rate per second of `amount` units that take `seconds`: the fastest round gives `high`.
Spread PerSecond(double amount, const Spread& seconds);

// {median, low, high}
JsonWriter SpreadReport(const Spread& spread);

// Seconds of one call of body(), over `rounds` rounds. A round's value is the fastest of the
// repeats that fit into round_ms (at least one), so that repeats that the scheduler interrupts do
// not count. A repeat makes as many calls as the clock's resolution needs. Two rounds' time of
// warm-up comes first, because V8 tiers functions up between calls.
template <class Body>
Spread MeasureSeconds(size_t rounds, double round_ms, const Body& body) {
  constexpr double kRepeatMs = 1;
  size_t calls = 0;
  const double start = NowMs();
  do {
    body();
    ++calls;
  } while (NowMs() - start < 2 * round_ms);
  const double call_ms = std::max((NowMs() - start) / static_cast<double>(calls), 1e-6);
  const size_t calls_per_repeat = static_cast<size_t>(std::max(1.0, kRepeatMs / call_ms));
  std::vector<double> fastest;
  while (fastest.size() < rounds) {
    const double round_start = NowMs();
    double best = 0;
    double now = round_start;
    do {
      const double begin = now;
      for (size_t call = 0; call < calls_per_repeat; ++call) body();
      now = NowMs();
      const double each = (now - begin) / static_cast<double>(calls_per_repeat);
      if (best == 0 || each < best) best = each;
    } while (now - round_start < round_ms);
    fastest.push_back(std::max(best, 1e-6) / 1000);
  }
  return SpreadOf(std::move(fastest));
}

// The machine at one moment, measured by a loop of dependent scalar multiply-adds without memory
// accesses.
struct MachineState {
  // the system's load average of the last minute; -1 where it cannot be read
  double load = -1;
  double turns_per_second = 0;  // iterations of the loop, on one thread
  // iterations per second of two threads at once over those of one; 1 where not measured
  double scaling = 1;
};

// Takes about 0.2 s. `two` has two workers; with one, scaling is not measured.
MachineState CheckMachine(ThreadPool& two);

// Prints the state as one line that begins with `when`.
void PrintMachine(const char* when, const MachineState& state);

// {load, turnsPerSecond, scaling}
JsonWriter MachineReport(const MachineState& state);

// True where the loop was equally fast at both moments, within 10 %: measurements between them may
// then be compared with each other.
bool IsSteady(const MachineState& before, const MachineState& after);

// Two threads had two cores to themselves at both moments: the loop scaled by at least 1.8.
bool HasTwoCores(const MachineState& before, const MachineState& after);

}  // namespace tinyvlm

#endif  // TINYVLM_CLI_MEASURE_H_
