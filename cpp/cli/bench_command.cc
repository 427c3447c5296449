#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/run_to_end.h"
#include "cli/bench_constrain.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/measure.h"
#include "cli/threads_flag.h"
#include "engine/model_file.h"
#include "engine/session.h"

namespace tinyvlm {

namespace {

// Tokens in the KV cache when decoding begins, by default: an image and a question.
constexpr int64_t kPrefixRows = 280;

struct BenchOptions {
  std::string model_path;
  std::vector<std::string> works;
  size_t image_size = 0;
  size_t rounds = 0;
  size_t prefix = 0;
  size_t threads = 0;
  Compute compute = Compute::kFast;
};

using Profile = std::vector<OperationTime>;

struct WorkResult {
  std::string name;
  Spread ms;
  double count = 1;       // units that one round produces
  const char* unit = "";  // "rows", "tokens", "bytes", "models"
  double cores = 0;       // CPU time / elapsed time, over all rounds
  Profile profile;        // of all rounds together; empty where there are no operations
};

// What was done since `before`.
Profile Since(const Profile& before, Profile now) {
  for (OperationTime& step : now) {
    const auto same = std::find_if(before.begin(), before.end(), [&](const OperationTime& other) {
      return other.name == step.name;
    });
    if (same == before.end()) continue;
    step.ms -= same->ms;
    step.products -= same->products;
  }
  return now;
}

// A run that got less than this share of its cores says more about the machine than about the
// engine.
constexpr double kCoreShare = 0.9;

// Calls `round`, which returns the milliseconds to report, several times. Sets ms and cores.
template <class Round>
Status Repeat(size_t rounds, const Round& round, WorkResult* result) {
  std::vector<double> ms;
  const double start = NowMs();
  const std::clock_t start_processor = std::clock();
  for (size_t i = 0; i < rounds; ++i) {
    TVLM_ASSIGN_OR_RETURN(const double one, round());
    ms.push_back(one);
  }
  const double processor_ms =
      static_cast<double>(std::clock() - start_processor) * (1000.0 / CLOCKS_PER_SEC);
  result->cores = processor_ms / std::max(NowMs() - start, 1e-6);
  result->ms = SpreadOf(std::move(ms));
  return Status();
}

// The same, after a warm-up round, for work that `worker` (an encoder or a decoder) does; sets the
// profile too. A round produces `count` units.
template <class Worker, class Round>
Result<WorkResult> Measure(std::string name, size_t count, const char* unit,
                           const BenchOptions& options, const Worker& worker, const Round& round) {
  WorkResult result;
  result.name = std::move(name);
  result.count = static_cast<double>(count);
  result.unit = unit;
  TVLM_RETURN_IF_ERROR(round().status());
  const Profile before = worker.Profile();
  TVLM_RETURN_IF_ERROR(Repeat(options.rounds, round, &result));
  result.profile = Since(before, worker.Profile());
  return result;
}

// Rows of a prompt with ids that look random: every one is looked up in the embedding.
std::vector<DecoderRow> RandomRows(const Model& model, size_t count) {
  std::vector<DecoderRow> rows(count);
  uint32_t state = 1;
  for (DecoderRow& row : rows) {
    state = state * 1664525u + 1013904223u;
    row.token = static_cast<int32_t>((state >> 8) % model.decoder().vocabulary);
  }
  return rows;
}

// Milliseconds until the rows are done.
Result<double> TimeRows(Decoder& decoder, std::span<const DecoderRow> rows) {
  const double start = NowMs();
  TVLM_RETURN_IF_ERROR(decoder.Begin(rows));
  TVLM_RETURN_IF_ERROR(RunToEnd(decoder));
  return NowMs() - start;
}

Result<std::unique_ptr<Decoder>> CreateDecoder(Model& model, const BenchOptions& options,
                                               size_t context, const char* work) {
  if (context > model.decoder().max_positions) {
    return Error(ErrorCode::kInvalidArgument,
                 "--work %s: at most the model's %zu tokens wanted, %zu needed", work,
                 model.decoder().max_positions, context);
  }
  return model.backend().CreateDecoder({context, options.compute, nullptr});
}

Result<WorkResult> BenchVision(Model& model, const BenchOptions& options) {
  if (!model.has_vision())
    return Error(ErrorCode::kUnsupported, "--work vision: this model reads text only");
  const size_t side = options.image_size == 0 ? model.vision().image_size : options.image_size,
               reduction = model.vision().Reduction();
  if (side % reduction != 0 || side > kMaxImageSize) {
    return Error(ErrorCode::kInvalidArgument,
                 "--image-size: a multiple of %zu up to %zu wanted, %zu found", reduction,
                 size_t{kMaxImageSize}, side);
  }
  TVLM_ASSIGN_OR_RETURN(const auto encoder, model.backend().CreateVisionEncoder(
                                                {side, side, options.compute, nullptr}));
  TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Embeddings> embeddings, encoder->NewEmbeddings());
  std::vector<uint8_t> pixels(3 * side * side);
  uint32_t state = 1;
  for (uint8_t& value : pixels) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<uint8_t>(state >> 24);
  }
  const auto round = [&]() -> Result<double> {
    // Begin normalises the pixels, which this number has never included.
    TVLM_RETURN_IF_ERROR(encoder->Begin(pixels.data(), embeddings));
    const double start = NowMs();
    TVLM_RETURN_IF_ERROR(RunToEnd(*encoder));
    return NowMs() - start;
  };
  return Measure(Format("vision-%zu", side), encoder->tokens(), "rows", options, *encoder, round);
}

