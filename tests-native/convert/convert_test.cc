#include "convert/convert.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "catch_amalgamated.hpp"
#include "tiny_checkpoint.h"

namespace tinyvlm {
namespace {

const std::string kTower = "model.vision_tower.timm_model.";
const std::string kDecoder = "model.language_model.";

// Converts what must be refused; nothing may be left behind.
std::string Refused(const TinyCheckpoint& checkpoint, ErrorCode code, DType type = DType::kF32) {
  const TempFolder folder;
  const Status status = ConvertFiles(checkpoint, folder, type);
  CHECK(std::string(ErrorCodeName(status.code())) == ErrorCodeName(code));
  CHECK_FALSE(std::filesystem::exists(folder.File("model.gguf")));
  CHECK_FALSE(std::filesystem::exists(folder.File("model.gguf.partial")));
  return status.message();
}

#define CHECK_CONTAINS(text, part) CHECK_THAT(text, Catch::Matchers::ContainsSubstring(part))

TEST_CASE("A converted checkpoint holds the keys, the tensors in order and the values",
          "[convert]") {
  const TinyCheckpoint checkpoint;
  const LoadedModel model = Converted(checkpoint);
  const Metadata& meta = model.file.metadata;
  CHECK(*meta.GetString("general.architecture") == "fastvlm");
  CHECK(*meta.GetU32("qwen2.block_count") == 1);
  CHECK(*meta.GetU32("qwen2.context_length") == 2048);
  CHECK(*meta.GetU32("qwen2.embedding_length") == 32);
  CHECK(*meta.GetU32("qwen2.feed_forward_length") == 64);
  CHECK(*meta.GetU32("qwen2.attention.head_count") == 2);
  CHECK(*meta.GetU32("qwen2.attention.head_count_kv") == 1);
  CHECK(*meta.GetF32("qwen2.attention.layer_norm_rms_epsilon") == 1e-6f);
  CHECK(*meta.GetF32("qwen2.rope.freq_base") == 1e6f);
  CHECK(*meta.GetU32("fastvlm.vision.image_size") == 32);  // 16 tokens, 8 pixels a side each
  CHECK(*meta.GetI32Array("fastvlm.vision.depths") == std::vector<int32_t>{1, 1});
  CHECK(*meta.GetI32Array("fastvlm.vision.dims") == std::vector<int32_t>{8, 32});
  CHECK(*meta.GetF32Array("fastvlm.vision.mlp_ratios") == std::vector<float>{2, 2});
  CHECK(*meta.GetI32Array("fastvlm.vision.attn_stages") == std::vector<int32_t>{1});
  CHECK(*meta.GetU32("fastvlm.vision.head_dim") == 32);
  CHECK(*meta.GetU32("fastvlm.vision.se_dim") == 4);
  CHECK(*meta.GetString("fastvlm.vision.resize_mode") == "pad");
  CHECK(*meta.GetI32("fastvlm.image_token_id") == 3);
  CHECK(*meta.GetI32Array("tinyvlm.stop_ids") == std::vector<int32_t>{2});
  CHECK(meta.Find("tokenizer.ggml.model") == nullptr);

  const std::vector<std::string> order{"v.stem.0.weight",
                                       "v.stem.0.bias",
                                       "v.stem.1.weight",
                                       "v.stem.1.bias",
                                       "v.stem.2.weight",
                                       "v.stem.2.bias",
                                       "v.stage.0.blk.0.mix.weight",
                                       "v.stage.0.blk.0.mix.bias",
                                       "v.stage.0.blk.0.ffn_dw.weight",
                                       "v.stage.0.blk.0.ffn_dw.bias",
                                       "v.stage.0.blk.0.ffn_up.weight",
                                       "v.stage.0.blk.0.ffn_up.bias",
                                       "v.stage.0.blk.0.ffn_down.weight",
                                       "v.stage.0.blk.0.ffn_down.bias",
                                       "v.stage.0.blk.0.ls",
                                       "v.stage.1.down.dw.weight",
                                       "v.stage.1.down.dw.bias",
                                       "v.stage.1.down.pw.weight",
                                       "v.stage.1.down.pw.bias",
                                       "v.stage.1.cpe.weight",
                                       "v.stage.1.cpe.bias",
                                       "v.stage.1.blk.0.ln.weight",
                                       "v.stage.1.blk.0.ln.bias",
                                       "v.stage.1.blk.0.attn_qkv.weight",
                                       "v.stage.1.blk.0.attn_out.weight",
                                       "v.stage.1.blk.0.attn_out.bias",
                                       "v.stage.1.blk.0.ls1",
                                       "v.stage.1.blk.0.ffn_dw.weight",
                                       "v.stage.1.blk.0.ffn_dw.bias",
                                       "v.stage.1.blk.0.ffn_up.weight",
                                       "v.stage.1.blk.0.ffn_up.bias",
                                       "v.stage.1.blk.0.ffn_down.weight",
                                       "v.stage.1.blk.0.ffn_down.bias",
                                       "v.stage.1.blk.0.ls2",
                                       "v.final.dw.weight",
                                       "v.final.dw.bias",
                                       "v.final.se.down.weight",
                                       "v.final.se.down.bias",
                                       "v.final.se.up.weight",
                                       "v.final.se.up.bias",
                                       "mm.0.weight",
                                       "mm.0.bias",
                                       "mm.2.weight",
                                       "mm.2.bias",
                                       "token_embd.weight",
                                       "blk.0.attn_norm.weight",
                                       "blk.0.attn_q.weight",
                                       "blk.0.attn_q.bias",
                                       "blk.0.attn_k.weight",
                                       "blk.0.attn_k.bias",
                                       "blk.0.attn_v.weight",
                                       "blk.0.attn_v.bias",
                                       "blk.0.attn_output.weight",
                                       "blk.0.ffn_norm.weight",
                                       "blk.0.ffn_gate.weight",
                                       "blk.0.ffn_up.weight",
                                       "blk.0.ffn_down.weight",
                                       "output_norm.weight"};
  std::vector<std::string> names;
  for (const TensorInfo& info : model.file.tensors) names.push_back(info.name);
  CHECK(names == order);
  CHECK(model.file.Find("v.stem.2.weight")->shape == Shape{8, 8});
  CHECK(model.file.Find("v.stage.1.down.dw.weight")->shape == Shape{32, 1, 7, 7});
  CHECK(model.file.Find("v.stage.1.blk.0.ls1")->shape == Shape{32});
  CHECK(model.Values("v.stem.2.weight") ==
        checkpoint.tensors.at(kTower + "stem.2.reparam_conv.weight").values);
  CHECK(model.Values("blk.0.attn_k.weight") ==
        checkpoint.tensors.at(kDecoder + "layers.0.self_attn.k_proj.weight").values);
  CHECK(model.Values("token_embd.weight") ==
        checkpoint.tensors.at(kDecoder + "embed_tokens.weight").values);
}

TEST_CASE("ConvFFN's BatchNorm is folded into its depthwise kernel and bias", "[convert]") {
  const TinyCheckpoint checkpoint;
  const LoadedModel model = Converted(checkpoint);
  const std::string source = kTower + "stages.1.blocks.0.mlp.conv.";
  const auto& kernel = checkpoint.tensors.at(source + "conv.weight").values;
  const auto& gamma = checkpoint.tensors.at(source + "bn.weight").values;
  const auto& beta = checkpoint.tensors.at(source + "bn.bias").values;
  const auto& mean = checkpoint.tensors.at(source + "bn.running_mean").values;
  const auto& variance = checkpoint.tensors.at(source + "bn.running_var").values;
  const std::vector<float> weight = model.Values("v.stage.1.blk.0.ffn_dw.weight"),
                           bias = model.Values("v.stage.1.blk.0.ffn_dw.bias");
  for (size_t c = 0; c < 32; ++c) {
    const double scale = gamma[c] / std::sqrt(double{variance[c]} + 1e-5);
    CHECK(bias[c] == static_cast<float>(beta[c] - mean[c] * scale));
    for (size_t t = 0; t < 49; ++t)
      REQUIRE(weight[c * 49 + t] == static_cast<float>(kernel[c * 49 + t] * scale));
  }
}

TEST_CASE("Types of a file: matrices as asked, short rows and kernels F16, vectors F32",
          "[convert]") {
  const TinyCheckpoint checkpoint;
  for (const DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ5_0, DType::kQ4_0}) {
    DYNAMIC_SECTION(GetDTypeInfo(type).name) {
      const LoadedModel model = Converted(checkpoint, type);
      const auto type_of = [&](const char* name) { return model.file.Find(name)->type; };
      const bool f32 = type == DType::kF32;
      const DType tower = type == DType::kQ4_0 ? DType::kQ5_0 : type,
                  embedding = type == DType::kQ4_0 ? DType::kQ8_0 : type;
      CHECK(type_of("blk.0.ffn_gate.weight") == type);
      CHECK(type_of("blk.0.attn_q.bias") == DType::kF32);
      CHECK(type_of("token_embd.weight") == embedding);
      CHECK(type_of("mm.0.weight") == tower);
      CHECK(type_of("v.stage.1.down.pw.weight") == tower);
      CHECK(type_of("v.stage.1.blk.0.attn_qkv.weight") == tower);
      CHECK(type_of("v.stem.2.weight") == (f32 ? DType::kF32 : DType::kF16));       // rows of 8
      CHECK(type_of("v.final.se.up.weight") == (f32 ? DType::kF32 : DType::kF16));  // rows of 4
      CHECK(type_of("v.final.se.down.weight") == tower);                            // rows of 64
      CHECK(type_of("v.stem.0.weight") == (f32 ? DType::kF32 : DType::kF16));
      CHECK(type_of("v.stage.1.cpe.weight") == (f32 ? DType::kF32 : DType::kF16));
      CHECK(type_of("v.stage.1.cpe.bias") == DType::kF32);
      CHECK(type_of("v.stage.1.blk.0.ls1") == DType::kF32);
      CHECK(type_of("output_norm.weight") == DType::kF32);
      // The bytes are those of the scalar definition.
      const auto& source = checkpoint.tensors.at(kDecoder + "layers.0.mlp.gate_proj.weight").values;
      const TensorInfo& info = *model.file.Find("blk.0.ffn_gate.weight");
      std::vector<uint8_t> wanted(static_cast<size_t>(info.bytes));
      QuantizeRow(type, source.data(), source.size(), wanted.data());
      CHECK(std::equal(
          wanted.begin(), wanted.end(),
          model.bytes.begin() + static_cast<ptrdiff_t>(model.file.data_offset + info.offset)));
    }
  }
}

TEST_CASE("Tower and embedding can have types of their own", "[convert]") {
  const TempFolder folder;
  TinyCheckpoint checkpoint;
  checkpoint.Edit(R"("tie_word_embeddings": true)", R"("tie_word_embeddings": false)");
  checkpoint.Add("lm_head.weight", {48, 32});
  checkpoint.Write(folder);
  const auto types = [&](DType type, std::optional<DType> vision, std::optional<DType> embedding) {
    ConvertOptions options;
    options.checkpoint = folder.File(".");
    options.output = folder.File("model.gguf");
    options.type = type;
    options.vision_type = vision;
    options.embedding_type = embedding;
    options.tokenizer = false;
    REQUIRE(Convert(options, {}).ok());
    const LoadedModel model = LoadModelFile(options.output);
    std::string result;
    for (const char* name :
         {"blk.0.ffn_gate.weight", "v.stage.1.down.pw.weight", "v.stem.2.weight", "v.stem.0.weight",
          "mm.0.weight", "token_embd.weight", "output.weight"}) {
      result += std::string(GetDTypeInfo(model.file.Find(name)->type).name) + " ";
    }
    CHECK(model.file.Find("v.stem.0.bias")->type == DType::kF32);
    return result;
  };
  CHECK(types(DType::kQ4_0, {}, {}) == "q4_0 q5_0 f16 f16 q5_0 q8_0 q8_0 ");
  CHECK(types(DType::kQ4_0, DType::kQ4_0, DType::kF16) == "q4_0 q4_0 f16 f16 q4_0 f16 f16 ");
  CHECK(types(DType::kQ5_0, {}, {}) == "q5_0 q5_0 f16 f16 q5_0 q5_0 q5_0 ");
  CHECK(types(DType::kQ4_0, DType::kF32, DType::kQ4_0) == "q4_0 f32 f32 f32 f32 q4_0 q4_0 ");
  CHECK(types(DType::kF32, DType::kQ8_0, DType::kBF16) == "f32 q8_0 f16 f16 q8_0 bf16 bf16 ");
  CHECK(types(DType::kBF16, {}, {}) == "bf16 bf16 f16 f16 bf16 bf16 bf16 ");
}

TEST_CASE("f16 and bf16 checkpoints keep their values", "[convert]") {
  for (const SafetensorsType type : {SafetensorsType::kF16, SafetensorsType::kBF16}) {
    TinyCheckpoint checkpoint;
    checkpoint.type = type;
    const LoadedModel model = Converted(checkpoint);
    const std::vector<float> values = model.Values("mm.0.weight");
    const auto& source =
        checkpoint.tensors.at("model.multi_modal_projector.linear_1.weight").values;
    for (size_t i = 0; i < values.size(); ++i) {
      REQUIRE(values[i] == (type == SafetensorsType::kF16 ? F16ToF32(F32ToF16(source[i]))
                                                          : BF16ToF32(F32ToBF16(source[i]))));
    }
  }
}

TEST_CASE("A head of its own is kept, one that equals the embedding is stored once", "[convert]") {
  TinyCheckpoint checkpoint;
  checkpoint.Edit(R"("tie_word_embeddings": true)", R"("tie_word_embeddings": false)");
  CHECK_CONTAINS(Refused(checkpoint, ErrorCode::kNotFound), "tensor lm_head.weight is missing");
  checkpoint.Add("lm_head.weight", {48, 32});
  {
    const LoadedModel model = Converted(checkpoint, DType::kQ4_0);
    CHECK(model.file.tensors.back().name == "output.weight");
    CHECK(model.file.tensors.back().type == DType::kQ8_0);
  }
  checkpoint.tensors["lm_head.weight"] = checkpoint.tensors.at(kDecoder + "embed_tokens.weight");
  CHECK(Converted(checkpoint).file.Find("output.weight") == nullptr);
  checkpoint.tensors["lm_head.weight"].values.back() += 1;
  CHECK(Converted(checkpoint).file.Find("output.weight") != nullptr);
}

TEST_CASE("Every tensor that is missing is named, and so is a wrong shape with both shapes",
          "[convert]") {
  const TinyCheckpoint whole;
  for (const auto& [name, tensor] : whole.tensors) {
    TinyCheckpoint checkpoint;
    checkpoint.tensors.erase(name);
    INFO(name);
    CHECK_CONTAINS(Refused(checkpoint, ErrorCode::kNotFound),
                   "tensor " + name + " is missing from the checkpoint");
  }
  for (const auto& [name, tensor] : whole.tensors) {
    // Its own shape decides the width of the bottleneck: the other three tensors then have the
    // wrong one.
    if (name == kTower + "final_conv.se.fc1.bias") continue;
    TinyCheckpoint checkpoint;
    Shape shape = tensor.shape;
    shape[0] += 1;
    checkpoint.Add(name, shape);
    INFO(name);
    const std::string message = Refused(checkpoint, ErrorCode::kInvalidFile);
    CHECK_CONTAINS(message, "tensor " + name + ": shape ");
    CHECK_CONTAINS(message, ShapeToString(shape) + " found");
  }
}

TEST_CASE("A tensor that no such model has is rejected with a specific error", "[convert]") {
  TinyCheckpoint checkpoint;
  checkpoint.Add(kTower + "stages.1.blocks.0.norm.scale", {32});
  CHECK_CONTAINS(Refused(checkpoint, ErrorCode::kUnsupported),
                 "stages.1.blocks.0.norm.scale is not part of the FastVLM");
  TinyCheckpoint deeper;
  deeper.Add(kTower + "stages.1.blocks.1.norm.weight", {32});
  CHECK_CONTAINS(Refused(deeper, ErrorCode::kInvalidFile),
                 "model_args.layers gives stage 1 1 blocks, the tensors show 2");
  TinyCheckpoint with_head;
  with_head.Add(kTower + "head.fc.weight", {10, 64});
  CHECK(Converted(with_head).file.Find("v.stem.0.weight") != nullptr);
}

TEST_CASE(
    "Weights that are not finite, and too large ones for the type, are rejected with a specific "
    "error",
    "[convert]") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (const std::string& name : {kDecoder + "norm.weight", kDecoder + "embed_tokens.weight",
                                    kTower + "stages.0.blocks.0.mlp.conv.bn.running_mean"}) {
      TinyCheckpoint checkpoint;
      checkpoint.tensors[name].values[5] = bad;
      CHECK_CONTAINS(Refused(checkpoint, ErrorCode::kInvalidFile),
                     "tensor " + name + ": finite weights wanted");
    }
  }
  TinyCheckpoint checkpoint;
  // a matrix whose columns stay as they are
  checkpoint.tensors[kDecoder + "layers.0.self_attn.o_proj.weight"].values[7] = 66000.0f;
  CHECK_CONTAINS(Refused(checkpoint, ErrorCode::kUnsupported, DType::kF16),
                 "66000 at element 7 is too large for f16");
  CHECK(Converted(checkpoint, DType::kQ4_0).Values("blk.0.attn_output.weight")[7] > 60000);
  TinyCheckpoint negative;
  negative.tensors[kTower + "stages.0.blocks.0.mlp.conv.bn.running_var"].values[2] = -0.1f;
  CHECK_CONTAINS(Refused(negative, ErrorCode::kInvalidFile),
                 "variances of at least 0 wanted, -0.1 found at 2");
}

