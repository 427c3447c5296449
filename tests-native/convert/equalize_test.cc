#include "convert/equalize.h"

#include <cmath>
#include <string>
#include <vector>

#include "convert/checkpoint_folder.h"
#include "convert/tiny_checkpoint.h"

namespace tinyvlm {
namespace {

// Bytes of a tensor as they are in the file.
std::vector<uint8_t> BytesOf(const LoadedModel& model, const std::string& name) {
  const TensorInfo* const info = model.file.Find(name);
  REQUIRE(info != nullptr);
  const auto begin =
      model.bytes.begin() + static_cast<ptrdiff_t>(model.file.data_offset + info->offset);
  return {begin, begin + static_cast<ptrdiff_t>(info->bytes)};
}

const std::string kLayer = "model.language_model.layers.0.";

void ScaleColumn(CheckpointFiles& checkpoint, const std::string& name, size_t column,
                 float factor) {
  auto& tensor = checkpoint.tensors.at(kLayer + name);
  const auto width = static_cast<size_t>(tensor.shape.back());
  for (size_t i = column; i < tensor.values.size(); i += width) tensor.values[i] *= factor;
}

TEST_CASE("EqualizingFactors are powers of two for what is far from the median, and 1 for the rest",
          "[convert][equalize]") {
  const std::vector<double> squares = {1,           1.2, 0.9,   1, 0.3, 1.0 / 16 / 16,
                                       300.0 * 300, 0,   1e-30, 1};
  CHECK(EqualizingFactors(squares) ==
        std::vector<float>{1, 1, 1, 1, 1, 16, 1.0f / 256, 1, 4096, 1});
  CHECK(EqualizingFactors({}).empty());
  CHECK(EqualizingFactors({0, 0, 0}) == std::vector<float>{1, 1, 1});
  CHECK(EqualizingFactors({1, NAN, 1, INFINITY, 1}) == std::vector<float>{1, 1, 1, 1, 1});
}

TEST_CASE("A checkpoint whose columns are of one size is converted as it is",
          "[convert][equalize]") {
  const TempFolder folder;
  const TinyCheckpoint checkpoint;
  checkpoint.Write(folder);
  const auto opened = OpenCheckpoint(folder.File(""));
  REQUIRE(opened.ok());
  auto equalizer = Equalizer::Create(*opened);
  REQUIRE(equalizer.ok());
  std::vector<std::string> measured;
  for (const PlannedTensor& tensor : opened->tensors) {
    for (const ColumnSample& sample : equalizer->TakeSamples(tensor.name)) {
      measured.push_back(sample.matrix->name);
      const SafetensorsTensor& source = *opened->weights.Find(sample.matrix->source);
      CHECK((sample.step == 1 && sample.rows == sample.matrix->shape[0]));
      std::vector<float> values(static_cast<size_t>(source.elements));
      REQUIRE(opened->weights.ReadF32(source, 0, values.size(), values.data()).ok());
      equalizer->AddRows(sample, static_cast<size_t>(sample.rows), values.data());
    }
  }
  CHECK(measured == std::vector<std::string>{"blk.0.attn_q.weight", "blk.0.attn_k.weight",
                                             "blk.0.attn_v.weight", "blk.0.ffn_gate.weight",
                                             "blk.0.ffn_up.weight", "blk.0.ffn_down.weight"});
  CHECK(equalizer->num_scaled() == 0);
}

// Outlier channels made by exact factors: equalising undoes them to the bit, in the quantised
// matrices and in the norms.
TEST_CASE(
    "Outlier channels behind norms and outlier units of the FFN are undone exactly for quantised "
    "types",
    "[convert][equalize]") {
  const TinyCheckpoint plain;
  TinyCheckpoint outliers;
  constexpr float kFactor = 256;
  outliers.tensors.at(kLayer + "input_layernorm.weight").values[5] *= kFactor;
  for (const char* name :
       {"self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"})
    ScaleColumn(outliers, name, 5, 1 / kFactor);
  outliers.tensors.at(kLayer + "post_attention_layernorm.weight").values[17] *= kFactor;
  for (const char* name : {"mlp.gate_proj.weight", "mlp.up_proj.weight"})
    ScaleColumn(outliers, name, 17, 1 / kFactor);
  ScaleColumn(outliers, "mlp.down_proj.weight", 40, 1 / kFactor);
  auto& up = outliers.tensors.at(kLayer + "mlp.up_proj.weight").values;
  for (size_t i = 40 * 32; i < 41 * 32; ++i) up[i] *= kFactor;

  for (const DType type : {DType::kQ8_0, DType::kQ4_0}) {
    const LoadedModel wanted = Converted(plain, type), found = Converted(outliers, type);
    for (const char* name : {"attn_norm", "attn_q", "attn_k", "attn_v", "ffn_norm", "ffn_gate",
                             "ffn_up", "ffn_down", "attn_output"}) {
      CAPTURE(name, GetDTypeInfo(type).name);
      CHECK(BytesOf(found, std::string("blk.0.") + name + ".weight") ==
            BytesOf(wanted, std::string("blk.0.") + name + ".weight"));
    }
  }
  // Other types keep the checkpoint's own numbers.
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    const LoadedModel found = Converted(outliers, type);
    CHECK(found.Values("blk.0.attn_norm.weight") ==
          outliers.tensors.at(kLayer + "input_layernorm.weight").values);
  }
}

}  // namespace
}  // namespace tinyvlm
