#include "engine/session.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "image/preprocess.h"

namespace tinyvlm {

namespace {

// FNV-1a over 64-bit words: tells the images of one session apart. Two different images collide
// with a chance of 2^-64.
uint64_t ImageKey(const uint8_t* bytes, size_t size) {
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

// Encoded images that are kept although no prompt of the moment needs them.
constexpr size_t kMaxEncoded = 8;

const char* RoleName(Message::Role role) {
  switch (role) {
    case Message::Role::kSystem:
      return "system";
    case Message::Role::kUser:
      return "user";
    case Message::Role::kAssistant:
      return "assistant";
  }
  return "";
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Create(std::shared_ptr<Model> model,
                                                 const SessionOptions& options) {
  const size_t limit = model->decoder().max_positions;
  if (options.context == 0 || options.context > limit) {
    return Error(ErrorCode::kInvalidArgument, "context: 1..%zu rows wanted, %zu found", limit,
                 options.context);
  }
  std::unique_ptr<Session> session(new Session(std::move(model), options));
  Model& m = *session->model_;
  const size_t workers = m.pool().num_workers();
  if (m.has_vision()) {
    const size_t reduction = m.vision().Reduction();
    if (options.image_size % reduction != 0 || options.image_size > kMaxImageSize) {
      return Error(ErrorCode::kInvalidArgument,
                   "imageSize: a multiple of %zu up to %zu wanted, %zu found", reduction,
                   size_t{kMaxImageSize}, options.image_size);
    }
    const size_t side = options.image_size == 0 ? m.vision().image_size : options.image_size;
    session->image_size_ = side;
    session->image_tokens_ = m.vision().OutputSide(side) * m.vision().OutputSide(side);
    TVLM_ASSIGN_OR_RETURN(session->tower_,
                          FastVitHd::Create(m.vision(), m.vision_weights(), side, side,
                                            options.compute, workers, nullptr));
  }
  TVLM_ASSIGN_OR_RETURN(session->decoder_,
                        Qwen2::Create(m.decoder(), m.decoder_weights(), options.context,
                                      options.compute, workers, nullptr));
  session->rows_.reserve(options.context);
  session->cached_.reserve(options.context);
  session->prompt_keys_.reserve(options.context);
  session->history_.reserve(options.context);
  session->answer_ids_.reserve(options.context);
  return session;
}

Result<ImageId> Session::AddImage(const ImageView& image, bool exact) {
  if (!model_->has_vision())
    return Error(ErrorCode::kUnsupported,
                 "this model reads text only: it cannot be asked about an image");
  const double start = NowMs();
  TVLM_ASSIGN_OR_RETURN(
      AlignedBuffer<uint8_t> pixels,
      AlignedBuffer<uint8_t>::Allocate(uint64_t{3} * image_size_ * image_size_, "image"));
  TVLM_RETURN_IF_ERROR(ResizeToSquare(image, options_.resize.value_or(model_->resize_mode()), exact,
                                      image_size_, pixels.data()));
  const uint64_t key = ImageKey(pixels.data(), pixels.size());
  images_.push_back(
      {++last_image_, key, std::make_shared<const AlignedBuffer<uint8_t>>(std::move(pixels))});
  preprocess_ms_ += NowMs() - start;
  return last_image_;
}

void Session::DropImage(ImageId id) {
  std::erase_if(images_, [id](const HeldImage& image) { return image.id == id; });
}

// The conversation as the chat template wants it, with the images in their order. `turns` holds
// what the prompt borrows.
Result<ChatPrompt> Session::ReadMessages(const std::vector<Message>& messages,
                                         std::vector<ChatTurn>* turns,
                                         std::vector<const HeldImage*>* images) const {
  ChatPrompt prompt;
  prompt.bos_id = model_->bos_id();
  size_t first = 0;
  if (!messages.empty() && messages[0].role == Message::Role::kSystem) {
    prompt.system = messages[0].text;
    first = 1;
  }
  for (size_t i = first; i < messages.size(); ++i) {
    const Message& message = messages[i];
    const Message::Role wanted =
        (i - first) % 2 == 0 ? Message::Role::kUser : Message::Role::kAssistant;
    if (message.role != wanted) {
      return Error(ErrorCode::kInvalidArgument,
                   "messages[%zu]: the role \"%s\" wanted, \"%s\" found", i, RoleName(wanted),
                   RoleName(message.role));
    }
    if (wanted == Message::Role::kAssistant) {
      turns->back().answer = message.text;
    } else {
      turns->push_back({message.text, message.images.size(), std::nullopt});
    }
    if (wanted == Message::Role::kAssistant && !message.images.empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   "messages[%zu]: an assistant's message cannot have images", i);
    }
    for (const ImageId id : message.images) {
      const auto found = std::find_if(images_.begin(), images_.end(),
                                      [id](const HeldImage& image) { return image.id == id; });
      if (found == images_.end())
        return Error(ErrorCode::kInvalidArgument,
                     "messages[%zu]: %u is not an image of this session", i, id);
      images->push_back(&*found);
    }
  }
  if (turns->empty() || turns->back().answer.has_value()) {
    return Error(ErrorCode::kInvalidArgument,
                 "messages: a conversation that ends with a message of the user wanted, %s found",
                 messages.empty() ? "none" : "another");
  }
  prompt.turns = *turns;
  return prompt;
}

Session::Encoded* Session::FindEncoded(uint64_t key) {
  const auto found = std::find_if(encoded_.begin(), encoded_.end(),
                                  [key](const auto& encoded) { return encoded->key == key; });
  return found == encoded_.end() ? nullptr : found->get();
}

Status Session::HoldEncoded(const std::vector<const HeldImage*>& images) {
  ++asks_;
  for (const HeldImage* image : images) {
    if (Encoded* const known = FindEncoded(image->key); known != nullptr) known->asked = asks_;
  }
  for (const HeldImage* image : images) {
    if (FindEncoded(image->key) != nullptr) continue;
    const auto oldest =
        std::min_element(encoded_.begin(), encoded_.end(),
                         [](const auto& a, const auto& b) { return a->asked < b->asked; });
    std::unique_ptr<Encoded> encoded;
    if (encoded_.size() >= kMaxEncoded && (*oldest)->asked != asks_) {
      encoded = std::move(*oldest);
      encoded_.erase(oldest);
    } else {
      encoded = std::make_unique<Encoded>();
      TVLM_ASSIGN_OR_RETURN(encoded->rows, AlignedBuffer<float>::Allocate(
                                               uint64_t{image_tokens_} * model_->decoder().width,
                                               "image embeddings"));
    }
    encoded->key = image->key;
    encoded->complete = false;
    encoded->asked = asks_;
    encoded_.push_back(std::move(encoded));
  }
  return Status();
}

Status Session::Ask(const AskOptions& options) {
  phase_ = Phase::kIdle;
  finish_ = FinishReason::kNone;
  usage_ = Usage();
  timings_ = SessionTimings();
  timings_.preprocess_ms = std::exchange(preprocess_ms_, 0);
  taken_ = 0;
  answer_ids_.clear();
  to_encode_.clear();

  if (model_->tokenizer() == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 "this model file has no tokenizer, so it cannot be asked; convert the checkpoint "
                 "without --no-tokenizer");
  }
  if (options.max_tokens == 0)
    return Error(ErrorCode::kInvalidArgument, "maxTokens: at least 1 wanted, 0 found");
  TVLM_ASSIGN_OR_RETURN(sampler_, Sampler::Create(options.sampling, model_->decoder().vocabulary));
  TVLM_RETURN_IF_ERROR(
      detokenizer_.Start(options.stop, std::min(options.max_tokens, options_.context)));
  TVLM_ASSIGN_OR_RETURN(const ChatStyle style, options_.chat_style.has_value()
                                                   ? *options_.chat_style
                                                   : model_->chat_style());
  std::vector<ChatTurn> turns;
  std::vector<const HeldImage*> images;
  TVLM_ASSIGN_OR_RETURN(const ChatPrompt prompt, ReadMessages(options.messages, &turns, &images));
  TVLM_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                        BuildPrompt(*model_->tokenizer(), style, prompt));