TEST_CASE(
    "The image size that the number of image tokens means, else 1024; --image-size and --resize "
    "replace what is stored",
    "[convert]") {
  const auto size = [](const char* tokens, uint32_t asked) {
    const TempFolder folder;
    TinyCheckpoint checkpoint;
    checkpoint.Edit(R"("image_seq_length": 16)", tokens);
    checkpoint.Write(folder);
    ConvertOptions options;
    options.checkpoint = folder.File(".");
    options.output = folder.File("model.gguf");
    options.tokenizer = false;
    options.image_size = asked;
    options.resize = asked == 0 ? "" : "crop";
    const Status status = Convert(options, {});
    if (!status.ok()) return status.message();
    const LoadedModel model = LoadModelFile(options.output);
    return std::to_string(*model.file.metadata.GetU32("fastvlm.vision.image_size")) +
           *model.file.metadata.GetString("fastvlm.vision.resize_mode");
  };
  CHECK(size(R"("image_seq_length": 25)", 0) == "40pad");
  CHECK(size(R"("image_seq_length": 17)", 0) == "1024pad");
  CHECK(size(R"("x": 0)", 0) == "1024pad");
  CHECK(size(R"("image_seq_length": 25)", 512) == "512crop");
  CHECK_CONTAINS(size(R"("x": 0)", 500),
                 "an image size that is a multiple of 64 up to 4096 wanted, 500 found");
  CHECK_CONTAINS(size(R"("x": 0)", 8192), "8192 found");
}

