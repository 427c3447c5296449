// Grammars of formats, and texts that they make, in Catch2's tests.
#ifndef TINYVLM_TESTS_CONSTRAIN_FOLLOW_H_
#define TINYVLM_TESTS_CONSTRAIN_FOLLOW_H_

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "constrain/make_text.h"
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

// A random text that `matcher` allows; it ends soon after `length` bytes where it can. Every
// beginning can be completed.
inline std::string MadeText(Matcher& matcher, std::mt19937& random, size_t length) {
  const std::optional<std::string> text = MakeText(matcher, random, length);
  REQUIRE(text.has_value());
  return *text;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONSTRAIN_FOLLOW_H_
