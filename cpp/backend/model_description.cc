#include "backend/model_description.h"

#include <utility>

#include "tensor/shape.h"

namespace tinyvlm {

namespace {

enum class Bias {
  kNone,
  kRequired,
  kOptional,  // found where the file has it
};

// Finds tensors by name and remembers which were asked for.
class TensorFinder {
 public:
  explicit TensorFinder(const GgufFile& file) : file_(file), found_(file.tensors.size()) {}

  Result<const TensorInfo*> Find(const std::string& name, const Shape& shape) {
    const TensorInfo* const info = file_.Find(name);
    if (info == nullptr)
      return Error(ErrorCode::kNotFound, "tensor %s is missing from the model file", name.c_str());
    if (info->shape != shape) {
      return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted, %s found", name.c_str(),
                   ShapeToString(shape).c_str(), ShapeToString(info->shape).c_str());
    }
    if (info->type == DType::kI64)
      return Error(ErrorCode::kInvalidFile, "tensor %s: a float type wanted, i64 found",
                   name.c_str());
    found_[static_cast<size_t>(info - file_.tensors.data())] = true;
    return info;
  }

  // `name`.weight [n, k] and, if the layer has one, `name`.bias [n].
  Result<LinearTensors> FindLinear(const std::string& name, uint64_t n, uint64_t k, Bias bias) {
    LinearTensors linear;
    TVLM_ASSIGN_OR_RETURN(linear.weights, Find(name + ".weight", {n, k}));
    if (bias == Bias::kRequired || (bias == Bias::kOptional && Has(name + ".bias"))) {
      TVLM_ASSIGN_OR_RETURN(linear.bias, Find(name + ".bias", {n}));
    }
    return linear;
  }

  // `name`.weight [cout, cin_per_group, size, size] and `name`.bias [cout].
  Result<ConvTensors> FindConv(const std::string& name, uint64_t cout, uint64_t cin_per_group,
                               uint64_t size) {
    ConvTensors conv;
    TVLM_ASSIGN_OR_RETURN(conv.weights, Find(name + ".weight", {cout, cin_per_group, size, size}));
    TVLM_ASSIGN_OR_RETURN(conv.bias, Find(name + ".bias", {cout}));
    return conv;
  }

  bool Has(const std::string& name) const { return file_.Find(name) != nullptr; }

  // An error that names the first tensor that was not asked for: the file then holds another
  // variant of the model.
  Status CheckAllFound() const {
    for (size_t i = 0; i < found_.size(); ++i) {
      if (found_[i]) continue;
      return Error(ErrorCode::kUnsupported,
                   "tensor %s is not one of the model that general.architecture names: this engine "
                   "does not run the variant",
                   file_.tensors[i].name.c_str());
    }
    return Status();
  }

