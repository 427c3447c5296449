// The kinds of tokens, with the numbers of SentencePiece's model file, which GGUF's
// `tokenizer.ggml.token_type` uses for every tokenizer.
#ifndef TINYVLM_TEXT_PIECE_TYPE_H_
#define TINYVLM_TEXT_PIECE_TYPE_H_

#include <cstdint>

namespace tinyvlm {

enum PieceType : int32_t {
  kNormalPiece = 1,   // text
  kUnknownPiece = 2,  // stands for text that no other token covers
  kControlPiece = 3,  // such as <|im_end|>: never made from text of the user, decodes to nothing
  kUserDefinedPiece = 4,  // text that is matched whole before anything else
  kUnusedPiece = 5,       // never made
  kBytePiece = 6,         // one byte, spelt "<0x0A>"
};

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_PIECE_TYPE_H_
