#include "engine/model.h"

#include <cinttypes>

#include "text/sentencepiece_tokenizer.h"

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
    const Result<ResizeMode> parsed = ParseResizeMode(mode);
    if (!parsed.ok()) return Error(ErrorCode::kInvalidFile, "fastvlm.vision.resize_mode: %s", parsed.status().message().c_str());
    resize_mode_ = *parsed;
  }
  TVLM_RETURN_IF_ERROR(ReadTokenizer(file.metadata));
  TVLM_ASSIGN_OR_RETURN(store_, WeightStore::Create(std::move(file)));
  TVLM_ASSIGN_OR_RETURN(vision_weights_, FastVitHdWeights::Bind(vision_, *store_));
  TVLM_ASSIGN_OR_RETURN(decoder_weights_, Qwen2Weights::Bind(decoder_, *store_));
  return Status();
}

Status Model::ReadTokenizer(const Metadata& meta) {
  if (meta.Find("fastvlm.image_token_id") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(image_token_id_, meta.GetI32("fastvlm.image_token_id"));
  }
  if (meta.Find("tinyvlm.stop_ids") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(stop_ids_, meta.GetI32Array("tinyvlm.stop_ids"));
  }
  for (const int32_t id : stop_ids_) {
    if (id < 0 || static_cast<size_t>(id) >= decoder_.vocabulary) {
      return Error(ErrorCode::kInvalidFile, "tinyvlm.stop_ids: 0..%zu wanted, %" PRId32 " found", decoder_.vocabulary - 1, id);
    }
  }
  if (meta.Find("tokenizer.ggml.model") == nullptr) return Status();
  TVLM_ASSIGN_OR_RETURN(const std::string kind, meta.GetString("tokenizer.ggml.model"));
  if (kind != "llama") {
    return Error(ErrorCode::kUnsupported, "tokenizer.ggml.model: \"llama\" (SentencePiece) wanted, \"%s\" found", kind.c_str());
  }
  TVLM_ASSIGN_OR_RETURN(const std::string style, meta.GetString("fastvlm.chat_style"));
  TVLM_ASSIGN_OR_RETURN(chat_style_, ParseChatStyle(style));
  TVLM_ASSIGN_OR_RETURN(const auto proto, meta.GetU8Array("tinyvlm.sentencepiece_model"));
  TVLM_ASSIGN_OR_RETURN(tokenizer_, LoadSentencePieceTokenizer(proto));
  if (meta.Find("tokenizer.ggml.add_bos_token") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(const bool add_bos, meta.GetBool("tokenizer.ggml.add_bos_token"));
    if (add_bos) {
      TVLM_ASSIGN_OR_RETURN(bos_id_, meta.GetI32("tokenizer.ggml.bos_token_id"));
      if (*bos_id_ < 0 || static_cast<size_t>(*bos_id_) >= tokenizer_->size()) {
        return Error(ErrorCode::kInvalidFile, "tokenizer.ggml.bos_token_id: 0..%zu wanted, %" PRId32 " found", tokenizer_->size() - 1, *bos_id_);
      }
    }
  }
  if (tokenizer_->size() > decoder_.vocabulary) {
    return Error(ErrorCode::kInvalidFile, "tinyvlm.sentencepiece_model has %zu pieces, token_embd.weight only %zu rows", tokenizer_->size(), decoder_.vocabulary);
  }
  return Status();
}

}  // namespace tinyvlm