 private:
  const GgufFile& file_;
  std::vector<bool> found_;  // indexed like file_.tensors
};

Result<VisionBlockTensors> FindBlock(TensorFinder& finder, const std::string& name,
                                     const VisionConfig::Stage& stage) {
  const uint64_t c = stage.channels;
  VisionBlockTensors block;
  if (stage.attention) {
    TVLM_ASSIGN_OR_RETURN(block.norm_weight, finder.Find(name + "ln.weight", {c}));
    TVLM_ASSIGN_OR_RETURN(block.norm_bias, finder.Find(name + "ln.bias", {c}));
    TVLM_ASSIGN_OR_RETURN(block.qkv, finder.FindLinear(name + "attn_qkv", 3 * c, c, Bias::kNone));
    TVLM_ASSIGN_OR_RETURN(block.attention_out,
                          finder.FindLinear(name + "attn_out", c, c, Bias::kRequired));
    TVLM_ASSIGN_OR_RETURN(block.attention_scale, finder.Find(name + "ls1", {c}));
    TVLM_ASSIGN_OR_RETURN(block.ffn_scale, finder.Find(name + "ls2", {c}));
  } else {
    TVLM_ASSIGN_OR_RETURN(block.mixer, finder.FindConv(name + "mix", c, 1, 3));
    TVLM_ASSIGN_OR_RETURN(block.ffn_scale, finder.Find(name + "ls", {c}));
  }
  TVLM_ASSIGN_OR_RETURN(block.ffn_depthwise, finder.FindConv(name + "ffn_dw", c, 1, 7));
  TVLM_ASSIGN_OR_RETURN(block.ffn_up,
                        finder.FindLinear(name + "ffn_up", stage.hidden, c, Bias::kRequired));
  TVLM_ASSIGN_OR_RETURN(block.ffn_down,
                        finder.FindLinear(name + "ffn_down", c, stage.hidden, Bias::kRequired));
  return block;
}

Result<VisionTensors> FindVision(TensorFinder& finder, const VisionConfig& config) {
  VisionTensors tensors;
  const uint64_t c0 = config.stages.front().channels;
  TVLM_ASSIGN_OR_RETURN(tensors.stem0, finder.FindConv("v.stem.0", c0, 3, 3));
  TVLM_ASSIGN_OR_RETURN(tensors.stem1, finder.FindConv("v.stem.1", c0, 1, 3));
  TVLM_ASSIGN_OR_RETURN(tensors.stem2, finder.FindLinear("v.stem.2", c0, c0, Bias::kRequired));
  for (size_t s = 0; s < config.stages.size(); ++s) {
    const VisionConfig::Stage& stage = config.stages[s];
    const std::string prefix = Format("v.stage.%zu.", s);
    VisionStageTensors found;
    if (s > 0) {
      TVLM_ASSIGN_OR_RETURN(found.down_depthwise,
                            finder.FindConv(prefix + "down.dw", stage.channels, 1, 7));
      TVLM_ASSIGN_OR_RETURN(
          found.down_pointwise,
          finder.FindLinear(prefix + "down.pw", stage.channels, stage.channels, Bias::kRequired));
    }
    if (stage.attention) {
      TVLM_ASSIGN_OR_RETURN(found.cpe, finder.FindConv(prefix + "cpe", stage.channels, 1, 7));
    }
    for (size_t b = 0; b < stage.depth; ++b) {
      TVLM_ASSIGN_OR_RETURN(const VisionBlockTensors block,
                            FindBlock(finder, Format("%sblk.%zu.", prefix.c_str(), b), stage));
      found.blocks.push_back(block);
    }
    tensors.stages.push_back(std::move(found));
  }
  TVLM_ASSIGN_OR_RETURN(tensors.final_depthwise,
                        finder.FindConv("v.final.dw", config.feature_dim, 1, 3));
  TVLM_ASSIGN_OR_RETURN(tensors.se_down, finder.FindLinear("v.final.se.down", config.se_dim,
                                                           config.feature_dim, Bias::kRequired));
  TVLM_ASSIGN_OR_RETURN(tensors.se_up, finder.FindLinear("v.final.se.up", config.feature_dim,
                                                         config.se_dim, Bias::kRequired));
  TVLM_ASSIGN_OR_RETURN(tensors.projector0, finder.FindLinear("mm.0", config.text_dim,
                                                              config.feature_dim, Bias::kRequired));
  TVLM_ASSIGN_OR_RETURN(tensors.projector2, finder.FindLinear("mm.2", config.text_dim,
                                                              config.text_dim, Bias::kRequired));
  return tensors;
}

Result<DecoderTensors> FindDecoder(TensorFinder& finder, const DecoderConfig& config) {
  DecoderTensors tensors;
  const uint64_t width = config.width, ffn = config.ffn, kv = config.kv_heads * config.head_dim;
  const Bias qkv_bias = config.qkv_bias ? Bias::kRequired : Bias::kOptional;
  TVLM_ASSIGN_OR_RETURN(tensors.embedding,
                        finder.Find("token_embd.weight", {config.vocabulary, width}));
  for (size_t n = 0; n < config.layers; ++n) {
    const std::string prefix = Format("blk.%zu.", n);
    DecoderLayerTensors layer;
    TVLM_ASSIGN_OR_RETURN(layer.attention_norm, finder.Find(prefix + "attn_norm.weight", {width}));
    TVLM_ASSIGN_OR_RETURN(layer.q, finder.FindLinear(prefix + "attn_q", width, width, qkv_bias));
    TVLM_ASSIGN_OR_RETURN(layer.k, finder.FindLinear(prefix + "attn_k", kv, width, qkv_bias));
    TVLM_ASSIGN_OR_RETURN(layer.v, finder.FindLinear(prefix + "attn_v", kv, width, qkv_bias));
    TVLM_ASSIGN_OR_RETURN(layer.attention_out,
                          finder.FindLinear(prefix + "attn_output", width, width, Bias::kNone));
    TVLM_ASSIGN_OR_RETURN(layer.ffn_norm, finder.Find(prefix + "ffn_norm.weight", {width}));
    TVLM_ASSIGN_OR_RETURN(layer.gate,
                          finder.FindLinear(prefix + "ffn_gate", ffn, width, Bias::kNone));
    TVLM_ASSIGN_OR_RETURN(layer.up, finder.FindLinear(prefix + "ffn_up", ffn, width, Bias::kNone));
    TVLM_ASSIGN_OR_RETURN(layer.down,
                          finder.FindLinear(prefix + "ffn_down", width, ffn, Bias::kNone));
    tensors.layers.push_back(layer);
  }
  TVLM_ASSIGN_OR_RETURN(tensors.output_norm, finder.Find("output_norm.weight", {width}));
  tensors.head.weights = tensors.embedding;
  if (finder.Has("output.weight")) {
    TVLM_ASSIGN_OR_RETURN(tensors.head,
                          finder.FindLinear("output", config.vocabulary, width, Bias::kNone));
  }
  return tensors;
}

// Rejects third-party files that are a part of a model (split files) or an addition (adapters).
Status CheckWholeModel(const Metadata& meta) {
  if (meta.Find("general.type") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(const std::string type, meta.GetString("general.type"));
    if (type != "model")
      return Error(ErrorCode::kUnsupported, "general.type: \"model\" wanted, \"%s\" found",
                   type.c_str());
  }
  if (meta.Find("split.count") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(const uint32_t parts, meta.GetU32("split.count"));
    if (parts > 1)
      return Error(
          ErrorCode::kUnsupported,
          "split.count: a model in one file wanted, one of %u parts found; join the parts first",
          parts);
  }
  return Status();
}

}  // namespace

