// What becomes of the options in JSON: fields, defaults, and errors that name the key.
#include "api/request.h"

#include <string>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

AskOptions Parse(const std::string& options) {
  Result<AskOptions> request = ParseRequest(("{\"messages\":[]" + options + "}").c_str());
  INFO(request.status().message());
  REQUIRE(request.ok());
  return std::move(*request);
}

TEST_CASE("Options that are given become fields, the others have their defaults", "[api]") {
  const AskOptions defaults = Parse("");
  CHECK(defaults.max_tokens == 256);
  CHECK(defaults.stop.empty());
  CHECK(defaults.sampling.temperature == 0);
  CHECK(defaults.sampling.top_k == 0);
  CHECK(defaults.sampling.top_p == 1);
  CHECK(defaults.sampling.min_p == 0);
  CHECK(defaults.sampling.repetition_penalty == 1);
  CHECK(defaults.sampling.frequency_penalty == 0);
  CHECK(defaults.sampling.presence_penalty == 0);
  CHECK(defaults.sampling.no_repeat_ngram == 0);
  CHECK(defaults.sampling.seed == 0);

  const AskOptions given =
      Parse(R"(,"maxTokens":1,"stop":["a","b"],"temperature":0.5,"topK":3,)"
            R"("topP":0.25,"minP":1,"repetitionPenalty":0.001,"frequencyPenalty":-2,)"
            R"("presencePenalty":2,"noRepeatNgram":3,)"
            R"("seed":18446744073709551615)");
  CHECK(given.max_tokens == 1);
  CHECK(given.stop == std::vector<std::string>{"a", "b"});
  CHECK(given.sampling.temperature == 0.5f);
  CHECK(given.sampling.top_k == 3);
  CHECK(given.sampling.top_p == 0.25f);
  CHECK(given.sampling.min_p == 1);
  CHECK(given.sampling.repetition_penalty == 0.001f);
  CHECK(given.sampling.frequency_penalty == -2);
  CHECK(given.sampling.presence_penalty == 2);
  CHECK(given.sampling.no_repeat_ngram == 3);
  CHECK(given.sampling.seed == UINT64_MAX);

  const Result<SessionOptions> cut = ParseSessionOptions("{}", 100);
  REQUIRE(cut.ok());
  CHECK(cut->context == 100);
  CHECK(cut->image_size == 0);
  CHECK(!cut->resize.has_value());
  CHECK(!cut->chat_style.has_value());
  CHECK(cut->compute == Compute::kFast);
  const Result<SessionOptions> session = ParseSessionOptions(
      R"({"context":3000,"imageSize":128,"resize":"crop","chatStyle":"v1","compute":"f32"})", 100);
  REQUIRE(session.ok());
  CHECK(session->context == 3000);  // too large for the model: Session::Create says so
  CHECK(session->image_size == 128);
  CHECK(session->resize == ResizeMode::kCrop);
  CHECK(session->chat_style == ChatStyle::kV1);
  CHECK(session->compute == Compute::kF32);
  REQUIRE(ParseModelOptions("{}").ok());
  CHECK(ParseModelOptions("{}")->threads == 1);
  CHECK(ParseModelOptions(R"({"threads":64})")->threads == 64);
}

// A visitor of options that parses every word that a choice offers.
struct ChoiceParser {
  template <typename T, typename Field>
  Status operator()(const ChoiceOption<T>& option, const Field&) {
    const std::string wanted = option.wanted;
    for (size_t start = wanted.find('"'); start != std::string::npos;) {
      const size_t end = wanted.find('"', start + 1);
      const std::string word = wanted.substr(start + 1, end - start - 1);
      INFO(option.key << ": " << word);
      CHECK(option.parse(word).ok());
      ++words;
      start = wanted.find('"', end + 1);
    }
    return Status();
  }
  Status operator()(const IntegerOption&, const size_t&) { return Status(); }

  int words = 0;
};

TEST_CASE("The engine knows every choice of the table", "[api]") {
  SessionOptions options;
  ChoiceParser parser;
  CHECK(VisitOptions(options, parser).ok());
  CHECK(parser.words >= 7);
}

TEST_CASE("Wrong options are refused by the key that was written", "[api]") {
  const std::pair<const char*, const char*> wrong[] = {
      {R"("top_p":1)", "options: \"top_p\" is not known; did you mean \"topP\"?"},
      {R"("max_tokens":1)", "options: \"max_tokens\" is not known; did you mean \"maxTokens\"?"},
      {R"("colour":1)", "options: \"colour\" is not known"},
      {R"("topP":3)", "topP: a number from 0 to 1 wanted, 3 found"},
      {R"("minP":-0.5)", "minP: a number from 0 to 1 wanted, -0.5 found"},
      {R"("topP":"1")", "topP: a number wanted, a string found"},
      {R"("temperature":-1)", "temperature: a number of 0 or more wanted, -1 found"},
      {R"("temperature":1e300)", "temperature: a number of 0 or more wanted, inf found"},
      {R"("temperature":-1e300)", "temperature: a number of 0 or more wanted, -inf found"},
      {R"("repetitionPenalty":0)",
       "repetitionPenalty: a number from 0.001 to 1000 wanted, 0 found"},
      {R"("maxTokens":0)", "maxTokens: a whole number from 1 to 2147483647 wanted, 0 found"},
      {R"("maxTokens":2.5)", "maxTokens: a whole number from 1 to 2147483647 wanted, 2.5 found"},
      {R"("maxTokens":2147483648)",
       "maxTokens: a whole number from 1 to 2147483647 wanted, 2147483648 found"},
      {R"("topK":-1)", "topK: a whole number from 0 to 2147483647 wanted, -1 found"},
      {R"("topK":null)", "topK: a whole number wanted, null found"},
      {R"("stop":"a")", "stop: an array of strings wanted, a string found"},
      {R"("stop":[1])", "stop: an array of strings wanted, a number found in it"},
  };
  for (const auto& [option, message] : wrong) {
    const Status status =
        ParseRequest(("{\"messages\":[]," + std::string(option) + "}").c_str()).status();
    CHECK(status.code() == ErrorCode::kInvalidArgument);
    CHECK(status.message() == message);
  }
  CHECK(ParseSessionOptions(R"({"resize":"fit"})", 1).status().message() ==
        "resize: \"pad\" or \"crop\" wanted, \"fit\" found");
  CHECK(ParseSessionOptions(R"({"chatStyle":"chatml"})", 1).status().message() ==
        "chatStyle: \"qwen_2\", \"v1\" or \"plain\" wanted, \"chatml\" found");
  CHECK(ParseSessionOptions(R"({"compute":1})", 1).status().message() ==
        "compute: a string wanted, a number found");
  CHECK(ParseModelOptions(R"({"threads":65})").status().message() ==
        "threads: a whole number from 1 to 64 wanted, 65 found");
}

}  // namespace
}  // namespace tinyvlm
