#include "text/special_tokens.h"

#include <random>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

TEST_CASE("The longest token of the kinds asked for is found", "[text][special_tokens]") {
  const SpecialTokens tokens({{"<a>", 1, true},
                              {"<a>b", 2, false},
                              {"<a>bc", 3, true},
                              {"<", 4, false},
                              {"\xFF", 5, true}});
  const auto longest = [&](std::string_view text, bool control, bool user_defined) {
    const SpecialTokens::Token* token = tokens.LongestAt(text, control, user_defined);
    return token == nullptr ? -1 : token->id;
  };
  CHECK(longest("<a>bcd", true, true) == 3);
  CHECK(longest("<a>bcd", false, true) == 2);
  CHECK(longest("<a>b", true, false) == 1);
  CHECK(longest("<a>", true, true) == 1);
  CHECK(longest("<a", true, true) == 4);
  CHECK(longest("<a", true, false) == -1);
  CHECK(longest("<a>", false, false) == -1);
  CHECK(longest("a", true, true) == -1);
  CHECK(longest("\xFF\xFF", true, true) == 5);
  CHECK(tokens.Find("<a>")->id == 1);
  CHECK(tokens.Find("<a") == nullptr);
  CHECK(SpecialTokens().Find("") == nullptr);
  CHECK(SpecialTokens().LongestAt("a", true, true) == nullptr);
}

TEST_CASE("Of two tokens spelt alike the control one is found", "[text][special_tokens]") {
  CHECK(SpecialTokens({{"x", 1, false}, {"x", 2, true}}).Find("x")->id == 2);
}

TEST_CASE("The longest token equals that of a plain search", "[text][special_tokens]") {
  std::mt19937 random(5);
  const auto word = [&] {
    std::string text;
    for (size_t n = 1 + random() % 5; n > 0; --n)
      text.push_back(static_cast<char>('a' + random() % 2));
    return text;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<SpecialTokens::Token> list;
    for (int32_t id = 0; id < 12; ++id) list.push_back({word(), id, random() % 2 == 0});
    const SpecialTokens tokens(list);
    for (int i = 0; i < 20; ++i) {
      const std::string text = word();
      const bool control = random() % 2 == 0, user_defined = random() % 2 == 0;
      size_t expected = 0;
      for (const auto& one : list) {
        if ((one.control ? control : user_defined) && text.starts_with(one.text))
          expected = std::max(expected, one.text.size());
      }
      const SpecialTokens::Token* const found = tokens.LongestAt(text, control, user_defined);
      REQUIRE((found == nullptr ? 0 : found->text.size()) == expected);
    }
  }
}

}  // namespace
}  // namespace tinyvlm
