// Sessions on threads of their own: what engine/session.h and engine/model_loader.h promise. Under
// ThreadSanitizer this is where a race would show.
#if !defined(__EMSCRIPTEN__)  // there a thread starts only when its maker returns

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "catch_amalgamated.hpp"
#include "demo_model.h"
#include "engine/model_file.h"
#include "engine/model_loader.h"
#include "engine/session.h"
#include "image/decode.h"

namespace tinyvlm {
namespace {

constexpr double kNoDeadline = std::numeric_limits<double>::infinity();

// Assertions belong on the test's own thread: what runs on others returns a Result.
using Answers = Result<std::vector<std::string>>;

std::shared_ptr<Model> Demo(size_t threads) {
  auto model = LoadModel(DemoModelPath(), threads);
  INFO(model.status().message());
  REQUIRE(model.ok());
  return *model;
}

Status Start(Session& session, const std::string& sample) {
  TVLM_ASSIGN_OR_RETURN(const std::string bytes, ReadTextFile(SamplePath(sample), 16 << 20));
  TVLM_ASSIGN_OR_RETURN(
      const Image image,
      DecodeImage({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, false));
  TVLM_ASSIGN_OR_RETURN(const ImageId id, session.AddImage(image.view(), false));
  AskOptions ask;
  ask.messages = {{Message::Role::kUser, "Describe the image.", {id}}};
  const Status asked = session.Ask(ask);
  session.DropImage(id);
  return asked;
}

// The answers about the samples, from a session of its own.
Answers AnswerAll(const std::shared_ptr<Model>& model, const std::vector<std::string>& samples,
                  double budget_ms) {
  SessionOptions options;
  options.context = 512;
  TVLM_ASSIGN_OR_RETURN(const auto session, Session::Create(model, options));
  std::vector<std::string> answers;
  for (const std::string& sample : samples) {
    TVLM_RETURN_IF_ERROR(Start(*session, sample));
    for (;;) {
      TVLM_ASSIGN_OR_RETURN(const RunState state, session->Advance(budget_ms));
      if (state == RunState::kDone) break;
      if (state == RunState::kWaiting) std::this_thread::yield();
    }
    answers.emplace_back(session->text());
  }
  return answers;
}

const std::vector<std::string> kSamples = {"sample-1.png", "sample-3.png", "sample-5.png"};

// Each model's session on a thread of its own; what they say must be `wanted`.
void CheckTogether(const std::vector<std::shared_ptr<Model>>& models,
                   const std::vector<std::string>& wanted) {
  std::vector<Answers> found(models.size(), Answers(std::vector<std::string>()));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < models.size(); ++i) {
    threads.emplace_back([&, i] { found[i] = AnswerAll(models[i], kSamples, i == 0 ? 5 : 50); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Answers& answers : found) {
    INFO(answers.status().message());
    REQUIRE(answers.ok());
    CHECK(*answers == wanted);
  }
}

TEST_CASE("Sessions of one model on threads of their own answer as they would one after another",
          "[engine][threads]") {
  const auto model = Demo(2);
  const Answers wanted = AnswerAll(model, kSamples, kNoDeadline);
  REQUIRE(wanted.ok());
  CHECK(wanted->front() == "A sunflower.");
  CheckTogether({model, model}, *wanted);
}

TEST_CASE("Models on threads of their own have nothing in common", "[engine][threads]") {
  const auto one = Demo(1), two = Demo(2);
  const Answers wanted = AnswerAll(one, kSamples, kNoDeadline);
  REQUIRE(wanted.ok());
  CheckTogether({one, two}, *wanted);
}

TEST_CASE("A session may run on one thread while the weights arrive on another",
          "[engine][threads]") {
  const auto bytes = ReadTextFile(DemoModelPath(), 64 << 20);
  REQUIRE(bytes.ok());
  ModelLoader loader(2);
  Answers answers = std::vector<std::string>();
  std::thread asks;
  constexpr size_t kPiece = 50'000;
  for (size_t offset = 0; offset < bytes->size(); offset += kPiece) {
    const size_t count = std::min(kPiece, bytes->size() - offset);
    const auto place = loader.Reserve(count);
    REQUIRE(place.ok());
    std::memcpy(*place, bytes->data() + offset, count);
    REQUIRE(loader.Commit(count).ok());
    if (loader.model() == nullptr || asks.joinable()) continue;
    asks = std::thread(
        [&answers, model = loader.model()] { answers = AnswerAll(model, {"sample-1.png"}, 20); });
  }
  REQUIRE(loader.End().ok());
  asks.join();
  INFO(answers.status().message());
  REQUIRE(answers.ok());
  CHECK(answers->front() == "A sunflower.");
}

TEST_CASE("Cancel comes from a third thread while two sessions run; the other is not touched",
          "[engine][threads]") {
  const auto model = Demo(2);
  const Answers wanted = AnswerAll(model, kSamples, kNoDeadline);
  REQUIRE(wanted.ok());
  SessionOptions options;
  options.context = 512;
  const auto session = Session::Create(model, options);
  REQUIRE(session.ok());
  Answers others = std::vector<std::string>();
  std::thread other([&] { others = AnswerAll(model, kSamples, 20); });
  std::atomic<bool> asked{false}, over{false};
  std::thread cancels([&] {
    while (!asked) std::this_thread::yield();
    while (!over) (*session)->Cancel();
  });
  // Whether it comes in time is the scheduler's business; some answers will meet it: on a busy
  // machine few of them, in a few tens of milliseconds each.
  size_t cancelled = 0;
  for (int i = 0; i < 1000 && cancelled < 3; ++i) {
    REQUIRE(Start(**session, kSamples[0]).ok());
    asked = true;
    auto state = (*session)->Advance(kNoDeadline);
    while (state.ok() && *state == RunState::kRunning) state = (*session)->Advance(kNoDeadline);
    REQUIRE(state.ok());
    REQUIRE(*state == RunState::kDone);
    cancelled += (*session)->finish_reason() == FinishReason::kCancelled;
  }
  over = true;
  cancels.join();
  other.join();
  CHECK(cancelled == 3);
  REQUIRE(others.ok());
  CHECK(*others == *wanted);
  // The cancelled session goes on as if nothing had been.
  REQUIRE(Start(**session, kSamples[1]).ok());
  while ((*session)->Advance(kNoDeadline).value() != RunState::kDone) {
  }
  CHECK((*session)->text() == (*wanted)[1]);
}

}  // namespace
}  // namespace tinyvlm

#endif
