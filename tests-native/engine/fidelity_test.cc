#include "engine/fidelity.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "cli/commands.h"
#include "demo_model.h"
#include "engine/model_file.h"
#include "golden/converted_model.h"
#include "image/decode.h"
#include "shared_data.h"
#include "temp_folder.h"

namespace tinyvlm {
namespace {

std::shared_ptr<Model> Load(const std::string& path) {
  const auto model = LoadModel(path, 1);
  INFO(model.status().message());
  REQUIRE(model.ok());
  return *model;
}

FidelityReport Measure(const std::shared_ptr<Model>& reference, const std::shared_ptr<Model>& other,
                       const FidelityOptions& options, size_t cases) {
  auto fidelity = Fidelity::Create(reference, other, options);
  REQUIRE(fidelity.ok());
  for (uint64_t i = 0; i < cases; ++i) {
    const Status added = fidelity->Add(MakeRandomCase(*reference, 1, i));
    INFO(added.message());
    REQUIRE(added.ok());
  }
  return fidelity->Report();
}

TEST_CASE("KlDivergence is that of the two distributions", "[fidelity]") {
  // p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2), shifted, as logits may be.
  const float p[] = {std::log(2.0f) + 50, 50, 50}, q[] = {-7, -7, std::log(2.0f) - 7};
  // log 2 + 50 is rounded by up to 2e-6
  CHECK(KlDivergence(p, q, 3) == Catch::Approx(0.25 * std::log(2.0)).epsilon(1e-5));
  CHECK(KlDivergence(p, p, 3) == 0);
  CHECK(KlDivergence(p, q, 2) ==
        Catch::Approx(2.0 / 3 * std::log(4.0 / 3) + 1.0 / 3 * std::log(2.0 / 3)).epsilon(1e-5));
  const float far[] = {-1000, 1000, 0};
  CHECK(KlDivergence(p, far, 3) > 400);
  const float excluded[] = {0, 0, -std::numeric_limits<float>::infinity()};
  CHECK(std::isfinite(KlDivergence(excluded, p, 3)));
  CHECK(std::isnan(KlDivergence(p, excluded, 3)));
  const float bad[] = {0, NAN, 0};
  CHECK(std::isnan(KlDivergence(p, bad, 3)));
  CHECK(std::isnan(KlDivergence(bad, p, 3)));
}

TEST_CASE("A model is itself at every stage and in every token", "[fidelity]") {
  const auto model = Load(DemoModelPath());
  FidelityOptions options;
  options.compute = Compute::kF32;
  options.steps = 5;
  const FidelityReport report = Measure(model, model, options, 3);
  CHECK(report.cases == 3);
  CHECK(report.positions == 15);
  CHECK(report.mean_kl == 0);
  CHECK(report.largest_kl == 0);
  CHECK(report.top1_equal == 15);
  CHECK(report.tokens_equal == 15);
  CHECK(report.answers_equal == 3);
  REQUIRE(report.stages.size() > 10);
  CHECK(report.stages.front().name == "stem");
  CHECK(report.stages.back().name == "logits");
  for (const FidelityReport::Stage& stage : report.stages)
    CHECK((stage.relative == 0 && stage.largest == 0));
}

TEST_CASE("Quantised activations show at every stage of the tower and the decoder", "[fidelity]") {
  const auto model = Load(DemoModelPath());
  FidelityOptions options;
  options.steps = 3;
  const FidelityReport report = Measure(model, model, options, 2);
  CHECK(report.mean_kl > 0);
  CHECK(report.largest_kl >= report.mean_kl);
  for (const FidelityReport::Stage& stage : report.stages) {
    INFO(stage.name);
    // The first stage that quantises is the stem's last layer; 8 bits of a block lose less than a
    // part in ten wherever they are.
    CHECK(stage.relative > 0);
    CHECK(stage.relative < 0.1);
  }
}

TEST_CASE(
    "Random cases are the same for a seed, have an image every other time, and are cases of the "
    "model",
    "[fidelity]") {
  const auto model = Load(DemoModelPath());
  const TraceCase first = MakeRandomCase(*model, 4, 0), again = MakeRandomCase(*model, 4, 0);
  const TraceCase text = MakeRandomCase(*model, 4, 1), other = MakeRandomCase(*model, 5, 0);
  CHECK(first.prompt == again.prompt);
  CHECK(first.pixels == again.pixels);
  CHECK(first.prompt != other.prompt);
  CHECK(first.pixels != other.pixels);
  CHECK(first.pixels_shape == Shape{1, 3, 256, 256});
  CHECK(first.prompt.size() == 33);
  CHECK(first.input.size() == 32 + 16);
  CHECK(text.pixels.empty());
  CHECK(text.input.size() == 32);
  for (const float value : first.pixels) REQUIRE((value >= 0 && value <= 1));
}

// The samples and the answers that the checkpoint's own f32 arithmetic gives: the demo model's file
// must not lose one.
TEST_CASE("The demo model answers the questions of the samples as it does in f32", "[fidelity]") {
  const auto model = Load(DemoModelPath());
  const auto text = ReadTextFile(SamplePath("samples.json"), 1 << 20);
  REQUIRE(text.ok());
  const auto samples = ParseJson(*text);
  REQUIRE(samples.ok());
  FidelityOptions options;
  options.steps = 64;
  options.stop = true;
  auto fidelity = Fidelity::Create(model, model, options);
  REQUIRE(fidelity.ok());
  size_t questions = 0;
  for (const Json& sample : *samples->array()) {
    const auto bytes = ReadTextFile(SamplePath(*sample.Find("image")->string()), 16 << 20);
    REQUIRE(bytes.ok());
    const auto image =
        DecodeImage({reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()}, false);
    REQUIRE(image.ok());
    const Json& question = sample.Find("questions")->array()->front();
    const auto input =
        MakeQuestionCase(*model, image->view(), *question.Find("question")->string());
    REQUIRE(input.ok());
    REQUIRE(fidelity->Add(*input).ok());
    ++questions;
  }
  const FidelityReport report = fidelity->Report();
  CHECK(report.cases == questions);
  CHECK(report.positions < questions * options.steps);  // stop ids stopped it
  CHECK(report.answers_equal == questions);
  CHECK(report.mean_kl <= 0.01);
}

TEST_CASE("Two models that are not one checkpoint, or steps of 0, are refused", "[fidelity]") {
  const auto folder = GoldenPath("t0-hf");
  const auto demo = Load(DemoModelPath()),
             t0 = ConvertAndLoad(folder.string(), DType::kQ8_0, /*tokenizer=*/false);
  FidelityOptions options;
  options.steps = 0;
  CHECK(Fidelity::Create(demo, demo, options).status().code() == ErrorCode::kInvalidArgument);
  options.steps = 2;
  // Same vocabulary, another tower: found at the first stage.
  auto fidelity = Fidelity::Create(demo, t0, options);
  REQUIRE(fidelity.ok());
  const Status added = fidelity->Add(MakeRandomCase(*demo, 1, 0));
  CHECK(added.code() == ErrorCode::kInvalidArgument);
  CHECK(added.message().find("stem") != std::string::npos);
  CHECK(RunFidelity({DemoModelPath(), DemoModelPath(), "--cases", "/nowhere"}).code() ==
        ErrorCode::kNotFound);
  CHECK(RunFidelity({DemoModelPath(), DemoModelPath(), "--random", "1", "--cases", "x"}).code() ==
        ErrorCode::kInvalidArgument);
  CHECK(RunFidelity({DemoModelPath(), "/nowhere.gguf"}).code() != ErrorCode::kOk);
}

}  // namespace
}  // namespace tinyvlm
