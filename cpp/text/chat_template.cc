#include "text/chat_template.h"

#include <string>

namespace tinyvlm {

namespace {

struct StyleName {
  ChatStyle style;
  const char* word;
};
constexpr StyleName kStyleNames[] = {
    {ChatStyle::kQwen2, "qwen_2"}, {ChatStyle::kV1, "v1"}, {ChatStyle::kPlain, "plain"}};

constexpr std::string_view kQwen2System = "You are a helpful assistant.";
constexpr std::string_view kV1System =
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's "
    "questions.";

// Builds a prompt. Text is collected up to a control token, an image or the end, and then encoded,
// so that tokens merge across the boundary of template and question but never across an image.
class PromptBuilder {
 public:
  PromptBuilder(const Tokenizer& tokenizer, std::optional<int32_t> bos_id) : tokenizer_(tokenizer) {
    if (bos_id) ids_.push_back(*bos_id);
  }

  void Text(std::string_view text) { text_.append(text); }

  void Control(std::string_view name) {
    if (!Flush()) return;
    const std::optional<int32_t> id = tokenizer_.FindSpecial(name);
    if (!id) {
      status_ = Error(
          ErrorCode::kUnsupported,
          "the chat template needs the token \"%.*s\", which this model's tokenizer does not have",
          static_cast<int>(name.size()), name.data());
      return;
    }
    ids_.push_back(*id);
    at_start_ = false;
  }

  // Images, each followed by the template's line break.
  void Images(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      if (!Flush()) return;
      ids_.push_back(kImageMarker);
      at_start_ = true;
      Text("\n");
    }
  }

  Result<std::vector<int32_t>> Finish() {
    if (!Flush()) return status_;
    return std::move(ids_);
  }

 private:
  // False once an error has occurred: everything after it is ignored.
  bool Flush() {
    if (!status_.ok()) return false;
    if (text_.empty()) return true;
    Result<std::vector<int32_t>> ids = at_start_ ? tokenizer_.Encode(text_, /*parse_special=*/false)
                                                 : tokenizer_.EncodeContinuation(text_);
    if (!ids.ok()) {
      status_ = ids.status();
      return false;
    }
    ids_.insert(ids_.end(), ids->begin(), ids->end());
    text_.clear();
    at_start_ = false;
    return true;
  }

  const Tokenizer& tokenizer_;
  std::vector<int32_t> ids_;
  std::string text_;
  // True at the start of the prompt and behind an image: the reference encodes the texts between
  // images one by one, each with the model's dummy prefix.
  bool at_start_ = true;
  Status status_;
};

void BuildQwen2(const ChatPrompt& prompt, PromptBuilder* builder) {
  const std::string_view system = prompt.system.value_or(kQwen2System);
  const auto begin = [&](std::string_view role) {
    builder->Control("<|im_start|>");
    builder->Text(role);
    builder->Text("\n");
  };
  const auto end = [&] {
    builder->Control("<|im_end|>");
    builder->Text("\n");
  };
  if (!system.empty()) {
    begin("system");
    builder->Text(system);
    end();
  }
  for (const ChatTurn& turn : prompt.turns) {
    begin("user");
    builder->Images(turn.num_images);
    builder->Text(turn.question);
    end();
    begin("assistant");
    if (turn.answer) {
      builder->Text(*turn.answer);
      end();
    }
  }
}

void BuildV1(const ChatPrompt& prompt, PromptBuilder* builder) {
  const std::string_view system = prompt.system.value_or(kV1System);
  builder->Text(system);
  if (!system.empty()) builder->Text(" ");
  for (const ChatTurn& turn : prompt.turns) {
    builder->Text("USER: ");
    builder->Images(turn.num_images);
    builder->Text(turn.question);
    builder->Text(" ASSISTANT:");
    if (turn.answer) {
      builder->Text(" ");
      builder->Text(*turn.answer);
      builder->Control("</s>");
    }
  }
}

void BuildPlain(const ChatPrompt& prompt, PromptBuilder* builder) {
  const std::string_view system = prompt.system.value_or(std::string_view());
  builder->Text(system);
  if (!system.empty()) builder->Text("\n");
  for (const ChatTurn& turn : prompt.turns) {
    builder->Images(turn.num_images);
    builder->Text(turn.question);
    if (turn.answer) {
      builder->Text("\n");
      builder->Text(*turn.answer);
      builder->Text("\n");
    }
  }
}

}  // namespace

Result<ChatStyle> ParseChatStyle(std::string_view word) {
  for (const StyleName& name : kStyleNames) {
    if (word == name.word) return name.style;
  }
  return Error(ErrorCode::kInvalidArgument,
               "chat style: \"qwen_2\", \"v1\" or \"plain\" wanted, \"%.*s\" found",
               static_cast<int>(word.size()), word.data());
}

const char* ChatStyleName(ChatStyle style) {
  for (const StyleName& name : kStyleNames) {
    if (style == name.style) return name.word;
  }
  return "";
}

Status CheckChatTokens(const Tokenizer& tokenizer, ChatStyle style) {
  static constexpr std::string_view kQwen2[] = {"<|im_start|>", "<|im_end|>"}, kV1[] = {"</s>"};
  std::span<const std::string_view> wanted;
  if (style == ChatStyle::kQwen2) wanted = kQwen2;
  if (style == ChatStyle::kV1) wanted = kV1;
  for (const std::string_view name : wanted) {
    const std::optional<int32_t> id = tokenizer.FindSpecial(name);
    if (id && tokenizer.IsControl(*id)) continue;
    return Error(ErrorCode::kUnsupported,
                 "chat style %s needs the control token %s, which the tokenizer %s",
                 ChatStyleName(style), std::string(name).c_str(),
                 id ? "has as an ordinary one" : "does not have");
  }
  return Status();
}

std::vector<int32_t> EndTokens(const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (const std::string_view name : {"<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>"}) {
    const std::optional<int32_t> id = tokenizer.FindSpecial(name);
    if (id && tokenizer.IsControl(*id)) ids.push_back(*id);
  }
  return ids;
}

Result<std::vector<int32_t>> BuildPrompt(const Tokenizer& tokenizer, ChatStyle style,
                                         const ChatPrompt& prompt) {
  if (prompt.turns.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "a conversation of at least one turn wanted, none found");
  for (size_t i = 0; i < prompt.turns.size(); ++i) {
    const bool last = i + 1 == prompt.turns.size();
    if (prompt.turns[i].answer.has_value() == last) {
      return last ? Error(ErrorCode::kInvalidArgument,
                          "turn %zu, the last one, must have no answer yet", i + 1)
                  : Error(ErrorCode::kInvalidArgument,
                          "turn %zu has no answer, but is not the last one", i + 1);
    }
  }
  PromptBuilder builder(tokenizer, prompt.bos_id);
  switch (style) {
    case ChatStyle::kQwen2:
      BuildQwen2(prompt, &builder);
      break;
    case ChatStyle::kV1:
      BuildV1(prompt, &builder);
      break;
    case ChatStyle::kPlain:
      BuildPlain(prompt, &builder);
      break;
  }
  return builder.Finish();
}

}  // namespace tinyvlm
