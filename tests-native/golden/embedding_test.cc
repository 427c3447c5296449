// Embeddings of a session held against the reference implementation's: its projector's rows, and
// their mean at a length of 1.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "engine/session.h"
#include "formats/safetensors.h"
#include "golden/converted_model.h"
#include "shared_data.h"

namespace tinyvlm {
namespace {

// The goldens' own rule: max|x - golden| <= 1e-4 * max|golden|.
constexpr double kTolerance = 1e-4;

std::vector<float> Values(const Safetensors& file, const SafetensorsTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements));
  REQUIRE(file.ReadF32(tensor, 0, values.size(), values.data()).ok());
  return values;
}

// The 8-bit image, [side, side, 3], that values [3, side, side] were made from.
std::vector<uint8_t> Pixels(std::span<const float> values, size_t side) {
  std::vector<uint8_t> pixels(values.size());
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t i = 0; i < side * side; ++i)
      pixels[3 * i + channel] =
          static_cast<uint8_t>(std::lround(255 * values[channel * side * side + i]));
  }
  return pixels;
}

// Embeds one image and compares it with its golden rows, [tokens, width].
void CheckEmbedding(Session& session, const std::vector<uint8_t>& pixels,
                    std::span<const float> golden) {
  const size_t side = session.image_size(), tokens = session.image_tokens(),
               width = golden.size() / tokens;
  const auto image = session.AddImage(ImageView{pixels.data(), side, side, 3, side * 3}, false);
  REQUIRE(image.ok());
  REQUIRE(session.Embed(*image).ok());
  for (RunState state = RunState::kRunning; state != RunState::kDone;) {
    const auto advanced = session.Advance(20);
    INFO(advanced.status().message());
    REQUIRE(advanced.ok());
    state = *advanced;
  }
  CHECK(session.usage().encoded_images == 1);
  REQUIRE(session.embedded_rows().size() == golden.size());
  REQUIRE(session.embedding().size() == width);

  double largest = 0, difference = 0;
  std::vector<double> mean(width);
  for (size_t i = 0; i < golden.size(); ++i) {
    const double want = golden[i], got = session.embedded_rows()[i];
    REQUIRE(std::isfinite(got));
    largest = std::max(largest, std::fabs(want));
    difference = std::max(difference, std::fabs(got - want));
    mean[i % width] += want / static_cast<double>(tokens);
  }
  INFO("relative difference " << difference / largest);
  CHECK(difference <= kTolerance * largest);

  // Where each row may be off by `off`, so may their mean: at a length of 1 by that, divided by the
  // mean's length, and by as much as the length may be off (off * sqrt(width)), in proportion.
  double squares = 0;
  for (const double value : mean) squares += value * value;
  const double length = std::sqrt(squares), off = kTolerance * largest;
  for (size_t c = 0; c < width; ++c) {
    INFO("column " << c);
    const double want = mean[c] / length;
    CHECK(std::fabs(double{session.embedding()[c]} - want) <=
          off / length * (1 + std::fabs(want) * std::sqrt(static_cast<double>(width))));
  }
}

// Of the checkpoint's cases those with square images, which a session takes as they are.
void CheckCheckpoint(const char* folder) {
  const auto path = GoldenPath(folder);
  const auto model = ConvertAndLoad(path.string(), DType::kF32, /*tokenizer=*/false);
  const auto text = ReadTextFile((path / "manifest.json").string(), 1 << 20);
  REQUIRE(text.ok());
  const auto manifest = ParseJson(*text);
  REQUIRE(manifest.ok());
  size_t images = 0;
  for (const Json& one : *manifest->Find("cases")->array()) {
    const std::string name = *one.GetString("file");
    INFO(folder << "/" << name);
    const Result<Safetensors> file = Safetensors::Open((path / name).string());
    REQUIRE(file.ok());
    const SafetensorsTensor* const pixels = file->Find("pixel_values");
    const SafetensorsTensor* const projector = file->Find("projector");
    if (pixels == nullptr || projector == nullptr || pixels->shape[2] != pixels->shape[3]) continue;
    const size_t count = static_cast<size_t>(pixels->shape[0]),
                 side = static_cast<size_t>(pixels->shape[2]);
    SessionOptions options;
    options.context = 16;
    options.compute = Compute::kF32;
    options.image_size = side;
    const auto session = Session::Create(model, options);
    INFO(session.status().message());
    REQUIRE(session.ok());
    const std::vector<float> values = Values(*file, *pixels), rows = Values(*file, *projector);
    for (size_t n = 0; n < count; ++n, ++images) {
      INFO("image " << n);
      const size_t in = values.size() / count, out = rows.size() / count;
      CheckEmbedding(**session, Pixels(std::span(values).subspan(n * in, in), side),
                     std::span(rows).subspan(n * out, out));
    }
  }
  CHECK(images > 0);
}

TEST_CASE("t0-hf: embeddings are the reference's rows and their mean, without a tokenizer",
          "[golden][embedding]") {
  CheckCheckpoint("t0-hf");
}
TEST_CASE("t0-train: embeddings are the reference's rows and their mean", "[golden][embedding]") {
  CheckCheckpoint("t0-train");
}

}  // namespace
}  // namespace tinyvlm
