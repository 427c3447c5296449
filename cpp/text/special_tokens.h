// Tokens that are looked for in a text as they are spelt, before it is split and merged: control
// tokens and user-defined ones.
#ifndef TINYVLM_TEXT_SPECIAL_TOKENS_H_
#define TINYVLM_TEXT_SPECIAL_TOKENS_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tinyvlm {

class SpecialTokens {
 public:
  struct Token {
    std::string text;  // not empty
    int32_t id;
    bool control;  // else user-defined
  };

  SpecialTokens() = default;
  explicit SpecialTokens(std::vector<Token> tokens);

  // The token spelt `text`, a control one where there are both. Null where there is none. Valid as
  // long as this.
  const Token* Find(std::string_view text) const;

  // The longest token of the kinds asked for that `text`, not empty, begins with.
  const Token* LongestAt(std::string_view text, bool control, bool user_defined) const;

 private:
  std::vector<Token> tokens_;      // sorted by text
  std::array<bool, 256> first_{};  // bytes that some token begins with
};

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_SPECIAL_TOKENS_H_
