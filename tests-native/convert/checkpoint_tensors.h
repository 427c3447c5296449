// The tensors and the config of a checkpoint in memory, without a test around them.
#ifndef TINYVLM_TESTS_CONVERT_CHECKPOINT_TENSORS_H_
#define TINYVLM_TESTS_CONVERT_CHECKPOINT_TENSORS_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tensor/shape.h"

namespace tinyvlm {

// Random tensors by name, and config.json.
struct CheckpointTensors {
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

  std::mt19937 random{3};
  std::map<std::string, Tensor> tensors;
  std::string tracked;  // name of a num_batches_tracked; empty: none
  std::string config;
};

// transformers' names, inference form: two stages (the second attends), one decoder layer.
struct TinyCheckpointTensors : CheckpointTensors {
  // width 32, 2 heads, 1 kv head, ffn 64, vocabulary 48; tower dims 8 and 32, mlp ratio 2,
  // squeeze-excite 4.
  TinyCheckpointTensors() {
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

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONVERT_CHECKPOINT_TENSORS_H_
