// The engine on a backend that is not the processor's (fake_backend.h).
#include <atomic>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "catch_amalgamated.hpp"
#include "demo_model.h"
#include "engine/fake_backend.h"
#include "engine/fidelity.h"
#include "engine/model_loader.h"
#include "engine/session.h"

namespace tinyvlm {
namespace {

constexpr double kNoDeadline = std::numeric_limits<double>::infinity();

const std::string& DemoBytes() {
  static const std::string bytes = ReadTextFile(DemoModelPath(), 64 << 20).value();
  return bytes;
}

// Feeds bytes [begin, end) of the demo model's file.
Status Feed(ModelLoader& loader, size_t begin, size_t end) {
  TVLM_ASSIGN_OR_RETURN(uint8_t* const place, loader.Reserve(end - begin));
  std::memcpy(place, DemoBytes().data() + begin, end - begin);
  return loader.Commit(end - begin);
}

std::vector<int32_t> Ids(const Model& model, const std::string& text) {
  std::vector<int32_t> ids = model.tokenizer()->Encode(text, false).value();
  ids.push_back(model.stop_ids().front());
  return ids;
}

std::unique_ptr<Session> NewSession(const std::shared_ptr<Model>& model) {
  SessionOptions options;
  options.context = 512;
  auto session = Session::Create(model, options);
  INFO(session.status().message());
  REQUIRE(session.ok());
  return std::move(session).value();
}

// The demo model on a fake device, with a session.
struct FakeModel {
  FakeDevice device;
  ModelLoader loader{FakeBackendFactory(device)};
  std::unique_ptr<Session> session;

  FakeModel() {
    REQUIRE(Feed(loader, 0, DemoBytes().size()).ok());
    REQUIRE(loader.End().ok());
    device.bright = Ids(*loader.model(), "It is bright.");
    device.dark = Ids(*loader.model(), "It is dark.");
    session = NewSession(loader.model());
  }
};

ImageId AddGrey(Session& session, uint8_t value) {
  const std::vector<uint8_t> pixels(64 * 64 * 3, value);
  return session.AddImage(ImageView{pixels.data(), 64, 64, 3, 64 * 3}, false).value();
}

Status Ask(Session& session, std::vector<ImageId> images) {
  AskOptions ask;
  ask.messages = {{Message::Role::kUser, "How bright is it?", std::move(images)}};
  return session.Ask(ask);
}

// Runs to the end, counting what Advance says on the way.
struct Counts {
  size_t running = 0, waiting = 0, busy = 0;
};
Counts Finish(Session& session) {
  Counts counts;
  for (;;) {
    const auto state = session.Advance(kNoDeadline);
    INFO(state.status().message());
    REQUIRE(state.ok());
    switch (*state) {
      case RunState::kDone:
        return counts;
      case RunState::kRunning:
        ++counts.running;
        break;
      case RunState::kWaiting:
        ++counts.waiting;
        break;
      case RunState::kBusy:
        ++counts.busy;
        break;
    }
  }
}

TEST_CASE("A backend that is not the processor's answers a question", "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  CHECK(fake.loader.model()->backend().name() == std::string("fake"));
  CHECK(fake.device.received == fake.loader.model()->file().data_bytes);
  const ImageId white = AddGrey(session, 250), black = AddGrey(session, 5);
  REQUIRE(Ask(session, {white}).ok());
  Finish(session);
  CHECK(session.text() == "It is bright.");
  CHECK(session.finish_reason() == FinishReason::kStop);
  CHECK(fake.device.encoded_images == 1);
  CHECK(fake.device.rows.front() == session.usage().prompt_tokens);
  // The embeddings of each image reach the rows of its own place.
  REQUIRE(Ask(session, {white, black}).ok());
  Finish(session);
  CHECK(session.text() == "It is dark.");
  REQUIRE(Ask(session, {black, white}).ok());
  Finish(session);
  CHECK(session.text() == "It is bright.");
  CHECK(fake.device.encoded_images == 2);
}

TEST_CASE("A busy device is asked again, and gets only rows that it does not hold",
          "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  fake.device.busy = 3;
  REQUIRE(Ask(session, {AddGrey(session, 250)}).ok());
  const Counts counts = Finish(session);
  CHECK(session.text() == "It is bright.");
  // An image, a prompt, and a step for each token but the last, which is the stop id.
  CHECK(counts.busy == 3 * (1 + 1 + fake.device.bright.size() - 1));
  CHECK(counts.waiting == 0);
  fake.device.rows.clear();
  REQUIRE(Ask(session, {AddGrey(session, 250)}).ok());
  Finish(session);
  CHECK(session.text() == "It is bright.");
  CHECK(session.usage().encoded_images == 0);
  CHECK(fake.device.rows.front() == session.usage().prompt_tokens - session.usage().reused_tokens);
  CHECK(fake.device.rows.front() == 1);
}

TEST_CASE("A backend may wait for weights", "[engine][backend]") {
  FakeDevice device;
  ModelLoader loader(FakeBackendFactory(device));
  const size_t half = DemoBytes().size() / 2;
  REQUIRE(Feed(loader, 0, half).ok());
  REQUIRE(loader.model() != nullptr);
  device.dark = Ids(*loader.model(), "It is dark.");
  const auto session = NewSession(loader.model());
  REQUIRE(Ask(*session, {}).ok());
  for (int i = 0; i < 3; ++i) CHECK(session->Advance(kNoDeadline).value() == RunState::kWaiting);
  REQUIRE(Feed(loader, half, DemoBytes().size()).ok());
  CHECK(Finish(*session).waiting == 0);
  CHECK(session->text() == "It is dark.");
}

TEST_CASE("An error of the device ends the answer; the session can be asked again",
          "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  const ImageId image = AddGrey(session, 250);
  fake.device.busy = 1;
  for (const int advances : {0, 1, 2, 3, 5}) {
    REQUIRE(Ask(session, {image}).ok());
    for (int i = 0; i < advances; ++i) REQUIRE(session.Advance(0).ok());
    fake.device.lost = true;
    const auto state = session.Advance(0);
    CHECK(state.status().code() == ErrorCode::kInternal);
    CHECK(state.status().message() == "the device was lost");
    CHECK(session.Advance(0).status().code() == ErrorCode::kNotReady);
    CHECK(Ask(session, {image}).message() == "the device was lost");
    fake.device.lost = false;
    REQUIRE(Ask(session, {image}).ok());
    Finish(session);
    CHECK(session.text() == "It is bright.");
  }
  fake.device.lost = true;
  ModelLoader loader(FakeBackendFactory(fake.device));
  CHECK(Feed(loader, 0, DemoBytes().size()).message() == "the device was lost");
}

TEST_CASE("A trace wants a backend that begins with normalised values", "[engine][backend]") {
  FakeModel fake;
  const auto fidelity = Fidelity::Create(fake.loader.model(), fake.loader.model(), {});
  REQUIRE(fidelity.ok());
  Fidelity compare = *fidelity;
  const Status status = compare.Add(MakeRandomCase(*fake.loader.model(), 1, 0));
  CHECK(status.code() == ErrorCode::kUnsupported);
  CHECK(status.message() == "this backend encodes 8-bit pixels only");
}

#if !defined(__EMSCRIPTEN__)  // there a thread starts only when its maker returns

TEST_CASE("Cancel from another thread ends an answer that would never end", "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  fake.device.endless = true;
  REQUIRE(Ask(session, {AddGrey(session, 250)}).ok());
  std::atomic<double> cancelled_ms{0};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    cancelled_ms = NowMs();
    session.Cancel();
  });
  const auto state = session.Advance(kNoDeadline);
  const double took_ms = NowMs() - cancelled_ms;
  other.join();
  REQUIRE(state.ok());
  CHECK(*state == RunState::kDone);
  CHECK(session.finish_reason() == FinishReason::kCancelled);
  CHECK(took_ms < 500);  // a piece of 20 ms, on a machine that does other things
  CHECK(session.Advance(0).value() == RunState::kDone);
  // It does not touch the next answer.
  fake.device.endless = false;
  REQUIRE(Ask(session, {AddGrey(session, 250)}).ok());
  Finish(session);
  CHECK(session.text() == "It is bright.");
  CHECK(session.finish_reason() == FinishReason::kStop);
}

