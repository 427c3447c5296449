// Qwen2's tokenizer: byte-level BPE over the pieces of text/pre_split.h, texts in normalisation
// form C.
#ifndef TINYVLM_TEXT_BPE_TOKENIZER_H_
#define TINYVLM_TEXT_BPE_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "text/tokenizer.h"

namespace tinyvlm {

// What such a tokenizer is made of, as checkpoints and GGUF files hold it; views of somebody else's
// memory. Ordinary tokens and merges are in mapped characters: one character for each byte, by
// GPT-2's table (printable Latin-1 for itself, the other 68 bytes from U+0100 on). Control and
// user-defined tokens stand as they are spelt in a text.
struct BpeVocabulary {
  std::span<const std::string_view> tokens;  // by id
  // kNormalPiece, kControlPiece, kUserDefinedPiece or kUnusedPiece, by id; empty: all normal
  std::span<const int32_t> types;
  std::span<const std::string_view> merges;  // "left right", first those that are merged first
};

// Makes the tokenizer; nothing is borrowed beyond the call. Its size() ends with the last token
// that is not unused. Encoding takes n log n time for a piece of n bytes. Errors: invalid_file,
// naming the token or merge by number and text, for tokens that are alike, empty or not in mapped
// characters, for bytes without a token, and for merges of or into tokens that do not exist or are
// not normal; unsupported for numbers and lengths beyond all real tokenizers.
Result<std::unique_ptr<Tokenizer>> LoadBpeTokenizer(const BpeVocabulary& vocabulary);

// Appends `text` in mapped characters.
void AppendMappedCharacters(std::string_view text, std::string* out);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_BPE_TOKENIZER_H_
