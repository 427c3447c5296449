// Recognises the style of a checkpoint's chat template. Templates are Jinja programs; they are not
// run, but recognised by their text or rejected.
#ifndef TINYVLM_TEXT_TEMPLATE_STYLE_H_
#define TINYVLM_TEXT_TEMPLATE_STYLE_H_

#include <string_view>

#include "base/status.h"
#include "text/chat_template.h"

namespace tinyvlm {

// The style whose prompts `chat_template` prints:
//   qwen_2: ChatML, with <|im_start|> and <|im_end|> and no marks of another family
//   v1:     Vicuna, "USER:" and "ASSISTANT:" on one line
//   plain:  the content of the messages and nothing else
// A default system prompt in the template is ignored: each style has its own. Errors: kUnsupported,
// with the template's first line, for all others.
Result<ChatStyle> RecogniseChatStyle(std::string_view chat_template);

}  // namespace tinyvlm

#endif  // TINYVLM_TEXT_TEMPLATE_STYLE_H_
