// Checkpoint folders of a few kilobytes that tests alter before they write them.
#ifndef TINYVLM_TESTS_CONVERT_TINY_CHECKPOINT_H_
#define TINYVLM_TESTS_CONVERT_TINY_CHECKPOINT_H_

#include <cstdint>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/half.h"
#include "catch_amalgamated.hpp"
#include "convert/convert.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "temp_folder.h"
#include "tensor/quant.h"

namespace tinyvlm {

inline void WriteText(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Tensors and a config, written as a folder.
struct CheckpointFiles {
  struct Tensor {
    Shape shape;
    std::vector<float> values;
  };

  void Add(const std::string& name, Shape shape) {
    Tensor& tensor = tensors[name];
    tensor.values.resize(static_cast<size_t>(*ElementCount(shape)));
    tensor.shape = std::move(shape);
    std::normal_distribution<float> normal;
    for (float& value : tensor.values) value = normal(random);
    if (name.ends_with("running_var")) {
      for (float& value : tensor.values) value = 0.5f + value * value;
    }
  }

  void AddWithBias(const std::string& name, Shape shape) {
    Add(name + ".bias", {shape[0]});
    Add(name + ".weight", std::move(shape));
  }

  void AddFfn(const std::string& name, uint64_t channels, uint64_t hidden) {
    Add(name + "conv.conv.weight", {channels, 1, 7, 7});
    for (const char* part : {"weight", "bias", "running_mean", "running_var"})
      Add(name + "conv.bn." + part, {channels});
    AddWithBias(name + "fc1", {hidden, channels, 1, 1});
    AddWithBias(name + "fc2", {channels, hidden, 1, 1});
  }

  // A decoder of one layer, its names behind `model`.
  void AddDecoder(const std::string& model) {
    Add(model + "embed_tokens.weight", {48, 32});
    Add(model + "norm.weight", {32});
    Add(model + "layers.0.input_layernorm.weight", {32});
    Add(model + "layers.0.post_attention_layernorm.weight", {32});
    AddWithBias(model + "layers.0.self_attn.q_proj", {32, 32});
    AddWithBias(model + "layers.0.self_attn.k_proj", {16, 32});
    AddWithBias(model + "layers.0.self_attn.v_proj", {16, 32});
    Add(model + "layers.0.self_attn.o_proj.weight", {32, 32});
    Add(model + "layers.0.mlp.gate_proj.weight", {64, 32});
    Add(model + "layers.0.mlp.up_proj.weight", {64, 32});
    Add(model + "layers.0.mlp.down_proj.weight", {32, 64});
  }

  // Replaces the only occurrence of `from` in config.json.
  void Edit(const std::string& from, const std::string& to) {
    const size_t at = config.find(from);
    INFO(from);
    REQUIRE(at != std::string::npos);
    REQUIRE(config.find(from, at + 1) == std::string::npos);
    config.replace(at, from.size(), to);
  }

  // Writes config.json and the weights, as one file or as several with an index.
  void Write(const TempFolder& folder) const {
    WriteText(folder.File("config.json"), config);
    static const int64_t kTracked = 1000;
    std::vector<std::vector<SafetensorsOutput>> files(shards);
    if (!tracked.empty()) files[0].push_back({tracked, SafetensorsType::kI64, {}, &kTracked});
    std::vector<std::vector<uint16_t>> halves;
    std::string map;
    size_t count = 0;
    for (const auto& [name, tensor] : tensors) {
      const size_t shard = count++ % shards;
      map += Format("%s\"%s\": \"%s\"", map.empty() ? "" : ", ", name.c_str(),
                    ShardName(shard).c_str());
      if (type == SafetensorsType::kF32) {
        files[shard].push_back({name, type, tensor.shape, tensor.values.data()});
        continue;
      }
      std::vector<uint16_t>& half = halves.emplace_back();
      for (const float value : tensor.values)
        half.push_back(type == SafetensorsType::kF16 ? F32ToF16(value) : F32ToBF16(value));
      files[shard].push_back({name, type, tensor.shape, half.data()});
    }
    for (size_t shard = 0; shard < shards; ++shard) {
      REQUIRE(WriteSafetensors(folder.File(shards == 1 ? "model.safetensors" : ShardName(shard)),
                               files[shard])
                  .ok());
    }
    if (shards > 1)
      WriteText(folder.File("model.safetensors.index.json"), "{\"weight_map\": {" + map + "}}");
  }

  std::string ShardName(size_t shard) const {
    return Format("model-%05zu-of-%05zu.safetensors", shard + 1, shards);
  }

  std::mt19937 random{3};
  std::map<std::string, Tensor> tensors;
  SafetensorsType type = SafetensorsType::kF32;
  size_t shards = 1;
  std::string tracked;  // name of a num_batches_tracked; empty: none
  std::string config;
};

// transformers' names, inference form: two stages (the second attends), one decoder layer.
struct TinyCheckpoint : CheckpointFiles {
  // width 32, 2 heads, 1 kv head, ffn 64, vocabulary 48; tower dims 8 and 32, mlp ratio 2,
  // squeeze-excite 4.
  TinyCheckpoint() {
    const std::string tower = "model.vision_tower.timm_model.";
    tracked = tower + "stages.0.blocks.0.mlp.conv.bn.num_batches_tracked";
    AddWithBias(tower + "stem.0.reparam_conv", {8, 3, 3, 3});
    AddWithBias(tower + "stem.1.reparam_conv", {8, 1, 3, 3});
    AddWithBias(tower + "stem.2.reparam_conv", {8, 8, 1, 1});
    AddFfn(tower + "stages.0.blocks.0.mlp.", 8, 16);
    AddWithBias(tower + "stages.0.blocks.0.token_mixer.reparam_conv", {8, 1, 3, 3});
    Add(tower + "stages.0.blocks.0.layer_scale.gamma", {8, 1, 1});
    AddWithBias(tower + "stages.1.downsample.proj.0.reparam_conv", {32, 1, 7, 7});
    AddWithBias(tower + "stages.1.downsample.proj.1.reparam_conv", {32, 32, 1, 1});
    AddWithBias(tower + "stages.1.pos_emb.reparam_conv", {32, 1, 7, 7});
    AddFfn(tower + "stages.1.blocks.0.mlp.", 32, 64);
    AddWithBias(tower + "stages.1.blocks.0.norm", {32});
    Add(tower + "stages.1.blocks.0.token_mixer.qkv.weight", {96, 32});
    AddWithBias(tower + "stages.1.blocks.0.token_mixer.proj", {32, 32});
    Add(tower + "stages.1.blocks.0.layer_scale_1.gamma", {32, 1, 1});
    Add(tower + "stages.1.blocks.0.layer_scale_2.gamma", {32});
    AddWithBias(tower + "final_conv.reparam_conv", {64, 1, 3, 3});
    AddWithBias(tower + "final_conv.se.fc1", {4, 64, 1, 1});
    AddWithBias(tower + "final_conv.se.fc2", {64, 4, 1, 1});
    AddWithBias("model.multi_modal_projector.linear_1", {32, 64});
    AddWithBias("model.multi_modal_projector.linear_2", {32, 32});
    AddDecoder("model.language_model.");
    config = R"({
    "model_type": "fast_vlm", "image_token_index": 3, "image_seq_length": 16, "projector_hidden_act": "gelu", "multimodal_projector_bias": true,
    "vision_feature_layer": -1, "vision_feature_select_strategy": "full", "tie_word_embeddings": true,
    "vision_config": {"model_type": "timm_wrapper", "architecture": "fastvit_mci3",
      "model_args": {"inference_mode": true, "layers": [1, 1], "embed_dims": [8, 32], "mlp_ratios": [2, 2], "token_mixers": ["repmixer", "attention"]}},
    "text_config": {"model_type": "qwen2", "hidden_act": "silu", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
      "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 48, "rms_norm_eps": 1e-06, "max_position_embeddings": 2048, "eos_token_id": 2,
      "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "use_sliding_window": false, "sliding_window": null}
  })";
  }
};

// A model file in memory.
struct LoadedModel {
  std::vector<uint8_t> bytes;
  GgufFile file;

