// Whole texts against a grammar, and texts that it makes.
#ifndef TINYVLM_TESTS_CONSTRAIN_FOLLOW_H_
#define TINYVLM_TESTS_CONSTRAIN_FOLLOW_H_

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "constrain/matcher.h"
#include "constrain/response_format.h"

namespace tinyvlm {

inline Json ParsedJson(std::string_view text) {
  const Result<Json> json = ParseJson(text);
  INFO(text);
  REQUIRE(json.ok());
  return *json;
}

inline std::shared_ptr<const Grammar> GrammarOf(std::string_view format) {
  const auto grammar = ParseResponseFormat(ParsedJson(format));
  INFO(format << ": " << grammar.status().message());
  REQUIRE(grammar.ok());
  return *grammar;
}

inline std::shared_ptr<const Grammar> GrammarOfSchema(std::string_view schema) {
  return GrammarOf("{\"schema\":" + std::string(schema) + "}");
}

// "" where the format is accepted.
inline std::string RefusalOf(std::string_view format) {
  const auto grammar = ParseResponseFormat(ParsedJson(format));
  if (grammar.ok()) return "";
  CHECK(grammar.status().code() == ErrorCode::kInvalidArgument);
  return grammar.status().message();
}

inline bool Allows(Matcher& matcher, std::string_view text) {
  Matcher::Set set = matcher.start();
  for (const char c : text) set = matcher.Next(set, static_cast<uint8_t>(c));
  return matcher.accepts(set);
}

// A random text that `matcher` allows; it ends soon after `length` bytes where it can.
inline std::string MakeText(Matcher& matcher, std::mt19937& random, size_t length) {
  std::string text;
  Matcher::Set set = matcher.start();
  for (;;) {
    matcher.BeginStep();
    const bool late = text.size() >= length;
    if (matcher.accepts(set) && (late || !matcher.continues(set) || random() % 8 == 0)) return text;
    std::vector<uint8_t> bytes;
    const bool in_string = matcher.Next(set, '#') != Matcher::kNone;
    int closing = -1;
    for (int byte = 0; byte < 256; ++byte) {
      if (matcher.Next(set, static_cast<uint8_t>(byte)) == Matcher::kNone) continue;
      bytes.push_back(static_cast<uint8_t>(byte));
      if (in_string ? byte == '"' : byte == ']' || byte == '}') closing = byte;
    }
    REQUIRE_FALSE(bytes.empty());  // every beginning can be completed
    const uint8_t byte =
        late && closing >= 0 ? static_cast<uint8_t>(closing) : bytes[random() % bytes.size()];
    text += static_cast<char>(byte);
    set = matcher.Next(set, byte);
    REQUIRE(text.size() < 20000);
  }
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONSTRAIN_FOLLOW_H_
