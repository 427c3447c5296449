// What this machine could do, and what the kernels make of it. One run: the machine's state, the
// loops of probe_loops.h, reading memory, the kernels at the model's shapes, the machine's state
// again. Prints Markdown tables.
//
//   tinyvlm-probe [--json FILE] [--all-targets] [--quick]
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "cli/flags.h"
#include "cli/measure.h"
#include "hwy/highway.h"
#include "kernels/relaxed_dots.h"
#include "parallel/thread_pool.h"
#include "probe_kernels.h"
#include "probe_loops.h"

namespace tinyvlm {
namespace {

constexpr const char* kUsage =
    "tinyvlm-probe [--json FILE] [--all-targets] [--quick]\n"
    "    --all-targets  measures every SIMD target that runs here, not the best one only; of "
    "relaxed wasm the kernels for either dot of bytes\n"
    "    --quick        a few short measurements: whether the program works, not how fast the "
    "machine is\n";

struct NamedLoop {
  ProbeLoop loop;
  const char* name;
};
constexpr NamedLoop kLoops[] = {
    {ProbeLoop::kF32Instructions, "f32 multiply-adds"},
    {ProbeLoop::kQ8Instructions, "q8_0 multiply-adds"},
    {ProbeLoop::kQ4Instructions, "q4_0 multiply-adds"},
    {ProbeLoop::kF32Tile, "f32 tile"},
    {ProbeLoop::kQ8Tile, "q8_0 tile"},
    {ProbeLoop::kQ4Tile, "q4_0 tile"},
    {ProbeLoop::kF32Row, "f32 row"},
    {ProbeLoop::kQ8Row, "q8_0 row"},
    {ProbeLoop::kQ4Row, "q4_0 row"},
};

// The loops of one type of weights.
struct LoopsOfType {
  std::string_view type;
  ProbeLoop instructions, tile, row;
};
constexpr LoopsOfType kLoopsOfTypes[] = {
    {"f32", ProbeLoop::kF32Instructions, ProbeLoop::kF32Tile, ProbeLoop::kF32Row},
    {"q8_0", ProbeLoop::kQ8Instructions, ProbeLoop::kQ8Tile, ProbeLoop::kQ8Row},
    {"q4_0", ProbeLoop::kQ4Instructions, ProbeLoop::kQ4Tile, ProbeLoop::kQ4Row},
};

// Those of a name that begins with its type ("q8_0", "q8_0 tile").
const LoopsOfType& LoopsOf(std::string_view name) {
  for (const LoopsOfType& loops : kLoopsOfTypes) {
    if (name.substr(0, loops.type.size()) == loops.type) return loops;
  }
  return kLoopsOfTypes[0];
}

struct LoopResult {
  ProbeLoop loop;
  const char* name;
  Spread macs;
};

struct BandwidthResult {
  size_t bytes;
  size_t threads;
  Spread bytes_per_second;
};

// What one target makes of the machine.
struct TargetResult {
  std::string target;
  std::vector<LoopResult> loops;
  std::vector<BandwidthResult> bandwidth;
  std::vector<ProductResult> products;
  std::vector<OtherResult> others;