Result<WorkResult> BenchPrefill(Model& model, const BenchOptions& options, size_t count,
                                const char* work) {
  TVLM_ASSIGN_OR_RETURN(const auto decoder, CreateDecoder(model, options, count, work));
  const std::vector<DecoderRow> rows = RandomRows(model, count);
  const auto round = [&]() -> Result<double> {
    decoder->Rewind(0);
    return TimeRows(*decoder, rows);
  };
  return Measure(work, count, "rows", options, *decoder, round);
}

Result<WorkResult> BenchDecode(Model& model, const BenchOptions& options, size_t count,
                               const char* work) {
  TVLM_ASSIGN_OR_RETURN(const auto decoder,
                        CreateDecoder(model, options, options.prefix + count, work));
  const std::vector<DecoderRow> rows = RandomRows(model, options.prefix + count);
  const std::span<const DecoderRow> all(rows);
  TVLM_RETURN_IF_ERROR(TimeRows(*decoder, all.first(options.prefix)).status());
  const auto round = [&]() -> Result<double> {
    decoder->Rewind(options.prefix);
    double ms = 0;
    for (size_t i = 0; i < count; ++i) {
      TVLM_ASSIGN_OR_RETURN(const double step,
                            TimeRows(*decoder, all.subspan(options.prefix + i, 1)));
      ms += step;
    }
    return ms;
  };
  return Measure(work, count, "tokens", options, *decoder, round);
}

Result<WorkResult> BenchLoad(const BenchOptions& options) {
  WorkResult result;
  uint64_t bytes = 0;
  const auto round = [&]() -> Result<double> {
    const double start = NowMs();
    TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Model> model,
                          LoadModel(options.model_path, options.threads, ModelUse::kIds));
    bytes = model->file().data_bytes;
    return NowMs() - start;
  };
  TVLM_RETURN_IF_ERROR(Repeat(options.rounds, round, &result));
  result.name = "load";
  result.count = static_cast<double>(bytes);
  result.unit = "bytes";
  return result;
}

// From the path to a session that can be asked, tokenizer included.
Result<WorkResult> BenchReady(const BenchOptions& options) {
  WorkResult result;
  const auto round = [&]() -> Result<double> {
    const double start = NowMs();
    TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Model> model,
                          LoadModel(options.model_path, options.threads));
    SessionOptions session;
    session.context = std::min(session.context, model->decoder().max_positions);
    TVLM_RETURN_IF_ERROR(Session::Create(model, session).status());
    return NowMs() - start;
  };
  TVLM_RETURN_IF_ERROR(Repeat(options.rounds, round, &result));
  result.name = "ready";
  result.count = 1;
  result.unit = "models";
  return result;
}

// The number after `prefix` ("prefill-"); 0 where it is not in 1..100000.
size_t CountOf(const std::string& work, const char* prefix) {
  const size_t length = std::string_view(prefix).size();
  if (work.compare(0, length, prefix) != 0 || work.size() == length || work.size() > length + 6)
    return 0;
  if (work.find_first_not_of("0123456789", length) != std::string::npos) return 0;
  const unsigned long count = std::strtoul(work.c_str() + length, nullptr, 10);
  return count <= 100'000 ? static_cast<size_t>(count) : 0;
}

