// Text models that another tool wrote, held against the reference's logits and greedy ids.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "cli/commands.h"
#include "engine/model_file.h"
#include "engine/trace.h"
#include "formats/safetensors.h"
#include "relative_difference.h"
#include "shared_data.h"
#include "temp_folder.h"

namespace tinyvlm {
namespace {

// The goldens' own rule: max|x - golden| <= 1e-4 * max|golden|, per tensor.
constexpr double kTolerance = 1e-4;

struct Outputs {
  std::vector<float> logits;
  std::vector<int64_t> ids;
};

Outputs ReadOutputs(const std::string& path) {
  const Result<Safetensors> file = Safetensors::Open(path);
  INFO(path << ": " << file.status().message());
  REQUIRE(file.ok());
  const SafetensorsTensor* const logits = file.value().Find("logits_last");
  const SafetensorsTensor* const ids = file.value().Find("greedy_ids");
  REQUIRE(logits != nullptr);
  REQUIRE(ids != nullptr);
  Outputs outputs{std::vector<float>(static_cast<size_t>(logits->elements)),
                  std::vector<int64_t>(static_cast<size_t>(ids->elements))};
  REQUIRE(file.value().ReadF32(*logits, 0, outputs.logits.size(), outputs.logits.data()).ok());
  REQUIRE(file.value().ReadI64(*ids, 0, outputs.ids.size(), outputs.ids.data()).ok());
  return outputs;
}

Json ReadManifest(const std::filesystem::path& folder) {
  const auto text = ReadTextFile((folder / "manifest.json").string(), 1 << 20);
  REQUIRE(text.ok());
  auto manifest = ParseJson(*text);
  REQUIRE(manifest.ok());
  return std::move(*manifest);
}

// Compares the file `name` with the reference data that the manifest has for `listed`.
void CheckFile(const char* name, const char* listed) {
  const auto folder = GoldenPath("gguf");
  const Json manifest = ReadManifest(folder);
  const Json& reference = *manifest.Find("files")->Find(listed);
  const TempFolder temp;
  const auto model = LoadModel((folder / name).string(), DefaultThreads(), ModelUse::kIds);
  INFO(model.status().message());
  REQUIRE(model.ok());
  CHECK((*model)->architecture() == "qwen2");
  CHECK_FALSE((*model)->has_vision());

  TraceOptions options;
  options.case_path = (folder / *reference.GetString("goldens")).string();
  options.output_path = temp.File("trace.safetensors");
  const Outputs wanted = ReadOutputs(options.case_path);
  std::vector<int64_t> listed_ids;
  for (const Json& id : *reference.Find("greedy_ids")->array()) listed_ids.push_back(*id.int64());
  REQUIRE_FALSE(listed_ids.empty());
  REQUIRE(wanted.ids == listed_ids);
  options.greedy = wanted.ids.size();
  for (const Compute compute : {Compute::kF32, Compute::kFast}) {
    options.compute = compute;
    const Status traced = Trace(**model, options);
    INFO(traced.message());
    REQUIRE(traced.ok());
    const Outputs found = ReadOutputs(options.output_path);
    const double difference = RelativeDifference(found.logits, wanted.logits);
    const auto equal = static_cast<size_t>(
        std::mismatch(found.ids.begin(), found.ids.end(), wanted.ids.begin()).first -
        found.ids.begin());
    std::printf("%s, %s: logits within %.2g, %zu of %zu ids equal\n", name,
                compute == Compute::kF32 ? "f32" : "fast", difference, equal, wanted.ids.size());
    if (compute == Compute::kF32) {
      CHECK(difference <= kTolerance);
      CHECK(found.ids == wanted.ids);
    } else {
      // 8-bit activations: a wrong scale or a wrong block would be off by much more
      CHECK(difference <= 0.05);
    }
  }
}

TEST_CASE("qwen2-f32.gguf: logits and greedy ids are the reference's", "[golden][third_party]") {
  CheckFile("qwen2-f32.gguf", "qwen2-f32.gguf");
}
TEST_CASE("qwen2-mixed.gguf: logits and greedy ids are the reference's", "[golden][third_party]") {
  CheckFile("qwen2-mixed.gguf", "qwen2-mixed.gguf");
}
TEST_CASE("qwen2-v2.gguf: version 2 gives the same as version 3", "[golden][third_party]") {
  CheckFile("qwen2-v2.gguf", "qwen2-mixed.gguf");
}

TEST_CASE("qwen2-big-endian.gguf is rejected with a specific error", "[golden][third_party]") {
  const auto path = GoldenPath("gguf/qwen2-big-endian.gguf");
  const auto model = LoadModel(path.string(), 1, ModelUse::kIds);
  CHECK(model.status().code() == ErrorCode::kUnsupported);
  CHECK_THAT(model.status().message(),
             Catch::Matchers::ContainsSubstring(
                 "a little-endian GGUF file wanted, a big-endian one (version 3) found"));
}

TEST_CASE("A case with an image is refused where the model reads text only",
          "[golden][third_party]") {
  const auto folder = GoldenPath("gguf"), images = GoldenPath("t0-hf");
  const TempFolder temp;
  const auto model = LoadModel((folder / "qwen2-f32.gguf").string(), 1, ModelUse::kIds);
  REQUIRE(model.ok());
  for (const auto& entry : std::filesystem::directory_iterator(images)) {
    if (entry.path().filename().string().rfind("case-64", 0) != 0) continue;
    TraceOptions options;
    options.case_path = entry.path().string();
    options.output_path = temp.File("trace.safetensors");
    const Status traced = Trace(**model, options);
    CHECK(traced.code() == ErrorCode::kUnsupported);
    CHECK_THAT(traced.message(), Catch::Matchers::ContainsSubstring("this model reads text only"));
    return;
  }
  FAIL("no case of 64 pixels");
}

}  // namespace
}  // namespace tinyvlm