  double Loop(ProbeLoop loop) const {
    for (const LoopResult& result : loops) {
      if (result.loop == loop) return result.macs.median;
    }
    return 0;
  }
  double Instructions(const ProductResult& product) const {
    return Loop(LoopsOf(product.type).instructions);
  }
  // The loop with the product's block structure.
  double Probe(const ProductResult& product) const {
    return Loop(product.row ? LoopsOf(product.type).row : LoopsOf(product.type).tile);
  }
  // One thread's bandwidth at the smallest measured working set that holds `bytes`.
  double BandwidthAt(double bytes) const {
    double found = 0;
    for (const BandwidthResult& result : bandwidth) {
      if (result.threads != 1) continue;
      found = result.bytes_per_second.median;
      if (static_cast<double>(result.bytes) >= bytes) break;
    }
    return found;
  }
};

Result<std::vector<LoopResult>> MeasureLoops(const ProbeEffort& effort) {
  TVLM_ASSIGN_OR_RETURN(auto operands,
                        AlignedBuffer<uint8_t>::Allocate(kProbeOperandBytes, "operands"));
  std::fill(operands.data(), operands.data() + operands.size(), uint8_t{0});
  AlignedBuffer<float> memory;
  TVLM_ASSIGN_OR_RETURN(memory, AlignedBuffer<float>::Allocate(kProbeResultFloats, "results"));
  std::fill(memory.data(), memory.data() + memory.size(), 0.0f);
  std::vector<LoopResult> results;
  for (const NamedLoop& item : kLoops) {
    // Turns of about the same work, short beside the clock's repeats.
    const size_t turns = static_cast<size_t>(
        200'000 / RunProbeLoop(item.loop, 1, operands.data(), memory.data(), effort.relaxed_dot) +
        1);
    double macs = 0;
    const Spread seconds = MeasureSeconds(effort.rounds, effort.round_ms, [&] {
      macs = static_cast<double>(
          RunProbeLoop(item.loop, turns, operands.data(), memory.data(), effort.relaxed_dot));
    });
    results.push_back({item.loop, item.name, PerSecond(macs, seconds)});
  }
  return results;
}

// A call reads one piece of the working set on each thread, each in a half of its own, and the next
// call the piece behind it: too short to be interrupted.
struct ReadingJob {
  const uint8_t* data;
  size_t bytes_per_thread;
  size_t piece;
  size_t at = 0;
  volatile uint32_t sum[2] = {0, 0};

