// Per-conversation state on a model: KV cache, activations, images, sampler. Memory is allocated by
// Create, AddImage, Ask and Embed, and most of it given back by Trim; Advance allocates nothing and
// stops when its time budget is used up. Nothing here prints.
#ifndef TINYVLM_ENGINE_SESSION_H_
#define TINYVLM_ENGINE_SESSION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "backend/sampler.h"
#include "base/aligned.h"
#include "base/sha256.h"
#include "base/status.h"
#include "constrain/token_constraint.h"
#include "engine/image_cache.h"
#include "engine/logprobs.h"
#include "engine/model.h"
#include "engine/prompt_rows.h"
#include "engine/session_options.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "text/chat_template.h"
#include "text/detokenizer.h"

namespace tinyvlm {

// An image that a session holds; 0 is none.
using ImageId = uint32_t;

// One message of a conversation. Images stand before the text of their message.
struct Message {
  enum class Role { kSystem, kUser, kAssistant };
  Role role = Role::kUser;
  std::string text;
  std::vector<ImageId> images;  // of user messages only
};

struct AskOptions : AnswerOptions {
  // A system message or none (none: the chat style's default system prompt; an empty one: no system
  // text at all), then user and assistant in turn; the last is the user's.
  std::vector<Message> messages;
  SamplingOptions sampling;
  // What the answer must be; null: anything. It is the session's until the answer has ended.
  std::shared_ptr<TokenConstraint> constraint;
};

enum class FinishReason {
  kNone,       // not finished (yet); reports call it "cancelled"
  kStop,       // a stop token, a stop string, or nothing that the constraint allows to follow
  kLength,     // max_tokens, or the context is full
  kCancelled,  // Session::Cancel
};

struct Usage {
  size_t prompt_tokens = 0;      // tokens of the prompt, those of images included
  size_t image_tokens = 0;       // those of images
  size_t encoded_images = 0;     // images that are encoded for this answer
  size_t reused_tokens = 0;      // tokens that were still in the KV cache
  size_t completion_tokens = 0;  // ids chosen, the stop token included
};

// Milliseconds of work, by phase; waiting for weights or for the caller is not counted.
struct SessionTimings {
  double preprocess_ms = 0;
  double vision_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
};

// Threads: a session is used by one thread at a time, except for Cancel. Sessions of one model may
// be used on threads of their own; where they share the backend's resources they take turns in
// Advance (a few tens of ms each), and answers are what they would be alone. Sessions of different
// models share nothing.
class Session {
 public:
  // Allocates everything for `options.context` tokens and images of one size. Shares ownership of
  // the model. Any thread may create sessions, also while others run and while the weights arrive.
  // Errors: invalid_argument for options beyond the model's limits, and the backend's.
  static Result<std::unique_ptr<Session>> Create(std::shared_ptr<Model> model,
                                                 const SessionOptions& options);

  // Resizes an image to the session's size while `source` sends its rows, and keeps the copy until
  // it is dropped. `*source_ms`, where it is not null, gets the milliseconds that the source took.
  // Errors: unsupported where the model reads text only; those of the source and SquareResizer.
  Result<ImageId> AddImage(const RowSource& source, double* source_ms = nullptr);

  // Likewise an image in memory; `exact` as in SendRows.
  Result<ImageId> AddImage(const ImageView& image, bool exact);

  // Frees an image. Its embeddings stay in a cache, so that the same image need not be encoded
  // again. An unknown id is ignored.
  void DropImage(ImageId id);

  // Starts an answer and discards an unfinished one. The prefix that the new prompt shares with the
  // KV cache is reused, and an image within it is not encoded again. Images may be dropped as soon
  // as this returns. After an error no answer runs; the session can still be asked. Errors:
  // invalid_argument, context_full, unsupported without a tokenizer or known chat style, and the
  // backend's.
  Status Ask(const AskOptions& options);

  // Starts an embedding of an image in place of an answer, which is discarded. Advance and Cancel
  // work on it as on one; text() is empty. The image is not encoded where the cache has it, and is
  // in the cache then: a question about it does not encode it again. What the KV cache holds stays.
  // The image may be dropped as soon as this returns. Errors: invalid_argument for an unknown id,
  // those of NewEmbeddings, and of Advance where there is nothing to encode.
  Status Embed(ImageId id);

  // The embedding: the mean of the image's rows, with an L2 norm of 1 (PoolRows). Empty until it is
  // complete. Valid until the next Ask or Embed.
  std::span<const float> embedding() const {
    return embedded_rows_.empty() ? std::span<const float>() : pooled_;
  }

  // The rows themselves, [image_tokens(), embedding().size()], as the decoder takes them. Likewise.
  std::span<const float> embedded_rows() const { return embedded_rows_; }

  // Gives back the memory of what can be computed again: KV cache, activations, embeddings of
  // images. Images stay, and an answer or embedding that is complete. One that is under way is
  // discarded. The next Ask or Embed allocates what it needs, and may fail with the backend's
  // errors; an answer has the same text as without.
  void Trim();

  // Works until about budget_ms have passed, new text is available, weights are missing (kWaiting)
  // or the answer is complete. Errors end the answer: those of a device, internal for logits or
  // embeddings that are not finite; not_ready where nothing was asked.
  Result<RunState> Advance(double budget_ms);

