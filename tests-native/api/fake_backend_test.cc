// The C interface on a backend that is not the processor's (engine/fake_backend.h).
#include "engine/fake_backend.h"

#include <cstring>
#include <string>
#include <vector>

#include "api/internal.h"
#include "api/objects.h"
#include "catch_amalgamated.hpp"
#include "engine/model_loader.h"

namespace tinyvlm {
namespace {

std::vector<int32_t> Ids(const Model& model, const std::string& text) {
  std::vector<int32_t> ids = model.tokenizer()->Encode(text, false).value();
  ids.push_back(model.stop_ids().front());
  return ids;
}

// The demo model on a fake device, as an object of the C interface with a session.
struct FakeModel {
  FakeDevice device;
  ModelObject model;
  SessionObject session;

  FakeModel() {
    const std::string bytes = ReadTextFile(DemoModelPath(), 64 << 20).value();
    ModelLoader loader{FakeBackendFactory(device)};
    uint8_t* const place = loader.Reserve(bytes.size()).value();
    std::memcpy(place, bytes.data(), bytes.size());
    REQUIRE(loader.Commit(bytes.size()).ok());
    REQUIRE(loader.End().ok());
    device.bright = Ids(*loader.model(), "It is bright.");
    device.dark = Ids(*loader.model(), "It is dark.");
    model.reset(WrapModel(loader.model()));
    session = CreateSession(model, R"({"context":512})");
  }

  std::string AddGrey(uint8_t value) {
    const std::vector<uint8_t> pixels(64 * 64 * 3, value);
    uint32_t image = 0;
    REQUIRE(tvlm_session_add_pixels(session.get(), pixels.data(), pixels.size(), TVLM_PIXELS_RGB,
                                    64, 64, 0, 0, &image) == TVLM_OK);
    return std::to_string(image);
  }
};

TEST_CASE("Through the C interface, too, a fake backend answers a question", "[api][backend]") {
  FakeModel fake;
  const Json info = ParseJson(tvlm_model_info(fake.model.get(), nullptr)).value();
  CHECK(*info.Find("backend")->string() == "fake");
  CHECK(tvlm_model_state(fake.model.get()) == TVLM_LOAD_COMPLETE);
  const std::string white = fake.AddGrey(250), black = fake.AddGrey(5);
  REQUIRE(tvlm_session_ask(fake.session.get(), Question("How bright is it?", white).c_str()) ==
          TVLM_OK);
  CHECK(Finish(fake.session.get()) == "It is bright.");
  REQUIRE(tvlm_session_ask(fake.session.get(), Question("How bright is it?", black).c_str()) ==
          TVLM_OK);
  CHECK(Finish(fake.session.get()) == "It is dark.");
  CHECK(fake.device.encoded_images == 2);
}

TEST_CASE("A busy device is a state, which advance tells and run waits out", "[api][backend]") {
  FakeModel fake;
  fake.device.busy = 3;
  const std::string question = Question("How bright is it?", fake.AddGrey(250));
  REQUIRE(tvlm_session_ask(fake.session.get(), question.c_str()) == TVLM_OK);
  size_t busy = 0;
  for (tvlm_run_state state = TVLM_RUNNING; state != TVLM_DONE;) {
    REQUIRE(tvlm_session_advance(fake.session.get(), 1000, &state) == TVLM_OK);
    busy += state == TVLM_BUSY;
  }
  CHECK(busy >= 3 * (1 + fake.device.bright.size()));  // the image, the prompt and each step
  const Json report = ParseJson(tvlm_session_report(fake.session.get(), nullptr)).value();
  CHECK(*report.Find("text")->string() == "It is bright.");

  REQUIRE(tvlm_session_ask(fake.session.get(), question.c_str()) == TVLM_OK);
  std::string text;
  const auto append = [](const char* piece, size_t length, void* data) {
    static_cast<std::string*>(data)->append(piece, length);
    return 0;
  };
  REQUIRE(tvlm_session_run(fake.session.get(), append, &text) == TVLM_OK);
  CHECK(text == "It is bright.");
}

TEST_CASE("A device that is lost is an error of the session", "[api][backend]") {
  FakeModel fake;
  REQUIRE(tvlm_session_ask(fake.session.get(), Question("How bright is it?").c_str()) == TVLM_OK);
  fake.device.lost = true;
  tvlm_run_state state = TVLM_RUNNING;
  CHECK(tvlm_session_advance(fake.session.get(), 10, &state) == TVLM_INTERNAL);
  CHECK(std::string(tvlm_session_error(fake.session.get())) == "the device was lost");
  CHECK(tvlm_session_advance(fake.session.get(), 10, &state) == TVLM_NOT_READY);
}

}  // namespace
}  // namespace tinyvlm
