// One conversation partner's state on a model: KV cache, activations, pictures, sampler. Everything is allocated when it is created or when a picture
// is added; a step allocates nothing. Nothing here prints, and nothing runs longer than the budget that it was given.
#ifndef TINYVLM_ENGINE_SESSION_H_
#define TINYVLM_ENGINE_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/status.h"
#include "decoder/qwen2.h"
#include "engine/model.h"
#include "engine/sampler.h"
#include "image/image.h"
#include "text/detokenizer.h"
#include "vision/fastvithd.h"

namespace tinyvlm {

struct SessionOptions {
  size_t context = 2048;  // rows of prompt and answer together; at most the model's own limit
  Compute compute = Compute::kFast;
};

struct AskOptions {
  std::string prompt;
  size_t max_tokens = 256;
  SamplingOptions sampling;
  std::vector<std::string> stop;
};

enum class FinishReason {
  kNone,       // not finished (yet): what the SDK calls "cancelled" when nobody goes on
  kStop,       // a stop token or a stop string
  kLength,     // max_tokens, or the context is full
};

struct Usage {
  size_t prompt_tokens = 0;      // rows of the prompt, picture rows included
  size_t image_tokens = 0;       // picture rows in it
  size_t encoded_images = 0;     // pictures that went through the tower
  size_t reused_tokens = 0;      // rows that were still in the cache
  size_t completion_tokens = 0;  // ids chosen, the stop token included
};

// Milliseconds of work, by phase; waiting for weights or for the caller is not counted.
struct SessionTimings {
  double preprocess_ms = 0;
  double vision_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
};

class Session {
 public:
  // Allocates everything for `options.context` rows and pictures of the model's size. Holds the model.
  static Result<std::unique_ptr<Session>> Create(std::shared_ptr<Model> model, const SessionOptions& options);

  // Brings a picture into the model's size and keeps it for the next Ask, after those already added. kUnsupported where the model reads text only.
  Status AddPicture(const ImageView& image, bool exact);

  // Forgets pictures that were added and not asked about.
  void DropPictures();

  // Starts an answer about the added pictures (none: text only). What an unfinished answer had produced is forgotten. Rows that the new prompt
  // shares with what the cache holds are reused. On an error the added pictures are dropped.
  Status Ask(const AskOptions& options);

  // Works until about budget_ms have passed, or new text is there, or the answer is complete.
  Result<RunState> Advance(double budget_ms);

  // Text that came since the last call: whole UTF-8 characters. Valid until the next Advance.
  std::string_view TakeText();

  // The whole answer so far.
  std::string_view text() const { return detokenizer_.text(); }
  const std::vector<int32_t>& answer_ids() const { return answer_ids_; }
  FinishReason finish_reason() const { return finish_; }
  const Usage& usage() const { return usage_; }
  const SessionTimings& timings() const { return timings_; }

  // Bytes of cache, activations and pictures held.
  uint64_t memory_bytes() const;

 private:
  // A picture at the model's size, [side, side, 3] 8-bit, and the digest that tells pictures apart.
  struct Picture {
    AlignedBuffer<uint8_t> pixels;
    uint64_t key = 0;
  };
  // What a row of the cache was made from.
  struct RowKey {
    int32_t token = -1;     // -1: a row of a picture
    uint64_t picture = 0;
    uint32_t index = 0;
    bool operator==(const RowKey&) const = default;
  };
  enum class Phase { kIdle, kVision, kPrefill, kDecode, kDone };

  Session(std::shared_ptr<Model> model, const SessionOptions& options)
      : model_(std::move(model)), options_(options), detokenizer_(model_->tokenizer()) {}
  void StartPicture();
  void StartPrefill();
  // Takes the next id from the logits; true when the answer is complete.
  Result<bool> Step();
  void Finish(FinishReason reason);

  const std::shared_ptr<Model> model_;
  const SessionOptions options_;
  std::unique_ptr<FastVitHd> tower_;         // null where the model reads text only
  std::unique_ptr<Qwen2> decoder_;
  std::optional<Sampler> sampler_;           // made by each Ask, for its options
  Detokenizer detokenizer_;

  std::vector<Picture> pictures_;            // added for the next Ask
  std::vector<Picture> asked_;               // of the running Ask, until they are encoded
  AlignedBuffer<float> embeddings_;          // [picture][image_tokens][width] of the running Ask
  std::vector<RowKey> cached_;               // beside the rows of the cache
  std::vector<RowKey> prompt_keys_;
  std::vector<DecoderRow> rows_;             // the prompt's, then the one of a step
  std::vector<int32_t> history_;             // token ids of prompt and answer, for the repetition penalty
  std::vector<int32_t> answer_ids_;
  size_t taken_ = 0;                         // bytes of text() that TakeText has given
  size_t max_tokens_ = 0;
  size_t picture_ = 0;                       // the one being encoded
  size_t reused_ = 0;
  Phase phase_ = Phase::kIdle;
  FinishReason finish_ = FinishReason::kNone;
  Usage usage_;
  SessionTimings timings_;
  double preprocess_ms_ = 0;                 // of pictures added since the last Ask
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_SESSION_H_
