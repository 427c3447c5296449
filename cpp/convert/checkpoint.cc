#include "convert/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "convert/canonical_names.h"
#include "convert/checkpoint_names.h"
#include "convert/checkpoint_weights.h"
#include "convert/third_party_checkpoint.h"

namespace tinyvlm {

namespace {

constexpr uint32_t kDefaultImageSize = 1024;

// Where configs describe the tower, for messages.
constexpr const char* kDepthsKey = "config.json: vision_config.model_args.layers";
constexpr const char* kSizesKey = "config.json: vision_config.model_args.embed_dims and mlp_ratios";
constexpr const char* kAttentionKey = "config.json: vision_config.model_args.token_mixers";
constexpr const char* kFeaturesKey = "config.json: mm_hidden_size";

Shape WithoutOnes(const Shape& shape) {
  Shape result;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(result),
               [](uint64_t dimension) { return dimension != 1; });
  return result;
}

Status Missing(const Safetensors& weights, const std::string& name) {
  return Error(ErrorCode::kNotFound, "tensor %s is missing from the checkpoint",
               NameInFile(weights, name).c_str());
}

// The tensor `name`, whose shape must hold the same numbers as `shape` (dimensions of 1 do not
// count, so a 1x1 kernel is a matrix).
Result<const SafetensorsTensor*> FindTensor(const Safetensors& weights, const std::string& name,
                                            const Shape& shape) {
  const SafetensorsTensor* const tensor = weights.Find(name);
  if (tensor == nullptr) return Missing(weights, name);
  if (WithoutOnes(tensor->shape) != WithoutOnes(shape)) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted, %s found",
                 tensor->name_in_file.c_str(), ShapeToString(shape).c_str(),
                 ShapeToString(tensor->shape).c_str());
  }
  return tensor;
}

// Writes the plan down, tower first.
class Planner {
 public:
  explicit Planner(Checkpoint* checkpoint)
      : checkpoint_(*checkpoint),
        config_(checkpoint->config),
        weights_(checkpoint->weights),
        layout_(LayoutOfTower(weights_)),
        names_(NamesOf(layout_)) {}

  Status Plan() {
    TVLM_ASSIGN_OR_RETURN(const TowerNames tower, FindTower(weights_, layout_));
    TVLM_RETURN_IF_ERROR(ReadStages(tower));
    TVLM_RETURN_IF_ERROR(PlanTower(tower));
    PlanProjector();
    TVLM_RETURN_IF_ERROR(PlanDecoder());
    return CheckTensors();
  }

 private:
  using Branches = std::vector<ConvBranch>;

  bool Has(const std::string& module) const { return !weights_.WithPrefix(module + ".").empty(); }

  // A canonical name as the file has it, for messages.
  std::string InFile(const std::string& name) const { return NameInFile(weights_, name); }

  // ---- What the names and shapes say ----

  Result<TowerStage> ReadStage(const TowerNames::Stage& names) const {
    TowerStage stage;
    stage.depth = names.depth;
    const std::string block = names.blocks + "0.", name = block + names_.conv_ffn + ".fc1.weight";
    stage.attention = Has(block + "token_mixer.qkv") || Has(block + "token_mixer.proj");
    const SafetensorsTensor* const fc1 = weights_.Find(name);
    if (fc1 == nullptr) return Missing(weights_, name);
    const Shape& shape = fc1->shape;
    const bool is_matrix =
        shape.size() >= 2 && std::all_of(shape.begin() + 2, shape.end(),
                                         [](uint64_t dimension) { return dimension == 1; });
    if (!is_matrix || shape[0] == 0 || shape[1] == 0 || shape[1] > kMaxTowerChannels ||
        shape[0] > kMaxTowerRatio * shape[1]) {
      return Error(ErrorCode::kInvalidFile,
                   "tensor %s: shape [hidden, channels] with at most %u channels and %u times as "
                   "many hidden wanted, %s found",
                   fc1->name_in_file.c_str(), kMaxTowerChannels, kMaxTowerRatio,
                   ShapeToString(shape).c_str());
    }
    stage.hidden = static_cast<uint32_t>(shape[0]);
    stage.channels = static_cast<uint32_t>(shape[1]);
    return stage;
  }

