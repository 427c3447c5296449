// The tokenizer of a checkpoint folder: a SentencePiece model and what tokenizer_config.json says of its use.
#ifndef TINYVLM_CONVERT_CHECKPOINT_TOKENIZER_H_
#define TINYVLM_CONVERT_CHECKPOINT_TOKENIZER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "text/chat_template.h"
#include "text/sentencepiece_model.h"

namespace tinyvlm {

struct CheckpointTokenizer {
  std::vector<uint8_t> proto;    // tokenizer.model, byte for byte
  SentencePieceModelInfo model;
  std::string chat_template;     // Jinja text; empty: none
  ChatStyle chat_style = ChatStyle::kQwen2;
  bool add_bos = false;
  bool add_eos = false;
  int32_t bos_id = -1;           // -1: none
  int32_t eos_id = -1;
  int32_t pad_id = -1;
  std::vector<int32_t> end_ids;  // of the control pieces that end a turn or a text, whatever generation_config.json says
};

// Reads it from `folder`; ids must be below `vocabulary`. kUnsupported for other kinds of tokenizer, for a chat template of no known style, and where the
// template's control tokens are missing from the model (named).
Result<CheckpointTokenizer> ReadCheckpointTokenizer(const std::string& folder, uint32_t vocabulary);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_TOKENIZER_H_
