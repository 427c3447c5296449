// The whole path from a checkpoint folder to greedy ids, held against the reference implementation's dumps: convert, load, trace, compare.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

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

void CompareTap(const Safetensors& golden, const SafetensorsTensor& want, const Safetensors& traced) {
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
    difference = std::isfinite(b[i]) ? std::max(difference, std::fabs(double{a[i]} - double{b[i]})) : INFINITY;
  }
  INFO("relative difference " << difference / largest);
  CHECK(difference <= kTolerance * largest);
}

// Traces every case of a goldens folder; `checkpoint` is the folder that is converted.
void CheckCheckpoint(const char* folder, size_t expected_cases) {
  const auto path = SharedPath(std::string("goldens/") + folder);
  if (!path) SKIP("no shared goldens");
  const TempFolder temp;
  const auto model = ConvertAndLoad(path->string(), DType::kF32, /*tokenizer=*/false);

  size_t cases = 0, taps = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*path)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("case-", 0) != 0) continue;
    ++cases;
    INFO(folder << "/" << name);
    const Safetensors golden = Open(entry.path().string());
    const SafetensorsTensor* const ids = golden.Find("greedy_ids");
    TraceOptions options;
    options.case_path = entry.path().string();
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
        CHECK(Ids(traced, *got) == Ids(golden, want));
      } else {
        CompareTap(golden, want, traced);
      }
    }
  }
  CHECK(cases == expected_cases);
  std::printf("%s: %zu cases, %zu tensors compared\n", folder, cases, taps);
}

TEST_CASE("t0-hf: every tap of every case is the reference's, greedy ids are equal", "[golden]") { CheckCheckpoint("t0-hf", 7); }
TEST_CASE("t2w-bf16: every tap of every case is the reference's, greedy ids are equal", "[golden]") { CheckCheckpoint("t2w-bf16", 3); }
TEST_CASE("t3-full-depth: every tap of every case is the reference's, greedy ids are equal", "[golden]") { CheckCheckpoint("t3-full-depth", 1); }

}  // namespace
}  // namespace tinyvlm
