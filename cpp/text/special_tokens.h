// Control tokens and user-defined tokens: their exact texts are searched for in a text before it is
// split and merged.
#ifndef TINYVLM_TEXT_SPECIAL_TOKENS_H_
#define TINYVLM_TEXT_SPECIAL_TOKENS_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tinyvlm {

// A set of such tokens. Immutable.
class SpecialTokens {
 public:
  struct Token {
    std::string text;  // not empty
    int32_t id;
    bool control;  // else user-defined
  };

  SpecialTokens() = default;
  explicit SpecialTokens(std::vector<Token> tokens);

  // The token with this text, the control token if there are both kinds. Null if there is none.
  // Valid as long as this object.
  const Token* Find(std::string_view text) const;

  // The longest token of the requested kinds that is a prefix of `text`, which is not empty; else
  // null.
  const Token* LongestAt(std::string_view text, bool control, bool user_defined) const;

 private:
  std::vector<Token> tokens_;      // sorted by text
  std::array<bool, 256> first_{};  // bytes that some token begins with
};

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_SPECIAL_TOKENS_H_
