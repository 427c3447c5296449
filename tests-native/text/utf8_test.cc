#include "text/utf8.h"

#include "base/utf8_encode.h"
#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

std::string Replaced(std::string_view bytes) {
  std::string out;
  AppendValidUtf8(bytes, &out);
  return out;
}

std::string EncodeUtf8(char32_t c) {
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
  if (c < 0x10000)
    return {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
            static_cast<char>(0x80 | (c & 0x3F))};
  return {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
          static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
}

TEST_CASE(
    "Every Unicode scalar value is one valid character, surrogates and numbers beyond are not",
    "[text][utf8]") {
  for (char32_t c = 0; c < 0x120000; ++c) {
    const std::string bytes = EncodeUtf8(c);
    const bool valid = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
    if (IsValidUtf8(bytes) != valid) FAIL("U+" << std::hex << static_cast<uint32_t>(c));
    if (!valid) continue;
    const Utf8Step step = NextUtf8(bytes + "a");
    if (step.kind != Utf8Step::kCharacter || step.length != bytes.size() || step.character != c)
      FAIL("U+" << std::hex << static_cast<uint32_t>(c));
    for (size_t n = 1; n < bytes.size(); ++n) {
      if (NextUtf8(bytes.substr(0, n)).kind != Utf8Step::kIncomplete)
        FAIL("U+" << std::hex << static_cast<uint32_t>(c));
      if (WholeCharactersLength("ab" + bytes.substr(0, n)) != 2)
        FAIL("U+" << std::hex << static_cast<uint32_t>(c));
    }
    if (WholeCharactersLength(bytes) != bytes.size())
      FAIL("U+" << std::hex << static_cast<uint32_t>(c));
  }
}

TEST_CASE("Overlong forms are invalid", "[text][utf8]") {
  CHECK_FALSE(IsValidUtf8("\xC0\x80"));
  CHECK_FALSE(IsValidUtf8("\xC1\xBF"));
  CHECK_FALSE(IsValidUtf8("\xE0\x9F\xBF"));
  CHECK_FALSE(IsValidUtf8("\xF0\x8F\xBF\xBF"));
  CHECK(IsValidUtf8(""));
}

TEST_CASE("Each maximal bad subpart becomes one U+FFFD", "[text][utf8]") {
  const std::string r = "\xEF\xBF\xBD";
  // The Unicode standard's table 3-8, 3-9, 3-10 and 3-11.
  CHECK(Replaced("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") == r + r + r + r + r + r + r + r + "A");
  CHECK(Replaced("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") == r + r + r + r + r + r + r + r + "A");
  CHECK(Replaced("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") == r + r + r + r + r + "A" + r + r + "B");
  CHECK(Replaced("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == r + r + r + r + "A");
  CHECK(Replaced("\xE2\x82") == r);
  CHECK(Replaced("gr\xC3\xBC\xC3") == "gr\xC3\xBC" + r);
}

TEST_CASE("Only a tail that could still become a character is held back", "[text][utf8]") {
  CHECK(WholeCharactersLength("") == 0);
  CHECK(WholeCharactersLength("a\x80") == 2);  // can never become one
  CHECK(WholeCharactersLength("a\xF0\x9F\x98") == 1);
  CHECK(WholeCharactersLength("a\xE2\x41") == 3);
  CHECK(WholeCharactersLength("a\xED\xA0") == 3);  // a surrogate
  CHECK(WholeCharactersLength("\xF0\x9F\x98\x80\x80") == 5);
  CHECK(WholeCharactersLength("\x80\x80\x80\x80") == 4);
}

TEST_CASE("White space is what Python's strip takes off", "[text][utf8]") {
  size_t count = 0;
  for (char32_t c = 0; c < 0x110000; ++c) count += IsWhitespace(c) ? 1 : 0;
  CHECK(count == 29);
  for (const char32_t c : {0x09, 0x0D, 0x1C, 0x1F, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028,
                           0x2029, 0x202F, 0x205F, 0x3000})
    CHECK(IsWhitespace(c));
  for (const char32_t c : {0x00, 0x0E, 0x1B, 0x200B, 0x2060, 0xFEFF}) CHECK_FALSE(IsWhitespace(c));
}

TEST_CASE("Unicode's white space is Python's without the four separators", "[text][utf8]") {
  size_t count = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (IsUnicodeWhitespace(c) && !IsWhitespace(c))
      FAIL("U+" << std::hex << static_cast<uint32_t>(c));
    count += IsUnicodeWhitespace(c) ? 1 : 0;
  }
  CHECK(count == 25);
  for (const char32_t c : {0x1C, 0x1D, 0x1E, 0x1F})
    CHECK((IsWhitespace(c) && !IsUnicodeWhitespace(c)));
}

TEST_CASE("Every character is encoded as it is read", "[text][utf8]") {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string bytes;
    AppendUtf8(c, &bytes);
    const Utf8Step step = NextUtf8(bytes);
    if (step.kind != Utf8Step::kCharacter || step.length != bytes.size() || step.character != c)
      FAIL("U+" << std::hex << static_cast<uint32_t>(c));
  }
}

TEST_CASE("Texts in messages are valid and not too long", "[text][utf8]") {
  CHECK(Quoted("abc") == "\"abc\"");
  CHECK(Quoted("a\xFF") == "\"a\xEF\xBF\xBD\"");
  CHECK(Quoted("abcd", 4) == "\"abcd\"");
  CHECK(Quoted("abcde", 4) == "\"abcd...\"");
  CHECK(Quoted("abc\xC3\xA9", 4) == "\"abc...\"");  // not half a character
}

}  // namespace
}  // namespace tinyvlm
