#include "constrain/pattern.h"

#include <random>
#include <regex>
#include <string>
#include <vector>

#include "base/utf8_encode.h"
#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

// All texts of up to `length` of the letters a, b and c.
std::vector<std::string> AllTexts(size_t length) {
  std::vector<std::string> texts = {""};
  for (size_t begin = 0, n = 0; n < length; ++n) {
    const size_t end = texts.size();
    for (size_t i = begin; i < end; ++i) {
      for (const char c : {'a', 'b', 'c'}) texts.push_back(texts[i] + c);
    }
    begin = end;
  }
  return texts;
}

std::string RandomPattern(std::mt19937& random, int depth) {
  const auto pick = [&](std::vector<std::string> from) { return from[random() % from.size()]; };
  std::string pattern;
  const size_t terms = random() % 4;
  for (size_t i = 0; i < terms; ++i) {
    const int kind = static_cast<int>(random() % (depth > 0 ? 8 : 6));
    if (kind == 0) {
      pattern += pick({"^", "$"});
      continue;
    }
    if (kind >= 6) {
      pattern += pick({"(", "(?:"});
      pattern += RandomPattern(random, depth - 1);
      pattern += ')';
    } else {
      pattern += pick({"a", "b", "c", ".", "[ab]", "[^a]", "[a-b]", "\\w", "\\D"});
    }
    pattern += pick({"", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"});
  }
  if (random() % 4 == 0) {
    pattern += '|';
    pattern += RandomPattern(random, depth - 1);
  }
  return pattern;
}

TEST_CASE("A pattern accepts what the standard library's matcher accepts", "[constrain][pattern]") {
  const std::vector<std::string> texts = AllTexts(5);
  std::mt19937 random(7);
  size_t accepted = 0;
  for (int i = 0; i < 400; ++i) {
    const std::string pattern = RandomPattern(random, 2);
    const std::regex reference(pattern);
    PatternWork work;
    const auto whole = ParsePattern(pattern, PatternMatch::kWhole, &work);
    const auto anywhere = ParsePattern(pattern, PatternMatch::kAnywhere, &work);
    INFO(pattern << ": " << whole.status().message());
    REQUIRE(whole.ok());
    REQUIRE(anywhere.ok());
    for (const std::string& text : texts) {
      const bool matches = std::regex_match(text, reference);
      const bool found = std::regex_search(text, reference);
      accepted += matches;
      if (Accepts(*whole, text) != matches || Accepts(*anywhere, text) != found)
        FAIL("\"" << text << "\"");
    }
  }
  CHECK(accepted > 10000);
}

TEST_CASE("Two patterns or a pattern and a length intersect", "[constrain][pattern]") {
  const std::vector<std::string> texts = AllTexts(6);
  std::mt19937 random(8);
  for (int i = 0; i < 60; ++i) {
    PatternWork work;
    const auto a = ParsePattern(RandomPattern(random, 1), PatternMatch::kAnywhere, &work);
    const auto b = ParsePattern(RandomPattern(random, 1), PatternMatch::kAnywhere, &work);
    const size_t min = random() % 3, max = random() % 2 == 0 ? SIZE_MAX : min + random() % 3;
    const auto length = CharCount(min, max);
    const auto both = Intersect(*a, *b, &work);
    REQUIRE(both.ok());
    const auto all = Intersect(*both, *length, &work);
    REQUIRE(all.ok());
    for (const std::string& text : texts) {
      const bool fits = Accepts(*a, text) && Accepts(*b, text);
      if (Accepts(*both, text) != fits) FAIL("\"" << text << "\"");
      if (Accepts(*all, text) != (fits && text.size() >= min && text.size() <= max))
        FAIL("\"" << text << "\", " << min << ".." << max);
    }
  }
}

TEST_CASE("Patterns count characters, not bytes, and know Unicode escapes",
          "[constrain][pattern]") {
  const auto accepts = [](const char* pattern, std::string_view text) {
    PatternWork work;
    const auto automaton = ParsePattern(pattern, PatternMatch::kWhole, &work);
    INFO(pattern << ": " << automaton.status().message());
    REQUIRE(automaton.ok());
    return Accepts(*automaton, text);
  };
  CHECK(accepts("..", "é😀"));
  CHECK_FALSE(accepts("..", "é"));
  CHECK_FALSE(accepts(".", "\n"));
  CHECK(accepts("[а-я]+", "слово"));
  CHECK_FALSE(accepts("[а-я]+", "Слово"));
  CHECK(accepts("\\u00e9\\u{1F600}", "é😀"));
  CHECK(accepts("\\ud83d\\ude00", "😀"));
  CHECK(accepts("[\\ud83d\\ude00-\\ud83d\\ude02]", "😁"));
  CHECK_FALSE(accepts("\\ud83d", "😀"));
  CHECK(accepts("[^\\s]\\s[^\\w]\\W", "x\u3000é "));
  CHECK(accepts("\\x41\\cJ\\t\\/\\-\\.", "A\n\t/-."));
  CHECK(accepts("(?<year>\\d{4})-(?:0[1-9]|1[0-2])", "2024-07"));
  CHECK_FALSE(accepts("(?<year>\\d{4})-(?:0[1-9]|1[0-2])", "2024-13"));
  CHECK(accepts("[]|a", "a"));  // [] is no character
  CHECK(accepts("[^]", "\n"));  // and [^] is any
  CHECK(accepts("[\\b-]", "-"));
}

TEST_CASE("Patterns that are none, or not supported, are refused with the byte",
          "[constrain][pattern]") {
  const auto message = [](std::string_view pattern) {
    PatternWork work;
    const auto automaton = ParsePattern(pattern, PatternMatch::kWhole, &work);
    REQUIRE_FALSE(automaton.ok());
    CHECK(automaton.status().code() == ErrorCode::kInvalidArgument);
    return automaton.status().message();
  };
  using Catch::Matchers::ContainsSubstring;
  for (const char* const bad :
       {"(",      ")",     "a)",  "[a",    "*",      "a**",   "a{",      "a{2",
        "a{2,1}", "{",     "}",   "]",     "\\",     "[b-a]", "[a-\\d]", "\\u{110000}",
        "\\u{}",  "\\xg0", "\\q", "\\u12", "(?<>a)", "\\01",  "a{99999}"}) {
    INFO(bad);
    CHECK_THAT(message(bad), ContainsSubstring("wanted") || ContainsSubstring("not supported"));
  }
  CHECK_THAT(message("ab(?=c)"), ContainsSubstring("byte 4") && ContainsSubstring("looking ahead"));
  CHECK_THAT(message("(?<!c)"), ContainsSubstring("looking ahead or behind"));
  CHECK_THAT(message("(a)\\1"), ContainsSubstring("references to groups"));
  CHECK_THAT(message("\\bx"), ContainsSubstring("\\b is not supported"));
  CHECK_THAT(message("\\p{L}"), ContainsSubstring("Unicode properties are not supported"));
}

TEST_CASE("Hostile patterns end in an error", "[constrain][pattern]") {
  const auto refused = [](const std::string& pattern) {
    PatternWork work;
    return !ParsePattern(pattern, PatternMatch::kAnywhere, &work).ok();
  };
  CHECK(refused("((((((a{99}){99}){99}){99}){99}){99})"));
  CHECK(refused("(((((()){9999}){9999}){9999}){9999})"));
  CHECK(refused("a{10000}{10000}"));
  CHECK(refused("([^a]{9000}|b){9000}"));
  CHECK(refused(std::string(100000, '(')));
  CHECK(refused(std::string(50000, '(') + std::string(50000, ')')));
  std::string wide = "[";
  for (int i = 0; i < 20000; ++i) AppendUtf8(static_cast<char32_t>(0x4e00 + 2 * i), &wide);
  CHECK(refused(wide + "]{9000}"));
}

TEST_CASE("Patterns of a million bytes end soon, whatever they say", "[constrain][pattern]") {
  using Catch::Matchers::ContainsSubstring;
  const auto refusal = [](const std::string& pattern) {
    PatternWork work;
    const Result<CharAutomaton> automaton = ParsePattern(pattern, PatternMatch::kWhole, &work);
    return automaton.ok() ? std::string() : automaton.status().message();
  };
  const std::string long_name(1'000'000, 'a'), zeros(1'000'000, '0'), backslashes(1'000'000, '\\');
  // What is in a group is read again for each copy.
  CHECK_THAT(refusal("(?<" + long_name + ">x){16000}"), ContainsSubstring("states wanted"));
  CHECK_THAT(refusal("(x{" + zeros + "1}){16000}"), ContainsSubstring("states wanted"));
  CHECK(refusal("(?<" + long_name + ">x){10}") == "");
  CHECK_THAT(refusal(std::string(1'000'000, '(')), ContainsSubstring("nested deeper than 64"));
  CHECK_THAT(refusal(std::string(1'000'000, '|') + "a*"), ContainsSubstring("states wanted"));
  CHECK(refusal("[" + backslashes + "]") == "");
}

}  // namespace
}  // namespace tinyvlm