#endif

TEST_CASE("Cancel between calls ends the answer with the text so far", "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  REQUIRE(Ask(session, {AddGrey(session, 250)}).ok());
  while (session.text().empty()) REQUIRE(session.Advance(0).value() == RunState::kRunning);
  const std::string text(session.text());
  session.Cancel();
  CHECK(session.Advance(kNoDeadline).value() == RunState::kDone);
  CHECK(session.finish_reason() == FinishReason::kCancelled);
  CHECK(session.text() == text);
  CHECK(session.text().size() < std::string("It is bright.").size());
}

// The sum of products.
double Dot(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

TEST_CASE("An image is embedded by its rows, and encoded once with a question about it",
          "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  const ImageId white = AddGrey(session, 250), grey = AddGrey(session, 130);
  CHECK(session.embedding().empty());
  REQUIRE(session.Embed(white).ok());
  CHECK(session.embedding().empty());
  CHECK(session.usage().encoded_images == 1);
  CHECK(session.usage().image_tokens == session.image_tokens());
  Finish(session);
  CHECK(session.finish_reason() == FinishReason::kStop);
  CHECK(session.text().empty());
  const size_t tokens = session.image_tokens(), width = session.embedding().size();
  REQUIRE(session.embedded_rows().size() == tokens * width);
  // Row t is 250 (t + 1) in its column t (fake_backend.h).
  CHECK(session.embedded_rows()[0] == 250);
  CHECK(session.embedded_rows()[width + 1] == 500);
  CHECK(session.embedded_rows()[width] == 0);
  CHECK(session.embedding()[1] == Catch::Approx(2 * session.embedding()[0]).epsilon(1e-6));
  CHECK(Dot(session.embedding(), session.embedding()) == Catch::Approx(1).epsilon(1e-6));
  const std::vector<float> embedded(session.embedding().begin(), session.embedding().end());

  // Embedded, then asked about.
  REQUIRE(Ask(session, {white}).ok());
  CHECK(session.embedding().empty());
  Finish(session);
  CHECK(session.text() == "It is bright.");
  CHECK(session.usage().encoded_images == 0);
  // Asked about, then embedded: the session's text and usage are not those of the question.
  REQUIRE(Ask(session, {grey}).ok());
  Finish(session);
  CHECK(fake.device.encoded_images == 2);
  REQUIRE(session.Embed(grey).ok());
  CHECK(session.usage().encoded_images == 0);
  Finish(session);
  CHECK(fake.device.encoded_images == 2);
  CHECK(session.text().empty());
  CHECK(session.TakeText().empty());
  CHECK(session.embedded_rows()[0] == 130);
  REQUIRE(session.Embed(white).ok());
  session.DropImage(white);
  Finish(session);
  CHECK(std::vector<float>(session.embedding().begin(), session.embedding().end()) == embedded);
  CHECK(fake.device.encoded_images == 2);
}

TEST_CASE("An embedding leaves the rows of a conversation in the KV cache", "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  const ImageId white = AddGrey(session, 250), black = AddGrey(session, 5);
  REQUIRE(Ask(session, {white}).ok());
  Finish(session);
  const size_t prompt = session.usage().prompt_tokens;
  REQUIRE(session.Embed(black).ok());
  Finish(session);
  REQUIRE(Ask(session, {white}).ok());
  CHECK(session.usage().reused_tokens == prompt - 1);
  Finish(session);
  CHECK(session.text() == "It is bright.");
}

TEST_CASE("An embedding waits for a busy device and can be cancelled", "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  fake.device.busy = 3;
  const ImageId white = AddGrey(session, 250);
  REQUIRE(session.Embed(white).ok());
  CHECK(Finish(session).busy == 3);

  const ImageId grey = AddGrey(session, 130);
  REQUIRE(session.Embed(grey).ok());
  CHECK(session.Advance(0).value() == RunState::kBusy);
  session.Cancel();
  CHECK(session.Advance(0).value() == RunState::kDone);
  CHECK(session.finish_reason() == FinishReason::kCancelled);
  CHECK(session.embedding().empty());
  CHECK(session.embedded_rows().empty());
  // What was begun is not taken for encoded.
  REQUIRE(session.Embed(grey).ok());
  CHECK(session.usage().encoded_images == 1);
  Finish(session);
  CHECK(session.embedded_rows()[0] == 130);
}

TEST_CASE("An embedding takes the place of an unfinished answer, and the other way round",
          "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  const ImageId white = AddGrey(session, 250), black = AddGrey(session, 5);
  REQUIRE(Ask(session, {white}).ok());
  REQUIRE(session.Advance(0).ok());
  REQUIRE(session.Embed(white).ok());
  Finish(session);
  CHECK(session.embedded_rows()[0] == 250);
  fake.device.busy = 1;
  REQUIRE(session.Embed(black).ok());
  CHECK(session.Advance(0).value() == RunState::kBusy);
  REQUIRE(Ask(session, {black}).ok());
  Finish(session);
  CHECK(session.text() == "It is dark.");
  CHECK(session.embedding().empty());
}

TEST_CASE("What keeps an image from being embedded is said, and the session goes on",
          "[engine][backend]") {
  FakeModel fake;
  Session& session = *fake.session;
  const Status unknown = session.Embed(7);
  CHECK(unknown.code() == ErrorCode::kInvalidArgument);
  CHECK(unknown.message() == "7 is not an image of this session");
  CHECK(session.Advance(0).status().code() == ErrorCode::kNotReady);

  // The rows of a black image are zeros here, and have no direction.
  const ImageId black = AddGrey(session, 0);
  REQUIRE(session.Embed(black).ok());
  CHECK(session.Advance(kNoDeadline).status().code() == ErrorCode::kInternal);
  CHECK(session.embedding().empty());
  CHECK(session.Advance(0).status().code() == ErrorCode::kNotReady);
  CHECK(session.Embed(black).code() == ErrorCode::kInternal);  // nothing to encode any more
  CHECK(session.Advance(0).status().code() == ErrorCode::kNotReady);

  const ImageId white = AddGrey(session, 250);
  fake.device.keeps_rows = true;
  REQUIRE(session.Embed(white).ok());
  const Status kept = session.Advance(kNoDeadline).status();
  CHECK(kept.code() == ErrorCode::kUnsupported);
  CHECK(kept.message() == "this backend does not hand out the rows of an image");
  fake.device.keeps_rows = false;
  REQUIRE(Ask(session, {white}).ok());
  Finish(session);
  CHECK(session.text() == "It is bright.");

  REQUIRE(session.Embed(AddGrey(session, 130)).ok());
  fake.device.lost = true;
  CHECK(session.Advance(kNoDeadline).status().message() == "the device was lost");
  CHECK(session.embedding().empty());
}

}  // namespace
}  // namespace tinyvlm
