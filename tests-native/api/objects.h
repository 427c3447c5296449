// What tests of the C interface do again and again.
#ifndef TINYVLM_TESTS_API_OBJECTS_H_
#define TINYVLM_TESTS_API_OBJECTS_H_

#include <cstdint>
#include <string>

#include "api/owned_objects.h"
#include "api/tinyvlm.h"
#include "base/file.h"
#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "demo_model.h"

namespace tinyvlm {

inline ModelObject CreateModel(const char* options = "{}") {
  tvlm_error* error = nullptr;
  ModelObject model(tvlm_model_create(options, &error));
  INFO(tvlm_error_message(error));
  REQUIRE(model != nullptr);
  REQUIRE(error == nullptr);
  return model;
}

inline ModelObject LoadDemo(const char* options = "{}") {
  ModelObject model = CreateModel(options);
  const tvlm_code code =
      tvlm_model_load_path(model.get(), DemoModelPath().c_str(), nullptr, nullptr);
  INFO(tvlm_model_error(model.get()));
  REQUIRE(code == TVLM_OK);
  return model;
}

inline SessionObject CreateSession(const ModelObject& model, const char* options = "{}") {
  tvlm_error* error = nullptr;
  SessionObject session(tvlm_session_create(model.get(), options, &error));
  INFO(tvlm_error_message(error));
  REQUIRE(session != nullptr);
  REQUIRE(error == nullptr);
  return session;
}

inline std::string ReadSample(const std::string& name) {
  Result<std::string> bytes = ReadTextFile(SamplePath(name), 1 << 20);
  REQUIRE(bytes.ok());
  return std::move(bytes).value();
}

inline uint32_t AddSample(const SessionObject& session, const std::string& name) {
  const std::string bytes = ReadSample(name);
  uint32_t image = 0;
  const tvlm_code code =
      tvlm_session_add_image(session.get(), bytes.data(), bytes.size(), 0, &image);
  INFO(tvlm_session_error(session.get()));
  REQUIRE(code == TVLM_OK);
  return image;
}

// A request of one question about the images named, with further members of the JSON object.
inline std::string Question(const std::string& text, const std::string& images = "",
                            const std::string& more = "") {
  return "{\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\",\"images\":[" + images +
         "]}]" + more + "}";
}

// Advances until the answer is complete; its text, put together from what was taken on the way.
// Makes no assertion, so that it can run on any thread: an error is what it returns.
inline std::string Finish(tvlm_session* session, double budget_ms = 10) {
  std::string text;
  for (tvlm_run_state state = TVLM_RUNNING; state != TVLM_DONE;) {
    if (tvlm_session_advance(session, budget_ms, &state) != TVLM_OK)
      return std::string("error: ") + tvlm_session_error(session);
    size_t length = 0;
    const char* const piece = tvlm_session_take_text(session, &length);
    text.append(piece, length);
  }
  return text;
}

inline Json ReportOf(const SessionObject& session) {
  size_t length = 0;
  const char* const text = tvlm_session_report(session.get(), &length);
  Result<Json> report = ParseJson(std::string_view(text, length));
  REQUIRE(report.ok());
  return std::move(report).value();
}

inline Json InfoOf(const ModelObject& model) {
  Result<Json> info = ParseJson(tvlm_model_info(model.get(), nullptr));
  REQUIRE(info.ok());
  return std::move(info).value();
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_API_OBJECTS_H_
