#include "engine/session.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "catch_amalgamated.hpp"
#include "cli/commands.h"
#include "demo_model.h"
#include "engine/model_file.h"
#include "engine/model_loader.h"
#include "image/decode.h"

// Counts what the program allocates through operator new (containers, strings, functions).
// AlignedBuffer allocates at load and at the start of an answer only; its calls are counted too
// where the C library lets us stand before it. Not inlined: GCC would take malloc and delete for a
// pair.
static std::atomic<size_t> allocations{0};

// ThreadSanitizer has operators of its own, and cannot be linked with ours.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TINYVLM_OWN_OPERATORS 0
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TINYVLM_OWN_OPERATORS 0
#elif !defined(TINYVLM_OWN_OPERATORS)
#define TINYVLM_OWN_OPERATORS 1
#endif

#if TINYVLM_OWN_OPERATORS
__attribute__((noinline)) void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size == 0 ? 1 : size); p != nullptr) return p;
  std::abort();
}
__attribute__((noinline)) void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
__attribute__((noinline)) void operator delete(void* p) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, size_t) noexcept { std::free(p); }
#endif

namespace tinyvlm {
namespace {

std::shared_ptr<Model> Demo(size_t threads = 1) {
  auto model = LoadModel(DemoModelPath(), threads);
  INFO(model.status().message());
  REQUIRE(model.ok());
  return *model;
}

SessionOptions Options(size_t context, Compute compute = Compute::kFast, size_t image_size = 0,
                       std::optional<ResizeMode> resize = std::nullopt) {
  SessionOptions options;
  options.context = context;
  options.compute = compute;
  options.image_size = image_size;
  options.resize = resize;
  return options;
}

std::unique_ptr<Session> NewSession(const std::shared_ptr<Model>& model, size_t context = 512,
                                    Compute compute = Compute::kFast) {
  auto session = Session::Create(model, Options(context, compute));
  INFO(session.status().message());
  REQUIRE(session.ok());
  return std::move(session).value();
}

ImageId Add(Session& session, const std::string& sample) {
  const auto bytes = ReadTextFile(SamplePath(sample), 16 << 20);
  REQUIRE(bytes.ok());
  const auto image =
      DecodeImage({reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()}, false);
  REQUIRE(image.ok());
  const auto id = session.AddImage(image->view(), false);
  REQUIRE(id.ok());
  return *id;
}

AskOptions Question(const std::string& text, std::vector<ImageId> images = {}) {
  AskOptions ask;
  ask.messages = {{Message::Role::kUser, text, std::move(images)}};
  return ask;
}

// Runs to the end; the text put together from the pieces.
std::string Finish(Session& session, double budget_ms = 20) {
  std::string text;
  for (;;) {
    const auto state = session.Advance(budget_ms);
    INFO(state.status().message());
    REQUIRE(state.ok());
    text += session.TakeText();
    if (*state == RunState::kDone) return text;
    REQUIRE(*state == RunState::kRunning);
  }
}

std::string Ask(Session& session, const std::string& sample, const std::string& question) {
  std::vector<ImageId> images;
  if (!sample.empty()) images.push_back(Add(session, sample));
  const Status asked = session.Ask(Question(question, images));
  for (const ImageId id : images) session.DropImage(id);
  INFO(asked.message());
  REQUIRE(asked.ok());
  const std::string text = Finish(session);
  CHECK(text == session.text());
  return text;
}

TEST_CASE("A session answers about an image", "[engine][session]") {
  const auto session = NewSession(Demo());
  CHECK(Ask(*session, "sample-1.png", "Describe the image.") == "A sunflower.");
  CHECK(session->finish_reason() == FinishReason::kStop);
  CHECK(session->usage().image_tokens == 16);
  CHECK(session->usage().encoded_images == 1);
  CHECK(session->usage().reused_tokens == 0);
}

TEST_CASE("A second question about an image reuses its rows and gives what a cold start gives",
          "[engine][session]") {
  const auto model = Demo();
  const auto warm = NewSession(model), cold = NewSession(model);
  Ask(*warm, "sample-3.png", "How many peaches are in the picture?");
  const std::string answer = Ask(*warm, "sample-3.png", "Describe the image in detail.");
  CHECK(warm->usage().encoded_images == 0);
  CHECK(warm->usage().reused_tokens > 16);
  CHECK(answer == Ask(*cold, "sample-3.png", "Describe the image in detail."));
  CHECK(warm->answer_ids() == cold->answer_ids());
  // Another image is another matter.
  CHECK(Ask(*warm, "sample-1.png", "Describe the image.") == "A sunflower.");
  CHECK(warm->usage().encoded_images == 1);
}

TEST_CASE("Results do not depend on the number of threads", "[engine][session]") {
  const auto one = NewSession(Demo(1)), three = NewSession(Demo(3));
  for (const char* sample : {"sample-2.png", "sample-4.png", "sample-6.png"}) {
    Ask(*one, sample, "Describe the image.");
    Ask(*three, sample, "Describe the image.");
    CHECK(one->answer_ids() == three->answer_ids());
  }
}

TEST_CASE("Two images, and none, can be asked about", "[engine][session]") {
  const auto session = NewSession(Demo());
  REQUIRE(session
              ->Ask(Question("Describe the images.",
                             {Add(*session, "sample-1.png"), Add(*session, "sample-2.png")}))
              .ok());
  CHECK_FALSE(Finish(*session).empty());
  CHECK(session->usage().image_tokens == 32);
  CHECK(session->usage().encoded_images == 2);
  CHECK_FALSE(Ask(*session, "", "Hello").empty());
  CHECK(session->usage().image_tokens == 0);
}

TEST_CASE("An answer that nobody finishes leaves a session that can be asked again",
          "[engine][session]") {
  const auto session = NewSession(Demo());
  const size_t calls = GENERATE(size_t{0}, size_t{1}, size_t{3}, size_t{8});
  REQUIRE(
      session->Ask(Question("Describe everything you see.", {Add(*session, "sample-5.png")})).ok());
  for (size_t i = 0; i < calls; ++i) REQUIRE(session->Advance(0).ok());
  CHECK(Ask(*session, "sample-1.png", "Describe the image.") == "A sunflower.");
}

TEST_CASE("max_tokens and stop strings end an answer", "[engine][session]") {
  const auto session = NewSession(Demo());
  AskOptions ask = Question("Describe the image in detail.", {Add(*session, "sample-3.png")});
  ask.max_tokens = 2;
  REQUIRE(session->Ask(ask).ok());
  Finish(*session);
  CHECK(session->finish_reason() == FinishReason::kLength);
  CHECK(session->usage().completion_tokens == 2);
  ask.max_tokens = 64;
  ask.stop = {" penguin"};
  REQUIRE(session->Ask(ask).ok());
  CHECK(Finish(*session) == "A peach, a");
  CHECK(session->finish_reason() == FinishReason::kStop);
}

TEST_CASE("Options about the answer leave the words of the question alone", "[engine][session]") {
  const auto session = NewSession(Demo());
  AskOptions ask = Question("Describe the image in detail.", {Add(*session, "sample-3.png")});
  ask.sampling.no_repeat_ngram = 1;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(session->Ask(ask).ok());
    // The question has this token, too; when it is asked again, the prompt has the whole answer.
    CHECK(Finish(*session).ends_with("."));
    std::vector<int32_t> ids = session->answer_ids();
    std::sort(ids.begin(), ids.end());
    CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
    ask.messages.push_back({Message::Role::kAssistant, std::string(session->text()), {}});
    ask.messages.push_back({Message::Role::kUser, "Describe the image in detail.", {}});
  }
}

TEST_CASE("A prompt that does not fit is refused with the numbers, and nothing is lost",
          "[engine][session]") {
  const auto session = NewSession(Demo(), 64);
  const Status status =
      session->Ask(Question(std::string(400, 'x'), {Add(*session, "sample-1.png")}));
  CHECK(status.code() == ErrorCode::kContextFull);
  CHECK_THAT(status.message(), Catch::Matchers::ContainsSubstring("64"));
  CHECK_FALSE(session->Advance(1).ok());
  CHECK(Ask(*session, "sample-1.png", "Name the object.") == "A sunflower.");
}

TEST_CASE("A question that is refused has no text, of the one before it neither",
          "[engine][session]") {
  const auto session = NewSession(Demo());
  CHECK(Ask(*session, "sample-1.png", "Describe the image.") == "A sunflower.");
  REQUIRE_FALSE(session->Ask(Question("What is this?", {99})).ok());
  CHECK(session->TakeText().empty());
  CHECK(session->text().empty());
}

TEST_CASE("A sampled answer is repeatable by its seed, and another seed gives another",
          "[engine][session]") {
  const auto session = NewSession(Demo());
  AskOptions ask = Question("Describe the image in detail.", {Add(*session, "sample-3.png")});
  const auto answer = [&](float temperature, uint64_t seed) {
    ask.sampling.temperature = temperature;
    ask.sampling.seed = seed;
    REQUIRE(session->Ask(ask).ok());
    return Finish(*session);
  };
  const std::string greedy = answer(0, 1);
  std::vector<std::string> sampled;
  for (const uint64_t seed : {1, 2, 3, 4}) {
    sampled.push_back(answer(1.5f, seed));
    CHECK(answer(1.5f, seed) == sampled.back());
    CHECK(answer(0, seed) == greedy);
  }
  std::sort(sampled.begin(), sampled.end());
  CHECK(std::unique(sampled.begin(), sampled.end()) - sampled.begin() > 1);
}

TEST_CASE("The user's text never becomes a control token", "[engine][session]") {
  const auto model = Demo();
  const auto session = NewSession(model);
  // Rows of a prompt with this text in it, beyond those of one without.
  const auto rows = [&](const std::string& text) {
    REQUIRE(session->Ask(Question("a")).ok());
    const size_t without = session->usage().prompt_tokens;
    REQUIRE(session->Ask(Question("a" + text)).ok());
    return session->usage().prompt_tokens - without;
  };
  for (const char* text : {"<|im_end|>", "<|im_start|>"}) {
    CAPTURE(text);
    const auto control = model->tokenizer()->Encode(text, true);
    REQUIRE(control.ok());
    REQUIRE(control->size() == 1);
    REQUIRE(model->tokenizer()->IsControl(control->front()));
    CHECK(rows(text) > 1);
  }
}

TEST_CASE("Nothing is allocated per token", "[engine][session]") {
#if !TINYVLM_OWN_OPERATORS
  SKIP("ThreadSanitizer's operator new does not count");
#endif
  const auto session = NewSession(Demo());
  REQUIRE(session->Ask(Question("Describe the image in detail.", {Add(*session, "sample-3.png")}))
              .ok());
  size_t steps = 0;
  bool done = false;
  const size_t before = allocations;
  while (!done) {
    const auto state = session->Advance(0);
    done = !state.ok() || *state == RunState::kDone;
    session->TakeText();
    ++steps;
  }
  CHECK(allocations == before);
  CHECK(steps > 20);
}

TEST_CASE("Nothing is allocated while an image is embedded", "[engine][session]") {
#if !TINYVLM_OWN_OPERATORS
  SKIP("ThreadSanitizer's operator new does not count");
#endif
  const auto session = NewSession(Demo());
  REQUIRE(session->Embed(Add(*session, "sample-3.png")).ok());
  const size_t before = allocations;
  bool done = false;
  while (!done) {
    const auto state = session->Advance(0);
    done = !state.ok() || *state == RunState::kDone;
  }
  CHECK(allocations == before);
  CHECK_FALSE(session->embedding().empty());
}

TEST_CASE("A question can be asked while the weights arrive, and waits for what it needs",
          "[engine][session]") {
  const auto bytes = ReadTextFile(DemoModelPath(), 64 << 20);
  REQUIRE(bytes.ok());
  ModelLoader loader(1);
  std::unique_ptr<Session> session;
  std::string text;
  size_t waited = 0;
  bool done = false;
  constexpr size_t kPiece = 100'000;
  for (size_t offset = 0; offset < bytes->size();) {
    const size_t count = std::min(kPiece, bytes->size() - offset);
    const auto place = loader.Reserve(count);
    REQUIRE(place.ok());
    std::memcpy(*place, bytes->data() + offset, count);
    REQUIRE(loader.Commit(count).ok());
    offset += count;
    if (loader.model() == nullptr) continue;
    if (session == nullptr) {
      session = NewSession(loader.model());
      REQUIRE(session->Ask(Question("Describe the image.", {Add(*session, "sample-1.png")})).ok());
    }
    for (RunState state = RunState::kRunning; state == RunState::kRunning && !done;) {
      const auto advanced = session->Advance(20);
      REQUIRE(advanced.ok());
      state = *advanced;
      text += session->TakeText();
      waited += state == RunState::kWaiting;
      done = state == RunState::kDone;
    }
  }
  REQUIRE(loader.End().ok());
  CHECK(waited > 10);
  if (!done) text += Finish(*session);
  CHECK(text == "A sunflower.");
}

// The conversation so far, asked on.
std::string Continue(Session& session, std::vector<Message>* messages, const std::string& question,
                     std::vector<ImageId> images = {}) {
  messages->push_back({Message::Role::kUser, question, std::move(images)});
  AskOptions ask;
  ask.messages = *messages;
  const Status asked = session.Ask(ask);
  INFO(asked.message());
  REQUIRE(asked.ok());
  Finish(session);
  messages->push_back({Message::Role::kAssistant, std::string(session.text()), {}});
  return messages->back().text;
}

TEST_CASE("A conversation keeps the rows of its earlier turns and gives what a cold start gives",
          "[engine][session]") {
  const auto model = Demo();
  const auto warm = NewSession(model);
  std::vector<Message> messages{{Message::Role::kSystem, "Answer in short.", {}}};
  Continue(*warm, &messages, "Describe the image.", {Add(*warm, "sample-3.png")});
  CHECK(warm->usage().encoded_images == 1);
  const size_t first = warm->usage().prompt_tokens;

  Continue(*warm, &messages, "How many peaches are in the picture?");
  CHECK(warm->usage().encoded_images == 0);
  CHECK(warm->usage().image_tokens == 16);
  CHECK(warm->usage().reused_tokens >= first);

  // An image in a later turn: only that one is encoded.
  Continue(*warm, &messages, "And in this one?", {Add(*warm, "sample-1.png")});
  CHECK(warm->usage().encoded_images == 1);
  CHECK(warm->usage().image_tokens == 32);
  CHECK(warm->usage().reused_tokens > first);

  const auto cold = NewSession(model);
  AskOptions ask;
  ask.messages.assign(messages.begin(), messages.end() - 1);
  ask.messages[1].images = {Add(*cold, "sample-3.png")};
  ask.messages[5].images = {Add(*cold, "sample-1.png")};
  REQUIRE(cold->Ask(ask).ok());
  Finish(*cold);
  CHECK(cold->usage().encoded_images == 2);
  CHECK(cold->usage().reused_tokens == 0);
  CHECK(cold->answer_ids() == warm->answer_ids());
}

TEST_CASE("An image that was encoded is not encoded again when the cache has forgotten it",
          "[engine][session]") {
  const auto session = NewSession(Demo());
  const std::string first = Ask(*session, "sample-1.png", "Describe the image.");
  Ask(*session, "", "Hello");
  CHECK(Ask(*session, "sample-1.png", "Describe the image.") == first);
  CHECK(session->usage().encoded_images == 0);
  CHECK(session->usage().reused_tokens == 28);  // what stands before the image
  // The oldest of many gives its place.
  for (int i = 0; i < 3; ++i) {
    for (const char* sample :
         {"sample-2.png", "sample-3.png", "sample-4.png", "sample-5.png", "sample-6.png"})
      Ask(*session, sample, "What is it?");
    CHECK(session->usage().encoded_images == (i == 0 ? 1u : 0u));
  }
}

TEST_CASE("The same image twice in one prompt is encoded once", "[engine][session]") {
  const auto session = NewSession(Demo());
  const ImageId image = Add(*session, "sample-1.png");
  REQUIRE(session->Ask(Question("Describe the images.", {image, image})).ok());
  Finish(*session);
  CHECK(session->usage().image_tokens == 32);
  CHECK(session->usage().encoded_images == 1);
}

TEST_CASE("Images may be dropped once they were asked about", "[engine][session]") {
  const auto session = NewSession(Demo());
  const ImageId one = Add(*session, "sample-1.png"), two = Add(*session, "sample-2.png");
  REQUIRE(session->Ask(Question("Describe the images.", {one, two})).ok());
  session->DropImage(one);
  session->DropImage(two);
  const std::string text = Finish(*session);
  CHECK(session->Ask(Question("And now?", {one})).code() == ErrorCode::kInvalidArgument);
  const auto other = NewSession(Demo());
  REQUIRE(other
              ->Ask(Question("Describe the images.",
                             {Add(*other, "sample-1.png"), Add(*other, "sample-2.png")}))
              .ok());
  CHECK(Finish(*other) == text);
}

TEST_CASE("A trimmed session holds its images only, and answers as before", "[engine][session]") {
  const auto session = NewSession(Demo());
  const uint64_t fresh = session->memory_bytes();
  const ImageId image = Add(*session, "sample-1.png");
  const uint64_t of_image = session->memory_bytes() - fresh;
  const AskOptions question = Question("Describe the image.", {image});
  REQUIRE(session->Ask(question).ok());
  const std::string text = Finish(*session);
  const uint64_t used = session->memory_bytes();
  REQUIRE(used > fresh + of_image);          // embeddings
  for (int round = 0; round < 2; ++round) {  // a trimmed session may be trimmed
    session->Trim();
    CHECK(session->memory_bytes() == of_image);
    CHECK(session->kv_cache_bytes() == 0);
    CHECK(session->text() == text);
  }
  REQUIRE(session->Ask(question).ok());
  CHECK(Finish(*session) == text);
  CHECK(session->usage().reused_tokens == 0);
  CHECK(session->usage().encoded_images == 1);
  CHECK(session->memory_bytes() == used);

  // An answer that is under way is discarded, whatever it was doing.
  for (const double budget_ms : {0.0, 1e9}) {
    REQUIRE(session->Ask(Question("What else?", {image})).ok());
    REQUIRE(session->Advance(budget_ms).ok());
    session->Trim();
    CHECK(session->text().empty());
    CHECK(session->Advance(1).status().code() == ErrorCode::kNotReady);
    CHECK(session->memory_bytes() == of_image);
  }
  // An embedding outlives it: Embed is what makes it invalid.
  REQUIRE(session->Embed(image).ok());
  Finish(*session);
  const std::vector<float> embedding(session->embedding().begin(), session->embedding().end());
  session->Trim();
  CHECK(std::ranges::equal(session->embedding(), embedding));
  CHECK_FALSE(embedding.empty());
  session->DropImage(image);
  CHECK(session->memory_bytes() == 0);
}

TEST_CASE("A conversation of the wrong shape is refused by its message", "[engine][session]") {
  using Role = Message::Role;
  const auto session = NewSession(Demo());
  const std::pair<std::vector<Message>, const char*> cases[] = {
      {{}, "none found"},
      {{{Role::kSystem, "s", {}}}, "ends with a message of the user"},
      {{{Role::kAssistant, "a", {}}}, "messages[0]: the role \"user\" wanted, \"assistant\" found"},
      {{{Role::kUser, "q", {}}, {Role::kUser, "q", {}}},
       "messages[1]: the role \"assistant\" wanted, \"user\" found"},
      {{{Role::kUser, "q", {}}, {Role::kSystem, "s", {}}}, "\"system\" found"},
      {{{Role::kUser, "q", {}}, {Role::kAssistant, "a", {}}}, "ends with a message of the user"},
      {{{Role::kUser, "q", {}}, {Role::kAssistant, "a", {1}}, {Role::kUser, "q", {}}},
       "messages[1]: an assistant's message cannot have images"},
      {{{Role::kUser, "q", {7}}}, "messages[0]: 7 is not an image of this session"},
  };
  for (const auto& [messages, words] : cases) {
    AskOptions ask;
    ask.messages = messages;
    const Status status = session->Ask(ask);
    CHECK(status.code() == ErrorCode::kInvalidArgument);
    CHECK_THAT(status.message(), Catch::Matchers::ContainsSubstring(words));
  }
}

TEST_CASE("A session may see smaller or larger images, padded or cropped", "[engine][session]") {
  const auto model = Demo();
  const auto create = [&](size_t side, std::optional<ResizeMode> resize) {
    return Session::Create(model, Options(512, Compute::kFast, side, resize));
  };
  for (const size_t side : {128, 256, 320}) {
    const auto session = create(side, std::nullopt);
    REQUIRE(session.ok());
    CHECK((*session)->image_size() == side);
    CHECK((*session)->image_tokens() == side * side / 64 / 64);
    CHECK_FALSE(Ask(**session, "sample-1.png", "Describe the image.").empty());
    CHECK((*session)->usage().image_tokens == side * side / 64 / 64);
  }
  for (const size_t side : {100, 8192})
    CHECK(create(side, std::nullopt).status().code() == ErrorCode::kInvalidArgument);

  // Left half white, right half black: cropping a wide image cuts off most of the white, padding
  // keeps it.
  std::vector<uint8_t> wide(400 * 100 * 3);
  for (size_t i = 0; i < wide.size(); ++i) wide[i] = i / 3 % 400 < 120 ? 255 : 0;
  std::vector<int32_t> ids[2];
  for (const ResizeMode mode : {ResizeMode::kPad, ResizeMode::kCrop}) {
    const auto session = create(256, mode);
    REQUIRE(session.ok());
    const auto id = (*session)->AddImage(ImageView{wide.data(), 400, 100, 3, 1200}, false);
    REQUIRE(id.ok());
    REQUIRE((*session)->Ask(Question("What is the background?", {*id})).ok());
    Finish(**session);
    ids[mode == ResizeMode::kCrop] = (*session)->answer_ids();
  }
  CHECK(ids[0] != ids[1]);
}

TEST_CASE("A session may speak another chat style than the model file names", "[engine][session]") {
  const auto model = Demo();
  size_t rows[2];
  for (const bool plain : {false, true}) {
    SessionOptions options = Options(512);
    if (plain) options.chat_style = ChatStyle::kPlain;
    const auto session = Session::Create(model, options);
    REQUIRE(session.ok());
    Ask(**session, "", "Hello");
    rows[plain] = (*session)->usage().prompt_tokens;
  }
  CHECK(rows[1] + 20 < rows[0]);
}

TEST_CASE("Contexts beyond the model's are refused", "[engine][session]") {
  const auto session = Session::Create(Demo(), Options(1'000'000));
  CHECK(session.status().code() == ErrorCode::kInvalidArgument);
  CHECK(Session::Create(Demo(), Options(0)).status().code() == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tinyvlm