  static void Run(void* context, size_t tile, size_t) {
    ReadingJob& job = *static_cast<ReadingJob*>(context);
    job.sum[tile] = ReadMemory(job.data + tile * job.bytes_per_thread + job.at, job.piece);
  }
};

Result<std::vector<BandwidthResult>> MeasureBandwidth(const ProbeEffort& effort, ThreadPool& two) {
  constexpr size_t kSmallest = size_t{16} << 10, kLargest = size_t{256} << 20,
                   kPiece = size_t{1} << 20;
  const size_t largest = effort.quick ? size_t{1} << 20 : kLargest;
  TVLM_ASSIGN_OR_RETURN(auto memory, AlignedBuffer<uint8_t>::Allocate(largest, "working set"));
  // untouched pages would all be the same one
  std::fill(memory.data(), memory.data() + memory.size(), uint8_t{1});
  std::vector<BandwidthResult> results;
  for (size_t threads = 1; threads <= two.num_workers(); ++threads) {
    for (size_t bytes = kSmallest; bytes <= largest; bytes *= 2) {
      const size_t share = bytes / threads;
      ReadingJob job{memory.data(), share, std::min(share, kPiece)};
      const Spread seconds = MeasureSeconds(effort.rounds, effort.round_ms, [&] {
        if (threads == 1) {
          ReadingJob::Run(&job, 0, 0);
        } else {
          two.ParallelFor(0, threads, &ReadingJob::Run, &job);
        }
        job.at = (job.at + job.piece) % share;
      });
      results.push_back(
          {bytes, threads, PerSecond(static_cast<double>(job.piece * threads), seconds)});
    }
  }
  return results;
}

std::string Giga(const Spread& perSecond) {
  return Format("%.1f (%.1f to %.1f)", perSecond.median / 1e9, perSecond.low / 1e9,
                perSecond.high / 1e9);
}

std::string Percent(double part, double whole) {
  return whole > 0 ? Format("%.0f %%", 100 * part / whole) : std::string();
}

void PrintTables(const TargetResult& result, bool two_cores) {
  std::printf(
      "\n### %s\n\n| loop | G multiply-adds/s (range) | of its instructions |\n|---|---|---|\n",
      result.target.c_str());
  for (const LoopResult& loop : result.loops) {
    std::printf("| %s | %s | %s |\n", loop.name, Giga(loop.macs).c_str(),
                Percent(loop.macs.median, result.Loop(LoopsOf(loop.name).instructions)).c_str());
  }
  if (!result.bandwidth.empty()) {
    std::printf("\n| working set | reads, GB/s (range), 1 thread | 2 threads%s |\n|---|---|---|\n",
                two_cores ? "" : " (not valid)");
    for (const BandwidthResult& one : result.bandwidth) {
      if (one.threads != 1) continue;
      std::string both = "-";
      for (const BandwidthResult& other : result.bandwidth) {
        if (other.threads == 2 && other.bytes == one.bytes) both = Giga(other.bytes_per_second);
      }
      std::printf("| %zu kB | %s | %s |\n", one.bytes >> 10, Giga(one.bytes_per_second).c_str(),
                  both.c_str());
    }
  }
  std::printf(
      "\n| product | weights | rows x outputs x k | G multiply-adds/s (range) | of its probe | of "
      "the instructions | weights, GB/s | of reading |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (const ProductResult& product : result.products) {
    const double per_second = product.macs.median;
    const double macs = static_cast<double>(product.m) * static_cast<double>(product.n) *
                        static_cast<double>(product.k);
    const double bytes_per_second = product.weight_bytes * per_second / macs;
    std::printf("| %s | %s | %zu x %zu x %zu | %s | %s | %s | %s | %s |\n", product.name.c_str(),
                product.type.c_str(), product.m, product.n, product.k, Giga(product.macs).c_str(),
                Percent(per_second, result.Probe(product)).c_str(),
                Percent(per_second, result.Instructions(product)).c_str(),
                product.row ? Format("%.1f", bytes_per_second / 1e9).c_str() : "",
                product.row
                    ? Percent(bytes_per_second, result.BandwidthAt(product.weight_bytes)).c_str()
                    : "");
  }
  std::printf(
      "\n| other kernel | size | G results/s (range) | G multiply-adds/s | of the f32 "
      "multiply-adds |\n|---|---|---|---|---|\n");
  for (const OtherResult& other : result.others) {
    const double macs = other.values.median * other.macs_per_value;
    std::printf("| %s | %s | %.3f (%.3f to %.3f) | %s | %s |\n", other.name.c_str(),
                other.size.c_str(), other.values.median / 1e9, other.values.low / 1e9,
                other.values.high / 1e9, macs > 0 ? Format("%.1f", macs / 1e9).c_str() : "",
                macs > 0 ? Percent(macs, result.Loop(ProbeLoop::kF32Instructions)).c_str() : "");
  }
}

// One row per measurement: {section, target, name, threads, value, unit, valid, ...}. value.median
// is what the tables show.
void AddRows(const TargetResult& result, bool steady, bool two_cores,
             std::vector<JsonWriter>* rows) {
  const auto row = [&](const char* section, const std::string& name, size_t threads,
                       const Spread& value, const char* unit) {
    JsonWriter json;
    json.String("section", section)
        .String("target", result.target)
        .String("name", name)
        .Number("threads", static_cast<double>(threads));
    json.Object("value", SpreadReport(value))
        .String("unit", unit)
        .Bool("valid", steady && (threads == 1 || two_cores));
    return json;
  };
  for (const LoopResult& loop : result.loops)
    rows->push_back(row("loop", loop.name, 1, loop.macs, "multiply-adds/s"));
  for (const BandwidthResult& item : result.bandwidth) {
    JsonWriter json = row("bandwidth", "read", item.threads, item.bytes_per_second, "bytes/s");
    rows->push_back(json.Number("bytes", static_cast<double>(item.bytes)));
  }
  for (const ProductResult& product : result.products) {
    JsonWriter json = row("product", product.name, 1, product.macs, "multiply-adds/s");
    json.String("weights", product.type)
        .Number("m", static_cast<double>(product.m))
        .Number("n", static_cast<double>(product.n));
    json.Number("k", static_cast<double>(product.k)).Number("weightBytes", product.weight_bytes);
    json.Number("probe", result.Probe(product))
        .Number("instructions", result.Instructions(product));
    if (product.row) json.Number("readBytesPerSecond", result.BandwidthAt(product.weight_bytes));
    rows->push_back(json);
  }
  for (const OtherResult& other : result.others) {
    JsonWriter json = row("other", other.name, 1, other.values, "results/s");
    rows->push_back(json.Number("macsPerResult", other.macs_per_value));
  }
}

Result<TargetResult> MeasureTarget(std::string name, const ProbeEffort& effort, bool bandwidth,
                                   ThreadPool& two) {
  TargetResult result;
  result.target = std::move(name);
  std::fprintf(stderr, "%s\n", result.target.c_str());
  TVLM_ASSIGN_OR_RETURN(result.loops, MeasureLoops(effort));
  if (bandwidth) {
    TVLM_ASSIGN_OR_RETURN(result.bandwidth, MeasureBandwidth(effort, two));
  }
  TVLM_ASSIGN_OR_RETURN(result.products, MeasureProducts(effort));
  TVLM_ASSIGN_OR_RETURN(result.others, MeasureOthers(effort));
  return result;
}

size_t Threads() {
#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
  return 1;
#else
  return 2;
#endif
}

Status Run(const Flags& flags) {
  ProbeEffort effort;
  if (flags.Has("--quick")) effort = {3, 1, true};
  ThreadPool two(Threads());
  std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();  // best first
  if (!flags.Has("--all-targets")) targets.resize(1);

  const MachineState before = CheckMachine(two);
  PrintMachine("before", before);
  std::vector<TargetResult> results;
  for (const int64_t target : targets) {
    hwy::SetSupportedTargetsForTest(target);
    const auto measure = [&](const char* how) -> Status {
      // reading depends on the machine more than on the width of its vectors
      const bool bandwidth = results.empty();
      TVLM_ASSIGN_OR_RETURN(
          TargetResult result,
          MeasureTarget(hwy::TargetName(target) + std::string(how), effort, bandwidth, two));
      results.push_back(std::move(result));
      return Status();
    };
#ifdef __wasm_relaxed_simd__
    if (flags.Has("--all-targets")) {
      effort.relaxed_dot = RelaxedDot::kFour;
      TVLM_RETURN_IF_ERROR(measure(", dots of four bytes"));
      effort.relaxed_dot = RelaxedDot::kTwo;
      TVLM_RETURN_IF_ERROR(measure(", dots of two bytes"));
      continue;
    }
#endif
    TVLM_RETURN_IF_ERROR(measure(""));
  }
  hwy::SetSupportedTargetsForTest(0);
  const MachineState after = CheckMachine(two);
  PrintMachine("after", after);
  const bool steady = IsSteady(before, after), two_cores = HasTwoCores(before, after);
  std::printf(
      "this run is %s\n",
      steady
          ? "valid"
          : "NOT valid: the scalar loop ran more than 10 % faster or slower after it than before");
  if (Threads() == 2 && !two_cores)
    std::printf(
        "its two-thread rows are NOT valid: the scalar loop on two threads did less than 1.8 times "
        "the work\n");

  for (const TargetResult& result : results) PrintTables(result, two_cores);
  if (!flags.Has("--json")) return Status();
  std::vector<JsonWriter> rows;
  for (const TargetResult& result : results) AddRows(result, steady, two_cores, &rows);
  JsonWriter json;
  json.Object("before", MachineReport(before))
      .Object("after", MachineReport(after))
      .Bool("valid", steady)
      .Bool("twoThreadsValid", two_cores);
  const std::string text = json.Array("rows", rows).Finish();
  const std::string path = flags.Get("--json", "");
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  const bool written =
      file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file == nullptr || std::fclose(file) != 0 || !written)
    return Error(ErrorCode::kIo, "%s: cannot be written", path.c_str());
  return Status();
}

}  // namespace
}  // namespace tinyvlm

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto flags =
      tinyvlm::Flags::Parse(arguments, {"--json"}, {"--all-targets", "--quick", "--help"}, 0, 0);
  if (flags.ok() && flags->Has("--help")) {
    std::printf("%s", tinyvlm::kUsage);
    return 0;
  }
  const tinyvlm::Status status = flags.ok() ? tinyvlm::Run(*flags) : flags.status();
  if (!status.ok())
    std::fprintf(stderr, "tinyvlm-probe: %s: %s\n", tinyvlm::ErrorCodeName(status.code()),
                 status.message().c_str());
  return static_cast<int>(status.code());
}
