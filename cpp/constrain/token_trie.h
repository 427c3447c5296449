// A vocabulary as a trie of its tokens' bytes, so that what tokens have in common is followed once.
#ifndef TINYVLM_CONSTRAIN_TOKEN_TRIE_H_
#define TINYVLM_CONSTRAIN_TOKEN_TRIE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "constrain/char_class.h"
#include "constrain/matcher.h"
#include "text/tokenizer.h"

namespace tinyvlm {

// Immutable; const members may be called from several threads.
class TokenTrie {
 public:
  // Of the tokens below `count` (at most tokenizer.size()); those that add no bytes are left out.
  // Nothing is borrowed beyond the call. Takes some 100 ms for 150,000 tokens.
  TokenTrie(const Tokenizer& tokenizer, size_t count);

  // How many ids there are, those of tokens without bytes included.
  size_t size() const { return size_; }

  // Sets allowed[id] to 1 for each token whose bytes `matcher` can follow from `set`; the others
  // stay as they are. Returns the number of bytes that were looked at. What matcher.full() says is
  // for the caller.
  size_t Mark(Matcher& matcher, Matcher::Set set, std::span<uint8_t> allowed) const;

  // The bytes held.
  size_t memory_bytes() const;

 private:
  // One byte of one or more tokens; its children follow it.
  struct Node {
    uint8_t byte;
    uint16_t depth;        // bytes before it
    uint32_t end;          // the first node that is not below this one
    uint32_t first_token;  // in tokens: those that end with this byte, up to the next node's
  };
  struct Token {
    std::string_view bytes;
    int32_t id;
  };
  // Some of the tokens.
  struct Part {
    std::vector<Node> nodes;  // in order of their bytes; behind the last one a node for its end
    std::vector<int32_t> tokens;
    size_t max_depth = 0;
  };
  // Longer ones are few, and finding out that a text has room for them takes long.
  static constexpr size_t kMaxChars = 24;
  // Tokens of up to kMaxChars characters of one class that are not all of a smaller one.
  struct ClassPart : Part {
    std::vector<int32_t> by_length;  // their ids
    std::array<uint32_t, kMaxChars + 1>
        up_to{};  // [n]: how many of these have at most n characters
    // [id]: 1 for its tokens and those of the smaller classes, which all fit where there is room
    // for kMaxChars characters of the class.
    std::vector<uint8_t> all;
  };

  static Part MakePart(const std::vector<Token>& sorted);
  static ClassPart MakeClassPart(const std::vector<Token>& sorted);
  static size_t Walk(const Part& part, Matcher& matcher, Matcher::Set set,
                     std::span<uint8_t> allowed);

  size_t size_;
  std::array<ClassPart, kCharClasses> classes_;
  Part rest_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_TOKEN_TRIE_H_
