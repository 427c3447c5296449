#include "engine/model.h"

#include "cpu/cpu_backend.h"

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

}  // namespace

Result<std::shared_ptr<Model>> Model::Create(GgufFile file, const BackendFactory& make_backend,
                                             ModelUse use) {
  std::shared_ptr<Model> model(new Model());
  TVLM_RETURN_IF_ERROR(model->Bind(std::move(file), make_backend, use));
  return model;
}

Result<std::shared_ptr<Model>> Model::Create(GgufFile file, size_t threads, ModelUse use) {
  return Create(std::move(file), MakeCpuBackend(threads), use);
}

Status Model::Bind(GgufFile file, const BackendFactory& make_backend, ModelUse use) {
  TVLM_ASSIGN_OR_RETURN(description_, ReadModelDescription(std::move(file)));
  const Metadata& meta = description_.file.metadata;
  if (meta.Find("general.name") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(name_, meta.GetString("general.name"));
  }
  if (has_vision()) {
    TVLM_ASSIGN_OR_RETURN(resize_mode_, ReadResizeMode(meta));
  }
  if (use == ModelUse::kAsk || has_vision()) {
    TVLM_ASSIGN_OR_RETURN(tokenizer_,
                          ReadModelTokenizer(meta, architecture(), decoder().vocabulary));
  }
  TVLM_RETURN_IF_ERROR(FindTensors(&description_));
  TVLM_ASSIGN_OR_RETURN(backend_, make_backend(description_));
  return Status();
}

}  // namespace tinyvlm
