#include "text/template_style.h"

#include <algorithm>
#include <string>
#include <vector>

#include "text/utf8.h"

namespace tinyvlm {

namespace {

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Marks of other families of templates: a template with one of them has no supported style.
// <|im_sep|>: ChatML with another mark after the role.
constexpr std::string_view kUnsupportedMarks[] = {
    "[INST]",
    "[/INST]",
    "<|start_header_id|>",
    "<|header_start|>",
    "<start_of_turn>",
    "<|START_OF_TURN_TOKEN|>",
    "<|user|>",
    "<|assistant|>",
    "<|im_sep|>",
    "<|start_of_role|>",
    "<|role_start|>",
    "<\xEF\xBD\x9CUser\xEF\xBD\x9C>",
    "[gMASK]",
    "<|start|>",
    "### Instruction",
};

// A part of what a template prints: literal text, or an expression between {{ and }}.
struct Output {
  std::string_view text;
  bool expression;
};

struct TemplateParts {
  std::vector<Output> outputs;
  bool assigns = false;  // has {% set %} or {% macro %}: printed text may come from anywhere
};

constexpr std::string_view kSpace = " \t\r\n";

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos
             ? std::string_view()
             : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// The end of the tag that begins before `at`: its `close` outside of quotes, or the end of the
// text.
size_t TagEnd(std::string_view text, size_t at, std::string_view close) {
  for (char quote = '\0'; at < text.size(); ++at) {
    if (quote != '\0') {
      if (text[at] == '\\') {
        ++at;
      } else if (text[at] == quote) {
        quote = '\0';
      }
    } else if (text.substr(at).starts_with(close)) {
      return at;
    } else if (text[at] == '\'' || text[at] == '"') {
      quote = text[at];
    }
  }
  return text.size();
}

TemplateParts Parse(std::string_view text) {
  TemplateParts parts;
  size_t plain = 0;
  const auto add_plain = [&](size_t end) {
    if (end > plain) parts.outputs.push_back({text.substr(plain, end - plain), false});
  };
  for (size_t i = 0; i + 1 < text.size();) {
    const std::string_view open = text.substr(i, 2);
    if (open != "{{" && open != "{%" && open != "{#") {
      ++i;
      continue;
    }
    add_plain(i);
    const size_t begin = i + 2;
    const size_t end = open == "{{"   ? TagEnd(text, begin, "}}")
                       : open == "{%" ? TagEnd(text, begin, "%}")
                                      : std::min(text.find("#}", begin), text.size());
    std::string_view inside = text.substr(begin, end - begin);
    // A dash at either side removes white space.
    if (inside.starts_with('-')) inside.remove_prefix(1);
    if (inside.ends_with('-')) inside.remove_suffix(1);
    inside = Trimmed(inside);
    if (open == "{{" && !inside.starts_with("raise_exception"))
      parts.outputs.push_back({inside, true});
    if (open == "{%" && (inside.starts_with("set") || inside.starts_with("macro")))
      parts.assigns = true;
    plain = i = std::min(end + 2, text.size());
  }
  add_plain(text.size());
  return parts;
}

bool IsVicuna(std::string_view chat_template, const TemplateParts& parts) {
  bool user = Contains(chat_template, ".upper()"), assistant = false;
  for (const Output& output : parts.outputs) {
    const bool names_user = Contains(output.text, "USER:"),
               names_assistant = Contains(output.text, "ASSISTANT:");
    user |= names_user;
    assistant |= names_assistant;
    // Turns on lines of their own are another format.
    const bool breaks =
        Contains(Trimmed(output.text), "\n") || (output.expression && Contains(output.text, "\\n"));
    if ((names_user || names_assistant) && breaks) return false;
  }
  return user && assistant;
}

// True if the strings that an expression prints are white space or the image's placeholder. Strings
// in brackets are keys.
bool PrintsNoText(std::string_view expression) {
  int depth = 0;
  for (size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '[') ++depth;
    if (c == ']') --depth;
    if (c != '\'' && c != '"') continue;
    const size_t begin = i + 1;
    for (++i; i < expression.size() && expression[i] != c; ++i) {
      if (expression[i] == '\\') ++i;
    }
    if (depth > 0) continue;
    std::string_view text = expression.substr(begin, i - begin);
    if (text.starts_with("<image>")) text.remove_prefix(7);
    while (text.starts_with("\\n")) text.remove_prefix(2);
    if (!Trimmed(text).empty()) return false;
  }
  return true;
}

bool IsPlain(const TemplateParts& parts) {
  bool content = false;
  for (const Output& output : parts.outputs) {
    if (!output.expression) {
      if (!Trimmed(output.text).empty()) return false;
      continue;
    }
    if (Contains(output.text, "role") || Contains(output.text, "eos_token") ||
        !PrintsNoText(output.text))
      return false;
    content |= Contains(output.text, "content");
  }
  return content && !parts.assigns;
}

}  // namespace

Result<ChatStyle> RecogniseChatStyle(std::string_view chat_template) {
  const bool unsupported =
      std::any_of(std::begin(kUnsupportedMarks), std::end(kUnsupportedMarks),
                  [&](std::string_view mark) { return Contains(chat_template, mark); });
  if (!unsupported) {
    if (Contains(chat_template, "<|im_start|>") && Contains(chat_template, "<|im_end|>"))
      return ChatStyle::kQwen2;
    const TemplateParts parts = Parse(chat_template);
    if (IsVicuna(chat_template, parts)) return ChatStyle::kV1;
    if (IsPlain(parts)) return ChatStyle::kPlain;
  }
  const std::string_view trimmed = Trimmed(chat_template),
                         first_line = trimmed.substr(0, trimmed.find_first_of("\r\n"));
  return Error(ErrorCode::kUnsupported,
               "chat template: one of style qwen_2 (<|im_start|>), v1 (USER: ASSISTANT:) or plain "
               "(content only) wanted, found one that begins %s",
               Quoted(first_line, 120).c_str());
}

}  // namespace tinyvlm
