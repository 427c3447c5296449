#include "text/pre_split.h"

#include <string>
#include <vector>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

using Pieces = std::vector<std::string>;

Pieces Split(std::string_view text) {
  Pieces pieces;
  while (!text.empty()) {
    const size_t bytes = FirstPieceBytes(text);
    REQUIRE((bytes > 0 && bytes <= text.size()));
    pieces.emplace_back(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return pieces;
}

TEST_CASE("Texts are cut as Qwen2's expression cuts them", "[text][pre_split]") {
  CHECK(Split("Hello world") == Pieces{"Hello", " world"});
  CHECK(Split("it's I'LL we'Re don't 'tis x'd'm") ==
        Pieces{"it", "'s", " I", "'LL", " we", "'Re", " don", "'t", " '", "tis", " x", "'d", "'m"});
  CHECK(Split("it'\xC5\xBF"
              "false") == Pieces{"it", "'\xC5\xBF", "false"});
  CHECK(Split("'") == Pieces{"'"});
  CHECK(Split("'l 'r 'v") == Pieces{"'l", " '", "r", " '", "v"});
  CHECK(Split("'x") == Pieces{"'x"});
  CHECK(Split("2024") == Pieces{"2", "0", "2", "4"});
  CHECK(Split("a1b") == Pieces{"a", "1", "b"});
  CHECK(Split(" 1") == Pieces{" ", "1"});
  CHECK(Split("!abc") == Pieces{"!abc"});
  CHECK(Split("!!abc") == Pieces{"!!", "abc"});
  CHECK(Split(" !!\r\n\nx") == Pieces{" !!\r\n\n", "x"});
  CHECK(Split("\t!x") == Pieces{"\t", "!x"});
  CHECK(Split("\tx") == Pieces{"\tx"});
  CHECK(Split("\nx") == Pieces{"\n", "x"});
  CHECK(Split("a   b") == Pieces{"a", "  ", " b"});
  CHECK(Split("a   ") == Pieces{"a", "   "});
  CHECK(Split("a  1") == Pieces{"a", " ", " ", "1"});
  CHECK(Split(" \n \n  b") == Pieces{" \n \n", " ", " b"});
  CHECK(Split("\xE3\x80\x80\xE3\x80\x80"
              "b") == Pieces{"\xE3\x80\x80",
                             "\xE3\x80\x80"
                             "b"});
  CHECK(Split("e\xCC\x81"
              "a") == Pieces{"e",
                             "\xCC\x81"
                             "a"});  // a combining mark is no letter
  CHECK(Split("\xC2\xBD") == Pieces{"\xC2\xBD"});
  CHECK(Split("\x1C"
              "a") == Pieces{"\x1C"
                             "a"});  // white space to Python, not to Unicode
  CHECK(Split("\x1C\x1C") == Pieces{"\x1C\x1C"});
  CHECK(Split("\xC2\x85 b") ==
        Pieces{"\xC2\x85", " b"});  // U+0085 is white space, but no line end here
}

}  // namespace
}  // namespace tinyvlm