  // Stages from their first blocks, held against what config.json says of them. The plan then holds
  // every other tensor against the stages.
  Status ReadStages(const TowerNames& tower) {
    if (tower.stages.size() > kMaxTowerStages) {
      return Error(ErrorCode::kUnsupported, "a tower of 1..%u stages wanted, one of %zu found",
                   kMaxTowerStages, tower.stages.size());
    }
    std::vector<TowerStage>& stages = checkpoint_.stages;
    for (const TowerNames::Stage& names : tower.stages) {
      TVLM_ASSIGN_OR_RETURN(const TowerStage stage, ReadStage(names));
      const std::string fc1 = names.blocks + "0." + names_.conv_ffn + ".fc1.weight";
      TVLM_RETURN_IF_ERROR(CheckStage(stages.size(), stage, fc1));
      if (stage.depth > kMaxTowerDepth) {
        return Error(ErrorCode::kUnsupported, "%s*: at most %u blocks wanted, %u found",
                     InFile(names.blocks).c_str(), kMaxTowerDepth, stage.depth);
      }
      if (!stages.empty() && stage.channels % stages.back().channels != 0) {
        return Error(
            ErrorCode::kUnsupported,
            "tensor %s: a multiple of the %u channels of the stage before wanted, %u found",
            InFile(fc1).c_str(), stages.back().channels, stage.channels);
      }
      if (stage.attention && stage.channels % kTowerHeadDim != 0) {
        return Error(ErrorCode::kUnsupported,
                     "tensor %s: channels of an attention stage must be a multiple of %u, %u found",
                     InFile(fc1).c_str(), kTowerHeadDim, stage.channels);
      }
      if (!stage.attention && Has(names.positional)) {
        return Error(ErrorCode::kUnsupported,
                     "%s: a positional encoding wanted before attention stages only, one found "
                     "before stage %zu",
                     InFile(names.positional).c_str(), stages.size());
      }
      stages.push_back(stage);
    }
    if (const size_t said = config_.tower.depths.size(); said != 0 && said != stages.size()) {
      return Error(ErrorCode::kInvalidFile, "%s names %zu stages, the tensors show %zu (%s*)",
                   kDepthsKey, said, stages.size(), InFile(kTowerPrefix).c_str());
    }
    const uint64_t features = 2 * uint64_t{stages.back().channels};
    if (config_.tower.features != 0 && config_.tower.features != features) {
      return Error(ErrorCode::kInvalidFile,
                   "%s is %u, the tensors show a last stage that gives %llu features (%s*)",
                   kFeaturesKey, config_.tower.features, static_cast<unsigned long long>(features),
                   InFile(tower.stages.back().blocks).c_str());
    }
    return Status();
  }