TEST_CASE("Progress ends at the total", "[convert]") {
  const TempFolder folder;
  TinyCheckpoint().Write(folder);
  ConvertOptions options;
  options.checkpoint = folder.File(".");
  options.output = folder.File("model.gguf");
  options.tokenizer = false;
  uint64_t last = 0, all = 0;
  REQUIRE(Convert(options, [&](uint64_t done, uint64_t total) {
            CHECK(done > last);
            last = done;
            all = total;
          }).ok());
  CHECK(last == all);
  CHECK(all > 0);
}

TEST_CASE("Places that are no checkpoint and outputs that cannot be written are typed errors",
          "[convert]") {
  const TempFolder folder;
  ConvertOptions options;
  options.tokenizer = false;
  options.output = folder.File("model.gguf");
  const auto fails = [&](const std::string& path) {
    options.checkpoint = path;
    return Convert(options, {});
  };
  CHECK_CONTAINS(fails(folder.File("absent")).message(),
                 "a checkpoint folder (config.json and safetensors) wanted, nothing found");
  CHECK_CONTAINS(fails(folder.File(".")).message(), "no config.json found in it");
  WriteText(folder.File("file"), "x");
  CHECK_CONTAINS(fails(folder.File("file")).message(), "a file found");
  WriteText(folder.File("config.json"), "{");
  CHECK_CONTAINS(fails(folder.File(".")).message(), "config.json: JSON:");
  WriteText(folder.File("config.json"), "[]");
  CHECK_CONTAINS(fails(folder.File(".")).message(),
                 "config.json: an object wanted, an array found");
  TinyCheckpoint().Write(folder);
  std::filesystem::remove(folder.File("model.safetensors"));
  CHECK_CONTAINS(fails(folder.File(".")).message(),
                 "model.safetensors or model.safetensors.index.json wanted");
  TinyCheckpoint().Write(folder);
  options.output = folder.File("absent/model.gguf");
  CHECK(fails(folder.File(".")).code() == ErrorCode::kNotFound);
  options.output = folder.File("model.safetensors");
  CHECK(fails(folder.File(".")).code() == ErrorCode::kInvalidArgument);
  CHECK(std::filesystem::exists(folder.File("model.safetensors")));
}

TEST_CASE("Words of --type", "[convert]") {
  CHECK(*ParseConvertType("f32") == DType::kF32);
  CHECK(*ParseConvertType("q4_0") == DType::kQ4_0);
  CHECK(*ParseConvertType("q5_0") == DType::kQ5_0);
  CHECK(ParseConvertType("q4_1").status().code() == ErrorCode::kInvalidArgument);
  CHECK_CONTAINS(ParseConvertType("Q8").status().message(), "\"Q8\" found");
}

}  // namespace
}  // namespace tinyvlm
