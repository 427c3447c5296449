// The SentencePiece model file (tokenizer.model), read by our own bounds-checked reader. The
// sentencepiece library aborts the process on some inconsistent models, so it gets only bytes that
// passed this parser. The converter reads pieces, scores and types by it, too.
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

// A parsed model.
struct SentencePieceModelInfo {
  enum class Algorithm : int32_t { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
  struct Piece {
    // As stored: U+2581 for a space, "<0x0A>" for a byte piece. Valid UTF-8, not empty, unique.
    std::string text;
    float score = 0;              // unigram: log probability; BPE: the highest is merged first
    int32_t type = kNormalPiece;  // PieceType
  };

  std::vector<Piece> pieces;  // the index is the id
  Algorithm algorithm = Algorithm::kUnigram;
  bool byte_fallback = false;  // characters without a piece become byte pieces; all 256 exist

  // -1: the model has no such piece. The unknown piece always exists.
  int32_t unk_id = -1;
  int32_t bos_id = -1;
  int32_t eos_id = -1;
  int32_t pad_id = -1;

  std::string unk_surface;                  // the text that the unknown piece decodes to
  bool add_dummy_prefix = true;             // a space is added before the text
  bool remove_extra_whitespaces = true;     // runs of spaces become one, outer ones are removed
  bool escape_whitespaces = true;           // spaces become U+2581
  bool treat_whitespace_as_suffix = false;  // the dummy space is added behind the text
  bool has_denormalizer = false;            // decoding rewrites text by a character map
};

// Reads and checks a whole model. `bytes` is borrowed for the call. Errors: kInvalidFile with the
// byte or the number of the piece; kUnsupported for features of the format that this engine lacks.
Result<SentencePieceModelInfo> ParseSentencePieceModel(std::span<const uint8_t> bytes);

// A SentencePiece BPE tokenizer as third-party GGUF files hold it; borrowed views.
struct SentencePieceVocabulary {
  std::span<const std::string_view> tokens;  // by id
  std::span<const float> scores;             // by id: the highest is merged first
  std::span<const int32_t> types;            // PieceType by id
  int32_t unk_id = -1;                       // -1: the first token of type kUnknownPiece
  int32_t bos_id = -1, eos_id = -1;          // -1: none
  bool add_dummy_prefix = true;
};

// Builds a whole BPE model from these pieces, without normalisation of texts and with every space
// kept. Unused pieces at the end are left out; further pieces of type kUnknownPiece, by which some
// files mark padding, become unused. Errors: kInvalidFile for lists of different lengths, ids out
// of range, no unknown piece. ParseSentencePieceModel finds all other errors.
Result<std::string> BuildSentencePieceModel(const SentencePieceVocabulary& vocabulary);

// The bytes of a model that was parsed without error, without the trainer's test sentences: the
// library would run them, and print if one fails.
std::string WithoutSelfTests(std::span<const uint8_t> bytes);

// The byte of a byte piece: 10 for "<0x0A>". -1 for other texts (the library accepts upper-case
// digits only).
int ByteOfPiece(std::string_view text);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_SENTENCEPIECE_MODEL_H_
