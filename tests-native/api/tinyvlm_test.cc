// The C interface: what it checks before the engine sees it, and one question from start to end.
#include "api/tinyvlm.h"

#include <cstring>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "demo_model.h"

namespace {

using tinyvlm::ErrorCode;

int32_t Code(ErrorCode code) { return static_cast<int32_t>(code); }

uint32_t LoadDemo() {
  const auto bytes = tinyvlm::ReadTextFile(DemoModelPath(), 64 << 20);
  REQUIRE(bytes.ok());
  const tvlm_result created = tvlm_model_create("{}");
  REQUIRE(created.code == 0);
  const auto model = static_cast<uint32_t>(created.value);
  const tvlm_result place = tvlm_model_reserve(model, bytes->size());
  REQUIRE(place.code == 0);
  std::memcpy(reinterpret_cast<void*>(static_cast<uintptr_t>(place.value)), bytes->data(),
              bytes->size());
  const tvlm_result committed = tvlm_model_commit(model, bytes->size());
  INFO(committed.message);
  REQUIRE(committed.code == 0);
  CHECK(committed.value == 2);
  REQUIRE(tvlm_model_end(model).code == 0);
  return model;
}

TEST_CASE("The self-test passes", "[api]") {
  const tvlm_result result = tvlm_self_test();
  INFO(result.message);
  CHECK(result.code == 0);
}

TEST_CASE("A question goes from an image's bytes to words and a report", "[api]") {
  const uint32_t model = LoadDemo();
  const auto info = tinyvlm::ParseJson(tvlm_model_info(model).text);
  REQUIRE(info.ok());
  CHECK(*info->Find("imageSize")->int64() == 256);
  CHECK(*info->Find("hasTokenizer")->boolean());
  const tvlm_result created = tvlm_session_create(model, R"({"context":256})");
  INFO(created.message);
  REQUIRE(created.code == 0);
  const auto session = static_cast<uint32_t>(created.value);

  const auto image = tinyvlm::ReadTextFile(SamplePath("sample-1.png"), 1 << 20);
  REQUIRE(image.ok());
  const tvlm_result place = tvlm_image_reserve(session, image->size());
  REQUIRE(place.code == 0);
  std::memcpy(reinterpret_cast<void*>(static_cast<uintptr_t>(place.value)), image->data(),
              image->size());
  const std::string options =
      "{\"bytes\":" + std::to_string(image->size()) + ",\"format\":\"encoded\"}";
  const tvlm_result added = tvlm_image_add(session, options.c_str());
  INFO(added.message);
  REQUIRE(added.code == 0);
  REQUIRE(tvlm_session_ask(session, R"({"prompt":"Describe the image.","maxTokens":32})").code ==
          0);
  std::string text;
  for (;;) {
    const tvlm_result advanced = tvlm_session_advance(session, 10);
    REQUIRE(advanced.code == 0);
    text += advanced.text;
    if (advanced.value == 1) break;
  }
  CHECK(text == "A sunflower.");
  const auto report = tinyvlm::ParseJson(tvlm_session_result(session).text);
  REQUIRE(report.ok());
  CHECK(*report->Find("text")->string() == text);
  CHECK(*report->Find("finishReason")->string() == "stop");
  CHECK(*report->Find("usage")->Find("encodedImages")->int64() == 1);

  // A model may be disposed of before its sessions.
  CHECK(tvlm_model_dispose(model).code == 0);
  CHECK(tvlm_session_ask(session, R"({"prompt":"Hello","maxTokens":1})").code == 0);
  CHECK(tvlm_session_dispose(session).code == 0);
  CHECK(tvlm_session_dispose(session).code == Code(ErrorCode::kInvalidArgument));
}

uint32_t AddSample(uint32_t session, const std::string& name) {
  const auto image = tinyvlm::ReadTextFile(SamplePath(name), 1 << 20);
  REQUIRE(image.ok());
  const tvlm_result place = tvlm_image_reserve(session, image->size());
  REQUIRE(place.code == 0);
  std::memcpy(reinterpret_cast<void*>(static_cast<uintptr_t>(place.value)), image->data(),
              image->size());
  const tvlm_result added = tvlm_image_add(session, "{}");
  INFO(added.message);
  REQUIRE(added.code == 0);
  return static_cast<uint32_t>(added.value);
}

double Finish(uint32_t session, const char* counter) {
  for (;;) {
    const tvlm_result advanced = tvlm_session_advance(session, 10);
    REQUIRE(advanced.code == 0);
    if (advanced.value == 1) break;
  }
  const auto report = tinyvlm::ParseJson(tvlm_session_result(session).text);
  REQUIRE(report.ok());
  return *report->Find("usage")->Find(counter)->number();
}

TEST_CASE("A conversation names its images, which stay until they are dropped", "[api]") {
  const uint32_t model = LoadDemo();
  const tvlm_result created = tvlm_session_create(model, R"({"imageSize":128,"resize":"crop"})");
  INFO(created.message);
  REQUIRE(created.code == 0);
  const auto report = tinyvlm::ParseJson(created.text);
  REQUIRE(report.ok());
  CHECK(*report->Find("imageSize")->int64() == 128);
  CHECK(*report->Find("imageTokens")->int64() == 4);
  const auto session = static_cast<uint32_t>(created.value);
  const std::string image = std::to_string(AddSample(session, "sample-1.png"));
  const std::string first =
      R"({"role":"system","content":""},{"role":"user","content":"Describe the image.","images":[)" +
      image + "]}";
  REQUIRE(tvlm_session_ask(session, ("{\"messages\":[" + first + "]}").c_str()).code == 0);
  CHECK(Finish(session, "encodedImages") == 1);
  const std::string second =
      "{\"messages\":[" + first +
      R"(,{"role":"assistant","content":"A sunflower."},{"role":"user","content":"Are you sure?"}]})";
  REQUIRE(tvlm_session_ask(session, second.c_str()).code == 0);
  CHECK(Finish(session, "imageTokens") == 4);
  CHECK(tvlm_image_drop(session, 1).code == 0);
  CHECK(tvlm_session_ask(session, second.c_str()).code == Code(ErrorCode::kInvalidArgument));

  const std::pair<const char*, const char*> wrong[] = {
      {R"({"messages":[],"prompt":"a"})", "both"},
      {R"({"messages":{}})", "an array wanted"},
      {R"({"messages":[1]})", "messages[0]: an object wanted"},
      {R"({"messages":[{"role":"user"}]})", "content"},
      {R"({"messages":[{"role":"tool","content":""}]})", "\"tool\" found"},
      {R"({"messages":[{"role":"user","content":"","photos":[]}]})", "\"photos\" is not known"},
      {R"({"messages":[{"role":"user","content":"","images":["a"]}]})", "an image's number wanted"},
      {R"({"messages":[{"role":"user","content":"","images":[9]}]})", "9 is not an image"},
  };
  for (const auto& [request, words] : wrong) {
    const tvlm_result refused = tvlm_session_ask(session, request);
    CHECK(refused.code == Code(ErrorCode::kInvalidArgument));
    CHECK_THAT(std::string(refused.message), Catch::Matchers::ContainsSubstring(words));
  }
  CHECK(tvlm_session_create(model, R"({"resize":"stretch"})").code ==
        Code(ErrorCode::kInvalidArgument));
  CHECK(tvlm_session_create(model, R"({"imageSize":100})").code ==
        Code(ErrorCode::kInvalidArgument));
  tvlm_session_dispose(session);
  tvlm_model_dispose(model);
}

TEST_CASE("Wrong handles and options are refused by name", "[api]") {
  CHECK(tvlm_model_info(0).code == Code(ErrorCode::kInvalidArgument));
  CHECK(tvlm_session_advance(99, 10).code == Code(ErrorCode::kInvalidArgument));
  CHECK(tvlm_model_create(nullptr).code == Code(ErrorCode::kInvalidArgument));
  CHECK(tvlm_model_create("{\"threads\":0}").code == Code(ErrorCode::kInvalidArgument));
  CHECK(tvlm_model_create("{\"thread\":1}").code == Code(ErrorCode::kInvalidArgument));
  CHECK_THAT(std::string(tvlm_model_create("{\"thread\":1}").message),
             Catch::Matchers::ContainsSubstring("thread"));
  const auto empty = static_cast<uint32_t>(tvlm_model_create("{}").value);
  CHECK(tvlm_session_create(empty, "{}").code == Code(ErrorCode::kNotReady));
  CHECK(tvlm_model_end(empty).code == Code(ErrorCode::kInvalidFile));
  CHECK(tvlm_model_dispose(empty).code == 0);

  const uint32_t model = LoadDemo();
  CHECK(tvlm_session_create(model, "{\"context\":1e9}").code == Code(ErrorCode::kInvalidArgument));
  CHECK(tvlm_session_create(model, "{\"compute\":\"f16\"}").code ==
        Code(ErrorCode::kInvalidArgument));
  const auto session = static_cast<uint32_t>(tvlm_session_create(model, "{}").value);
  CHECK(tvlm_session_advance(session, 10).code == Code(ErrorCode::kNotReady));
  CHECK(tvlm_session_ask(session, "{}").code == Code(ErrorCode::kInvalidArgument));
  CHECK(tvlm_session_ask(session, R"({"prompt":"a","temperature":-1})").code ==
        Code(ErrorCode::kInvalidArgument));
  CHECK(tvlm_session_ask(session, R"({"prompt":"a","stop":"b"})").code ==
        Code(ErrorCode::kInvalidArgument));
  const tvlm_result place = tvlm_image_reserve(session, 16);
  std::memset(reinterpret_cast<void*>(static_cast<uintptr_t>(place.value)), 0, 16);
  CHECK(tvlm_image_add(session, "{}").code == Code(ErrorCode::kInvalidImage));
  CHECK(tvlm_image_add(session, R"({"format":"rgba","width":2,"height":2})").code ==
        Code(ErrorCode::kInvalidImage));
  tvlm_session_dispose(session);
  tvlm_model_dispose(model);
}

}  // namespace
