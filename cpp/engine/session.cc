#include "engine/session.h"

#include <algorithm>
#include <cinttypes>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "engine/pool_rows.h"
#include "image/preprocess.h"

namespace tinyvlm {

namespace {

// Cancel is checked between pieces of work of about this many milliseconds.
constexpr double kPieceMs = 20;

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
    return Error(ErrorCode::kInvalidArgument, "context: 1..%zu tokens wanted, %zu found", limit,
                 options.context);
  }
  std::unique_ptr<Session> session(new Session(std::move(model), options));
  Model& m = *session->model_;
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
  }
  TVLM_RETURN_IF_ERROR(session->CreateWorkers());
  session->rows_.reserve(options.context);
  session->cached_.reserve(options.context);
  session->prompt_.Reserve(options.context);
  session->history_.reserve(options.context);
  session->answer_ids_.reserve(options.context);
  return session;
}

Status Session::CreateWorkers() {
  Backend& backend = model_->backend();
  if (encoder_ == nullptr && model_->has_vision()) {
    TVLM_ASSIGN_OR_RETURN(encoder_, backend.CreateVisionEncoder(
                                        {image_size_, image_size_, options_.compute, nullptr}));
  }
  if (decoder_ == nullptr) {
    TVLM_ASSIGN_OR_RETURN(decoder_,
                          backend.CreateDecoder({options_.context, options_.compute, nullptr}));
  }
  return Status();
}

void Session::Trim() {
  if (phase_ != Phase::kDone) {
    Discard();
    preprocess_ms_ = timings_.preprocess_ms;  // of images that the next answer may be about
  }
  to_encode_.clear();
  rows_.clear();
  encoded_.Clear();
  cached_.clear();
  encoder_ = nullptr;
  decoder_ = nullptr;
}

Result<ImageId> Session::AddImage(const RowSource& source, double* source_ms) {
  if (!model_->has_vision())
    return Error(ErrorCode::kUnsupported,
                 "this model reads text only: it cannot be asked about an image");
  const double start = NowMs();
  TVLM_ASSIGN_OR_RETURN(
      AlignedBuffer<uint8_t> pixels,
      AlignedBuffer<uint8_t>::Allocate(uint64_t{3} * image_size_ * image_size_, "image"));
  SquareResizer resizer(options_.resize.value_or(model_->resize_mode()), image_size_,
                        pixels.data());
  TVLM_RETURN_IF_ERROR(source(resizer));
  const double in_source = NowMs() - start - resizer.spent_ms();
  if (source_ms != nullptr) *source_ms = in_source;
  Sha256 digest;
  digest.Update(pixels.data(), pixels.size());
  images_.push_back({++last_image_, digest.Finish(),
                     std::make_shared<const AlignedBuffer<uint8_t>>(std::move(pixels))});
  preprocess_ms_ += NowMs() - start - in_source;
  return last_image_;
}

Result<ImageId> Session::AddImage(const ImageView& image, bool exact) {
  return AddImage([&](RowSink& sink) { return SendRows(image, exact, sink); });
}

void Session::DropImage(ImageId id) {
  std::erase_if(images_, [id](const HeldImage& image) { return image.id == id; });
}

const Session::HeldImage* Session::FindImage(ImageId id) const {
  const auto found = std::find_if(images_.begin(), images_.end(),
                                  [id](const HeldImage& image) { return image.id == id; });
  return found == images_.end() ? nullptr : &*found;
}

// Checks the messages and converts them to turns of the chat template; appends their images in
// order. The prompt borrows from `messages` and `turns`.
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
      const HeldImage* const image = FindImage(id);
      if (image == nullptr)
        return Error(ErrorCode::kInvalidArgument,
                     "messages[%zu]: %u is not an image of this session", i, id);
      images->push_back(image);
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

void Session::Discard() {
  phase_ = Phase::kIdle;
  finish_ = FinishReason::kNone;
  usage_ = Usage();
  timings_ = SessionTimings();
  timings_.preprocess_ms = std::exchange(preprocess_ms_, 0);
  detokenizer_.Clear();
  taken_ = 0;
  answer_ids_.clear();
  to_encode_.clear();
  embedded_ = nullptr;
  embedded_rows_ = {};
  cancel_.store(false, std::memory_order_relaxed);
}