  // All values of a tensor as f32.
  std::vector<float> Values(const std::string& name) const {
    const TensorInfo* const info = file.Find(name);
    INFO(name);
    REQUIRE(info != nullptr);
    std::vector<float> values(static_cast<size_t>(*ElementCount(info->shape)));
    DequantizeRow(info->type, bytes.data() + file.data_offset + info->offset, values.size(),
                  values.data());
    return values;
  }
};

// Reads a model file and checks all of its hashes.
inline LoadedModel LoadModelFile(const std::string& path) {
  LoadedModel model;
  const Result<RandomAccessFile> file = RandomAccessFile::Open(path);
  REQUIRE(file.ok());
  model.bytes.resize(static_cast<size_t>(file->size()));
  REQUIRE(file->ReadAt(0, model.bytes.data(), model.bytes.size()).ok());
  Result<GgufParse> parse = ParseGgufHeader(model.bytes);
  INFO(parse.status().message());
  REQUIRE(parse.ok());
  REQUIRE(parse->file.has_value());
  model.file = std::move(*parse->file);
  REQUIRE(model.file.data_offset + model.file.data_bytes == model.bytes.size());
  REQUIRE(VerifyHeaderHash(model.file,
                           {model.bytes.data(), static_cast<size_t>(model.file.data_offset)})
              .ok());
  REQUIRE(model.file.chunk_size == 1048576);
  for (uint64_t begin = 0; begin < model.file.data_bytes; begin += model.file.chunk_size) {
    Sha256 sha;
    sha.Update(model.bytes.data() + model.file.data_offset + begin,
               static_cast<size_t>(std::min(model.file.chunk_size, model.file.data_bytes - begin)));
    REQUIRE(sha.Finish() == ChunkHash(model.file, begin / model.file.chunk_size));
  }
  return model;
}

// Converts the files in `folder` to model.gguf there, ids only.
inline Status ConvertFiles(const CheckpointFiles& checkpoint, const TempFolder& folder,
                           DType type = DType::kF32) {
  checkpoint.Write(folder);
  ConvertOptions options;
  options.checkpoint = folder.File(".");
  options.output = folder.File("model.gguf");
  options.type = type;
  options.tokenizer = false;
  return Convert(options, {});
}

inline LoadedModel Converted(const CheckpointFiles& checkpoint, DType type = DType::kF32) {
  const TempFolder folder;
  const Status status = ConvertFiles(checkpoint, folder, type);
  INFO(status.message());
  REQUIRE(status.ok());
  return LoadModelFile(folder.File("model.gguf"));
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONVERT_TINY_CHECKPOINT_H_
