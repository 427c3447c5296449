#include "engine/session.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/clock.h"
#include "image/preprocess.h"

namespace tinyvlm {

namespace {

// FNV-1a over 64-bit words: tells the pictures of one session apart. Two different pictures collide with a chance of 2^-64.
uint64_t PictureKey(const uint8_t* bytes, size_t size) {
  uint64_t hash = 0xcbf29ce484222325ull;
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    hash = (hash ^ word) * 0x100000001b3ull;
    hash ^= hash >> 32;
  }
  for (; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3ull;
  return hash;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Create(std::shared_ptr<Model> model, const SessionOptions& options) {
  const size_t limit = model->decoder().max_positions;
  if (options.context == 0 || options.context > limit) {
    return Error(ErrorCode::kInvalidArgument, "context: 1..%zu rows wanted, %zu found", limit, options.context);
  }
  std::unique_ptr<Session> session(new Session(std::move(model), options));
  Model& m = *session->model_;
  const size_t side = m.vision().image_size, workers = m.pool().num_workers();
  TVLM_ASSIGN_OR_RETURN(session->tower_, FastVitHd::Create(m.vision(), m.vision_weights(), side, side, options.compute, workers, nullptr));
  TVLM_ASSIGN_OR_RETURN(session->decoder_, Qwen2::Create(m.decoder(), m.decoder_weights(), options.context, options.compute, workers, nullptr));
  session->rows_.reserve(options.context);
  session->cached_.reserve(options.context);
  session->prompt_keys_.reserve(options.context);
  session->history_.reserve(options.context);
  session->answer_ids_.reserve(options.context);
  return session;
}

Status Session::AddPicture(const ImageView& image, bool exact) {
  const double start = NowMs();
  const size_t side = model_->vision().image_size;
  Picture picture;
  TVLM_ASSIGN_OR_RETURN(picture.pixels, AlignedBuffer<uint8_t>::Allocate(uint64_t{3} * side * side, "picture"));
  TVLM_RETURN_IF_ERROR(ResizeToSquare(image, model_->resize_mode(), exact, side, picture.pixels.data()));
  picture.key = PictureKey(picture.pixels.data(), picture.pixels.size());
  pictures_.push_back(std::move(picture));
  preprocess_ms_ += NowMs() - start;
  return Status();
}

void Session::DropPictures() {
  pictures_.clear();
  preprocess_ms_ = 0;
}

Status Session::Ask(const AskOptions& options) {
  phase_ = Phase::kIdle;
  finish_ = FinishReason::kNone;
  usage_ = Usage();
  timings_ = SessionTimings();
  timings_.preprocess_ms = preprocess_ms_;
  taken_ = 0;
  answer_ids_.clear();
  std::vector<Picture> pictures = std::move(pictures_);
  DropPictures();

  if (model_->tokenizer() == nullptr) {
    return Error(ErrorCode::kUnsupported, "this model file has no tokenizer, so it cannot be asked; convert the checkpoint without --no-tokenizer");
  }
  if (options.max_tokens == 0) return Error(ErrorCode::kInvalidArgument, "maxTokens: at least 1 wanted, 0 found");
  TVLM_ASSIGN_OR_RETURN(sampler_, Sampler::Create(options.sampling, model_->decoder().vocabulary));
  TVLM_RETURN_IF_ERROR(detokenizer_.Start(options.stop, std::min(options.max_tokens, options_.context)));
  const ChatTurn turn{options.prompt, pictures.size(), std::nullopt};
  TVLM_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, BuildPrompt(*model_->tokenizer(), model_->chat_style(), {std::nullopt, {&turn, 1}, model_->bos_id()}));

  const size_t tokens = model_->image_tokens(), width = model_->decoder().width;
  const size_t total = ids.size() + pictures.size() * tokens - pictures.size();
  if (total + 1 > options_.context) {
    return Error(ErrorCode::kContextFull, "the prompt takes %zu rows (%zu of pictures), the session has room for %zu; shorten it or raise the context", total,
                 pictures.size() * tokens, options_.context);
  }
  TVLM_ASSIGN_OR_RETURN(embeddings_, AlignedBuffer<float>::Allocate(uint64_t{pictures.size()} * tokens * width, "picture embeddings"));
  rows_.clear();
  prompt_keys_.clear();
  history_.clear();
  size_t picture = 0;
  for (const int32_t id : ids) {
    if (id != kImageMarker) {
      rows_.push_back(DecoderRow{id, nullptr});
      prompt_keys_.push_back(RowKey{id, 0, 0});
      history_.push_back(id);
      continue;
    }
    for (size_t t = 0; t < tokens; ++t) {
      rows_.push_back(DecoderRow{-1, embeddings_.data() + (picture * tokens + t) * width});
      prompt_keys_.push_back(RowKey{-1, pictures[picture].key, static_cast<uint32_t>(t)});
    }
    ++picture;
  }

  // Rows that the cache already holds are kept; the last one is computed again, for its logits.
  const size_t same = static_cast<size_t>(std::mismatch(cached_.begin(), cached_.end(), prompt_keys_.begin(), prompt_keys_.end()).first - cached_.begin());
  reused_ = std::min(same, rows_.size() - 1);
  decoder_->Rewind(reused_);
  cached_.resize(reused_);

  // A picture whose rows are all reused need not be encoded. Pictures stay in prompt order, so the ones to encode are the last ones.
  picture_ = 0;
  for (size_t row = 0, seen = 0; row < rows_.size() && seen < pictures.size(); ++row) {
    if (prompt_keys_[row].token != -1 || prompt_keys_[row].index + 1 != tokens) continue;
    ++seen;
    if (row < reused_) picture_ = seen;
  }
  usage_.prompt_tokens = total;
  usage_.image_tokens = pictures.size() * tokens;
  usage_.encoded_images = pictures.size() - picture_;
  usage_.reused_tokens = reused_;
  max_tokens_ = options.max_tokens;
  asked_ = std::move(pictures);
  if (picture_ < asked_.size()) {
    StartPicture();
  } else {
    StartPrefill();
  }
  return Status();
}

void Session::StartPicture() {
  phase_ = Phase::kVision;
  const size_t side = model_->vision().image_size;
  NormalizePixels(asked_[picture_].pixels.data(), side * side, model_->vision().mean, model_->vision().std, tower_->input());
  tower_->Begin();
}

void Session::StartPrefill() {
  phase_ = Phase::kPrefill;
  asked_.clear();
  decoder_->Begin(std::span<const DecoderRow>(rows_).subspan(reused_));
}

Result<RunState> Session::Advance(double budget_ms) {
  if (phase_ == Phase::kIdle) return Error(ErrorCode::kNotReady, "nothing was asked");
  double now = NowMs();
  const double deadline = now + budget_ms;
  const uint64_t ready = model_->store().ready_bytes();
  while (phase_ != Phase::kDone) {
    const bool vision = phase_ == Phase::kVision;
    const RunState state = vision ? tower_->Advance(model_->pool(), deadline, ready) : decoder_->Advance(model_->pool(), deadline, ready);
    const double after = NowMs();
    (vision ? timings_.vision_ms : phase_ == Phase::kPrefill ? timings_.prefill_ms : timings_.decode_ms) += after - now;
    now = after;
    if (state != RunState::kDone) return state;

    if (vision) {
      const size_t floats = tower_->tokens() * tower_->width();
      std::copy_n(tower_->embeddings(), floats, embeddings_.data() + picture_ * floats);
      if (++picture_ < asked_.size()) {
        StartPicture();
      } else {
        StartPrefill();
      }
      continue;
    }
    if (phase_ == Phase::kPrefill) {
      cached_.insert(cached_.end(), prompt_keys_.begin() + static_cast<ptrdiff_t>(reused_), prompt_keys_.end());
      phase_ = Phase::kDecode;
    } else {
      cached_.push_back(RowKey{rows_[0].token, 0, 0});
    }
    TVLM_ASSIGN_OR_RETURN(const bool done, Step());
    if (done) break;
    if (taken_ < text().size() || now >= deadline) return RunState::kRunning;
  }
  return RunState::kDone;
}

Result<bool> Session::Step() {
  const int32_t id = sampler_->Sample({decoder_->logits(), decoder_->vocabulary()}, model_->valid_ids(), history_);
  if (id == Sampler::kNoToken) {
    phase_ = Phase::kIdle;
    return Error(ErrorCode::kInternal, "the model computed values that are not numbers at answer token %zu; its weights may be damaged or too large for %s",
                 answer_ids_.size(), options_.compute == Compute::kFast ? "quantised activations" : "f32");
  }
  answer_ids_.push_back(id);
  usage_.completion_tokens = answer_ids_.size();
  const std::vector<int32_t>& stop_ids = model_->stop_ids();
  if (std::find(stop_ids.begin(), stop_ids.end(), id) != stop_ids.end()) {
    Finish(FinishReason::kStop);
    return true;
  }
  detokenizer_.Push(id);
  if (detokenizer_.stopped()) {
    Finish(FinishReason::kStop);
    return true;
  }
  if (answer_ids_.size() >= max_tokens_ || decoder_->position() >= options_.context) {
    Finish(FinishReason::kLength);
    return true;
  }
  history_.push_back(id);
  rows_.assign(1, DecoderRow{id, nullptr});
  decoder_->Begin(rows_);
  return false;
}

void Session::Finish(FinishReason reason) {
  detokenizer_.Finish();
  finish_ = reason;
  phase_ = Phase::kDone;
}

std::string_view Session::TakeText() {
  const std::string_view fresh = text().substr(taken_);
  taken_ = text().size();
  return fresh;
}

uint64_t Session::memory_bytes() const {
  return tower_->memory_bytes() + decoder_->memory_bytes() + embeddings_.size() * sizeof(float);
}

}  // namespace tinyvlm