Result<std::vector<std::string>> ParseWorks(const std::string& list) {
  std::vector<std::string> works;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string work = list.substr(begin, end - begin);
    if (work != "vision" && work != "load" && work != "ready" && work != "constrain" &&
        CountOf(work, "prefill-") == 0 && CountOf(work, "decode-") == 0 &&
        CountOf(work, "constrained-") == 0) {
      return Error(ErrorCode::kInvalidArgument,
                   "--work: \"vision\", \"prefill-N\", \"decode-N\", \"constrained-N\" (N of "
                   "1..100000), \"constrain\", \"load\" or \"ready\" wanted, \"%s\" found",
                   work.c_str());
    }
    works.push_back(work);
    begin = end + 1;
  }
  return works;
}

Result<WorkResult> RunWork(const std::string& work, Model& model, const BenchOptions& options) {
  if (work == "vision") return BenchVision(model, options);
  if (const size_t rows = CountOf(work, "prefill-"); rows != 0)
    return BenchPrefill(model, options, rows, work.c_str());
  return BenchDecode(model, options, CountOf(work, "decode-"), work.c_str());
}

// Works that are about response formats.
bool IsConstrain(const std::string& work) {
  return work == "constrain" || CountOf(work, "constrained-") != 0;
}

Result<std::vector<ConstrainedDecode>> BenchConstrained(Model& model, const BenchOptions& options,
                                                        size_t count, const char* work) {
  TVLM_ASSIGN_OR_RETURN(const auto decoder,
                        CreateDecoder(model, options, options.prefix + count, work));
  TVLM_RETURN_IF_ERROR(TimeRows(*decoder, RandomRows(model, options.prefix)).status());
  return BenchConstrainedDecode(model, *decoder, options.prefix, count, options.rounds);
}

// Operations by their share of the time, the largest first.
Profile ByTime(const WorkResult& result) {
  Profile profile = result.profile;
  std::stable_sort(profile.begin(), profile.end(),
                   [](const OperationTime& a, const OperationTime& b) { return a.ms > b.ms; });
  return profile;
}

double TotalMs(const Profile& profile) {
  double total = 0;
  for (const OperationTime& step : profile) total += step.ms;
  return std::max(total, 1e-9);
}

void PrintText(const std::vector<WorkResult>& results, size_t rounds, bool profile) {
  std::printf("| work | ms, median (range) | per second | cores |\n|---|---|---|---|\n");
  for (const WorkResult& result : results) {
    const double rate = result.count / result.ms.median * 1000;
    const bool bytes = std::string_view(result.unit) == "bytes";
    std::printf("| %s | %.1f (%.1f to %.1f) | %.1f %s | %.2f |\n", result.name.c_str(),
                result.ms.median, result.ms.low, result.ms.high, bytes ? rate / 1e6 : rate,
                bytes ? "MB" : result.unit, result.cores);
  }
  if (!profile) return;
  for (const WorkResult& result : results) {
    if (result.profile.empty()) continue;
    std::printf(
        "\n| %s: operation | ms a round | share | G multiply-adds/s of its products "
        "|\n|---|---|---|---|\n",
        result.name.c_str());
    const double total = TotalMs(result.profile);
    for (const OperationTime& step : ByTime(result)) {
      const std::string rate =
          step.products == 0 || step.ms <= 0
              ? ""
              : Format("%.1f", static_cast<double>(step.products) / step.ms / 1e6);
      const double each = step.ms / static_cast<double>(rounds);
      std::printf("| %s | %.2f | %.1f %% | %s |\n", step.name.c_str(), each, 100 * step.ms / total,
                  rate.c_str());
    }
  }
}

JsonWriter WorkReport(const WorkResult& result, size_t rounds, bool profile) {
  JsonWriter report;
  report.String("work", result.name)
      .Object("ms", SpreadReport(result.ms))
      .Number("count", result.count)
      .String("unit", result.unit);
  report.Number("perSecond", result.count / result.ms.median * 1000).Number("cores", result.cores);
  if (!profile || result.profile.empty()) return report;
  std::vector<JsonWriter> operations;
  const double total = TotalMs(result.profile);
  for (const OperationTime& step : ByTime(result)) {
    JsonWriter operation;
    operation.String("operation", step.name)
        .Number("ms", step.ms / static_cast<double>(rounds))
        .Number("share", step.ms / total);
    operations.push_back(operation.Number(
        "products", static_cast<double>(step.products) / static_cast<double>(rounds)));
  }
  return report.Array("profile", operations);
}

}  // namespace

