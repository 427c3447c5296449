// The whole path from a checkpoint folder to greedy ids, held against the reference
// implementation's dumps: convert, load, trace, compare.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "engine/trace.h"
#include "formats/safetensors.h"
#include "golden/converted_model.h"
#include "shared_data.h"
#include "temp_folder.h"

namespace tinyvlm {
namespace {

// The goldens' own rule: max|x - golden| <= 1e-4 * max|golden|, per tensor.
constexpr double kTolerance = 1e-4;

// What stands in the cases' input_ids for a row of an image; no text of theirs holds it.
constexpr int64_t kCaseImageToken = 3;

Safetensors Open(const std::string& path) {
  Result<Safetensors> file = Safetensors::Open(path);
  INFO(path << ": " << file.status().message());
  REQUIRE(file.ok());
  return std::move(file).value();
}

std::vector<int64_t> Ids(const Safetensors& file, const SafetensorsTensor& tensor) {
  std::vector<int64_t> ids(static_cast<size_t>(tensor.elements));
  REQUIRE(file.ReadI64(tensor, 0, ids.size(), ids.data()).ok());
  return ids;
}

void CompareTap(const Safetensors& golden, const SafetensorsTensor& want,
                const Safetensors& traced) {
  const SafetensorsTensor* const got = traced.Find(want.name);
  INFO(want.name);
  REQUIRE(got != nullptr);
  CHECK(got->shape == want.shape);
  std::vector<float> a(static_cast<size_t>(want.elements)), b(static_cast<size_t>(got->elements));
  REQUIRE(a.size() == b.size());
  REQUIRE(golden.ReadF32(want, 0, a.size(), a.data()).ok());
  REQUIRE(traced.ReadF32(*got, 0, b.size(), b.data()).ok());
  double largest = 0, difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::fabs(double{a[i]}));
    // A NaN on our side must not hide behind a comparison that is false.
    difference = std::isfinite(b[i]) ? std::max(difference, std::fabs(double{a[i]} - double{b[i]}))
                                     : INFINITY;
  }
  INFO("relative difference " << difference / largest);
  CHECK(difference <= kTolerance * largest);
}

// Converts the checkpoint `folder` and traces every case that the manifest of `cases_folder` lists,
// by default the same folder.
void CheckCheckpoint(const char* folder, const char* cases_folder = nullptr) {
  const auto checkpoint = GoldenPath(folder);
  const auto path = GoldenPath(cases_folder == nullptr ? folder : cases_folder);
  const TempFolder temp;
  const auto model = ConvertAndLoad(checkpoint.string(), DType::kF32, /*tokenizer=*/false);

  const auto manifest_text = ReadTextFile((path / "manifest.json").string(), 1 << 20);
  REQUIRE(manifest_text.ok());
  const auto manifest = ParseJson(*manifest_text);
  REQUIRE(manifest.ok());
  const Json::Array& cases = *manifest->Find("cases")->array();
  REQUIRE_FALSE(cases.empty());
  size_t taps = 0;
  for (const Json& one : cases) {
    const std::string name = *one.GetString("file"), case_path = (path / name).string();
    INFO(folder << "/" << name);
    const Safetensors golden = Open(case_path);
    const SafetensorsTensor* const ids = golden.Find("greedy_ids");
    TraceOptions options;
    options.case_path = case_path;
    options.output_path = temp.File("trace.safetensors");
    options.greedy = ids == nullptr ? 0 : static_cast<size_t>(ids->elements);
    const Status traced_status = Trace(*model, options);
    INFO(traced_status.message());
    REQUIRE(traced_status.ok());
    const Safetensors traced = Open(options.output_path);
    for (const SafetensorsTensor& want : golden.tensors()) {
      ++taps;
      if (want.type == SafetensorsType::kI64) {
        const SafetensorsTensor* const got = traced.Find(want.name);
        INFO(want.name);
        REQUIRE(got != nullptr);
        std::vector<int64_t> wanted = Ids(golden, want);
        const std::vector<int64_t> found = Ids(traced, *got);
        // Apple's vocabulary has no token that stands for a row of an image: -1 there, where the
        // case has transformers'.
        if (want.name == "input_ids" && model->image_token_id() < 0)
          std::replace(wanted.begin(), wanted.end(), kCaseImageToken, int64_t{-1});
        CHECK(found == wanted);
      } else {
        CompareTap(golden, want, traced);
      }
    }
  }
  std::printf("%s: %zu cases, %zu tensors compared\n", folder, cases.size(), taps);
}

TEST_CASE("t0-hf: every tap of every case is the reference's, greedy ids are equal", "[golden]") {
  CheckCheckpoint("t0-hf");
}
TEST_CASE("t0-llava: Apple's names and shards give the taps and ids of t0-hf", "[golden]") {
  CheckCheckpoint("t0-llava", "t0-hf");
}
TEST_CASE("t0-train: every tap of the training form is the reference's, greedy ids are equal",
          "[golden]") {
  CheckCheckpoint("t0-train");
}
TEST_CASE("t2w-bf16: every tap of every case is the reference's, greedy ids are equal",
          "[golden]") {
  CheckCheckpoint("t2w-bf16");
}
TEST_CASE("t3-full-depth: every tap of every case is the reference's, greedy ids are equal",
          "[golden]") {
  CheckCheckpoint("t3-full-depth");
}

}  // namespace
}  // namespace tinyvlm
