// The recorded answers of the demo model (tools/record-answers.mjs), token by token, with one
// thread and with more than the machine has processors.
#include <string>
#include <vector>

#include "api/objects.h"

namespace tinyvlm {
namespace {

// The request of a recorded case, whose image, if any, has the number `image`.
std::string RequestOf(const Json& recorded, uint32_t image) {
  std::string question, options;
  AppendJsonString(*recorded.Find("question")->string(), &question);
  AppendJson(*recorded.Find("options"), /*sort_keys=*/false, &options);
  return R"({"messages":[{"role":"user","content":)" + question + R"(,"images":[)" +
         (image == 0 ? "" : std::to_string(image)) + R"(]}],"logprobs":0,)" + options.substr(1);
}

std::vector<std::string> TokensOf(const Json& tokens, std::string_view bytes_key) {
  std::vector<std::string> all;
  for (const Json& token : *tokens.array()) {
    std::string& text = all.emplace_back();
    for (const Json& byte : *(bytes_key.empty() ? token : *token.Find(bytes_key)).array())
      text.push_back(static_cast<char>(*byte.int64()));
  }
  return all;
}

TEST_CASE("The recorded answers, whatever the number of threads", "[api][continuity]") {
  const auto text = ReadTextFile(
      std::string(TINYVLM_SOURCE_DIR) + "/tests-native/goldens/answers/demo-model.json", 1 << 20);
  REQUIRE(text.ok());
  const auto recorded = ParseJson(*text);
  REQUIRE(recorded.ok());
  const Json::Array& cases = *recorded->Find("cases")->array();
  REQUIRE(cases.size() >= 36);
#if defined(__EMSCRIPTEN__)
  const std::vector<std::pair<int, size_t>> runs{{1, 7}};  // slow where there is no SIMD
#else
  const std::vector<std::pair<int, size_t>> runs{{1, 1}, {2, 5}, {3, 7}, {16, 11}, {64, 18}};
#endif
  for (const auto& [threads, every] : runs) {
    const ModelObject model = LoadDemo(Format("{\"threads\":%d}", threads).c_str());
    const SessionObject session = CreateSession(model, R"({"context":512})");
    for (size_t i = 0; i < cases.size(); i += every) {
      const Json& c = cases[i];
      INFO("case " << i << ", " << threads << " threads: " << *c.Find("question")->string());
      uint32_t image = 0;
      if (const std::string* const name = c.Find("image")->string()) {
        const std::string bytes = ReadSample(*name);
        REQUIRE(tvlm_session_add_image(session.get(), bytes.data(), bytes.size(), TVLM_IMAGE_EXACT,
                                       &image) == TVLM_OK);
      }
      REQUIRE(tvlm_session_ask(session.get(), RequestOf(c, image).c_str()) == TVLM_OK);
      CHECK(Finish(session.get()) == *c.Find("text")->string());
      const Json report = ReportOf(session);
      CHECK(TokensOf(*report.Find("logprobs"), "bytes") == TokensOf(*c.Find("tokens"), ""));
      tvlm_session_drop_image(session.get(), image);
    }
  }
}

}  // namespace
}  // namespace tinyvlm
