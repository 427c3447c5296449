// Turns a conversation into prompt ids, by the chat templates of the checkpoints.
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

// Placeholder in a list of prompt ids for all tokens of one image.
inline constexpr int32_t kImageMarker = -200;

// The chat templates that this engine knows; BuildPrompt shows each.
enum class ChatStyle { kQwen2, kV1, kPlain };

// Parses "qwen_2", "v1" or "plain", the value of `fastvlm.chat_style`. Errors: kInvalidArgument
// with the word found.
Result<ChatStyle> ParseChatStyle(std::string_view word);

// The reverse of ParseChatStyle.
const char* ChatStyleName(ChatStyle style);

// OK if `tokenizer` has all control tokens that prompts of this style need; otherwise kUnsupported
// with the one that is missing.
Status CheckChatTokens(const Tokenizer& tokenizer, ChatStyle style);

// The control tokens of `tokenizer` that end a turn or a text in the models that this engine runs.
std::vector<int32_t> EndTokens(const Tokenizer& tokenizer);

// A question, the images in front of it, and the answer to it. Views are borrowed.
struct ChatTurn {
  std::string_view question;
  size_t num_images = 0;                   // images in front of the question
  std::optional<std::string_view> answer;  // present in every turn but the last
};

// A conversation. Views are borrowed.
struct ChatPrompt {
  // The system prompt. nullopt: the default system prompt of the style; empty: none.
  std::optional<std::string_view> system;
  std::span<const ChatTurn> turns;
  // The first id of the prompt, for models that want it (`tokenizer.ggml.add_bos_token`).
  std::optional<int32_t> bos_id;
};

// The prompt's ids, up to where the answer begins, with kImageMarker for each image. Control tokens
// come from the template only, never from texts of the user. The text between two control tokens or
// images is encoded as one string.
//   qwen_2: <|im_start|>system\n{system}<|im_end|>\n
//           <|im_start|>user\n{image}\n{question}<|im_end|>\n<|im_start|>assistant\n
//   v1:     {system} USER: {image}\n{question} ASSISTANT: {answer}</s>USER: ... ASSISTANT:
//   plain:  {image}\n{question}; \n between questions and answers; no default system prompt
// Each image is followed by its own \n. Errors: kInvalidArgument when there is no turn, or when an
// answer is missing or one too many; kUnsupported, with the token, when the tokenizer lacks a
// control token of the template.
Result<std::vector<int32_t>> BuildPrompt(const Tokenizer& tokenizer, ChatStyle style,
                                         const ChatPrompt& prompt);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_CHAT_TEMPLATE_H_
