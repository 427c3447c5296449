// Streaming: ids of an answer in, text that will not change any more out.
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

// The pieces that Push and Finish return, put together, are the decoded answer with bad UTF-8
// replaced by U+FFFD, cut before the first stop string that is completed, then stripped of
// surrounding white space. How the answer is divided into tokens does not change them.
class Detokenizer {
 public:
  // Borrows the tokenizer.
  explicit Detokenizer(const Tokenizer* tokenizer);

  // Begins an answer of up to max_tokens tokens and allocates for it: Push allocates nothing within
  // that number. Errors: invalid_argument for a stop string that is empty or not UTF-8.
  Status Start(std::span<const std::string> stop, size_t max_tokens);

  // Text that became certain with this token, often none: half a character, trailing white space
  // and what may become a stop string are held back. Valid until the next call. After stopped()
  // nothing more comes.
  std::string_view Push(int32_t id);

  // The answer has ended: the rest of the text.
  std::string_view Finish();

  // A stop string is complete; the answer ends before it.
  bool stopped() const { return stopped_; }

  // All text that Push and Finish have returned since Start.
  std::string_view text() const {
    return std::string_view(text_).substr(begin_, released_ - begin_);
  }

 private:
  // A stop string with its Knuth-Morris-Pratt table: matched is the length of its longest prefix
  // that the text ends with.
  struct Stop {
    std::string text;
    std::vector<size_t> fallback;
    size_t matched = 0;
  };

  // Decodes `bytes`, which end with a whole character or with the answer, and appends the text, up
  // to where a stop string begins.
  void Append(std::string_view bytes);

  // What text_ holds between released_ and `end`, less the white space at its end.
  std::string_view Release(size_t end);

  const Tokenizer* tokenizer_;
  size_t max_token_bytes_ = 0;
  std::vector<Stop> stops_;
  std::string text_;     // decoded so far, leading white space included
  std::string partial_;  // bytes of a character that has begun
  size_t begin_ = 0;     // first character that is not white space, or where text_ ends
  size_t released_ = 0;  // where the text that was returned ends
  bool stopped_ = false;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_DETOKENIZER_H_
