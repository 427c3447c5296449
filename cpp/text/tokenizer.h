// The interface of a tokenizer: text -> ids, id -> bytes.
#ifndef TINYVLM_TEXT_TOKENIZER_H_
#define TINYVLM_TEXT_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tinyvlm {

// Immutable after construction; const members may be called from several threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Number of ids. A model may have more logits; those at or above size() are masked.
  virtual size_t size() const = 0;

  // Ids of `text`; nothing is added except a dummy prefix, if the model has one. With parse_special
  // the texts of control tokens become their ids (leftmost first, then longest); without it no text
  // gives a control token. Invalid UTF-8 is read as U+FFFD. Errors: kInvalidArgument for a text of
  // more than kMaxTextBytes.
  virtual Result<std::vector<int32_t>> Encode(std::string_view text, bool parse_special) const = 0;

  // The same for text that follows other tokens: no dummy prefix, no control tokens.
  virtual Result<std::vector<int32_t>> EncodeContinuation(std::string_view text) const = 0;

  // The bytes that a token adds to an answer: none for control tokens and for ids outside [0,
  // size()); one byte, possibly part of a character, for byte tokens. Valid as long as the
  // tokenizer.
  virtual std::string_view TokenBytes(int32_t id) const = 0;

  // True for control tokens.
  virtual bool IsControl(int32_t id) const = 0;

  // The id of the control token with the text `name`, or else of such a user-defined token.
  virtual std::optional<int32_t> FindSpecial(std::string_view name) const = 0;

  // The text of `ids`, the inverse of Encode: without dummy prefix and control tokens, bad UTF-8
  // replaced by U+FFFD.
  virtual std::string Decode(std::span<const int32_t> ids) const = 0;

  // Approximate memory use in bytes.
  virtual size_t memory_bytes() const = 0;

  // Longer than any context. Encoding needs a few hundred bytes of memory for each byte of text.
  static constexpr size_t kMaxTextBytes = size_t{1} << 20;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_TOKENIZER_H_
