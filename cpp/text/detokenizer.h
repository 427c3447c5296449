// Streaming: takes the ids of an answer one by one, returns text as soon as it is final.
#ifndef TINYVLM_TEXT_DETOKENIZER_H_
#define TINYVLM_TEXT_DETOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/tokenizer.h"

namespace tinyvlm {

// The concatenation of what Push and Finish return is the decoded answer, with bad UTF-8 replaced
// by U+FFFD, cut before the first complete stop string, then stripped of surrounding white space
// where that is wanted.
// It does not depend on how the answer is divided into tokens.
class Detokenizer {
 public:
  // Borrows the tokenizer.
  explicit Detokenizer(const Tokenizer* tokenizer);

  // Begins an answer of up to max_tokens tokens and allocates memory for it, so that Push allocates
  // nothing. `strip`: whether surrounding white space is left out. Errors: kInvalidArgument for a
  // stop string that is empty or not UTF-8.
  Status Start(std::span<const std::string> stop, size_t max_tokens, bool strip = true);

  // Forgets the answer and its text.
  void Clear();

  // The text that is final with this token, often empty: an incomplete character, trailing white
  // space and the possible beginning of a stop string are held back. Valid until the next call.
  // Empty after stopped().
  std::string_view Push(int32_t id);

  // Ends the answer and returns the rest of the text.
  std::string_view Finish();

  // True once a stop string is complete; the answer ends before it.
  bool stopped() const { return stopped_; }

  // All text that Push and Finish have returned since Start or Clear.
  std::string_view text() const {
    return std::string_view(text_).substr(begin_, released_ - begin_);
  }

 private:
  // A stop string with its Knuth-Morris-Pratt table. `matched` is the length of its longest prefix
  // that is a suffix of the text.
  struct Stop {
    std::string text;
    std::vector<size_t> fallback;
    size_t matched = 0;
  };

  // Decodes `bytes`, which end with a whole character or are the end of the answer, and appends the
  // text up to the beginning of a stop string.
  void Append(std::string_view bytes);

  // Releases the text between released_ and `end`, without trailing white space.
  std::string_view Release(size_t end);

  const Tokenizer* tokenizer_;
  size_t max_token_bytes_ = 0;
  std::vector<Stop> stops_;
  std::string text_;     // decoded so far, leading white space included
  std::string partial_;  // bytes of an incomplete character
  size_t begin_ = 0;     // offset of the first character that is not white space, or text_.size()
  size_t released_ = 0;  // offset of the end of the text that was returned
  bool stopped_ = false;
  bool strip_ = true;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_DETOKENIZER_H_
