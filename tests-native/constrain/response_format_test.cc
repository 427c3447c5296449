#include "constrain/response_format.h"

#include <string>

#include "base/utf8_encode.h"
#include "catch_amalgamated.hpp"
#include "constrain/follow.h"

namespace tinyvlm {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("Choices are the texts themselves", "[constrain][response_format]") {
  Matcher matcher(GrammarOf(R"({"choices":["red","redder"," blue ","é\n"]})"));
  for (const char* const text : {"red", "redder", " blue ", "é\n"}) CHECK(Allows(matcher, text));
  for (const char* const text : {"", "re", "redd", "blue", "é", "\"red\""})
    CHECK_FALSE(Allows(matcher, text));
}

TEST_CASE("A pattern matches the whole text, in UTF-8", "[constrain][response_format]") {
  Matcher matcher(GrammarOf(R"({"pattern":"^[à-ÿ]{2}|\\d+ (apples?|\"x\")$"})"));
  for (const char* const text : {"éà", "12 apple", "1 \"x\""}) CHECK(Allows(matcher, text));
  for (const char* const text : {"é", "éàé", "\xc3\xa9\xc3", "12 applesx", "x12 apple", ""})
    CHECK_FALSE(Allows(matcher, text));
}

// Sets of characters become sequences of byte ranges: all of them around the places where the
// number of bytes changes.
TEST_CASE("A class of characters is exactly their bytes", "[constrain][response_format]") {
  const char32_t edges[] = {0x61,   0x7f,   0x80,    0x7ff,   0x800,   0xd7ff,   0xe000,
                            0xfffd, 0xffff, 0x10000, 0x1f600, 0xfffff, 0x100000, 0x10ffff};
  for (const char32_t first : edges) {
    for (const char32_t last : edges) {
      if (last < first) continue;
      Matcher matcher(GrammarOf(Format(R"({"pattern":"[\\u{%x}-\\u{%x}]"})",
                                       static_cast<unsigned>(first), static_cast<unsigned>(last))));
      for (const char32_t edge : edges) {
        for (int away = -70; away <= 70; ++away) {
          const int64_t c = static_cast<int64_t>(edge) + away;
          if (c < 0x20 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) continue;
          std::string text;
          AppendUtf8(static_cast<char32_t>(c), &text);
          const bool inside = c >= first && c <= last;
          if (Allows(matcher, text) != inside)
            FAIL(int64_t{first} << ".." << int64_t{last} << ": " << c);
        }
      }
      CHECK_FALSE(Allows(matcher, "\xed\xa0\x80"));  // half a surrogate pair
      CHECK_FALSE(Allows(matcher, "\xf4\x90\x80\x80"));
    }
  }
}

TEST_CASE("A response format that is none is refused", "[constrain][response_format]") {
  CHECK_THAT(RefusalOf("{}"), ContainsSubstring("one key"));
  CHECK_THAT(RefusalOf("[]"), ContainsSubstring("an array found"));
  CHECK_THAT(RefusalOf(R"({"schema":{},"pattern":"a"})"), ContainsSubstring("one key"));
  CHECK_THAT(RefusalOf(R"({"regex":"a"})"), ContainsSubstring("\"regex\" found"));
  CHECK_THAT(RefusalOf(R"({"choices":[]})"), ContainsSubstring("an empty one found"));
  CHECK_THAT(RefusalOf(R"({"choices":"a"})"), ContainsSubstring("a string found"));
  CHECK_THAT(RefusalOf(R"({"choices":["a",1]})"), ContainsSubstring("a number found"));
  CHECK_THAT(RefusalOf(R"({"pattern":1})"), ContainsSubstring("a number found"));
  CHECK_THAT(RefusalOf(R"({"pattern":"a[^\u0000-\uffff\\u{10000}-\\u{10ffff}]"})"),
             ContainsSubstring("none found"));
}

}  // namespace
}  // namespace tinyvlm
