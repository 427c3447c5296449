// Answers questions about response formats for tests in JavaScript. Each line of the standard input
// is an object, each line of the standard output its answer:
//   {"format": a response format, "texts": [text, ...]}    {"allowed": [true or false, ...]}
//   {"format": ..., "samples": N, "seed": N, "length": N}  {"texts": [N random texts of it]}, of
//                                                          about `length` bytes
//   a format that is refused                               {"code": ..., "error": the message}
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/json_writer.h"
#include "constrain/make_text.h"
#include "constrain/matcher.h"
#include "constrain/response_format.h"

namespace tinyvlm {
namespace {

size_t NumberIn(const Json& question, const char* key) {
  const Json* const value = question.Find(key);
  return value == nullptr ? 0 : static_cast<size_t>(value->number().value_or(0));
}

// Errors: what is wrong with the question.
Result<std::string> Answer(const std::string& line) {
  TVLM_ASSIGN_OR_RETURN(const Json question, ParseJson(line));
  const Json* const format = question.Find("format");
  if (format == nullptr)
    return Error(ErrorCode::kInvalidArgument, "a question with a format wanted");
  JsonWriter answer;
  const auto grammar = ParseResponseFormat(*format);
  if (!grammar.ok()) {
    return answer.String("code", ErrorCodeName(grammar.status().code()))
        .String("error", grammar.status().message())
        .Finish();
  }
  Matcher matcher(*grammar);
  if (const Json* const texts = question.Find("texts"); texts != nullptr) {
    std::string allowed;
    for (const Json& text : *texts->array()) {
      if (!allowed.empty()) allowed += ',';
      allowed += Allows(matcher, *text.string()) ? "true" : "false";
    }
    return answer.Json("allowed", "[" + allowed + "]").Finish();
  }
  std::mt19937 random(static_cast<uint32_t>(NumberIn(question, "seed")));
  std::vector<std::string> texts;
  for (size_t left = NumberIn(question, "samples"); left > 0; --left) {
    const std::optional<std::string> text = MakeText(matcher, random, NumberIn(question, "length"));
    if (!text) return Error(ErrorCode::kInternal, "a beginning that cannot be completed was made");
    texts.push_back(*text);
  }
  return answer.Strings("texts", texts).Finish();
}

}  // namespace
}  // namespace tinyvlm

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const tinyvlm::Result<std::string> answer = tinyvlm::Answer(line);
    if (!answer.ok()) {
      std::fprintf(stderr, "%s: %s\n", answer.status().message().c_str(), line.c_str());
      return 1;
    }
    std::cout << *answer << '\n';
  }
  return 0;
}
