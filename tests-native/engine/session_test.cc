#include "engine/session.h"

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
#include "engine/model_loader.h"
#include "image/decode.h"

// Counts what the program allocates through operator new (containers, strings, functions). AlignedBuffer allocates at load and at the start of an answer only; its
// calls are counted too where the C library lets us stand before it.
static std::atomic<size_t> allocations{0};

void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size == 0 ? 1 : size); p != nullptr) return p;
  std::abort();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace tinyvlm {
namespace {

std::shared_ptr<Model> Demo(size_t threads = 1) {
  auto model = LoadModel(DemoModelPath(), threads);
  INFO(model.status().message());
  REQUIRE(model.ok());
  return *model;
}

std::unique_ptr<Session> NewSession(const std::shared_ptr<Model>& model, size_t context = 512, Compute compute = Compute::kFast) {
  auto session = Session::Create(model, {context, compute});
  INFO(session.status().message());
  REQUIRE(session.ok());
  return std::move(session).value();
}

void Add(Session& session, const std::string& sample) {
  const auto bytes = ReadTextFile(SamplePath(sample), 16 << 20);
  REQUIRE(bytes.ok());
  const auto image = DecodeImage({reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()}, false);
  REQUIRE(image.ok());
  REQUIRE(session.AddPicture(image->view(), false).ok());
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
  if (!sample.empty()) Add(session, sample);
  AskOptions ask;
  ask.prompt = question;
  const Status asked = session.Ask(ask);
  INFO(asked.message());
  REQUIRE(asked.ok());
  const std::string text = Finish(session);
  CHECK(text == session.text());
  return text;
}

TEST_CASE("A session answers about a picture", "[engine][session]") {
  const auto session = NewSession(Demo());
  CHECK(Ask(*session, "sample-1.png", "Describe the image.") == "A sunflower.");
  CHECK(session->finish_reason() == FinishReason::kStop);
  CHECK(session->usage().image_tokens == 16);
  CHECK(session->usage().encoded_images == 1);
  CHECK(session->usage().reused_tokens == 0);
}

TEST_CASE("A second question about a picture reuses its rows and gives what a cold start gives", "[engine][session]") {
  const auto model = Demo();
  const auto warm = NewSession(model), cold = NewSession(model);
  Ask(*warm, "sample-3.png", "How many peaches are in the picture?");
  const std::string answer = Ask(*warm, "sample-3.png", "Describe the image in detail.");
  CHECK(warm->usage().encoded_images == 0);
  CHECK(warm->usage().reused_tokens > 16);
  CHECK(answer == Ask(*cold, "sample-3.png", "Describe the image in detail."));
  CHECK(warm->answer_ids() == cold->answer_ids());
  // Another picture is another matter.
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

TEST_CASE("Two pictures, and none, can be asked about", "[engine][session]") {
  const auto session = NewSession(Demo());
  Add(*session, "sample-1.png");
  CHECK_FALSE(Ask(*session, "sample-2.png", "Describe the images.").empty());
  CHECK(session->usage().image_tokens == 32);
  CHECK(session->usage().encoded_images == 2);
  CHECK_FALSE(Ask(*session, "", "Hello").empty());
  CHECK(session->usage().image_tokens == 0);
}

TEST_CASE("An answer that nobody finishes leaves a session that can be asked again", "[engine][session]") {
  const auto session = NewSession(Demo());
  const size_t calls = GENERATE(size_t{0}, size_t{1}, size_t{3}, size_t{8});
  Add(*session, "sample-5.png");
  AskOptions ask;
  ask.prompt = "Describe everything you see.";
  REQUIRE(session->Ask(ask).ok());
  for (size_t i = 0; i < calls; ++i) REQUIRE(session->Advance(0).ok());
  CHECK(Ask(*session, "sample-1.png", "Describe the image.") == "A sunflower.");
}

TEST_CASE("max_tokens and stop strings end an answer", "[engine][session]") {
  const auto session = NewSession(Demo());
  AskOptions ask;
  ask.prompt = "Describe the image in detail.";
  ask.max_tokens = 2;
  Add(*session, "sample-3.png");
  REQUIRE(session->Ask(ask).ok());
  Finish(*session);
  CHECK(session->finish_reason() == FinishReason::kLength);
  CHECK(session->usage().completion_tokens == 2);
  ask.max_tokens = 64;
  ask.stop = {" penguin"};
  Add(*session, "sample-3.png");
  REQUIRE(session->Ask(ask).ok());
  CHECK(Finish(*session) == "A peach, a");
  CHECK(session->finish_reason() == FinishReason::kStop);
}

TEST_CASE("A prompt that does not fit is refused with the numbers, and nothing is lost", "[engine][session]") {
  const auto session = NewSession(Demo(), 64);
  Add(*session, "sample-1.png");
  AskOptions ask;
  ask.prompt = std::string(400, 'x');
  const Status status = session->Ask(ask);
  CHECK(status.code() == ErrorCode::kContextFull);
  CHECK_THAT(status.message(), Catch::Matchers::ContainsSubstring("64"));
  CHECK_FALSE(session->Advance(1).ok());
  CHECK(Ask(*session, "sample-1.png", "Name the object.") == "A sunflower.");
}

TEST_CASE("A sampled answer is repeatable by its seed", "[engine][session]") {
  const auto session = NewSession(Demo());
  AskOptions ask;
  ask.prompt = "Describe the image in detail.";
  ask.sampling.temperature = 1.5f;
  ask.sampling.seed = 7;
  std::string first;
  for (int i = 0; i < 2; ++i) {
    Add(*session, "sample-3.png");
    REQUIRE(session->Ask(ask).ok());
    const std::string text = Finish(*session);
    if (i == 0) first = text;
    CHECK(text == first);
  }
}

TEST_CASE("The user's text never becomes a control token", "[engine][session]") {
  const auto model = Demo();
  const auto session = NewSession(model);
  AskOptions ask;
  ask.prompt = "<|im_end|>";
  REQUIRE(session->Ask(ask).ok());
  const auto plain = model->tokenizer()->Encode("<|im_end|>", false);
  REQUIRE(plain.ok());
  for (const int32_t id : *plain) CHECK_FALSE(model->tokenizer()->IsControl(id));
  Finish(*session);
}

TEST_CASE("Nothing is allocated per token", "[engine][session]") {
  const auto session = NewSession(Demo());
  AskOptions ask;
  ask.prompt = "Describe the image in detail.";
  Add(*session, "sample-3.png");
  REQUIRE(session->Ask(ask).ok());
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

TEST_CASE("A question can be asked while the weights arrive, and waits for what it needs", "[engine][session]") {
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
      Add(*session, "sample-1.png");
      AskOptions ask;
      ask.prompt = "Describe the image.";
      REQUIRE(session->Ask(ask).ok());
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

TEST_CASE("Contexts beyond the model's are refused", "[engine][session]") {
  const auto session = Session::Create(Demo(), {1'000'000, Compute::kFast});
  CHECK(session.status().code() == ErrorCode::kInvalidArgument);
  CHECK(Session::Create(Demo(), {0, Compute::kFast}).status().code() == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tinyvlm
