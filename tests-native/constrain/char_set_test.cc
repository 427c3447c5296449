#include "constrain/char_set.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "catch_amalgamated.hpp"

namespace tinyvlm {
namespace {

TEST_CASE("CharSet is a set, however its ranges are added", "[constrain][char_set]") {
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    // Around the surrogates, where the characters have a gap.
    const char32_t base = round % 2 == 0 ? 0 : 0xd7f0;
    const auto pick = [&] {
      const char32_t c = base + random() % 32;
      return base == 0 || c < 0xd800 ? c : c + 0x7f8;
    };
    CharSet a, b;
    std::vector<bool> in_a(0x12000), in_b(0x12000);
    for (int i = 0; i < 6; ++i) {
      for (auto& [set, in] : {std::pair<CharSet&, std::vector<bool>&>(a, in_a), {b, in_b}}) {
        const auto [first, last] = std::minmax({pick(), pick()});
        set.Add({first, last});
        for (char32_t c = first; c <= last; ++c) in[c] = c < 0xd800 || c > 0xdfff;
      }
    }
    const CharSet both = a.Intersection(b), not_a = a.Complement();
    CharSet either = a;
    either.Add(b);
    for (char32_t c = 0; c < 0x12000; ++c) {
      const bool character = c < 0xd800 || c > 0xdfff;
      const bool right = a.Contains(c) == in_a[c] && both.Contains(c) == (in_a[c] && in_b[c]) &&
                         either.Contains(c) == (in_a[c] || in_b[c]) &&
                         not_a.Contains(c) == (!in_a[c] && character);
      if (!right) FAIL("round " << round << ", character " << static_cast<uint32_t>(c));
    }
    REQUIRE(not_a.Complement() == a);
  }
  REQUIRE(CharSet::All().Complement().empty());
  REQUIRE(CharSet({{'b', 'c'}, {'a', 'a'}}) == CharSet({{'a', 'c'}}));
}

}  // namespace
}  // namespace tinyvlm