  const uint64_t image_rows = uint64_t{images.size()} * image_tokens_,
                 total = ids.size() - images.size() + image_rows;
  if (total + 1 > options_.context) {
    return Error(ErrorCode::kContextFull,
                 "the prompt takes %" PRIu64 " rows (%" PRIu64
                 " of images), the session has room for %zu; shorten it or raise the context",
                 total, image_rows, options_.context);
  }
  prompt_keys_.clear();
  history_.clear();
  size_t image = 0;
  for (const int32_t id : ids) {
    if (id != kImageMarker) {
      prompt_keys_.push_back(RowKey{id, 0, 0});
      history_.push_back(id);
      continue;
    }
    for (size_t t = 0; t < image_tokens_; ++t)
      prompt_keys_.push_back(RowKey{-1, images[image]->key, static_cast<uint32_t>(t)});
    ++image;
  }
  sampler_->BeginAnswer(history_.size());

  // Rows that the cache already holds are kept; the last one is computed again, for its logits.
  const size_t same = static_cast<size_t>(
      std::mismatch(cached_.begin(), cached_.end(), prompt_keys_.begin(), prompt_keys_.end())
          .first -
      cached_.begin());
  reused_ = std::min(same, prompt_keys_.size() - 1);
  decoder_->Rewind(reused_);
  cached_.resize(reused_);

