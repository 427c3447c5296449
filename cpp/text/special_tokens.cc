#include "text/special_tokens.h"

#include <algorithm>
#include <utility>

namespace tinyvlm {

SpecialTokens::SpecialTokens(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(), [](const Token& a, const Token& b) {
    return a.text != b.text ? a.text < b.text : a.control > b.control;
  });
  for (const Token& token : tokens_) first_[static_cast<uint8_t>(token.text[0])] = true;
}

const SpecialTokens::Token* SpecialTokens::Find(std::string_view text) const {
  const auto at = std::lower_bound(tokens_.begin(), tokens_.end(), text,
                                   [](const Token& a, std::string_view b) { return a.text < b; });
  return at == tokens_.end() || at->text != text ? nullptr : &*at;
}

const SpecialTokens::Token* SpecialTokens::LongestAt(std::string_view text, bool control,
                                                     bool user_defined) const {
  if (!first_[static_cast<uint8_t>(text[0])]) return nullptr;
  const Token* longest = nullptr;
  // [begin, end) are the tokens that share the first `length` bytes with the text. They are sorted
  // by the bytes that follow, complete tokens first.
  auto begin = tokens_.begin(), end = tokens_.end();
  for (size_t length = 0; begin != end; ++length) {
    for (; begin != end && begin->text.size() == length; ++begin) {
      if (begin->control ? control : user_defined) longest = &*begin;
    }
    if (length == text.size()) break;
    const uint8_t next = static_cast<uint8_t>(text[length]);
    const auto byte = [length](const Token& token) {
      return static_cast<uint8_t>(token.text[length]);
    };
    begin = std::lower_bound(
        begin, end, next, [&](const Token& token, uint8_t wanted) { return byte(token) < wanted; });
    end = std::upper_bound(
        begin, end, next, [&](uint8_t wanted, const Token& token) { return wanted < byte(token); });
  }
  return longest;
}

}  // namespace tinyvlm
