// Turns a conversation into prompt ids (the templates of the checkpoints, docs: spec of FastVLM's
// text side).
#ifndef TINYVLM_TEXT_CHAT_TEMPLATE_H_
#define TINYVLM_TEXT_CHAT_TEMPLATE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/tokenizer.h"

namespace tinyvlm {

// Where the rows of an image go in a list of prompt ids.
inline constexpr int32_t kImageMarker = -200;

enum class ChatStyle { kQwen2, kV1, kPlain };

// "qwen_2", "v1" or "plain", the value of `fastvlm.chat_style`. Errors: invalid_argument, naming
// the word.
Result<ChatStyle> ParseChatStyle(std::string_view word);

// The word of a style.
const char* ChatStyleName(ChatStyle style);

// Ok where `tokenizer` has, as control tokens, those that the style's prompts are made with;
// otherwise unsupported, naming the one that is missing.
Status CheckChatTokens(const Tokenizer& tokenizer, ChatStyle style);

// The control tokens of `tokenizer` that end a turn or a text in the models that this engine runs.
std::vector<int32_t> EndTokens(const Tokenizer& tokenizer);

// A question with the images that stand before it, and the answer that was given; every turn but
// the last has one. Views are borrowed.
struct ChatTurn {
  std::string_view question;
  size_t num_images = 0;
  std::optional<std::string_view> answer;
};

struct ChatPrompt {
  // nullopt: the style's own sentence; empty: no system text at all
  std::optional<std::string_view> system;
  std::span<const ChatTurn> turns;
  // put first where the model wants it (`tokenizer.ggml.add_bos_token`)
  std::optional<int32_t> bos_id;
};

// The prompt's ids, up to where the answer begins, with kImageMarker for each image. Control tokens
// come from the template alone, never from the texts; text between two control tokens or images is
// encoded as one string, and never together with what is beyond an image.
//   qwen_2:
//   <|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{image}\n{question}<|im_end|>\n<|im_start|>assistant\n
//   v1:     {system} USER: {image}\n{question} ASSISTANT: {answer}</s>USER: ... ASSISTANT:
//   plain:  {image}\n{question}, turns and answers divided by \n; no system text of its own
// Each image is followed by its own \n. Errors: invalid_argument when there is no turn or an answer
// is missing or too many; unsupported, naming the token, when the tokenizer lacks a control token
// that the template needs.
Result<std::vector<int32_t>> BuildPrompt(const Tokenizer& tokenizer, ChatStyle style,
                                         const ChatPrompt& prompt);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_CHAT_TEMPLATE_H_
