// Log probabilities of a whole model's answers.
#include <cmath>
#include <string>

#include "api/objects.h"

namespace tinyvlm {
namespace {

Json Ask(const SessionObject& session, const std::string& image, const std::string& more) {
  const std::string request = Question("Describe the image.", image, more);
  const tvlm_code code = tvlm_session_ask(session.get(), request.c_str());
  INFO(tvlm_session_error(session.get()));
  REQUIRE(code == TVLM_OK);
  Finish(session.get());
  return ReportOf(session);
}

std::string Bytes(const Json& token) {
  std::string bytes;
  for (const Json& byte : *token.Find("bytes")->array()) bytes += static_cast<char>(*byte.int64());
  return bytes;
}

TEST_CASE("An answer tells its tokens' log probabilities where it is asked to", "[api][logprobs]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model, R"({"context":256})");
  const std::string image = std::to_string(AddSample(session, "sample-3.png"));
  const Json plain = Ask(session, image, "");
  CHECK(plain.Find("logprobs") == nullptr);
  const Json report = Ask(session, image, ",\"logprobs\":5");
  CHECK(*report.Find("text")->string() == *plain.Find("text")->string());
  const Json::Array& tokens = *report.Find("logprobs")->array();
  // All but the stop token.
  CHECK(static_cast<int64_t>(tokens.size()) + 1 ==
        *report.Find("usage")->Find("completionTokens")->int64());
  std::string text;
  for (const Json& token : tokens) {
    text += Bytes(token);
    const Json::Array& top = *token.Find("top")->array();
    REQUIRE(top.size() == 5);
    // Greedy: the most probable one was chosen.
    CHECK(*top[0].Find("text")->string() == *token.Find("text")->string());
    CHECK(*top[0].Find("logprob")->number() == *token.Find("logprob")->number());
    double total = 0;
    for (size_t i = 0; i < top.size(); ++i) {
      total += std::exp(*top[i].Find("logprob")->number());
      if (i > 0) CHECK(*top[i].Find("logprob")->number() <= *top[i - 1].Find("logprob")->number());
    }
    CHECK(total > 0);
    CHECK(total < 1.0001);
  }
  CHECK(text.ends_with(*report.Find("text")->string()));

  // The sampler and a format do not change the distribution.
  const auto first_top = [](const Json& of) {
    std::string json;
    AppendJson(*(*of.Find("logprobs")->array())[0].Find("top"), /*sort_keys=*/false, &json);
    return json;
  };
  const std::string hot =
      ",\"logprobs\":5,\"temperature\":3,\"seed\":4,\"repetitionPenalty\":2,\"topK\":7";
  CHECK(first_top(Ask(session, image, hot)) == first_top(report));
  const Json chosen =
      Ask(session, image, ",\"logprobs\":5,\"responseFormat\":{\"choices\":[\"~~~\"]}");
  CHECK(first_top(chosen) == first_top(report));
  CHECK(*chosen.Find("text")->string() == "~~~");
  CHECK(*(*chosen.Find("logprobs")->array())[0].Find("logprob")->number() < -1);
  const Json alone = Ask(session, image, ",\"logprobs\":0,\"maxTokens\":1");
  CHECK((*alone.Find("logprobs")->array())[0].Find("top")->array()->empty());

  for (const char* const bad : {"21", "-1", "1.5", "true", "null"}) {
    INFO(bad);
    const std::string request = Question("Why?", "", std::string(",\"logprobs\":") + bad);
    CHECK(tvlm_session_ask(session.get(), request.c_str()) == TVLM_INVALID_ARGUMENT);
  }
}

}  // namespace
}  // namespace tinyvlm
