// The tokenizer of a checkpoint, byte-level BPE or SentencePiece, with its chat template and
// special tokens.
#ifndef TINYVLM_CONVERT_CHECKPOINT_TOKENIZER_H_
#define TINYVLM_CONVERT_CHECKPOINT_TOKENIZER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "convert/checkpoint_source.h"
#include "formats/gguf_writer.h"
#include "text/chat_template.h"

namespace tinyvlm {

struct CheckpointTokenizer {
  std::vector<std::string> tokens;  // by id
  std::vector<int32_t> types;       // PieceType by id
  std::vector<std::string> merges;  // byte-level BPE only

  std::vector<uint8_t> sentencepiece;  // tokenizer.model, byte for byte; empty: byte-level BPE
  std::vector<float> scores;           // by id; SentencePiece only
  int32_t unk_id = -1;                 // SentencePiece only; -1: none
  bool add_dummy_prefix = false;       // SentencePiece only: a space before the text

  std::string chat_template;  // Jinja text; empty: none
  ChatStyle chat_style = ChatStyle::kQwen2;
  bool add_bos = false;  // the prompt begins with bos_id
  bool add_eos = false;  // a text ends with eos_id
  int32_t bos_id = -1;   // -1: none
  int32_t eos_id = -1;
  int32_t pad_id = -1;
  std::vector<int32_t> end_ids;  // control tokens that end a turn or a text (EndTokens)
};

// The files that ReadCheckpointTokenizer reads, those that `source` has of them.
std::vector<std::string> CheckpointTokenizerFiles(const CheckpointSource& source);

// Reads tokenizer.model where there is one, else tokenizer.json, else vocab.json and merges.txt.
// Ids must be below `vocabulary`. The chat style is `chat_style` if given, else that of the chat
// template; without a template it is qwen_2 where the vocabulary has ChatML's control tokens, as
// every released FastVLM has, else v1 for a SentencePiece model with </s>. Errors: kNotFound where
// there is no tokenizer; kUnsupported for other kinds of tokenizer, for an unknown template, and
// for missing control tokens of the style (the message names them).
Result<CheckpointTokenizer> ReadCheckpointTokenizer(const CheckpointSource& source,
                                                    uint32_t vocabulary,
                                                    std::optional<ChatStyle> chat_style);

// Adds the tokenizer's keys to a model file, all but the stop ids.
void AddTokenizerKeys(const CheckpointTokenizer& tokenizer, GgufHeaderWriter* writer);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_TOKENIZER_H_