  // Ends the running answer within tens of ms; may be called from any thread. An Advance that is
  // running, or the next one, then returns kDone with finish_reason() kCancelled; text() is what
  // was released before. Does nothing where no answer runs, and does not affect later answers.
  void Cancel() { cancel_.store(true, std::memory_order_relaxed); }

  // Ends the running answer or embedding, as an error does: for a caller in which memory ran out
  // while this worked. The session can be asked again.
  void Abandon() { phase_ = Phase::kIdle; }

  // Text that came since the last call: whole UTF-8 characters. Valid until the next Advance.
  std::string_view TakeText();

  // What TakeText would return.
  std::string_view UntakenText() const { return text().substr(taken_); }

  // The whole answer so far.
  std::string_view text() const { return detokenizer_.text(); }
  const std::vector<int32_t>& answer_ids() const { return answer_ids_; }

  // Of the answer's tokens, where they were asked for: all but a stop token.
  const Logprobs& logprobs() const { return logprobs_; }

  // The bytes that a token adds to an answer; the model has a tokenizer.
  std::string_view TokenBytes(int32_t id) const { return model_->tokenizer()->TokenBytes(id); }

  FinishReason finish_reason() const { return finish_; }
  const Usage& usage() const { return usage_; }
  const SessionTimings& timings() const { return timings_; }

  // Edge length of the tower's input image in pixels, and the tokens that an image becomes; 0 where
  // the model reads text only.
  size_t image_size() const { return image_size_; }
  size_t image_tokens() const { return image_tokens_; }
  size_t context() const { return options_.context; }

  // Bytes of KV cache, activations, images and cached embeddings.
  uint64_t memory_bytes() const;

  // Of these, those of the KV cache.
  uint64_t kv_cache_bytes() const { return decoder_ == nullptr ? 0 : decoder_->kv_cache_bytes(); }

 private:
  // An image at the session's size, [side, side, 3] 8-bit, and the digest of its pixels. The pixels
  // are shared with the running answer, which may still have to encode a dropped image.
  struct HeldImage {
    ImageId id = 0;
    Sha256::Digest digest{};
    std::shared_ptr<const AlignedBuffer<uint8_t>> pixels;
  };
  enum class Phase { kIdle, kVision, kPrefill, kDecode, kDone };

  Session(std::shared_ptr<Model> model, const SessionOptions& options)
      : model_(std::move(model)), options_(options), detokenizer_(model_->tokenizer()) {}
  Result<ChatPrompt> ReadMessages(const std::vector<Message>& messages,
                                  std::vector<ChatTurn>* turns,
                                  std::vector<const HeldImage*>* images) const;
  // Creates the encoder and the decoder where they are not there.
  Status CreateWorkers();
  // Null where there is none of that number.
  const HeldImage* FindImage(ImageId id) const;
  // Forgets the answer or embedding that is there, finished or not.
  void Discard();
  // Plans rows_ and to_encode_ for a prompt that begins with reused_ rows of the cache.
  Status PlanRows(const std::vector<const HeldImage*>& images);
  // Starts the next image; where none is left, the prompt's rows, or the embedding is complete.
  Status StartNext();
  Status FinishEmbedding();
  // Advance, without ending the answer on an error.
  Result<RunState> Work(double deadline_ms);
  // Chooses the next id; true when the answer is complete.
  Result<bool> Step();
  void Finish(FinishReason reason);

  const std::shared_ptr<Model> model_;
  const SessionOptions options_;
  std::unique_ptr<VisionEncoder> encoder_;  // null where the model reads text only, and after Trim
  std::unique_ptr<Decoder> decoder_;        // null after Trim
  std::optional<Sampler> sampler_;          // made by each Ask, for its options
  Detokenizer detokenizer_;
  std::shared_ptr<TokenConstraint> constraint_;  // of the running answer; null: none
  Logprobs logprobs_;

  size_t image_size_ = 0, image_tokens_ = 0;
  std::vector<HeldImage> images_;  // added and not dropped
  ImageId last_image_ = 0;
  std::vector<HeldImage> to_encode_;  // for the running answer; the last one is encoded first
  ImageCache encoded_;
  std::shared_ptr<const Embeddings> embedded_;  // of the running or finished embedding
  std::vector<float> pooled_;
  std::span<const float> embedded_rows_;  // empty until pooled_ is complete
  std::vector<RowKey> cached_;            // of the rows in the KV cache
  PromptRows prompt_;
  std::vector<DecoderRow> rows_;  // the prompt's, then the one of a step
  // token ids of prompt and answer, for the repetition penalty
  std::vector<int32_t> history_;
  std::vector<int32_t> answer_ids_;
  size_t taken_ = 0;  // bytes of text() that TakeText has given
  size_t max_tokens_ = 0;
  size_t reused_ = 0;
  Phase phase_ = Phase::kIdle;
  std::atomic<bool> cancel_{false};  // since the last Ask or Embed
  FinishReason finish_ = FinishReason::kNone;
  Usage usage_;
  SessionTimings timings_;
  double preprocess_ms_ = 0;  // of images added since the last Ask or Embed
};

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_SESSION_H_
