// What kind a token is of: the numbers of SentencePiece's model file, which GGUF's
// `tokenizer.ggml.token_type` uses for every tokenizer.
#ifndef TINYVLM_TEXT_PIECE_TYPE_H_
#define TINYVLM_TEXT_PIECE_TYPE_H_

#include <cstdint>

namespace tinyvlm {

enum PieceType : int32_t {
  kNormalPiece = 1,
  kUnknownPiece = 2,
  kControlPiece = 3,
  kUserDefinedPiece = 4,
  kUnusedPiece = 5,
  kBytePiece = 6,
};

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_PIECE_TYPE_H_