  Status CheckStage(size_t s, const TowerStage& stage, const std::string& fc1) const {
    const CheckpointConfig::Tower& said = config_.tower;
    if (s < said.depths.size() && said.depths[s] != stage.depth) {
      return Error(ErrorCode::kInvalidFile,
                   "%s gives stage %zu %u blocks, the tensors show %u (%s is of the first)",
                   kDepthsKey, s, said.depths[s], stage.depth, InFile(fc1).c_str());
    }
    const uint32_t channels = s < said.channels.size() ? said.channels[s] : stage.channels;
    // timm cuts the product's fraction off.
    const uint32_t hidden =
        s < said.ratios.size() ? static_cast<uint32_t>(said.ratios[s] * channels) : stage.hidden;
    if (channels != stage.channels || hidden != stage.hidden) {
      return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted (%s), %s found",
                   InFile(fc1).c_str(), ShapeToString({hidden, channels}).c_str(), kSizesKey,
                   ShapeToString(weights_.Find(fc1)->shape).c_str());
    }
    if (s < said.attention.size() && said.attention[s] != stage.attention) {
      return Error(ErrorCode::kInvalidFile,
                   "%s says that stage %zu %s, the tensors beside %s show that it %s",
                   kAttentionKey, s, said.attention[s] ? "attends" : "does not attend",
                   InFile(fc1).c_str(), stage.attention ? "does" : "does not");
    }
    return Status();
  }

  // ---- Convolutions as sums of branches ----

  // Convolution `module` as it is.
  static ConvBranch Plain(const std::string& module, uint64_t side) {
    return {module + ".weight", side, module + ".bias", "", "", false};
  }

  // `module`.conv and the BatchNorm behind it.
  ConvBranch WithBatchNorm(const std::string& module, uint64_t side) const {
    const std::string bias = module + ".conv.bias";
    return {module + ".conv.weight", side, weights_.Find(bias) == nullptr ? "" : bias,
            module + ".bn",          "",   false};
  }

  // A MobileOne block: fused, or any number of branches of the full size, a 1x1 one and the
  // identity, each with its BatchNorm.
  Result<Branches> MobileOne(const std::string& module, uint64_t side, bool may_skip) const {
    const std::string fused = module + "." + names_.fused,
                      numbered = module + "." + names_.conv_branches;
    const std::string scale = module + "." + names_.scale_branch,
                      identity = module + "." + names_.identity_branch;
    if (Has(fused)) return Branches{Plain(fused, side)};
    Branches branches;
    TVLM_ASSIGN_OR_RETURN(const uint32_t count, CountNumbered(weights_, numbered));
    for (uint32_t n = 0; n < count; ++n)
      branches.push_back(WithBatchNorm(Format("%s%u", numbered.c_str(), n), side));
    if (Has(scale)) branches.push_back(WithBatchNorm(scale, 1));
    if (may_skip && Has(identity)) branches.push_back({"", 1, "", identity, "", false});
    if (branches.empty()) branches.push_back(Plain(fused, side));  // the tensor that will be missed
    return branches;
  }

  // x + scale * (mixer(x) - norm(x)).
  Result<Branches> RepMixer(const std::string& module) const {
    constexpr uint64_t kSide = 3;
    if (!Has(module + ".mixer") && !Has(module + ".norm"))
      return Branches{Plain(module + "." + names_.fused, kSide)};
    Branches branches{{"", 1, "", "", "", false}};
    for (const bool subtract : {false, true}) {
      TVLM_ASSIGN_OR_RETURN(Branches part, MobileOne(module + (subtract ? ".norm" : ".mixer"),
                                                     kSide, /*may_skip=*/true));
      for (ConvBranch& branch : part) {
        branch.scale = module + ".layer_scale" + names_.layer_scale_suffix;
        branch.subtract = subtract;
        branches.push_back(std::move(branch));
      }
    }
    return branches;
  }

  // The 7x7 of a downsampler: a large kernel and a small one, each with its BatchNorm.
  Branches LargeKernel(const std::string& module) const {
    constexpr uint64_t kSide = 7;
    const std::string large = module + "." + names_.large_branch,
                      small = module + "." + names_.small_branch;
    if (Has(module + "." + names_.fused_large) || !Has(large))
      return {Plain(module + "." + names_.fused_large, kSide)};
    Branches branches{WithBatchNorm(large, kSide)};
    if (!Has(small)) return branches;
    const SafetensorsTensor* const kernel = weights_.Find(small + ".conv.weight");
    const uint64_t side = kernel == nullptr || kernel->shape.size() != 4 ? 3 : kernel->shape[3];
    branches.push_back(WithBatchNorm(small, side % 2 == 1 && side <= kSide ? side : 3));
    return branches;
  }

  // x + encoding(x) + bias. A stage that is meant to attend without one gets the identity.
  Branches Positional(const std::string& module) const {
    constexpr uint64_t kSide = 7;
    const ConvBranch identity{"", 1, "", "", "", false};
    if (module.empty() || (config_.tower.no_positional && !Has(module))) return {identity};
    const std::string encoding = module + "." + names_.positional_branch;
    if (Has(module + "." + names_.fused) || !Has(encoding))
      return {Plain(module + "." + names_.fused, kSide)};
    return {identity, Plain(encoding, kSide)};
  }

  // ---- The plan ----

  void Add(std::string name, const Shape& shape, TensorRole role, std::string source) {
    checkpoint_.tensors.push_back({std::move(name), shape, role, std::move(source), {}, shape});
  }

  // `name`.weight and .bias.
  void AddWithBias(const std::string& name, const Shape& shape, TensorRole role,
                   const std::string& source) {
    Add(name + ".weight", shape, role, source + ".weight");
    Add(name + ".bias", {shape[0]}, TensorRole::kVector, source + ".bias");
  }

  // The same for a sum of branches.
  void AddConv(const std::string& name, const Shape& kernel, TensorRole role,
               const Branches& branches) {
    checkpoint_.tensors.push_back({name + ".weight", kernel, role, "", branches, kernel});
    checkpoint_.tensors.push_back(
        {name + ".bias", {kernel[0]}, TensorRole::kVector, "", branches, kernel});
  }

  Status AddMobileOne(const std::string& name, const Shape& kernel, TensorRole role,
                      const std::string& module, bool may_skip) {
    TVLM_ASSIGN_OR_RETURN(const Branches branches,
                          MobileOne(module, kernel.size() == 4 ? kernel[3] : 1, may_skip));
    AddConv(name, kernel, role, branches);
    return Status();
  }

  Status PlanBlock(const std::string& name, const std::string& source, const TowerStage& stage) {
    const uint64_t c = stage.channels;
    const std::string mixer = source + "token_mixer", ffn = source + names_.conv_ffn,
                      scale = source + "layer_scale", suffix = names_.layer_scale_suffix;
    if (stage.attention) {
      AddWithBias(name + "ln", {c}, TensorRole::kVector, source + "norm");
      Add(name + "attn_qkv.weight", {3 * c, c}, TensorRole::kVisionMatrix, mixer + ".qkv.weight");
      AddWithBias(name + "attn_out", {c, c}, TensorRole::kVisionMatrix, mixer + ".proj");
      Add(name + "ls1", {c}, TensorRole::kVector, scale + "_1" + suffix);
    } else {
      TVLM_ASSIGN_OR_RETURN(const Branches branches, RepMixer(mixer));
      AddConv(name + "mix", {c, 1, 3, 3}, TensorRole::kKernel, branches);
    }
    AddConv(name + "ffn_dw", {c, 1, 7, 7}, TensorRole::kKernel, {WithBatchNorm(ffn + ".conv", 7)});
    AddWithBias(name + "ffn_up", {stage.hidden, c}, TensorRole::kVisionMatrix, ffn + ".fc1");
    AddWithBias(name + "ffn_down", {c, stage.hidden}, TensorRole::kVisionMatrix, ffn + ".fc2");
    Add(name + (stage.attention ? "ls2" : "ls"), {c}, TensorRole::kVector,
        scale + (stage.attention ? "_2" : "") + suffix);
    return Status();
  }

  Status PlanTower(const TowerNames& tower) {
    const uint64_t c0 = checkpoint_.stages.front().channels;
    const std::string stem = std::string(kTowerPrefix) + names_.stem;
    TVLM_RETURN_IF_ERROR(AddMobileOne("v.stem.0", {c0, 3, 3, 3}, TensorRole::kKernel, stem + "0",
                                      /*may_skip=*/false));
    TVLM_RETURN_IF_ERROR(AddMobileOne("v.stem.1", {c0, 1, 3, 3}, TensorRole::kKernel, stem + "1",
                                      /*may_skip=*/false));
    TVLM_RETURN_IF_ERROR(AddMobileOne("v.stem.2", {c0, c0}, TensorRole::kVisionMatrix, stem + "2",
                                      /*may_skip=*/true));
    for (size_t s = 0; s < checkpoint_.stages.size(); ++s) {
      const TowerStage& stage = checkpoint_.stages[s];
      const TowerNames::Stage& names = tower.stages[s];
      const uint64_t c = stage.channels;
      const std::string name = Format("v.stage.%zu.", s);
      if (s > 0) {
        AddConv(name + "down.dw", {c, 1, 7, 7}, TensorRole::kKernel,
                LargeKernel(names.downsample + "0"));
        TVLM_RETURN_IF_ERROR(AddMobileOne(name + "down.pw", {c, c}, TensorRole::kVisionMatrix,
                                          names.downsample + "1", /*may_skip=*/true));
      }
      if (stage.attention)
        AddConv(name + "cpe", {c, 1, 7, 7}, TensorRole::kKernel, Positional(names.positional));
      for (uint32_t b = 0; b < stage.depth; ++b) {
        TVLM_RETURN_IF_ERROR(PlanBlock(Format("%sblk.%u.", name.c_str(), b),
                                       Format("%s%u.", names.blocks.c_str(), b), stage));
      }
    }
    const uint64_t features = 2 * uint64_t{checkpoint_.stages.back().channels};
    const std::string final_conv = std::string(kTowerPrefix) + names_.final_conv,
                      reduce = final_conv + "." + names_.se_reduce;
    TVLM_RETURN_IF_ERROR(AddMobileOne("v.final.dw", {features, 1, 3, 3}, TensorRole::kKernel,
                                      final_conv, /*may_skip=*/false));
    const SafetensorsTensor* const bias = weights_.Find(reduce + ".bias");
    if (bias == nullptr) return Missing(weights_, reduce + ".bias");
    if (WithoutOnes(bias->shape).size() > 1 || bias->elements == 0 || bias->elements > features) {
      return Error(ErrorCode::kInvalidFile, "tensor %s: shape [1..%llu] wanted, %s found",
                   bias->name_in_file.c_str(), static_cast<unsigned long long>(features),
                   ShapeToString(bias->shape).c_str());
    }
    checkpoint_.se_dim = static_cast<uint32_t>(bias->elements);
    AddWithBias("v.final.se.down", {checkpoint_.se_dim, features}, TensorRole::kVisionMatrix,
                reduce);
    AddWithBias("v.final.se.up", {features, checkpoint_.se_dim}, TensorRole::kVisionMatrix,
                final_conv + "." + names_.se_expand);
    return Status();
  }

  void PlanProjector() {
    const uint64_t features = 2 * uint64_t{checkpoint_.stages.back().channels},
                   width = config_.width;
    const std::string prefix = kProjectorPrefix;
    const auto* const words =
        std::find_if(std::begin(kProjectorWords), std::end(kProjectorWords) - 1,
                     [&](const ProjectorWords& pair) { return Has(prefix + pair.first); });
    AddWithBias("mm.0", {width, features}, TensorRole::kVisionMatrix, prefix + words->first);
    AddWithBias("mm.2", {width, width}, TensorRole::kVisionMatrix, prefix + words->second);
  }

  Status PlanDecoder() {
    const std::string model = kDecoderPrefix;
    const uint64_t width = config_.width,
                   kv = uint64_t{config_.width} / config_.heads * config_.kv_heads,
                   ffn = config_.ffn;
    const Shape embedding{config_.vocabulary, width};
    Add(kEmbeddingName, embedding, TensorRole::kEmbedding, model + "embed_tokens.weight");
    for (uint32_t n = 0; n < config_.layers; ++n) {
      const std::string name = Format("blk.%u.", n), source = model + Format("layers.%u.", n);
      Add(name + "attn_norm.weight", {width}, TensorRole::kVector,
          source + "input_layernorm.weight");
      AddWithBias(name + "attn_q", {width, width}, TensorRole::kDecoderMatrix,
                  source + "self_attn.q_proj");
      AddWithBias(name + "attn_k", {kv, width}, TensorRole::kDecoderMatrix,
                  source + "self_attn.k_proj");
      AddWithBias(name + "attn_v", {kv, width}, TensorRole::kDecoderMatrix,
                  source + "self_attn.v_proj");
      Add(name + "attn_output.weight", {width, width}, TensorRole::kDecoderMatrix,
          source + "self_attn.o_proj.weight");
      Add(name + "ffn_norm.weight", {width}, TensorRole::kVector,
          source + "post_attention_layernorm.weight");
      Add(name + "ffn_gate.weight", {ffn, width}, TensorRole::kDecoderMatrix,
          source + "mlp.gate_proj.weight");
      Add(name + "ffn_up.weight", {ffn, width}, TensorRole::kDecoderMatrix,
          source + "mlp.up_proj.weight");
      Add(name + "ffn_down.weight", {width, ffn}, TensorRole::kDecoderMatrix,
          source + "mlp.down_proj.weight");
    }
    Add("output_norm.weight", {width}, TensorRole::kVector, model + "norm.weight");

    // Some configs say "tied" of checkpoints that hold a head of their own: the tensors decide.
    const std::string head = kCanonicalHeadName;
    if (weights_.Find(head) == nullptr) {
      // Apple's configs are known to say "untied" of tied checkpoints, too.
      if (config_.tied || config_.layout == CheckpointLayout::kApple) return Status();
      return Error(ErrorCode::kNotFound,
                   "tensor %s is missing from the checkpoint, and config.json does not say "
                   "\"tie_word_embeddings\": true",
                   head.c_str());
    }
    Add(kHeadName, embedding, TensorRole::kEmbedding, head);
    return Status();
  }

  // ---- The plan and the checkpoint name the same tensors, of the same shapes ----

  Status Use(const std::string& name, const Shape& shape) {
    TVLM_ASSIGN_OR_RETURN(const SafetensorsTensor* const tensor, FindTensor(weights_, name, shape));
    if (tensor->type != SafetensorsType::kF32 && tensor->type != SafetensorsType::kF16 &&
        tensor->type != SafetensorsType::kBF16) {
      return Error(ErrorCode::kUnsupported, "tensor %s: F32, F16 or BF16 wanted, %s found",
                   tensor->name_in_file.c_str(), SafetensorsTypeName(tensor->type));
    }
    used_.insert(tensor->name);
    return Status();
  }

  Status UseBranch(const ConvBranch& branch, const Shape& kernel) {
    const Shape outputs{kernel[0]};
    if (!branch.kernel.empty())
      TVLM_RETURN_IF_ERROR(Use(branch.kernel, {kernel[0], kernel[1], branch.side, branch.side}));
    if (!branch.bias.empty()) TVLM_RETURN_IF_ERROR(Use(branch.bias, outputs));
    if (!branch.scale.empty()) TVLM_RETURN_IF_ERROR(Use(branch.scale, outputs));
    if (branch.norm.empty()) return Status();
    for (const char* part : kBatchNormParts) TVLM_RETURN_IF_ERROR(Use(branch.norm + part, outputs));
    return Status();
  }

  Status CheckTensors() {
    for (const PlannedTensor& planned : checkpoint_.tensors) {
      if (!planned.source.empty()) TVLM_RETURN_IF_ERROR(Use(planned.source, planned.shape));
      for (const ConvBranch& branch : planned.branches)
        TVLM_RETURN_IF_ERROR(UseBranch(branch, planned.kernel));
    }
    for (const SafetensorsTensor& tensor : weights_.tensors()) {
      if (used_.contains(tensor.name) || IsUnusedTensor(tensor.name)) continue;
      return Error(
          ErrorCode::kUnsupported,
          "tensor %s is not part of the FastVLM that config.json and the other tensors describe",
          tensor.name_in_file.c_str());
    }
    return Status();
  }

  Checkpoint& checkpoint_;
  const CheckpointConfig& config_;
  const Safetensors& weights_;
  const CheckpointLayout layout_;  // of the tower's names
  const CheckpointNames& names_;
  std::set<std::string, std::less<>> used_;
};