Status RunBench(const Arguments& arguments) {
  TVLM_ASSIGN_OR_RETURN(const Flags flags,
                        Flags::Parse(arguments,
                                     {"--work", "--image-size", "--prefix", "--rounds", "--threads",
                                      "--compute", "--variant"},
                                     {"--profile", "--json"}, 1, 1));
  BenchOptions options;
  options.model_path = flags.positional()[0];
  TVLM_ASSIGN_OR_RETURN(const int64_t image_size, flags.GetInt("--image-size", 0, 1, INT32_MAX));
  TVLM_ASSIGN_OR_RETURN(const int64_t prefix, flags.GetInt("--prefix", kPrefixRows, 1, 1'000'000));
  TVLM_ASSIGN_OR_RETURN(const int64_t rounds, flags.GetInt("--rounds", 5, 1, 10'000));
  TVLM_ASSIGN_OR_RETURN(const int64_t threads, ThreadsFlag(flags));
  TVLM_ASSIGN_OR_RETURN(options.compute, ParseCompute(flags.Get("--compute", "fast")));
  options.image_size = static_cast<size_t>(image_size);
  options.prefix = static_cast<size_t>(prefix);
  options.rounds = static_cast<size_t>(rounds);
  options.threads = static_cast<size_t>(threads);
  TVLM_ASSIGN_OR_RETURN(options.works,
                        ParseWorks(flags.Get("--work", "vision,prefill-280,decode-64,load")));

  ThreadPool two(std::min<size_t>(2, options.threads));
  const MachineState before = CheckMachine(two);
  std::vector<WorkResult> results;
  std::vector<ConstraintCost> constraint_costs;
  std::vector<ConstrainedDecode> constrained_decodes;
  size_t constrained_tokens = 0;
  const bool asks = std::any_of(options.works.begin(), options.works.end(), IsConstrain);
  std::shared_ptr<Model> model;
  for (const std::string& work : options.works) {
    if (work == "load" || work == "ready") {
      model.reset();  // one copy of the weights at a time
      TVLM_ASSIGN_OR_RETURN(WorkResult result,
                            work == "load" ? BenchLoad(options) : BenchReady(options));
      results.push_back(std::move(result));
      continue;
    }
    if (model == nullptr) {
      TVLM_ASSIGN_OR_RETURN(model, LoadModel(options.model_path, options.threads,
                                             asks ? ModelUse::kAsk : ModelUse::kIds));
    }
    if (work == "constrain") {
      TVLM_ASSIGN_OR_RETURN(constraint_costs, BenchConstraint(*model, options.rounds));
      continue;
    }
    if (const size_t tokens = CountOf(work, "constrained-"); tokens != 0) {
      TVLM_ASSIGN_OR_RETURN(constrained_decodes,
                            BenchConstrained(*model, options, tokens, work.c_str()));
      constrained_tokens = tokens;
      continue;
    }
    TVLM_ASSIGN_OR_RETURN(WorkResult result, RunWork(work, *model, options));
    results.push_back(std::move(result));
  }
  const MachineState after = CheckMachine(two);
  bool valid = IsSteady(before, after) && (options.threads < 2 || HasTwoCores(before, after));
  for (const WorkResult& result : results) {
    const bool parallel = result.name != "load" && result.name != "ready";
    if (result.cores < kCoreShare * (parallel ? static_cast<double>(options.threads) : 1.0))
      valid = false;
  }

  if (flags.Has("--json")) {
    std::vector<JsonWriter> works;
    works.reserve(results.size());
    for (const WorkResult& result : results)
      works.push_back(WorkReport(result, options.rounds, flags.Has("--profile")));
    JsonWriter report;
    report.Number("threads", static_cast<double>(options.threads))
        .Number("rounds", static_cast<double>(options.rounds));
    report.String("compute", flags.Get("--compute", "fast"))
        .Object("before", MachineReport(before))
        .Object("after", MachineReport(after));
    report.Bool("valid", valid).Array("works", works);
    if (!constraint_costs.empty()) report.Array("constrain", ConstraintReport(constraint_costs));
    if (!constrained_decodes.empty()) {
      report.Number("constrainedTokens", static_cast<double>(constrained_tokens))
          .Array("constrained", ConstrainedDecodeReport(constrained_decodes));
    }
    std::printf("%s\n", report.Finish().c_str());
    return Status();
  }
  std::printf("%zu threads, %zu rounds\n", options.threads, options.rounds);
  PrintMachine("before", before);
  PrintMachine("after", after);
  std::printf("this run is %s\n\n", valid ? "valid"
                                          : "NOT valid: other work took more than 10 % of its "
                                            "cores, or the machine was not steady");
  if (!results.empty()) PrintText(results, options.rounds, flags.Has("--profile"));
  if (!constraint_costs.empty()) PrintConstraintCosts(constraint_costs);
  if (!constrained_decodes.empty())
    PrintConstrainedDecodes(constrained_decodes, constrained_tokens);
  return Status();
}

}  // namespace tinyvlm
