// The pieces that Qwen2's tokenizer cuts a text into before it merges bytes: no token crosses a
// seam.
#ifndef TINYVLM_TEXT_PRE_SPLIT_H_
#define TINYVLM_TEXT_PRE_SPLIT_H_

#include <cstddef>
#include <string_view>

namespace tinyvlm {

// Bytes of the first piece of `text`, which is valid UTF-8 and not empty: the first alternative
// that fits of
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|
//   ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// (the expression of Qwen2's tokenizer.json). Cutting a whole text takes time in proportion to its
// length.
size_t FirstPieceBytes(std::string_view text);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_PRE_SPLIT_H_
