// Tells the style of a checkpoint's chat template. Templates are programs in Jinja; none is run
// here: what they would print is recognised or refused.
#ifndef TINYVLM_TEXT_TEMPLATE_STYLE_H_
#define TINYVLM_TEXT_TEMPLATE_STYLE_H_

#include <string_view>

#include "base/status.h"
#include "text/chat_template.h"

namespace tinyvlm {

// The style whose prompts `chat_template` prints:
//   qwen_2: ChatML, <|im_start|> and <|im_end|> and no other family's marks
//   v1:     Vicuna, "USER:" and "ASSISTANT:" on one line
//   plain:  the messages' content and nothing else
// The sentence that a template puts where a conversation has no system text is not taken over: a
// style has its own. Errors: unsupported, with the template's first line, for all others.
Result<ChatStyle> RecogniseChatStyle(std::string_view chat_template);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_TEMPLATE_STYLE_H_
