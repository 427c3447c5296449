#include "engine/model.h"

namespace tinyvlm {

namespace {

Result<ResizeMode> ReadResizeMode(const Metadata& meta) {
  if (meta.Find("fastvlm.vision.resize_mode") == nullptr) return ResizeMode::kPad;
  TVLM_ASSIGN_OR_RETURN(const std::string mode, meta.GetString("fastvlm.vision.resize_mode"));
  const Result<ResizeMode> parsed = ParseResizeMode(mode);
  if (!parsed.ok())
    return Error(ErrorCode::kInvalidFile, "fastvlm.vision.resize_mode: %s",
                 parsed.status().message().c_str());
  return *parsed;
}

// A file of others may be a part of a model, or something that belongs to one.
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

Result<std::shared_ptr<Model>> Model::Create(GgufFile file, size_t threads, ModelUse use) {
  std::shared_ptr<Model> model(new Model(threads));
  TVLM_RETURN_IF_ERROR(model->ReadHeader(file, use));
  TVLM_ASSIGN_OR_RETURN(model->store_, WeightStore::Create(std::move(file)));
  TVLM_RETURN_IF_ERROR(model->BindWeights());
  return model;
}

Result<std::shared_ptr<Model>> Model::CreateInPlace(GgufFile file, BorrowedWeights weights,
                                                    size_t threads, ModelUse use) {
  std::shared_ptr<Model> model(new Model(threads));
  TVLM_RETURN_IF_ERROR(model->ReadHeader(file, use));
  TVLM_ASSIGN_OR_RETURN(model->store_,
                        WeightStore::CreateInPlace(std::move(file), std::move(weights)));
  TVLM_RETURN_IF_ERROR(model->BindWeights());
  return model;
}

// Everything but the weights.
Status Model::ReadHeader(const GgufFile& file, ModelUse use) {
  TVLM_ASSIGN_OR_RETURN(architecture_, file.metadata.GetString("general.architecture"));
  if (architecture_ != "fastvlm" && architecture_ != "qwen2" && architecture_ != "llama") {
    return Error(ErrorCode::kUnsupported,
                 "general.architecture: \"fastvlm\" (images and text), \"qwen2\" or \"llama\" "
                 "(text) wanted, \"%s\" found; convert a FastVLM checkpoint with tiny-vlm convert",
                 architecture_.c_str());
  }
  TVLM_RETURN_IF_ERROR(CheckWholeModel(file.metadata));
  TVLM_RETURN_IF_ERROR(ReadPacking(file).status());
  if (file.metadata.Find("general.name") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(name_, file.metadata.GetString("general.name"));
  }
  TVLM_ASSIGN_OR_RETURN(decoder_, ReadQwen2Config(file, architecture_));
  if (has_vision()) {
    TVLM_ASSIGN_OR_RETURN(vision_, ReadFastVitHdConfig(file, decoder_.width));
    TVLM_ASSIGN_OR_RETURN(resize_mode_, ReadResizeMode(file.metadata));
  }
  if (use == ModelUse::kAsk || has_vision()) {
    TVLM_ASSIGN_OR_RETURN(tokenizer_,
                          ReadModelTokenizer(file.metadata, architecture_, decoder_.vocabulary));
  }
  return Status();
}

Status Model::BindWeights() {
  if (has_vision()) {
    TVLM_ASSIGN_OR_RETURN(vision_weights_, FastVitHdWeights::Bind(vision_, *store_));
  }
  TVLM_ASSIGN_OR_RETURN(decoder_weights_, Qwen2Weights::Bind(decoder_, *store_));
  return store_->CheckAllBound();
}

}  // namespace tinyvlm
