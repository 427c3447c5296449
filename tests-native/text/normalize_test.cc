#include "text/normalize.h"

#include <utf8proc.h>

#include <array>
#include <fstream>
#include <iostream>
#include <random>

#include "base/utf8_encode.h"
#include "catch_amalgamated.hpp"
#include "shared_data.h"
#include "text/utf8.h"

namespace tinyvlm {
namespace {

bool IsSurrogate(char32_t c) { return c >= 0xD800 && c < 0xE000; }

std::string Encode(std::u32string_view characters) {
  std::string out;
  for (const char32_t c : characters) AppendUtf8(c, &out);
  return out;
}

std::string ReferenceNfc(std::string_view text) {
  utf8proc_uint8_t* out = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &out,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  REQUIRE(size >= 0);
  const std::string result(reinterpret_cast<const char*>(out), static_cast<size_t>(size));
  std::free(out);
  return result;
}

// The text of a Rust string literal: characters and \u{...}, \", \\ escapes.
std::string ReadLiteral(std::string_view literal) {
  std::string out;
  for (size_t i = 0; i < literal.size();) {
    if (literal.substr(i).starts_with("\\u{")) {
      const size_t end = literal.find('}', i);
      AppendUtf8(static_cast<char32_t>(
                     std::stoul(std::string(literal.substr(i + 3, end - i - 3)), nullptr, 16)),
                 &out);
      i = end + 1;
    } else {
      if (literal[i] == '\\') ++i;
      out.push_back(literal[i++]);
    }
  }
  return out;
}

TEST_CASE("Unicode's normalisation suite, line by line", "[text][normalize][golden]") {
  const auto path =
      SharedPath("data/unicode/unicode-normalization/tests/data/normalization_tests.rs");
  static constexpr std::string_view kFields[] = {"source: \"", "nfc: \"", "nfd: \"", "nfkc: \"",
                                                 "nfkd: \""};
  std::ifstream file(path);
  std::array<std::string, 5> fields;
  size_t lines = 0;
  for (std::string line; std::getline(file, line);) {
    for (size_t i = 0; i < 5; ++i) {
      const size_t at = line.find(kFields[i]);
      if (at == std::string::npos || line.find_first_not_of(' ') != at) continue;
      const size_t begin = at + kFields[i].size();
      fields[i] = ReadLiteral(std::string_view(line).substr(begin, line.rfind('"') - begin));
      if (i != 4) break;
      // What the suite demands of NFC: columns 1 to 3 give column 2, columns 4 and 5 give column 4.
      ++lines;
      const auto& [source, nfc, nfd, nfkc, nfkd] = fields;
      const bool right = NormalizeNfc(source) == nfc && NormalizeNfc(nfc) == nfc &&
                         NormalizeNfc(nfd) == nfc && NormalizeNfc(nfkc) == nfkc &&
                         NormalizeNfc(nfkd) == nfkc;
      if (!right) FAIL("line " << lines << ": " << source);
      // In the midst of other text as well.
      const std::string between = "a" + source + "z\xC3\xA9";
      if (NormalizeNfc(between) != ReferenceNfc(between))
        FAIL("line " << lines << " between others: " << source);
    }
  }
  std::cout << lines << " lines of Unicode's normalisation suite\n";
  CHECK(lines > 18000);
}

TEST_CASE("Every character, alone and between others, is normalised and classed as utf8proc does",
          "[text][normalize]") {
  size_t letters = 0, numbers = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (IsSurrogate(c)) continue;
    const std::string text = Encode(std::u32string{c});
    if (NormalizeNfc(text) != ReferenceNfc(text))
      FAIL("U+" << std::hex << static_cast<uint32_t>(c));
    const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO,
               number = category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
    if (IsLetter(c) != letter || IsNumber(c) != number)
      FAIL("the class of U+" << std::hex << static_cast<uint32_t>(c));
    letters += letter ? 1 : 0;
    numbers += number ? 1 : 0;
  }
  CHECK(letters > 130000);
  CHECK(numbers > 1900);
  for (const char32_t c : {char32_t{0x110000}, char32_t{0xFFFFFFFF}})
    CHECK_FALSE((IsLetter(c) || IsNumber(c)));
}

TEST_CASE("Random sequences of characters that compose are normalised as utf8proc does",
          "[text][normalize]") {
  std::mt19937 random(7);
  std::vector<char32_t> interesting{'a',    'e',     'o',     'u',     0xC0,   0xE9,   0x1100,
                                    0x1161, 0x11A7,  0x11A8,  0xAC00,  0xAC01, 0x0F71, 0x0F72,
                                    0x0F74, 0x1D157, 0x1D165, 0x1D16E, 0xFB2C, 0x0344, 0x2126};
  for (char32_t c = 0x300; c < 0x370; ++c) interesting.push_back(c);
  for (char32_t c = 0x1E00; c < 0x2000; ++c) interesting.push_back(c);
  for (int round = 0; round < 20000; ++round) {
    std::u32string characters;
    for (size_t n = random() % 12; n > 0; --n) {
      char32_t c = interesting[random() % interesting.size()];
      if (random() % 8 == 0) c = random() % 0x110000;
      characters.push_back(IsSurrogate(c) ? U'x' : c);
    }
    const std::string text = Encode(characters);
    const std::string nfc = NormalizeNfc(text);
    if (nfc != ReferenceNfc(text)) FAIL("round " << round << ": " << text);
    if (NormalizeNfc(nfc) != nfc) FAIL("round " << round << ": not stable: " << text);
  }
}

TEST_CASE("Bad UTF-8 is normalised as replacement characters", "[text][normalize]") {
  CHECK(NormalizeNfc("") == "");
  CHECK(NormalizeNfc("a\xFF"
                     "b") ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(NormalizeNfc("\xE2\x82") == "\xEF\xBF\xBD");
  CHECK(NormalizeNfc("e\xCC\x81\xCC") == "\xC3\xA9\xEF\xBF\xBD");
  CHECK(NormalizeNfc("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("A megabyte of combining marks is sorted in reasonable time", "[text][normalize]") {
  std::string text = "a";
  for (int i = 0; i < 250000; ++i) text += i % 2 == 0 ? "\xCC\x81" : "\xCC\xA3";
  const std::string nfc = NormalizeNfc(text);
  CHECK(
      nfc.starts_with("\xE1\xBA\xA1\xCC\xA3"));  // a with dot below, which blocks the acute accents
  CHECK(nfc.size() == 3 + (250000 - 1) * 2);
}

}  // namespace
}  // namespace tinyvlm