  // An image whose rows are all reused is not needed; of the others, those that the tower has not
  // seen (of late) go through it, first one last.
  std::vector<const HeldImage*> needed;
  for (size_t row = 0, p = 0; p < images.size(); ++p, row += image_tokens_) {
    while (prompt_keys_[row].token != -1) ++row;
    if (row + image_tokens_ > reused_) needed.push_back(images[p]);
  }
  TVLM_RETURN_IF_ERROR(HoldEncoded(needed));
  for (const HeldImage* wanted : needed) {
    const bool planned = std::any_of(to_encode_.begin(), to_encode_.end(),
                                     [wanted](const HeldImage& p) { return p.key == wanted->key; });
    if (!planned && !FindEncoded(wanted->key)->complete)
      to_encode_.insert(to_encode_.begin(), *wanted);
  }
  rows_.clear();
  for (size_t row = reused_; row < prompt_keys_.size(); ++row) {
    const RowKey& key = prompt_keys_[row];
    const float* const embedding =
        key.token == -1 ? FindEncoded(key.image)->rows.data() + key.index * model_->decoder().width
                        : nullptr;
    rows_.push_back(DecoderRow{key.token, embedding});
  }

  usage_.prompt_tokens = static_cast<size_t>(total);
  usage_.image_tokens = static_cast<size_t>(image_rows);
  usage_.encoded_images = to_encode_.size();
  usage_.reused_tokens = reused_;
  max_tokens_ = options.max_tokens;
  if (!to_encode_.empty()) {
    StartImage();
  } else {
    StartPrefill();
  }
  return Status();
}

void Session::StartImage() {
  phase_ = Phase::kVision;
  NormalizePixels(to_encode_.back().pixels->data(), image_size_ * image_size_,
                  model_->vision().mean, model_->vision().std, tower_->input());
  tower_->Begin();
}

void Session::StartPrefill() {
  phase_ = Phase::kPrefill;
  decoder_->Begin(rows_);
}

Result<RunState> Session::Advance(double budget_ms) {
  if (phase_ == Phase::kIdle) return Error(ErrorCode::kNotReady, "nothing was asked");
  double now = NowMs();
  const double deadline = now + budget_ms;
  const uint64_t ready = model_->store().ready_bytes();
  while (phase_ != Phase::kDone) {
    const bool vision = phase_ == Phase::kVision;
    const RunState state = vision ? tower_->Advance(model_->pool(), deadline, ready)
                                  : decoder_->Advance(model_->pool(), deadline, ready);
    const double after = NowMs();
    (vision                      ? timings_.vision_ms
     : phase_ == Phase::kPrefill ? timings_.prefill_ms
                                 : timings_.decode_ms) += after - now;
    now = after;
    if (state != RunState::kDone) return state;

    if (vision) {
      Encoded* const encoded = FindEncoded(to_encode_.back().key);
      std::copy_n(tower_->embeddings(), encoded->rows.size(), encoded->rows.data());
      encoded->complete = true;
      to_encode_.pop_back();
      if (!to_encode_.empty()) {
        StartImage();
      } else {
        StartPrefill();
      }
      continue;
    }
    if (phase_ == Phase::kPrefill) {
      cached_.insert(cached_.end(), prompt_keys_.begin() + static_cast<ptrdiff_t>(reused_),
                     prompt_keys_.end());
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
  const int32_t id =
      sampler_->Sample({decoder_->logits(), decoder_->vocabulary()}, model_->valid_ids(), history_);
  if (id == Sampler::kNoToken) {
    phase_ = Phase::kIdle;
    return Error(ErrorCode::kInternal,
                 "the model computed values that are not numbers at answer token %zu; its weights "
                 "may be damaged or too large for %s",
                 answer_ids_.size(),
                 options_.compute == Compute::kFast ? "quantised activations" : "f32");
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
  uint64_t bytes = (tower_ == nullptr ? 0 : tower_->memory_bytes()) + decoder_->memory_bytes();
  for (const HeldImage& image : images_) bytes += image.pixels->size();
  for (const auto& encoded : encoded_) bytes += encoded->rows.size() * sizeof(float);
  return bytes;
}

}  // namespace tinyvlm
