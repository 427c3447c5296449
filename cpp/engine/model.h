// A whole model: configuration, tokenizer and chat style of one file, and the backend that holds
// its weights and computes with them.
#ifndef TINYVLM_ENGINE_MODEL_H_
#define TINYVLM_ENGINE_MODEL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/status.h"
#include "engine/model_tokenizer.h"
#include "formats/gguf.h"
#include "image/preprocess.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tinyvlm {

// What a model is loaded for.
enum class ModelUse {
  kAsk,  // text in, text out: the file's tokenizer must be one that this engine has, or absent
  kIds,  // token ids in, logits out: the tokenizer of a text model is not read
};

// Threads: everything here may be called on any thread at any time, also while the weights arrive
// (ModelLoader) and while sessions of the model run on threads of their own.
class Model {
 public:
  // Reads the header; the backend that `make_backend` makes binds the weights, which may arrive
  // later. Errors name the key or tensor; kUnsupported for architectures other than fastvlm, qwen2
  // and llama, and for variants of these that compute something else; and the backend's. Tests pass
  // a backend of their own (tests-native/engine/fake_backend.h).
  static Result<std::shared_ptr<Model>> Create(GgufFile file, const BackendFactory& make_backend,
                                               ModelUse use = ModelUse::kAsk);

  // The same on the CPU backend. `threads` includes the caller's.
  static Result<std::shared_ptr<Model>> Create(GgufFile file, size_t threads,
                                               ModelUse use = ModelUse::kAsk);

  // What creates encoders and decoders, and receives the weights.
  Backend& backend() { return *backend_; }
  const Backend& backend() const { return *backend_; }

  // The file's header.
  const GgufFile& file() const { return description_.file; }

  const std::string& name() const { return name_; }

  // "fastvlm", "qwen2" or "llama".
  const std::string& architecture() const { return description_.architecture; }

  // False for a model that reads text only: it has no tower, and vision() is empty.
  bool has_vision() const { return description_.has_vision(); }
  const VisionConfig& vision() const { return description_.vision; }
  const DecoderConfig& decoder() const { return description_.decoder; }
  ResizeMode resize_mode() const { return resize_mode_; }

  // As in ModelTokenizer.
  const Tokenizer* tokenizer() const { return tokenizer_.tokenizer.get(); }
  const Result<ChatStyle>& chat_style() const { return tokenizer_.chat_style; }
  std::optional<int32_t> bos_id() const { return tokenizer_.bos_id; }
  const std::vector<int32_t>& stop_ids() const { return tokenizer_.stop_ids; }
  int32_t image_token_id() const { return tokenizer_.image_token_id; }

  // Sentences for people about what was assumed when the model was loaded.
  const std::vector<std::string>& warnings() const { return tokenizer_.warnings; }

  // Ids at or above this have no token and are never chosen.
  size_t valid_ids() const {
    return tokenizer() == nullptr ? decoder().vocabulary
                                  : std::min(decoder().vocabulary, tokenizer()->size());
  }

  // Tokens that one image of the model's own size takes in the decoder; 0 without a tower.
  size_t image_tokens() const {
    const size_t side = vision().OutputSide(vision().image_size);
    return side * side;
  }

 private:
  Model() = default;
  Status Bind(GgufFile file, const BackendFactory& make_backend, ModelUse use);

  ModelDescription description_;  // outlives the backend, which refers to it
  std::unique_ptr<Backend> backend_;
  std::string name_;
  ResizeMode resize_mode_ = ResizeMode::kPad;
  ModelTokenizer tokenizer_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_MODEL_H_
