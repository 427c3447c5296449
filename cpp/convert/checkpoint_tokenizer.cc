#include "convert/checkpoint_tokenizer.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "convert/checkpoint_bpe.h"
#include "convert/checkpoint_config.h"
#include "text/bpe_tokenizer.h"
#include "text/sentencepiece_model.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/template_style.h"

namespace tinyvlm {

namespace {

constexpr uint64_t kMaxTemplateBytes = uint64_t{1} << 20;
constexpr const char* kModelName = "tokenizer.model";
constexpr const char* kConfigName = "tokenizer_config.json";
constexpr const char* kRolesName = "special_tokens_map.json";
constexpr const char* kTemplateName = "chat_template.jinja";
constexpr const char* kTemplateJsonName = "chat_template.json";

// The error for a checkpoint without a tokenizer that can be used.
Status NoTokenizer(const CheckpointSource& source) {
  const struct {
    const char* file;
    const char* kind;
  } others[] = {{"vocab.txt", "WordPiece"},
                {"qwen.tiktoken", "tiktoken"},
                {"tokenizer.tiktoken", "tiktoken"},
                {"tiktoken.model", "tiktoken"}};
  for (const auto& other : others) {
    if (!source.Has(other.file)) continue;
    return Error(ErrorCode::kUnsupported,
                 "%s: Qwen2's byte-level BPE or a SentencePiece tokenizer wanted, a %s one (%s) "
                 "found; --no-tokenizer converts the weights alone",
                 source.name().c_str(), other.kind, other.file);
  }
  return Error(ErrorCode::kNotFound,
               "%s: a tokenizer (tokenizer.json, vocab.json with merges.txt, or %s) wanted, none "
               "found; --no-tokenizer converts the weights alone",
               source.name().c_str(), kModelName);
}

// Both loaders return the tokenizer as the engine loads it, so that a tokenizer that the engine
// would reject is rejected here.
Result<std::unique_ptr<Tokenizer>> LoadSentencePiece(const CheckpointSource& source,
                                                     CheckpointTokenizer* result) {
  TVLM_ASSIGN_OR_RETURN(const std::string proto, source.Read(kModelName, kMaxTokenizerBytes));
  // A tiktoken file of that name: lines of a token in base 64 and its rank, "!" first.
  if (proto.starts_with("IQ== "))
    return Error(ErrorCode::kUnsupported, "%s: a SentencePiece model wanted, a tiktoken one found",
                 kModelName);
  result->sentencepiece.assign(proto.begin(), proto.end());
  TVLM_ASSIGN_OR_RETURN(const SentencePieceModelInfo model,
                        ParseSentencePieceModel(result->sentencepiece));
  for (const SentencePieceModelInfo::Piece& piece : model.pieces) {
    result->tokens.push_back(piece.text);
    result->scores.push_back(piece.score);
    result->types.push_back(piece.type);
  }
  result->unk_id = model.unk_id;
  result->bos_id = model.bos_id;
  result->eos_id = model.eos_id;
  result->pad_id = model.pad_id;
  result->add_dummy_prefix = model.add_dummy_prefix;
  return LoadSentencePieceTokenizer(result->sentencepiece);
}

Result<std::unique_ptr<Tokenizer>> LoadBpe(const CheckpointSource& source,
                                           CheckpointTokenizer* result) {
  TVLM_ASSIGN_OR_RETURN(CheckpointBpe bpe, ReadCheckpointBpe(source));
  result->tokens = std::move(bpe.tokens);
  result->types = std::move(bpe.types);
  result->merges = std::move(bpe.merges);
  const std::vector<std::string_view> tokens(result->tokens.begin(), result->tokens.end()),
      merges(result->merges.begin(), result->merges.end());
  return LoadBpeTokenizer({tokens, result->types, merges});
}

// A token of tokenizer_config.json or special_tokens_map.json: its text, or an object that holds
// the text as "content". Empty where it is absent or null.
std::string TokenText(const Json& config, const char* key) {
  const Json* value = config.Find(key);
  if (value != nullptr && value->object() != nullptr) value = value->Find("content");
  return value != nullptr && value->string() != nullptr ? *value->string() : "";
}

// The template's text: a file of its own, or in tokenizer_config.json as a string or as a list of
// named ones.
Result<std::string> ReadChatTemplate(const CheckpointSource& source, const Json& config) {
  if (source.Has(kTemplateName)) return source.Read(kTemplateName, kMaxTemplateBytes);
  TVLM_ASSIGN_OR_RETURN(const std::optional<Json> separate,
                        source.ReadOptionalJson(kTemplateJsonName));
  for (const Json* json : {separate.has_value() ? &*separate : nullptr, &config}) {
    const Json* const value = json == nullptr ? nullptr : json->Find("chat_template");
    if (value == nullptr || value->is_null()) continue;
    if (value->string() != nullptr) return *value->string();
    if (value->array() == nullptr)
      return Error(ErrorCode::kInvalidFile, "chat_template: a string wanted, %s found",
                   value->KindName());
    for (const Json& named : *value->array()) {
      const Json* const text = named.Find("template");
      if (TokenText(named, "name") == "default" && text != nullptr && text->string() != nullptr)
        return *text->string();
    }
    return Error(ErrorCode::kInvalidFile,
                 "chat_template: one named \"default\" wanted, none found");
  }
  return std::string();
}

Result<ChatStyle> FindChatStyle(const CheckpointTokenizer& result, const Tokenizer& tokenizer) {
  if (!result.chat_template.empty()) {
    Result<ChatStyle> style = RecogniseChatStyle(result.chat_template);
    if (style.ok()) return style;
    return Error(style.status().code(), "%s; --chat-style qwen_2, v1 or plain names the one to use",
                 style.status().message().c_str());
  }
  if (CheckChatTokens(tokenizer, ChatStyle::kQwen2).ok()) return ChatStyle::kQwen2;
  if (!result.sentencepiece.empty() && CheckChatTokens(tokenizer, ChatStyle::kV1).ok())
    return ChatStyle::kV1;
  return Error(ErrorCode::kUnsupported,
               "a chat template, or control tokens <|im_start|> and <|im_end|>, wanted, none "
               "found; --chat-style qwen_2, v1 or plain names the style to use");
}

}  // namespace

std::vector<std::string> CheckpointTokenizerFiles(const CheckpointSource& source) {
  std::vector<std::string> files;
  if (source.Has(kModelName)) {
    files.push_back(kModelName);
  } else if (HasCheckpointBpe(source)) {
    files = CheckpointBpeFiles(source);
  }
  files.insert(files.end(), {kConfigName, kRolesName});
  files.emplace_back(source.Has(kTemplateName) ? kTemplateName : kTemplateJsonName);
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  std::erase_if(files, [&source](const std::string& file) { return !source.Has(file); });
  return files;
}

Result<CheckpointTokenizer> ReadCheckpointTokenizer(const CheckpointSource& source,
                                                    uint32_t vocabulary,
                                                    std::optional<ChatStyle> chat_style) {
  CheckpointTokenizer result;
  std::unique_ptr<Tokenizer> tokenizer;
  if (source.Has(kModelName)) {
    TVLM_ASSIGN_OR_RETURN(tokenizer, LoadSentencePiece(source, &result));
  } else if (HasCheckpointBpe(source)) {
    TVLM_ASSIGN_OR_RETURN(tokenizer, LoadBpe(source, &result));
  } else {
    return NoTokenizer(source);
  }
  if (result.tokens.size() > vocabulary) {
    return Error(ErrorCode::kInvalidFile,
                 "%s: the tokenizer has %zu tokens, the embedding only %u rows",
                 source.name().c_str(), result.tokens.size(), vocabulary);
  }

  TVLM_ASSIGN_OR_RETURN(std::optional<Json> found, source.ReadOptionalJson(kConfigName));
  const Json config = found.has_value() ? std::move(*found) : Json(Json::Object{});
  TVLM_ASSIGN_OR_RETURN(found, source.ReadOptionalJson(kRolesName));
  const Json roles = found.has_value() ? std::move(*found) : Json(Json::Object{});
  TVLM_ASSIGN_OR_RETURN(result.chat_template, ReadChatTemplate(source, config));
  if (chat_style.has_value()) {
    result.chat_style = *chat_style;
  } else {
    TVLM_ASSIGN_OR_RETURN(result.chat_style, FindChatStyle(result, *tokenizer));
  }
  TVLM_RETURN_IF_ERROR(CheckChatTokens(*tokenizer, result.chat_style));

  const auto flag = [&config](const char* key, bool missing) -> Result<bool> {
    const Json* const value = config.Find(key);
    if (value == nullptr || value->is_null()) return missing;
    return config.GetBool(key);
  };
  // transformers' Llama tokenizers add the begin token unless they are told not to.
  TVLM_ASSIGN_OR_RETURN(
      result.add_bos,
      flag("add_bos_token", TokenText(config, "tokenizer_class").starts_with("Llama")));
  TVLM_ASSIGN_OR_RETURN(result.add_eos, flag("add_eos_token", false));
  const auto find = [&](const char* role, int32_t missing) {
    const std::string text =
        TokenText(config, role).empty() ? TokenText(roles, role) : TokenText(config, role);
    const auto at = std::find(result.tokens.begin(), result.tokens.end(), text);
    return text.empty() || at == result.tokens.end()
               ? missing
               : static_cast<int32_t>(at - result.tokens.begin());
  };
  result.bos_id = find("bos_token", result.bos_id);
  result.eos_id = find("eos_token", result.eos_id);
  result.pad_id = find("pad_token", result.pad_id);
  result.add_bos = result.add_bos && result.bos_id >= 0;
  result.end_ids = EndTokens(*tokenizer);
  return result;
}

void AddTokenizerKeys(const CheckpointTokenizer& tokenizer, GgufHeaderWriter* writer) {
  const bool bpe = tokenizer.sentencepiece.empty();
  writer->AddString("tokenizer.ggml.model", bpe ? "gpt2" : "llama");
  writer->AddString("tokenizer.ggml.pre", bpe ? "qwen2" : "default");
  writer->AddStringArray("tokenizer.ggml.tokens", tokenizer.tokens);
  if (!bpe) writer->AddF32Array("tokenizer.ggml.scores", tokenizer.scores);
  writer->AddI32Array("tokenizer.ggml.token_type", tokenizer.types);
  if (bpe) writer->AddStringArray("tokenizer.ggml.merges", tokenizer.merges);
  const auto add_id = [writer](const char* key, int32_t id) {
    if (id >= 0) writer->AddU32(key, static_cast<uint32_t>(id));
  };
  add_id("tokenizer.ggml.unknown_token_id", tokenizer.unk_id);
  add_id("tokenizer.ggml.bos_token_id", tokenizer.bos_id);
  add_id("tokenizer.ggml.eos_token_id", tokenizer.eos_id);
  add_id("tokenizer.ggml.padding_token_id", tokenizer.pad_id);
  writer->AddBool("tokenizer.ggml.add_bos_token", tokenizer.add_bos);
  writer->AddBool("tokenizer.ggml.add_eos_token", tokenizer.add_eos);
  if (!bpe) writer->AddBool("tokenizer.ggml.add_space_prefix", tokenizer.add_dummy_prefix);
  if (!tokenizer.chat_template.empty())
    writer->AddString("tokenizer.chat_template", tokenizer.chat_template);
  if (!bpe) writer->AddU8Array("tinyvlm.sentencepiece_model", tokenizer.sentencepiece);
  writer->AddString("fastvlm.chat_style", ChatStyleName(tokenizer.chat_style));
}

}  // namespace tinyvlm