Status Session::Ask(const AskOptions& options) {
  Discard();
  if (model_->tokenizer() == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 "this model file has no tokenizer, so it cannot be asked; convert the checkpoint "
                 "without --no-tokenizer");
  }
  if (options.max_tokens == 0)
    return Error(ErrorCode::kInvalidArgument, "maxTokens: at least 1 wanted, 0 found");
  TVLM_ASSIGN_OR_RETURN(sampler_, Sampler::Create(options.sampling, model_->decoder().vocabulary));
  TVLM_RETURN_IF_ERROR(CreateWorkers());
  constraint_ = options.constraint;
  if (constraint_ != nullptr) {
    if (!options.stop.empty())
      return Error(ErrorCode::kInvalidArgument,
                   "stop: none wanted beside responseFormat, which it would cut; some found");
    if (options.sampling.no_repeat_ngram != 0)
      return Error(ErrorCode::kInvalidArgument,
                   "noRepeatNgram: 0 wanted beside responseFormat, which may have to repeat; %d "
                   "found",
                   options.sampling.no_repeat_ngram);
    constraint_->Start();
  }
  TVLM_RETURN_IF_ERROR(detokenizer_.Start(options.stop,
                                          std::min(options.max_tokens, options_.context),
                                          /*strip=*/constraint_ == nullptr));
  TVLM_RETURN_IF_ERROR(logprobs_.Start(options.logprobs, model_->valid_ids(),
                                       std::min(options.max_tokens, options_.context)));
  TVLM_ASSIGN_OR_RETURN(const ChatStyle style, options_.chat_style.has_value()
                                                   ? *options_.chat_style
                                                   : model_->chat_style());
  std::vector<ChatTurn> turns;
  std::vector<const HeldImage*> images;
  TVLM_ASSIGN_OR_RETURN(const ChatPrompt prompt, ReadMessages(options.messages, &turns, &images));
  TVLM_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                        BuildPrompt(*model_->tokenizer(), style, prompt));

  const uint64_t of_images = uint64_t{images.size()} * image_tokens_,
                 total = ids.size() - images.size() + of_images;
  if (total + 1 > options_.context) {
    return Error(
        ErrorCode::kContextFull,
        "the prompt takes %" PRIu64 " tokens (%" PRIu64
        " of images) and the answer at least 1, the context holds %zu; shorten the prompt or "
        "raise the context",
        total, of_images, options_.context);
  }
  std::vector<Sha256::Digest> digests;
  digests.reserve(images.size());
  for (const HeldImage* image : images) digests.push_back(image->digest);
  prompt_.Assign(ids, digests, image_tokens_);
  history_.clear();
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(history_),
               [](int32_t id) { return id != kImageMarker; });
  sampler_->BeginAnswer(history_.size());

  // Rows that the cache already holds are kept; the last one is computed again, for its logits.
  reused_ = std::min(prompt_.CommonPrefix(cached_), prompt_.size() - 1);
  decoder_->Rewind(reused_);
  cached_.resize(reused_);
  TVLM_RETURN_IF_ERROR(PlanRows(images));

  usage_.prompt_tokens = static_cast<size_t>(total);
  usage_.image_tokens = static_cast<size_t>(of_images);
  usage_.encoded_images = to_encode_.size();
  usage_.reused_tokens = reused_;
  max_tokens_ = options.max_tokens;
  return StartNext();
}

Status Session::Embed(ImageId id) {
  Discard();
  TVLM_RETURN_IF_ERROR(logprobs_.Start(-1, 0, 0));
  const HeldImage* const image = FindImage(id);
  if (image == nullptr)
    return Error(ErrorCode::kInvalidArgument, "%u is not an image of this session", id);
  TVLM_RETURN_IF_ERROR(CreateWorkers());
  TVLM_RETURN_IF_ERROR(encoded_.Hold({&image->digest, 1}, *encoder_));
  const ImageCache::Entry* const entry = encoded_.Find(image->digest);
  if (!entry->complete) to_encode_.push_back(*image);
  embedded_ = entry->embeddings;
  pooled_.resize(embedded_->width());
  usage_.image_tokens = image_tokens_;
  usage_.encoded_images = to_encode_.size();
  const Status started = StartNext();
  if (!started.ok()) phase_ = Phase::kIdle;
  return started;
}

Status Session::PlanRows(const std::vector<const HeldImage*>& images) {
  // An image whose rows are all reused is not needed; of the others, those without cached
  // embeddings are encoded. to_encode_ holds them in reverse order.
  std::vector<std::shared_ptr<const Embeddings>> embeddings(images.size());
  const std::vector<size_t> needed = prompt_.ImagesFrom(reused_);
  if (!needed.empty()) {
    std::vector<Sha256::Digest> digests;
    digests.reserve(needed.size());
    for (const size_t n : needed) digests.push_back(images[n]->digest);
    TVLM_RETURN_IF_ERROR(encoded_.Hold(digests, *encoder_));
  }
  for (const size_t n : needed) {
    const ImageCache::Entry* const entry = encoded_.Find(images[n]->digest);
    embeddings[n] = entry->embeddings;
    const bool planned =
        std::any_of(to_encode_.begin(), to_encode_.end(),
                    [&](const HeldImage& image) { return image.digest == images[n]->digest; });
    if (!planned && !entry->complete) to_encode_.insert(to_encode_.begin(), *images[n]);
  }
  prompt_.MakeRows(reused_, embeddings, &rows_);
  return Status();
}

