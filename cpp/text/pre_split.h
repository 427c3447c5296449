// Splits a text into pieces, as Qwen2's tokenizer does before it merges bytes: no token spans two
// pieces.
#ifndef TINYVLM_TEXT_PRE_SPLIT_H_
#define TINYVLM_TEXT_PRE_SPLIT_H_

#include <cstddef>
#include <string_view>

namespace tinyvlm {

// The length in bytes of the first piece of `text`, which is valid UTF-8 and not empty. A piece is
// a match of the regular expression in Qwen2's tokenizer.json, whose alternatives are, in order:
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)    an English contraction
//   [^\r\n\p{L}\p{N}]?\p{L}+         a word, with one character in front
//   \p{N}                           one digit
//    ?[^\s\p{L}\p{N}]+[\r\n]*        punctuation, with one space in front (the first character
//                                   of this expression is a space)
//   \s*[\r\n]+                      white space that ends with a line break
//   \s+(?!\S)                       white space, but not the last one before a word
//   \s+
// Splitting a whole text takes linear time.
size_t FirstPieceBytes(std::string_view text);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_PRE_SPLIT_H_
