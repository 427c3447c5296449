#include "convert/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>

namespace tinyvlm {

namespace {

constexpr std::string_view kTower = "model.vision_tower.timm_model.";

Shape WithoutOnes(const Shape& shape) {
  Shape result;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(result), [](uint64_t dimension) { return dimension != 1; });
  return result;
}

// Tensors of a checkpoint that an inference engine has no use for.
bool IsIgnored(std::string_view name) {
  return name.ends_with(".num_batches_tracked") || name.ends_with(".rotary_emb.inv_freq") || name.starts_with(std::string(kTower) + "head.");
}

// Writes the plan down, tower first.
class Planner {
 public:
  explicit Planner(Checkpoint* checkpoint) : checkpoint_(*checkpoint), config_(checkpoint->config) {}

  Status Plan() {
    TVLM_RETURN_IF_ERROR(PlanTower());
    PlanProjector();
    TVLM_RETURN_IF_ERROR(PlanDecoder());
    return CheckTensors();
  }

 private:
  void Add(std::string name, Shape shape, TensorRole role, std::string source) {
    checkpoint_.tensors.push_back({std::move(name), std::move(shape), role, std::move(source), "", false});
  }

  // `name`.weight and .bias.
  void AddWithBias(const std::string& name, Shape shape, TensorRole role, const std::string& source) {
    const uint64_t outputs = shape[0];
    Add(name + ".weight", std::move(shape), role, source + ".weight");
    Add(name + ".bias", {outputs}, TensorRole::kVector, source + ".bias");
  }

  // A depthwise 7x7 without bias and the BatchNorm behind it, as one convolution with bias.
  void AddConvWithBatchNorm(const std::string& name, uint64_t channels, const std::string& source) {
    checkpoint_.tensors.push_back({name + ".weight", {channels, 1, 7, 7}, TensorRole::kKernel, source + ".conv.weight", source + ".bn", false});
    checkpoint_.tensors.push_back({name + ".bias", {channels}, TensorRole::kVector, source + ".conv.weight", source + ".bn", true});
  }

  void PlanBlock(const std::string& name, const std::string& source, const CheckpointConfig::Stage& stage) {
    const uint64_t c = stage.channels;
    if (stage.attention) {
      AddWithBias(name + "ln", {c}, TensorRole::kVector, source + "norm");
      Add(name + "attn_qkv.weight", {3 * c, c}, TensorRole::kMatrix, source + "token_mixer.qkv.weight");
      AddWithBias(name + "attn_out", {c, c}, TensorRole::kMatrix, source + "token_mixer.proj");
      Add(name + "ls1", {c}, TensorRole::kVector, source + "layer_scale_1.gamma");
    } else {
      AddWithBias(name + "mix", {c, 1, 3, 3}, TensorRole::kKernel, source + "token_mixer.reparam_conv");
    }
    AddConvWithBatchNorm(name + "ffn_dw", c, source + "mlp.conv");
    AddWithBias(name + "ffn_up", {stage.hidden, c}, TensorRole::kMatrix, source + "mlp.fc1");
    AddWithBias(name + "ffn_down", {c, stage.hidden}, TensorRole::kMatrix, source + "mlp.fc2");
    Add(name + (stage.attention ? "ls2" : "ls"), {c}, TensorRole::kVector, source + (stage.attention ? "layer_scale_2.gamma" : "layer_scale.gamma"));
  }

