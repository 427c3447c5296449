#include "convert/checkpoint_tokenizer.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/file.h"
#include "base/json.h"
#include "convert/checkpoint_config.h"

namespace tinyvlm {

namespace {

constexpr uint64_t kMaxModelBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxTemplateBytes = uint64_t{1} << 20;
constexpr const char* kModelName = "tokenizer.model";

// Pieces that end a turn or a text in the chat styles.
constexpr std::string_view kEndPieces[] = {"<|im_end|>", "<|endoftext|>", "</s>"};

Status CheckFolder(const std::string& folder) {
  if (IsFile(folder + "/" + kModelName)) return Status();
  for (const char* name : {"tokenizer.json", "vocab.json", "merges.txt"}) {
    if (!IsFile(folder + "/" + name)) continue;
    return Error(ErrorCode::kUnsupported, "%s: a SentencePiece tokenizer (%s) wanted, a byte-level BPE one (%s) found; --no-tokenizer converts the weights alone",
                 folder.c_str(), kModelName, name);
  }
  return Error(ErrorCode::kNotFound, "%s: a tokenizer (%s) wanted, none found; --no-tokenizer converts the weights alone", folder.c_str(), kModelName);
}

int32_t FindPiece(const SentencePieceModelInfo& model, std::string_view text) {
  const auto at = std::find_if(model.pieces.begin(), model.pieces.end(), [text](const auto& piece) { return piece.text == text; });
  return at == model.pieces.end() ? -1 : static_cast<int32_t>(at - model.pieces.begin());
}

// A token of tokenizer_config.json: its text, or an object that holds the text as "content". Empty where it is absent or null.
std::string TokenText(const Json& config, const char* key) {
  const Json* value = config.Find(key);
  if (value != nullptr && value->object() != nullptr) value = value->Find("content");
  return value != nullptr && value->string() != nullptr ? *value->string() : "";
}

// The template's text: a file of its own, or in tokenizer_config.json as a string or as a list of named ones.
Result<std::string> ReadChatTemplate(const std::string& folder, const Json& config) {
  if (IsFile(folder + "/chat_template.jinja")) return ReadTextFile(folder + "/chat_template.jinja", kMaxTemplateBytes);
  TVLM_ASSIGN_OR_RETURN(const std::optional<Json> separate, ReadOptionalJson(folder, "chat_template.json"));
  for (const Json* json : {separate.has_value() ? &*separate : nullptr, &config}) {
    const Json* const value = json == nullptr ? nullptr : json->Find("chat_template");
    if (value == nullptr || value->is_null()) continue;
    if (value->string() != nullptr) return *value->string();
    if (value->array() == nullptr) return Error(ErrorCode::kInvalidFile, "chat_template: a string wanted, %s found", value->KindName());
    for (const Json& named : *value->array()) {
      const Json* const text = named.Find("template");
      if (TokenText(named, "name") == "default" && text != nullptr && text->string() != nullptr) return *text->string();
    }
    return Error(ErrorCode::kInvalidFile, "chat_template: one named \"default\" wanted, none found");
  }
  return std::string();
}

// Every released FastVLM speaks qwen_2, so that is also what a missing template means.
Result<ChatStyle> FindChatStyle(const std::string& chat_template) {
  if (chat_template.empty() || chat_template.find("<|im_start|>") != std::string::npos) return ChatStyle::kQwen2;
  if (chat_template.find("ASSISTANT:") != std::string::npos) return ChatStyle::kV1;
  return Error(ErrorCode::kUnsupported, "chat_template: a template with <|im_start|> (qwen_2) or ASSISTANT: (v1) wanted, one of neither kind found");
}

Status CheckControlPieces(const SentencePieceModelInfo& model, ChatStyle style) {
  static constexpr std::string_view kQwen2[] = {"<|im_start|>", "<|im_end|>"}, kV1[] = {"</s>"};
  const std::span<const std::string_view> wanted = style == ChatStyle::kQwen2 ? std::span<const std::string_view>(kQwen2) : kV1;
  for (const std::string_view text : wanted) {
    const int32_t id = FindPiece(model, text);
    if (id >= 0 && model.pieces[static_cast<size_t>(id)].type == kControlPiece) continue;
    return Error(ErrorCode::kUnsupported, "%s: the chat template (%s) needs the control piece %s, which the model %s", kModelName, ChatStyleName(style),
                 std::string(text).c_str(), id < 0 ? "does not have" : "has as an ordinary piece");
  }
  return Status();
}

}  // namespace

Result<CheckpointTokenizer> ReadCheckpointTokenizer(const std::string& folder, uint32_t vocabulary) {
  TVLM_RETURN_IF_ERROR(CheckFolder(folder));
  CheckpointTokenizer tokenizer;
  TVLM_ASSIGN_OR_RETURN(const std::string proto, ReadTextFile(folder + "/" + kModelName, kMaxModelBytes));
  tokenizer.proto.assign(proto.begin(), proto.end());
  TVLM_ASSIGN_OR_RETURN(tokenizer.model, ParseSentencePieceModel(tokenizer.proto));
  const SentencePieceModelInfo& model = tokenizer.model;
  if (model.pieces.size() > vocabulary) {
    return Error(ErrorCode::kInvalidFile, "%s has %zu pieces, the embedding only %u rows", kModelName, model.pieces.size(), vocabulary);
  }

  TVLM_ASSIGN_OR_RETURN(std::optional<Json> found, ReadOptionalJson(folder, "tokenizer_config.json"));
  const Json config = found.has_value() ? std::move(*found) : Json(Json::Object{});
  TVLM_ASSIGN_OR_RETURN(tokenizer.chat_template, ReadChatTemplate(folder, config));
  TVLM_ASSIGN_OR_RETURN(tokenizer.chat_style, FindChatStyle(tokenizer.chat_template));
  TVLM_RETURN_IF_ERROR(CheckControlPieces(model, tokenizer.chat_style));

  const std::string tokenizer_class = TokenText(config, "tokenizer_class");
  const auto flag = [&config](const char* key, bool missing) -> Result<bool> {
    const Json* const value = config.Find(key);
    if (value == nullptr || value->is_null()) return missing;
    return config.GetBool(key);
  };
  // transformers' Llama tokenizers add the begin token unless they are told not to.
  TVLM_ASSIGN_OR_RETURN(tokenizer.add_bos, flag("add_bos_token", tokenizer_class.starts_with("Llama")));
  TVLM_ASSIGN_OR_RETURN(tokenizer.add_eos, flag("add_eos_token", false));
  const auto special = [&](const char* key, int32_t missing) {
    const std::string text = TokenText(config, key);
    const int32_t id = text.empty() ? -1 : FindPiece(model, text);
    return id >= 0 ? id : missing;
  };
  tokenizer.bos_id = special("bos_token", model.bos_id);
  tokenizer.eos_id = special("eos_token", model.eos_id);
  tokenizer.pad_id = special("pad_token", model.pad_id);
  tokenizer.add_bos = tokenizer.add_bos && tokenizer.bos_id >= 0;
  for (const std::string_view text : kEndPieces) {
    const int32_t id = FindPiece(model, text);
    if (id >= 0 && model.pieces[static_cast<size_t>(id)].type == kControlPiece) tokenizer.end_ids.push_back(id);
  }
  return tokenizer;
}

}  // namespace tinyvlm
