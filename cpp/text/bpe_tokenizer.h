// Qwen2's tokenizer: texts are normalised to NFC, split into pieces (text/pre_split.h), and each
// piece is encoded by byte-level BPE.
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

// The data of such a tokenizer as checkpoints and GGUF files hold it; borrowed views. Ordinary
// tokens and merges are in mapped characters: one character for each byte, by GPT-2's table
// (printable Latin-1 characters map to themselves, the other 68 bytes to U+0100 and following).
// Control and user-defined tokens are plain text.
struct BpeVocabulary {
  std::span<const std::string_view> tokens;  // by id
  // kNormalPiece, kControlPiece, kUserDefinedPiece or kUnusedPiece, by id; empty: all normal
  std::span<const int32_t> types;
  std::span<const std::string_view> merges;  // "left right", in order of priority
};

// Makes the tokenizer; nothing is borrowed beyond the call. Unused tokens at the end do not count
// in its size(). Encoding takes n log n time for a piece of n bytes. Errors: kInvalidFile, with
// number and text of the token or merge, for tokens that are duplicate, empty or not in mapped
// characters, for bytes without a token, and for merges of or into tokens that do not exist or are
// not normal; kUnsupported for counts and lengths beyond all real tokenizers.
Result<std::unique_ptr<Tokenizer>> LoadBpeTokenizer(const BpeVocabulary& vocabulary);

// Appends the bytes of `text` as mapped characters.
void AppendMappedCharacters(std::string_view text, std::string* out);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_BPE_TOKENIZER_H_