  Status PlanTower() {
    const std::string tower(kTower);
    const uint64_t c0 = config_.stages.front().channels;
    AddWithBias("v.stem.0", {c0, 3, 3, 3}, TensorRole::kKernel, tower + "stem.0.reparam_conv");
    AddWithBias("v.stem.1", {c0, 1, 3, 3}, TensorRole::kKernel, tower + "stem.1.reparam_conv");
    AddWithBias("v.stem.2", {c0, c0}, TensorRole::kMatrix, tower + "stem.2.reparam_conv");
    for (size_t s = 0; s < config_.stages.size(); ++s) {
      const CheckpointConfig::Stage& stage = config_.stages[s];
      const uint64_t c = stage.channels;
      const std::string name = Format("v.stage.%zu.", s), source = tower + Format("stages.%zu.", s);
      if (s > 0) {
        AddWithBias(name + "down.dw", {c, 1, 7, 7}, TensorRole::kKernel, source + "downsample.proj.0.reparam_conv");
        AddWithBias(name + "down.pw", {c, c}, TensorRole::kMatrix, source + "downsample.proj.1.reparam_conv");
      }
      if (stage.attention) AddWithBias(name + "cpe", {c, 1, 7, 7}, TensorRole::kKernel, source + "pos_emb.reparam_conv");
      for (uint32_t b = 0; b < stage.depth; ++b) PlanBlock(Format("%sblk.%u.", name.c_str(), b), Format("%sblocks.%u.", source.c_str(), b), stage);
    }
    const uint64_t features = 2 * uint64_t{config_.stages.back().channels};
    AddWithBias("v.final.dw", {features, 1, 3, 3}, TensorRole::kKernel, tower + "final_conv.reparam_conv");
    // The width of the bottleneck stands in no config.
    const std::string se = tower + "final_conv.se.";
    const SafetensorsTensor* const reduce = checkpoint_.weights.Find(se + "fc1.bias");
    if (reduce == nullptr) return FindTensor(checkpoint_.weights, se + "fc1.bias", {}).status();
    if (WithoutOnes(reduce->shape).size() > 1 || reduce->elements == 0 || reduce->elements > features) {
      return Error(ErrorCode::kInvalidFile, "tensor %s: shape [1..%llu] wanted, %s found", reduce->name.c_str(), static_cast<unsigned long long>(features),
                   ShapeToString(reduce->shape).c_str());
    }
    checkpoint_.se_dim = static_cast<uint32_t>(reduce->elements);
    AddWithBias("v.final.se.down", {checkpoint_.se_dim, features}, TensorRole::kMatrix, se + "fc1");
    AddWithBias("v.final.se.up", {features, checkpoint_.se_dim}, TensorRole::kMatrix, se + "fc2");
    return Status();
  }

  void PlanProjector() {
    const uint64_t features = 2 * uint64_t{config_.stages.back().channels}, width = config_.width;
    AddWithBias("mm.0", {width, features}, TensorRole::kMatrix, "model.multi_modal_projector.linear_1");
    AddWithBias("mm.2", {width, width}, TensorRole::kMatrix, "model.multi_modal_projector.linear_2");
  }

  Status PlanDecoder() {
    const std::string model = "model.language_model.";
    const uint64_t width = config_.width, kv = uint64_t{config_.width} / config_.heads * config_.kv_heads, ffn = config_.ffn;
    const Shape embedding{config_.vocabulary, width};
    Add("token_embd.weight", embedding, TensorRole::kMatrix, model + "embed_tokens.weight");
    for (uint32_t n = 0; n < config_.layers; ++n) {
      const std::string name = Format("blk.%u.", n), source = model + Format("layers.%u.", n);
      Add(name + "attn_norm.weight", {width}, TensorRole::kVector, source + "input_layernorm.weight");
      AddWithBias(name + "attn_q", {width, width}, TensorRole::kDecoderMatrix, source + "self_attn.q_proj");
      AddWithBias(name + "attn_k", {kv, width}, TensorRole::kDecoderMatrix, source + "self_attn.k_proj");
      AddWithBias(name + "attn_v", {kv, width}, TensorRole::kDecoderMatrix, source + "self_attn.v_proj");
      Add(name + "attn_output.weight", {width, width}, TensorRole::kDecoderMatrix, source + "self_attn.o_proj.weight");
      Add(name + "ffn_norm.weight", {width}, TensorRole::kVector, source + "post_attention_layernorm.weight");
      Add(name + "ffn_gate.weight", {ffn, width}, TensorRole::kDecoderMatrix, source + "mlp.gate_proj.weight");
      Add(name + "ffn_up.weight", {ffn, width}, TensorRole::kDecoderMatrix, source + "mlp.up_proj.weight");
      Add(name + "ffn_down.weight", {width, ffn}, TensorRole::kDecoderMatrix, source + "mlp.down_proj.weight");
    }
    Add("output_norm.weight", {width}, TensorRole::kVector, model + "norm.weight");

    // Some configs say "tied" of checkpoints that hold a head of their own: the tensors decide. One that equals the embedding is stored once.
    const std::string head = "lm_head.weight";
    if (checkpoint_.weights.Find(head) == nullptr) {
      if (config_.tied) return Status();
      return Error(ErrorCode::kNotFound, "tensor %s is missing from the checkpoint, and config.json does not say \"tie_word_embeddings\": true", head.c_str());
    }
    TVLM_ASSIGN_OR_RETURN(const SafetensorsTensor* const embedded, FindTensor(checkpoint_.weights, model + "embed_tokens.weight", embedding));
    TVLM_ASSIGN_OR_RETURN(const SafetensorsTensor* const own, FindTensor(checkpoint_.weights, head, embedding));
    TVLM_ASSIGN_OR_RETURN(const bool equal, AreEqual(*embedded, *own));
    if (equal) {
      head_is_embedding_ = true;
    } else {
      Add("output.weight", embedding, TensorRole::kMatrix, head);
    }
    return Status();
  }