Result<ModelDescription> ReadModelDescription(GgufFile file) {
  ModelDescription model;
  TVLM_ASSIGN_OR_RETURN(model.architecture, file.metadata.GetString("general.architecture"));
  if (model.architecture != "fastvlm" && model.architecture != "qwen2" &&
      model.architecture != "llama") {
    return Error(ErrorCode::kUnsupported,
                 "general.architecture: \"fastvlm\" (images and text), \"qwen2\" or \"llama\" "
                 "(text) wanted, \"%s\" found; convert a FastVLM checkpoint with tiny-vlm convert",
                 model.architecture.c_str());
  }
  TVLM_RETURN_IF_ERROR(CheckWholeModel(file.metadata));
  TVLM_ASSIGN_OR_RETURN(model.decoder, ReadDecoderConfig(file, model.architecture));
  if (model.has_vision()) {
    TVLM_ASSIGN_OR_RETURN(model.vision, ReadVisionConfig(file, model.decoder.width));
  }
  model.file = std::move(file);
  return model;
}

Status FindTensors(ModelDescription* model) {
  TensorFinder finder(model->file);
  if (model->has_vision()) {
    TVLM_ASSIGN_OR_RETURN(model->vision_tensors, FindVision(finder, model->vision));
  }
  TVLM_ASSIGN_OR_RETURN(model->decoder_tensors, FindDecoder(finder, model->decoder));
  return finder.CheckAllFound();
}

}  // namespace tinyvlm
