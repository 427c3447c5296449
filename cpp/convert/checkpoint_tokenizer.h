// The tokenizer of a checkpoint folder, byte-level BPE or SentencePiece, and what the folder says
// of its use.
#ifndef TINYVLM_CONVERT_CHECKPOINT_TOKENIZER_H_
#define TINYVLM_CONVERT_CHECKPOINT_TOKENIZER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/gguf_writer.h"
#include "text/chat_template.h"

namespace tinyvlm {

struct CheckpointTokenizer {
  std::vector<std::string> tokens;  // by id
  std::vector<int32_t> types;       // PieceType by id
  std::vector<std::string> merges;  // byte-level BPE only

  std::vector<uint8_t> sentencepiece;  // tokenizer.model, byte for byte; empty: byte-level BPE
  std::vector<float> scores;           // SentencePiece only, as the two that follow
  int32_t unk_id = -1;
  bool add_dummy_prefix = false;

  std::string chat_template;  // Jinja text; empty: none
  ChatStyle chat_style = ChatStyle::kQwen2;
  bool add_bos = false;
  bool add_eos = false;
  int32_t bos_id = -1;  // -1: none
  int32_t eos_id = -1;
  int32_t pad_id = -1;
  // of the control tokens that end a turn or a text, whatever generation_config.json says
  std::vector<int32_t> end_ids;
};

// Reads it from `folder`: tokenizer.model where there is one, else tokenizer.json, else vocab.json
// and merges.txt. Ids must be below `vocabulary`. The style is `chat_style` where that is given,
// else that of the chat template; without a template it is qwen_2 where the vocabulary has ChatML's
// control tokens, as every released FastVLM's has, else v1 for a SentencePiece model with </s>.
// Errors: not_found where there is no tokenizer, unsupported for other kinds of tokenizer, for a
// template of no known style, and where the style's control tokens are missing (named).
Result<CheckpointTokenizer> ReadCheckpointTokenizer(const std::string& folder, uint32_t vocabulary,
                                                    std::optional<ChatStyle> chat_style);

// Adds the model file's keys of a tokenizer, all but the stop ids.
void AddTokenizerKeys(const CheckpointTokenizer& tokenizer, GgufWriter* writer);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_TOKENIZER_H_
