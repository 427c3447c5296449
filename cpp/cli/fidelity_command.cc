#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "base/file.h"
#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/threads_flag.h"
#include "engine/fidelity.h"
#include "engine/model_file.h"

namespace tinyvlm {

namespace {

constexpr uint64_t kMaxQuestionBytes = uint64_t{1} << 26;
constexpr size_t kAnswerTokens = 256;  // of a question, where --steps does not say otherwise

// Adds every *.safetensors file of a folder as a case, in order of name.
Status AddFolder(const Model& model, const std::string& folder, Fidelity* fidelity) {
  if (!IsFolder(folder))
    return Error(ErrorCode::kNotFound, "--cases: a folder wanted, %s is none", folder.c_str());
  TVLM_ASSIGN_OR_RETURN(std::vector<std::string> names, ListFolder(folder));
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".safetensors"); });
  if (names.empty())
    return Error(ErrorCode::kNotFound, "--cases: %s holds no .safetensors file", folder.c_str());
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::string path = folder + "/" + name;
    const Result<TraceCase> input = ReadTraceCase(path, model);
    if (!input.ok()) return Status(input.status().code(), path + ": " + input.status().message());
    TVLM_RETURN_IF_ERROR(fidelity->Add(*input));
  }
  return Status();
}

// Adds the cases of a file {"cases": [{"image": path relative to the file, "question": text}]}.
Status AddQuestions(const Model& model, const std::string& path, Fidelity* fidelity) {
  TVLM_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxQuestionBytes));
  const Result<Json> json = ParseJson(text);
  if (!json.ok()) return Status(json.status().code(), path + ": " + json.status().message());
  const Json* const cases = json->Find("cases");
  if (cases == nullptr || cases->array() == nullptr || cases->array()->empty()) {
    return Error(ErrorCode::kInvalidFile, "%s: \"cases\": an array of questions wanted",
                 path.c_str());
  }
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  for (const Json& entry : *cases->array()) {
    TVLM_ASSIGN_OR_RETURN(const std::string image_name, entry.GetString("image"));
    TVLM_ASSIGN_OR_RETURN(const std::string question, entry.GetString("question"));
    TVLM_ASSIGN_OR_RETURN(const Image image, DecodeImageFile(folder + image_name, /*exact=*/false));
    TVLM_ASSIGN_OR_RETURN(const TraceCase input, MakeQuestionCase(model, image.view(), question));
    TVLM_RETURN_IF_ERROR(fidelity->Add(input));
  }
  return Status();
}

double Share(size_t part, size_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

void PrintJson(const FidelityReport& report) {
  JsonWriter stages;
  for (const FidelityReport::Stage& stage : report.stages) {
    stages.Object(stage.name.c_str(),
                  JsonWriter().Number("relative", stage.relative).Number("largest", stage.largest));
  }
  JsonWriter out;
  out.Object("stages", stages)
      .Number("cases", static_cast<double>(report.cases))
      .Number("positions", static_cast<double>(report.positions));
  out.Number("meanKl", report.mean_kl)
      .Number("largestKl", report.largest_kl)
      .Number("top1", Share(report.top1_equal, report.positions));
  out.Number("equalTokens", Share(report.tokens_equal, report.positions))
      .Number("equalAnswers", Share(report.answers_equal, report.cases));
  std::printf("%s\n", out.Finish().c_str());
}

void PrintText(const FidelityReport& report) {
  std::printf("%-20s %14s %14s\n", "stage", "relative error", "largest error");
  for (const FidelityReport::Stage& stage : report.stages)
    std::printf("%-20s %14.2e %14.2e\n", stage.name.c_str(), stage.relative, stage.largest);
  std::printf(
      "\nnext token at %zu positions of %zu answers, led along the reference's greedy tokens "
      "(teacher-forced)\n",
      report.positions, report.cases);
  std::printf("  KL divergence      mean %.3g nats, largest %.3g\n", report.mean_kl,
              report.largest_kl);
  std::printf("  top-1 agreement    %zu of %zu (%.2f %%)\n", report.top1_equal, report.positions,
              100 * Share(report.top1_equal, report.positions));
  std::printf("answers of its own (free-running, greedy)\n");
  std::printf("  equal tokens       %zu of %zu (%.2f %%)\n", report.tokens_equal, report.positions,
              100 * Share(report.tokens_equal, report.positions));
  std::printf("  equal answers      %zu of %zu (%.2f %%)\n", report.answers_equal, report.cases,
              100 * Share(report.answers_equal, report.cases));
}

}  // namespace

Status RunFidelity(const Arguments& arguments) {
  TVLM_ASSIGN_OR_RETURN(const Flags flags,
                        Flags::Parse(arguments,
                                     {"--cases", "--questions", "--random", "--seed", "--steps",
                                      "--compute", "--threads", "--variant"},
                                     {"--json"}, 2, 2));
  if (flags.Has("--cases") + flags.Has("--questions") + flags.Has("--random") > 1) {
    return Error(ErrorCode::kInvalidArgument, "one of --cases, --questions and --random wanted");
  }
  FidelityOptions options;
  options.stop = flags.Has("--questions");
  if (options.stop) options.steps = kAnswerTokens;
  TVLM_ASSIGN_OR_RETURN(const int64_t steps,
                        flags.GetInt("--steps", static_cast<int64_t>(options.steps), 1, 100'000));
  TVLM_ASSIGN_OR_RETURN(const int64_t random, flags.GetInt("--random", 8, 1, 100'000));
  TVLM_ASSIGN_OR_RETURN(const int64_t seed, flags.GetInt("--seed", 1, 0, INT64_MAX));
  TVLM_ASSIGN_OR_RETURN(options.compute, ParseCompute(flags.Get("--compute", "fast")));
  TVLM_ASSIGN_OR_RETURN(const int64_t threads, ThreadsFlag(flags));
  options.steps = static_cast<size_t>(steps);

  TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Model> reference,
                        LoadModel(flags.positional()[0], static_cast<size_t>(threads)));
  TVLM_ASSIGN_OR_RETURN(const std::shared_ptr<Model> other,
                        LoadModel(flags.positional()[1], static_cast<size_t>(threads)));
  TVLM_ASSIGN_OR_RETURN(Fidelity fidelity, Fidelity::Create(reference, other, options));
  if (flags.Has("--cases")) {
    TVLM_RETURN_IF_ERROR(AddFolder(*reference, flags.Get("--cases", ""), &fidelity));
  } else if (flags.Has("--questions")) {
    TVLM_RETURN_IF_ERROR(AddQuestions(*reference, flags.Get("--questions", ""), &fidelity));
  } else {
    for (int64_t i = 0; i < random; ++i) {
      TVLM_RETURN_IF_ERROR(fidelity.Add(
          MakeRandomCase(*reference, static_cast<uint64_t>(seed), static_cast<uint64_t>(i))));
    }
  }
  if (flags.Has("--json")) {
    PrintJson(fidelity.Report());
  } else {
    PrintText(fidelity.Report());
  }
  return Status();
}

}  // namespace tinyvlm
