// Answers that must have a form, of a whole model.
#include <algorithm>
#include <string>

#include "api/objects.h"
#include "base/json.h"
#include "constrain/json_validator.h"
#include "constrain/schemas.h"

namespace tinyvlm {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Answered {
  std::string text, finish_reason;
  int64_t tokens = 0;
};

Answered Ask(const SessionObject& session, const std::string& image, const std::string& more) {
  const tvlm_code code =
      tvlm_session_ask(session.get(), Question("What is there?", image, more).c_str());
  INFO(more << ": " << tvlm_session_error(session.get()));
  REQUIRE(code == TVLM_OK);
  const std::string text = Finish(session.get());
  const auto report = ParseJson(tvlm_session_report(session.get(), nullptr));
  REQUIRE(report.ok());
  CHECK(*report->Find("text")->string() == text);
  return {text, *report->Find("finishReason")->string(),
          *report->Find("usage")->Find("completionTokens")->int64()};
}

std::string WithFormat(const std::string& response_format, const std::string& more) {
  return ",\"responseFormat\":" + response_format + more;
}

std::string Refusal(const SessionObject& session, const std::string& more) {
  CHECK(tvlm_session_ask(session.get(), Question("Why?", "", more).c_str()) ==
        TVLM_INVALID_ARGUMENT);
  return tvlm_session_error(session.get());
}

TEST_CASE("Answers of a whole model parse and validate, at any temperature", "[api][constrain]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model, R"({"context":256})");
  const std::string image = std::to_string(AddSample(session, "sample-2.png"));
#if defined(__EMSCRIPTEN__)
  constexpr int kRounds = 2;  // as long as the others together
#else
  constexpr int kRounds = 16;
#endif
  size_t answers = 0, stopped = 0;
  for (const char* const schema : kSchemas) {
    const Json parsed = *ParseJson(schema);
    const JsonValidator validator(parsed);
    for (int round = 0; round < kRounds; ++round, ++answers) {
      const Answered answer =
          Ask(session, image,
              WithFormat("{\"schema\":" + std::string(schema) + "}",
                         Format(",\"maxTokens\":24,\"temperature\":%s,\"seed\":%d",
                                round == 0 ? "0" : "1.5", round)));
      INFO(schema << ": " << answer.text);
      if (answer.finish_reason == "length") continue;
      REQUIRE(answer.finish_reason == "stop");
      ++stopped;
      const auto value = ParseJson(answer.text);
      REQUIRE(value.ok());
      REQUIRE(validator.Validates(*value));
    }
  }
  CHECK(stopped * 2 > answers);
}

TEST_CASE("An answer is one of the choices as it stands, or matches the pattern",
          "[api][constrain]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model, R"({"context":256})");
  for (int seed = 0; seed < 20; ++seed) {
    const std::string more = Format(",\"temperature\":2,\"seed\":%d", seed);
    const Answered choice =
        Ask(session, "", WithFormat(R"({"choices":["one","two"," three ","日本語"]})", more));
    CHECK(choice.finish_reason == "stop");
    const std::string& text = choice.text;
    CHECK((text == "one" || text == "two" || text == " three " || text == "日本語"));
    const Answered matching =
        Ask(session, "", WithFormat(R"x({"pattern":"\\d{2}:[0-5]\\d (am|pm)"})x", more));
    CHECK(matching.finish_reason == "stop");
    CHECK_THAT(matching.text, Catch::Matchers::Matches("[0-9]{2}:[0-5][0-9] (am|pm)"));
  }
}

TEST_CASE("An answer ends where nothing may follow, and is cut where the tokens end",
          "[api][constrain]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model, R"({"context":256})");
  const Answered whole = Ask(session, "", WithFormat(R"({"choices":["abcdefghij"]})", ""));
  CHECK(whole.text == "abcdefghij");
  CHECK(whole.finish_reason == "stop");
  // The last token completes the text: it was not cut.
  const Answered just = Ask(session, "",
                            WithFormat(R"({"choices":["abcdefghij"]})",
                                       ",\"maxTokens\":" + std::to_string(whole.tokens)));
  CHECK(just.text == "abcdefghij");
  CHECK(just.finish_reason == "stop");
  const Answered cut = Ask(session, "",
                           WithFormat(R"({"choices":["abcdefghij"]})",
                                      ",\"maxTokens\":" + std::to_string(whole.tokens - 1)));
  CHECK(cut.finish_reason == "length");
  CHECK(std::string("abcdefghij").starts_with(cut.text));
  CHECK(cut.tokens == whole.tokens - 1);
}

TEST_CASE("A format restricts one answer, and the next one is free again", "[api][constrain]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model, R"({"context":256})");
  const std::string image = std::to_string(AddSample(session, "sample-1.png"));
  const Answered before = Ask(session, image, "");
  const std::string number = WithFormat(R"({"schema":{"type":"integer","minimum":1}})", "");
  const Answered first = Ask(session, image, number), again = Ask(session, image, number);
  CHECK(first.text == again.text);
  CHECK(first.tokens == again.tokens);
  const Answered after = Ask(session, image, "");
  CHECK(before.text == after.text);
  CHECK(before.tokens == after.tokens);
  // A format that allows every text of words changes nothing.
  const Answered words = Ask(session, image, WithFormat(R"({"pattern":"[ -~]*"})", ""));
  CHECK(words.text == before.text);
}

TEST_CASE("Formats of several sessions share the model's vocabulary", "[api][constrain]") {
  ModelObject model = LoadDemo();
  const SessionObject first = CreateSession(model, R"({"context":128})"),
                      second = CreateSession(model, R"({"context":128})");
  model = nullptr;
  CHECK(Ask(first, "", WithFormat(R"({"choices":["x"]})", "")).text == "x");
  CHECK(Ask(second, "", WithFormat(R"({"choices":["y"]})", "")).text == "y");
  CHECK(Ask(first, "", WithFormat(R"({"choices":["x"]})", "")).text == "x");
}

TEST_CASE("Formats that cannot be are refused before anything is computed", "[api][constrain]") {
  const ModelObject model = LoadDemo();
  const SessionObject session = CreateSession(model, R"({"context":128})");
  CHECK_THAT(Refusal(session, ",\"responseFormat\":null"), ContainsSubstring("responseFormat"));
  CHECK_THAT(Refusal(session, ",\"responseFormat\":\"json\""), ContainsSubstring("one key"));
  CHECK_THAT(Refusal(session, WithFormat(R"({"schema":{"not":{}}})", "")),
             ContainsSubstring("#/not"));
  CHECK_THAT(Refusal(session, WithFormat(R"({"pattern":"a"})", ",\"stop\":[\"b\"]")),
             ContainsSubstring("stop"));
  CHECK_THAT(Refusal(session, WithFormat(R"({"pattern":"a"})", ",\"noRepeatNgram\":2")),
             ContainsSubstring("noRepeatNgram"));
  CHECK(tvlm_session_advance(session.get(), 1, nullptr) == TVLM_NOT_READY);
}

}  // namespace
}  // namespace tinyvlm
