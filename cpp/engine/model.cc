#include "engine/model.h"

namespace tinyvlm {

Result<std::shared_ptr<Model>> Model::Create(GgufFile file, size_t threads) {
  std::shared_ptr<Model> model(new Model(threads));
  TVLM_RETURN_IF_ERROR(model->Bind(std::move(file)));
  return model;
}

Status Model::Bind(GgufFile file) {
  TVLM_ASSIGN_OR_RETURN(const std::string architecture, file.metadata.GetString("general.architecture"));
  if (architecture != "fastvlm") {
    return Error(ErrorCode::kUnsupported, "general.architecture: \"fastvlm\" wanted, \"%s\" found; convert a FastVLM checkpoint with tiny-vlm convert",
                 architecture.c_str());
  }
  if (file.metadata.Find("tinyvlm.packing") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(const std::string packing, file.metadata.GetString("tinyvlm.packing"));
    if (packing != "none") return Error(ErrorCode::kUnsupported, "tinyvlm.packing: \"none\" wanted, \"%s\" found", packing.c_str());
  }
  if (file.metadata.Find("general.name") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(name_, file.metadata.GetString("general.name"));
  }
  TVLM_ASSIGN_OR_RETURN(decoder_, ReadQwen2Config(file));
  TVLM_ASSIGN_OR_RETURN(vision_, ReadFastVitHdConfig(file, decoder_.width));
  if (file.metadata.Find("fastvlm.vision.resize_mode") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(const std::string mode, file.metadata.GetString("fastvlm.vision.resize_mode"));
    if (mode != "pad" && mode != "crop") return Error(ErrorCode::kInvalidFile, "fastvlm.vision.resize_mode: \"pad\" or \"crop\" wanted, \"%s\" found", mode.c_str());
    resize_mode_ = mode == "crop" ? ResizeMode::kCrop : ResizeMode::kPad;
  }
  TVLM_ASSIGN_OR_RETURN(tokenizer_, ReadModelTokenizer(file.metadata, architecture, decoder_.vocabulary));
  TVLM_ASSIGN_OR_RETURN(store_, WeightStore::Create(std::move(file)));
  TVLM_ASSIGN_OR_RETURN(vision_weights_, FastVitHdWeights::Bind(vision_, *store_));
  TVLM_ASSIGN_OR_RETURN(decoder_weights_, Qwen2Weights::Bind(decoder_, *store_));
  return Status();
}

}  // namespace tinyvlm
