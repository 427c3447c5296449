// A tokenizer based on the sentencepiece library (BPE and unigram models), whose types do not
// appear in this header.
#ifndef TINYVLM_TEXT_SENTENCEPIECE_TOKENIZER_H_
#define TINYVLM_TEXT_SENTENCEPIECE_TOKENIZER_H_

#include <cstdint>
#include <memory>
#include <span>

#include "base/status.h"
#include "text/tokenizer.h"

namespace tinyvlm {

// Makes a tokenizer from the bytes of a model file (tokenizer.model), which are borrowed for the
// call. Errors: those of ParseSentencePieceModel; kUnsupported for models whose decoding rewrites
// characters.
Result<std::unique_ptr<Tokenizer>> LoadSentencePieceTokenizer(std::span<const uint8_t> model);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_SENTENCEPIECE_TOKENIZER_H_