Status Session::StartNext() {
  if (!to_encode_.empty()) {
    const HeldImage& image = to_encode_.back();
    TVLM_RETURN_IF_ERROR(
        encoder_->Begin(image.pixels->data(), encoded_.Find(image.digest)->embeddings));
    phase_ = Phase::kVision;
    return Status();
  }
  if (embedded_ != nullptr) return FinishEmbedding();
  TVLM_RETURN_IF_ERROR(decoder_->Begin(rows_));
  phase_ = Phase::kPrefill;
  return Status();
}

Status Session::FinishEmbedding() {
  TVLM_ASSIGN_OR_RETURN(const std::span<const float> rows, embedded_->ReadRows());
  TVLM_RETURN_IF_ERROR(PoolRows(rows, pooled_));
  embedded_rows_ = rows;
  finish_ = FinishReason::kStop;
  phase_ = Phase::kDone;
  return Status();
}

Result<RunState> Session::Advance(double budget_ms) {
  if (phase_ == Phase::kIdle) return Error(ErrorCode::kNotReady, "nothing was asked");
  Result<RunState> state = Work(NowMs() + budget_ms);
  if (!state.ok()) phase_ = Phase::kIdle;
  return state;
}

Result<RunState> Session::Work(double deadline_ms) {
  double now = NowMs();
  while (phase_ != Phase::kDone) {
    if (cancel_.load(std::memory_order_relaxed)) {
      finish_ = FinishReason::kCancelled;
      phase_ = Phase::kDone;
      break;
    }
    const bool vision = phase_ == Phase::kVision;
    const double piece_end = std::min(deadline_ms, now + kPieceMs);
    TVLM_ASSIGN_OR_RETURN(const RunState state,
                          vision ? encoder_->Advance(piece_end) : decoder_->Advance(piece_end));
    const double after = NowMs();
    (vision                      ? timings_.vision_ms
     : phase_ == Phase::kPrefill ? timings_.prefill_ms
                                 : timings_.decode_ms) += after - now;
    now = after;
    if (state == RunState::kRunning && now < deadline_ms) continue;
    if (state != RunState::kDone) return state;

    if (vision) {
      encoded_.Find(to_encode_.back().digest)->complete = true;
      to_encode_.pop_back();
      TVLM_RETURN_IF_ERROR(StartNext());
      continue;
    }
    if (phase_ == Phase::kPrefill) {
      const std::span<const RowKey> computed = prompt_.keys().subspan(reused_);
      cached_.insert(cached_.end(), computed.begin(), computed.end());
      phase_ = Phase::kDecode;
    } else {
      cached_.push_back(RowKey{rows_[0].token, 0, {}});
    }
    TVLM_ASSIGN_OR_RETURN(const bool done, Step());
    if (done) break;
    if (taken_ < text().size() || now >= deadline_ms) return RunState::kRunning;
  }
  return RunState::kDone;
}

Result<bool> Session::Step() {
  if (logprobs_.wanted()) {
    TVLM_ASSIGN_OR_RETURN(const std::span<const float> logits, decoder_->ReadLogits());
    logprobs_.Read(logits);
  }
  std::span<const uint8_t> allowed;  // empty: all
  if (constraint_ != nullptr) {
    TVLM_ASSIGN_OR_RETURN(allowed, constraint_->Allowed());
  }
  TVLM_ASSIGN_OR_RETURN(const int32_t id,
                        decoder_->Choose(*sampler_, model_->valid_ids(), history_, allowed));
  if (id == Sampler::kNoToken) {
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
  if (logprobs_.wanted()) logprobs_.Add(id);
  detokenizer_.Push(id);
  if (constraint_ != nullptr) TVLM_RETURN_IF_ERROR(constraint_->Push(id));
  if (detokenizer_.stopped() || (constraint_ != nullptr && constraint_->complete())) {
    Finish(FinishReason::kStop);
    return true;
  }
  if (answer_ids_.size() >= max_tokens_ || decoder_->position() >= options_.context) {
    Finish(FinishReason::kLength);
    return true;
  }
  history_.push_back(id);
  rows_.assign(1, DecoderRow{.token = id});
  TVLM_RETURN_IF_ERROR(decoder_->Begin(rows_));
  return false;
}

void Session::Finish(FinishReason reason) {
  detokenizer_.Finish();
  finish_ = reason;
  phase_ = Phase::kDone;
}

std::string_view Session::TakeText() {
  const std::string_view fresh = UntakenText();
  taken_ = text().size();
  return fresh;
}

uint64_t Session::memory_bytes() const {
  uint64_t bytes = (encoder_ == nullptr ? 0 : encoder_->memory_bytes()) +
                   (decoder_ == nullptr ? 0 : decoder_->memory_bytes()) + encoded_.memory_bytes();
  for (const HeldImage& image : images_) bytes += image.pixels->size();
  return bytes;
}

}  // namespace tinyvlm
