// A whole model: configuration, weights, tokenizer and chat style of one file, and the threads that
// compute with it. Once its weights have arrived it does not change, so several sessions can share
// it.
#ifndef TINYVLM_ENGINE_MODEL_H_
#define TINYVLM_ENGINE_MODEL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "decoder/qwen2_config.h"
#include "decoder/qwen2_weights.h"
#include "engine/model_tokenizer.h"
#include "formats/gguf.h"
#include "image/preprocess.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "vision/fastvithd_config.h"
#include "vision/fastvithd_weights.h"
#include "weights/weight_store.h"

namespace tinyvlm {

// What a model is loaded for.
enum class ModelUse {
  kAsk,  // text in, text out: the file's tokenizer must be one that this engine has, or absent
  kIds,  // token ids in, logits out: the tokenizer of a text model is not read
};

class Model {
 public:
  // Binds everything that the header names and allocates the data section. `threads` includes the
  // caller's. Errors name the key or tensor; kUnsupported for another architecture than fastvlm,
  // qwen2 and llama, and for variants of these that compute something else.
  static Result<std::shared_ptr<Model>> Create(GgufFile file, size_t threads,
                                               ModelUse use = ModelUse::kAsk);

  // The same of a panel16 file, whose weights are read where they are: the model is complete.
  static Result<std::shared_ptr<Model>> CreateInPlace(GgufFile file, BorrowedWeights weights,
                                                      size_t threads,
                                                      ModelUse use = ModelUse::kAsk);

  WeightStore& store() { return *store_; }
  const WeightStore& store() const { return *store_; }
  ThreadPool& pool() { return pool_; }

  const std::string& name() const { return name_; }

  // "fastvlm", "qwen2" or "llama".
  const std::string& architecture() const { return architecture_; }

  // False for a model that reads text only: it has no tower, and the next two are empty.
  bool has_vision() const { return architecture_ == "fastvlm"; }
  const FastVitHdConfig& vision() const { return vision_; }
  const FastVitHdWeights& vision_weights() const { return vision_weights_; }
  const Qwen2Config& decoder() const { return decoder_; }
  const Qwen2Weights& decoder_weights() const { return decoder_weights_; }
  ResizeMode resize_mode() const { return resize_mode_; }

  // As in ModelTokenizer.
  const Tokenizer* tokenizer() const { return tokenizer_.tokenizer.get(); }
  const Result<ChatStyle>& chat_style() const { return tokenizer_.chat_style; }
  std::optional<int32_t> bos_id() const { return tokenizer_.bos_id; }
  const std::vector<int32_t>& stop_ids() const { return tokenizer_.stop_ids; }
  int32_t image_token_id() const { return tokenizer_.image_token_id; }

  // Ids at or above this have no token and are never chosen.
  size_t valid_ids() const {
    return tokenizer() == nullptr ? decoder_.vocabulary
                                  : std::min(decoder_.vocabulary, tokenizer()->size());
  }

  // Rows of the decoder that one image becomes; 0 without a tower.
  size_t image_tokens() const {
    return vision_.OutputSide(vision_.image_size) * vision_.OutputSide(vision_.image_size);
  }

 private:
  explicit Model(size_t threads) : pool_(threads) {}
  Status ReadHeader(const GgufFile& file, ModelUse use);
  Status BindWeights();

  ThreadPool pool_;
  std::unique_ptr<WeightStore> store_;
  std::string name_;
  std::string architecture_;
  FastVitHdConfig vision_;
  FastVitHdWeights vision_weights_;
  Qwen2Config decoder_;
  Qwen2Weights decoder_weights_;
  ResizeMode resize_mode_ = ResizeMode::kPad;
  ModelTokenizer tokenizer_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_MODEL_H_
