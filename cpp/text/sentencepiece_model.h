// The SentencePiece model file (tokenizer.model), read by our own bounds-checked reader. The
// sentencepiece library ends the process on some inconsistent models, so only bytes that passed
// here are handed to it; the converter takes pieces, scores and types from here as well.
#ifndef TINYVLM_TEXT_SENTENCEPIECE_MODEL_H_
#define TINYVLM_TEXT_SENTENCEPIECE_MODEL_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/piece_type.h"

namespace tinyvlm {

struct SentencePieceModelInfo {
  enum class Algorithm : int32_t { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
  struct Piece {
    // as stored: U+2581 stands for a space, "<0x0A>" for a byte piece; valid UTF-8, never empty, no
    // two alike
    std::string text;
    float score = 0;
    int32_t type = kNormalPiece;  // PieceType
  };

  std::vector<Piece> pieces;  // the index is the id
  Algorithm algorithm = Algorithm::kUnigram;
  bool byte_fallback = false;  // all 256 byte pieces exist

  // -1: the model has no such piece. The unknown piece always exists.
  int32_t unk_id = -1;
  int32_t bos_id = -1;
  int32_t eos_id = -1;
  int32_t pad_id = -1;

  std::string unk_surface;  // what the unknown piece decodes to
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool treat_whitespace_as_suffix = false;
  bool has_denormalizer = false;  // decoding rewrites text by a character map
};

// Reads and checks a whole model. `bytes` is borrowed for the call. Errors: invalid_file with the
// position or the piece's number; unsupported for what the format allows and we do not do.
Result<SentencePieceModelInfo> ParseSentencePieceModel(std::span<const uint8_t> bytes);

// What GGUF files of other makers hold of a SentencePiece BPE tokenizer; views of somebody else's
// memory.
struct SentencePieceVocabulary {
  std::span<const std::string_view> tokens;  // by id
  std::span<const float> scores;             // by id: the highest is merged first
  std::span<const int32_t> types;            // PieceType by id
  int32_t unk_id = -1;                       // -1: the first token of type kUnknownPiece
  int32_t bos_id = -1, eos_id = -1;          // -1: none
  bool add_dummy_prefix = true;
};

// A whole BPE model with these pieces: texts are not normalised, spaces stay as many as they are.
// Unused pieces at the end are left out; more than one piece of type kUnknownPiece, as padding is
// marked in some files, become unused. Errors: invalid_file for lists of different lengths, ids
// that are out of range, no unknown piece; whatever else may be wrong ParseSentencePieceModel
// finds.
Result<std::string> BuildSentencePieceModel(const SentencePieceVocabulary& vocabulary);

// The bytes of a model that was parsed without error, less the trainer's test sentences: the
// library would run them and print where one fails.
std::string WithoutSelfTests(std::span<const uint8_t> bytes);

// The byte that a byte piece stands for: 10 for "<0x0A>". -1 for other texts (the library knows
// upper-case digits only).
int ByteOfPiece(std::string_view text);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_SENTENCEPIECE_MODEL_H_