  // Value by value; the types may differ.
  Result<bool> AreEqual(const SafetensorsTensor& a, const SafetensorsTensor& b) const {
    constexpr size_t kPiece = 1 << 16;
    std::vector<float> left(kPiece), right(kPiece);
    for (uint64_t done = 0; done < a.elements; done += kPiece) {
      const size_t count = static_cast<size_t>(std::min<uint64_t>(kPiece, a.elements - done));
      TVLM_RETURN_IF_ERROR(checkpoint_.weights.ReadF32(a, done, count, left.data()));
      TVLM_RETURN_IF_ERROR(checkpoint_.weights.ReadF32(b, done, count, right.data()));
      if (std::memcmp(left.data(), right.data(), count * sizeof(float)) != 0) return false;
    }
    return true;
  }

  // Every planned tensor is there with its shape, and every tensor that is there is planned.
  Status CheckTensors() const {
    std::set<std::string, std::less<>> used;
    for (const PlannedTensor& planned : checkpoint_.tensors) {
      const Shape shape = planned.is_folded_bias ? Shape{planned.shape[0], 1, 7, 7} : planned.shape;
      TVLM_ASSIGN_OR_RETURN(const SafetensorsTensor* const tensor, FindTensor(checkpoint_.weights, planned.source, shape));
      if (tensor->type != SafetensorsType::kF32 && tensor->type != SafetensorsType::kF16 && tensor->type != SafetensorsType::kBF16) {
        return Error(ErrorCode::kUnsupported, "tensor %s: F32, F16 or BF16 wanted, %s found", tensor->name.c_str(), SafetensorsTypeName(tensor->type));
      }
      used.insert(planned.source);
      if (planned.batch_norm.empty()) continue;
      for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) {
        TVLM_RETURN_IF_ERROR(FindTensor(checkpoint_.weights, planned.batch_norm + part, {planned.shape[0]}).status());
        used.insert(planned.batch_norm + part);
      }
    }
    for (const SafetensorsTensor& tensor : checkpoint_.weights.tensors()) {
      if (used.contains(tensor.name) || IsIgnored(tensor.name) || (head_is_embedding_ && tensor.name == "lm_head.weight")) continue;
      return Error(ErrorCode::kUnsupported, "tensor %s is not part of the FastVLM that config.json describes", tensor.name.c_str());
    }
    return Status();
  }

  Checkpoint& checkpoint_;
  const CheckpointConfig& config_;
  bool head_is_embedding_ = false;
};

}  // namespace

Result<const SafetensorsTensor*> FindTensor(const Safetensors& weights, const std::string& name, const Shape& shape) {
  const SafetensorsTensor* const tensor = weights.Find(name);
  if (tensor == nullptr) return Error(ErrorCode::kNotFound, "tensor %s is missing from the checkpoint", name.c_str());
  if (WithoutOnes(tensor->shape) != WithoutOnes(shape)) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted, %s found", name.c_str(), ShapeToString(shape).c_str(), ShapeToString(tensor->shape).c_str());
  }
  return tensor;
}

Result<Checkpoint> OpenCheckpoint(const std::string& folder) {
  Checkpoint checkpoint;
  TVLM_ASSIGN_OR_RETURN(checkpoint.config, ReadCheckpointConfig(folder));
  TVLM_ASSIGN_OR_RETURN(checkpoint.weights, Safetensors::OpenFolder(folder));
  TVLM_RETURN_IF_ERROR(Planner(&checkpoint).Plan());
  return checkpoint;
}

}  // namespace tinyvlm