// The side of the square image: the configs' word, else what their number of image tokens means,
// else 1024.
uint32_t ImageSize(const CheckpointConfig& config, size_t stages) {
  if (config.image_size != 0) return config.image_size;
  const int64_t rows = std::llround(std::sqrt(static_cast<double>(config.image_tokens)));
  // two stride-2 layers in the stem, one per stage but the first
  const int64_t side = rows << (stages + 1);
  return rows > 0 && rows * rows == config.image_tokens && side <= kMaxImageSize
             ? static_cast<uint32_t>(side)
             : kDefaultImageSize;
}

}  // namespace

Result<Checkpoint> PlanCheckpoint(const CheckpointSource& source, Safetensors weights,
                                  std::vector<std::string>* warnings) {
  Checkpoint checkpoint;
  checkpoint.weights = std::move(weights);
  TVLM_RETURN_IF_ERROR(RejectThirdPartyTensors(checkpoint.weights));
  // The tensors decide what the model is; config.json's word explains why they are not FastVLM's.
  TVLM_ASSIGN_OR_RETURN(const Json config, source.ReadJson("config.json"));
  const std::optional<std::string> other = OtherModel(config);
  if (const Status parts = CheckParts(source, checkpoint.weights); !parts.ok())
    return other.has_value() ? RejectOtherModel(*other) : parts;
  if (other.has_value()) {
    warnings->push_back("config.json calls this " + *other +
                        "; its tensors are FastVLM's, so it is converted as one");
  }
  TVLM_ASSIGN_OR_RETURN(checkpoint.config, ReadCheckpointConfig(source));
  TVLM_RETURN_IF_ERROR(Planner(&checkpoint).Plan());
  checkpoint.image_size = ImageSize(checkpoint.config, checkpoint.stages.size());
  return checkpoint;
}

}  // namespace tinyvlm
