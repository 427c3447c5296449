// Conversion of the reference checkpoints: every tensor of theirs is found again, unchanged, in an
// f32 file.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "catch_amalgamated.hpp"
#include "checkpoint_folder.h"
#include "shared_data.h"
#include "tiny_checkpoint.h"

namespace tinyvlm {
namespace {

LoadedModel ConvertFolder(const std::filesystem::path& folder, DType type, bool tokenizer) {
  const TempFolder temp;
  ConvertOptions options;
  options.checkpoint = folder.string();
  options.output = temp.File("model.gguf");
  options.type = type;
  options.tokenizer = tokenizer;
  const Status status = Convert(options, {});
  INFO(folder << ": " << status.message());
  REQUIRE(status.ok());
  return LoadModelFile(options.output);
}

struct Expected {
  std::vector<int32_t> depths, dims;
  size_t tensors;  // of the model file
  bool own_head;
};

// Converts a checkpoint to f32 and compares every tensor that is one of the checkpoint's as well.
void CheckConversion(const std::filesystem::path& folder, const Expected& expected) {
  const LoadedModel model = ConvertFolder(folder, DType::kF32, false);
  CHECK(*model.file.metadata.GetI32Array("fastvlm.vision.depths") == expected.depths);
  CHECK(*model.file.metadata.GetI32Array("fastvlm.vision.dims") == expected.dims);
  CHECK(*model.file.metadata.GetU32("fastvlm.vision.image_size") == 256);
  CHECK(model.file.tensors.size() == expected.tensors);
  CHECK((model.file.Find("output.weight") != nullptr) == expected.own_head);
  const Result<Checkpoint> checkpoint = OpenCheckpoint(folder.string());
  REQUIRE(checkpoint.ok());
  size_t compared = 0;
  for (const PlannedTensor& planned : checkpoint->tensors) {
    // Convolutions: one branch without a BatchNorm is a tensor of the checkpoint, too.
    std::string name = planned.source;
    if (name.empty() && planned.branches.size() == 1 && planned.branches[0].norm.empty()) {
      name =
          planned.shape == planned.kernel ? planned.branches[0].kernel : planned.branches[0].bias;
    }
    if (name.empty()) continue;
    const SafetensorsTensor& source = *checkpoint->weights.Find(name);
    std::vector<float> wanted(static_cast<size_t>(source.elements));
    REQUIRE(checkpoint->weights.ReadF32(source, 0, wanted.size(), wanted.data()).ok());
    INFO(planned.name);
    REQUIRE(model.Values(planned.name) == wanted);
    ++compared;
  }
  CHECK(compared > 100);
}

// Tensors: those of the checkpoint, less three per block (four of BatchNorm and the kernel become a
// kernel and a bias), less num_batches_tracked.
TEST_CASE("t0-hf converts without loss to f32", "[convert][golden]") {
  CheckConversion(GoldenPath("t0-hf"), {{1, 1, 1, 1, 1}, {16, 32, 32, 32, 64}, 135 - 4 * 5, false});
}
TEST_CASE("t2w-bf16 converts without loss to f32", "[convert][golden]") {
  CheckConversion(GoldenPath("t2w-bf16"),
                  {{1, 2, 3, 2, 1}, {16, 32, 64, 128, 256}, 240 - 4 * 9, true});
}
TEST_CASE("t3-full-depth converts without loss to f32", "[convert][golden]") {
  CheckConversion(GoldenPath("t3-full-depth"),
                  {{2, 12, 24, 4, 2}, {16, 32, 64, 128, 128}, 706 - 4 * 44, false});
}
TEST_CASE("The demo model's checkpoint converts without loss to f32", "[convert][shared]") {
  CheckConversion(SharedPath("demo-model"),
                  {{1, 2, 4, 3, 1}, {32, 64, 128, 256, 256}, 257 - 4 * 11, false});
}

TEST_CASE("The demo model converts to every type with its tokenizer and keeps within 10 MB as q8_0",
          "[convert][shared]") {
  const auto folder = SharedPath("demo-model");
  const LoadedModel f32 = ConvertFolder(folder, DType::kF32, true);
  const Metadata& meta = f32.file.metadata;
  CHECK((*meta.GetStringArray("tokenizer.ggml.tokens")).size() == 1024);
  CHECK(*meta.GetI32Array("tinyvlm.stop_ids") == std::vector<int32_t>{3, 1});
  CHECK(*meta.GetI32("fastvlm.image_token_id") == 4);
  CHECK(*meta.GetString("fastvlm.chat_style") == "qwen_2");
  CHECK_FALSE(*meta.GetBool("tokenizer.ggml.add_bos_token"));
  CHECK_FALSE(*meta.GetBool("tokenizer.ggml.add_space_prefix"));
  CHECK((*meta.GetU8Array("tinyvlm.sentencepiece_model")).size() == 15279);
  CHECK((*meta.GetString("tokenizer.chat_template")).starts_with("{% if messages[0]"));
  for (const DType type : {DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ5_0, DType::kQ4_0}) {
    const LoadedModel model = ConvertFolder(folder, type, true);
    REQUIRE(model.file.tensors.size() == f32.file.tensors.size());
    if (type == DType::kQ8_0) CHECK(model.bytes.size() <= 10 * 1024 * 1024);
    for (const TensorInfo& info : model.file.tensors) {
      const std::vector<float> wanted = f32.Values(info.name), got = model.Values(info.name);
      double error = 0, power = 0;
      for (size_t i = 0; i < got.size(); ++i) {
        error += std::pow(double{got[i]} - wanted[i], 2);
        power += std::pow(double{wanted[i]}, 2);
      }
      // A block's largest value A is at most sqrt(32) times its rms. Steps are A / 127, A / 16 and
      // A / 8; an error is at most half a step of Q8_0, and of the others about uniform within half
      // a step (rms: step / sqrt(12)). Halves: half a unit of the last of 11 or 8 bits. A little
      // more for the scales, halves themselves.
      double limit = 0;
      if (info.type == DType::kQ8_0) limit = std::sqrt(32.0) / 127 / 2 * 1.01;
      if (info.type == DType::kQ5_0) limit = std::sqrt(32.0) / 16 / std::sqrt(12.0) * 1.01;
      if (info.type == DType::kQ4_0) limit = std::sqrt(32.0) / 8 / std::sqrt(12.0) * 1.01;
      if (info.type == DType::kF16) limit = 0x1p-11;
      if (info.type == DType::kBF16) limit = 0x1p-8;
      INFO(info.name << " as " << GetDTypeInfo(info.type).name);
      CHECK(std::sqrt(error) <= limit * std::sqrt(power));
    }
  }
}

TEST_CASE("Apple's names give the tensors that transformers' names give", "[convert][shared]") {
  const auto apple_folder = GoldenPath("t0-llava"), folder = GoldenPath("t0-hf");
  const LoadedModel apple = ConvertFolder(apple_folder, DType::kF32, false),
                    model = ConvertFolder(folder, DType::kF32, false);
  REQUIRE(apple.file.tensors.size() == model.file.tensors.size());
  for (const TensorInfo& info : model.file.tensors) {
    INFO(info.name);
    REQUIRE(apple.Values(info.name) == model.Values(info.name));
  }
  CHECK(*apple.file.metadata.GetI32("fastvlm.image_token_id") == -1);
  CHECK(*apple.file.metadata.GetU32("fastvlm.vision.image_size") == 256);
  CHECK(apple.file.Find("output.weight") == nullptr);
}

TEST_CASE("A folder of GGUF files is no checkpoint", "[convert][shared]") {
  const auto folder = GoldenPath("gguf");
  CHECK_THAT(OpenCheckpoint(folder.string()).status().message(),
             Catch::Matchers::ContainsSubstring("this is a folder of GGUF files"));
}

}  // namespace
}  // namespace tinyvlm
