// The tokenizer and the prompt format of a model file: of FastVLM files, and of third-party text
// models (GGUF of architecture qwen2 or llama).
#ifndef TINYVLM_ENGINE_MODEL_TOKENIZER_H_
#define TINYVLM_ENGINE_MODEL_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "formats/gguf.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tinyvlm {

struct ModelTokenizer {
  // null where the file was converted without one; such a model can be traced, not asked
  std::unique_ptr<Tokenizer> tokenizer;

  // The style of the model's prompts. An error (unsupported) where the file's template is of no
  // known style: such a model can be loaded, but asked only with SessionOptions::chat_style.
  Result<ChatStyle> chat_style = ChatStyle::kQwen2;

  std::optional<int32_t> bos_id;  // first id of every prompt, where the model wants one
  std::vector<int32_t> stop_ids;  // ids that end an answer
  // the id of an image's tokens in expanded prompts; -1 where the vocabulary has none
  int32_t image_token_id = -1;

  // Sentences about what was assumed where the file does not say it.
  std::vector<std::string> warnings;
};

// Reads it from the keys of a file with `vocabulary` embedding rows. Files of architecture
// "fastvlm" carry style, stop ids and a SentencePiece model under keys of their own. In others the
// style is that of tokenizer.chat_template; without a template it is qwen_2 where the vocabulary
// has ChatML's control tokens, else plain (a base model, not trained on turns). Their stop ids are
// the file's end token and the control tokens that end turns and texts in the known styles. A
// byte-level BPE of another maker's qwen2 file whose splitting is not named, or named by an alias
// of Qwen2's, is read as Qwen2's with a warning. Errors name the key: unsupported for other kinds
// of tokenizer, not_found for missing keys, invalid_file for contradictory keys and for more tokens
// than rows.
Result<ModelTokenizer> ReadModelTokenizer(const Metadata& meta, std::string_view architecture,
                                          size_t vocabulary);

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_MODEL_TOKENIZER_H_
