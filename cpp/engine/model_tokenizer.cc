#include "engine/model_tokenizer.h"

#include <algorithm>
#include <cinttypes>
#include <string>

#include "text/bpe_tokenizer.h"
#include "text/sentencepiece_model.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/template_style.h"

namespace tinyvlm {

namespace {

// GGUF's keys of a tokenizer; the last two are our own.
constexpr const char* kKind = "tokenizer.ggml.model";
constexpr const char* kPreSplit = "tokenizer.ggml.pre";
constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kScores = "tokenizer.ggml.scores";
constexpr const char* kTypes = "tokenizer.ggml.token_type";
constexpr const char* kMerges = "tokenizer.ggml.merges";
constexpr const char* kAddBos = "tokenizer.ggml.add_bos_token";
constexpr const char* kBosId = "tokenizer.ggml.bos_token_id";
constexpr const char* kEosId = "tokenizer.ggml.eos_token_id";
constexpr const char* kUnknownId = "tokenizer.ggml.unknown_token_id";
constexpr const char* kAddSpacePrefix = "tokenizer.ggml.add_space_prefix";
constexpr const char* kChatTemplate = "tokenizer.chat_template";
constexpr const char* kSentencePieceModel = "tinyvlm.sentencepiece_model";
constexpr const char* kStopIds = "tinyvlm.stop_ids";

// An id of the tokenizer; -1 where the key is absent.
Result<int32_t> ReadId(const Metadata& meta, const char* key, size_t tokens) {
  if (meta.Find(key) == nullptr) return -1;
  TVLM_ASSIGN_OR_RETURN(const int32_t id, meta.GetI32(key));
  if (id < 0 || static_cast<size_t>(id) >= tokens)
    return Error(ErrorCode::kInvalidFile, "%s: an id below %zu wanted, %" PRId32 " found", key,
                 tokens, id);
  return id;
}

Result<bool> ReadFlag(const Metadata& meta, const char* key, bool missing) {
  if (meta.Find(key) == nullptr) return missing;
  return meta.GetBool(key);
}

// OK where texts are split as Qwen2 splits them. What is assumed is appended to `warnings`.
Status CheckPreSplit(const Metadata& meta, std::string_view architecture,
                     std::vector<std::string>* warnings) {
  if (meta.Find(kPreSplit) == nullptr) {
    // Files that were made before the key existed. Llama's have had several ways to split.
    if (architecture != "qwen2") {
      return Error(ErrorCode::kUnsupported,
                   "%s: \"qwen2\" wanted, none found: how texts are split is not known", kPreSplit);
    }
    warnings->push_back(Format("%s is missing: texts are split as Qwen2 splits them", kPreSplit));
    return Status();
  }
  TVLM_ASSIGN_OR_RETURN(const std::string pre, meta.GetString(kPreSplit));
  if (pre == "qwen2") return Status();
  if (pre == "deepseek-r1-qwen") {  // the same expression under the name of a distilled model
    warnings->push_back(
        Format("%s is \"%s\": texts are split as Qwen2 splits them", kPreSplit, pre.c_str()));
    return Status();
  }
  return Error(ErrorCode::kUnsupported,
               "%s: byte-level BPE of the kind \"qwen2\" wanted, \"%s\" found", kPreSplit,
               pre.c_str());
}

Result<std::unique_ptr<Tokenizer>> ReadBpe(const Metadata& meta) {
  TVLM_ASSIGN_OR_RETURN(const auto tokens, meta.GetStringArray(kTokens));
  TVLM_ASSIGN_OR_RETURN(const auto merges, meta.GetStringArray(kMerges));
  std::vector<int32_t> types;
  if (meta.Find(kTypes) != nullptr) {
    TVLM_ASSIGN_OR_RETURN(types, meta.GetI32Array(kTypes));
    if (types.empty() && !tokens.empty())
      return Error(ErrorCode::kInvalidFile, "%s: a type for each of %zu tokens wanted, none found",
                   kTypes, tokens.size());
  }
  return LoadBpeTokenizer({tokens, types, merges});
}

Result<std::unique_ptr<Tokenizer>> ReadSentencePiece(const Metadata& meta) {
  if (meta.Find(kSentencePieceModel) != nullptr) {
    TVLM_ASSIGN_OR_RETURN(const auto model, meta.GetU8Array(kSentencePieceModel));
    return LoadSentencePieceTokenizer(model);
  }
  TVLM_ASSIGN_OR_RETURN(const auto tokens, meta.GetStringArray(kTokens));
  TVLM_ASSIGN_OR_RETURN(const auto scores, meta.GetF32Array(kScores));
  TVLM_ASSIGN_OR_RETURN(const auto types, meta.GetI32Array(kTypes));
  SentencePieceVocabulary vocabulary{tokens, scores, types};
  TVLM_ASSIGN_OR_RETURN(vocabulary.unk_id, ReadId(meta, kUnknownId, tokens.size()));
  TVLM_ASSIGN_OR_RETURN(vocabulary.bos_id, ReadId(meta, kBosId, tokens.size()));
  TVLM_ASSIGN_OR_RETURN(vocabulary.eos_id, ReadId(meta, kEosId, tokens.size()));
  TVLM_ASSIGN_OR_RETURN(vocabulary.add_dummy_prefix, ReadFlag(meta, kAddSpacePrefix, true));
  TVLM_ASSIGN_OR_RETURN(const std::string model, BuildSentencePieceModel(vocabulary));
  return LoadSentencePieceTokenizer({reinterpret_cast<const uint8_t*>(model.data()), model.size()});
}

// The chat style of a third-party file.
Result<ChatStyle> ThirdPartyStyle(const Metadata& meta, const Tokenizer& tokenizer) {
  if (meta.Find(kChatTemplate) != nullptr) {
    TVLM_ASSIGN_OR_RETURN(const std::string text, meta.GetString(kChatTemplate));
    return RecogniseChatStyle(text);
  }
  return CheckChatTokens(tokenizer, ChatStyle::kQwen2).ok() ? ChatStyle::kQwen2 : ChatStyle::kPlain;
}

Status ReadStopIds(const Metadata& meta, size_t vocabulary, std::vector<int32_t>* ids) {
  if (meta.Find(kStopIds) == nullptr) return Status();
  TVLM_ASSIGN_OR_RETURN(*ids, meta.GetI32Array(kStopIds));
  for (const int32_t id : *ids) {
    if (id < 0 || static_cast<size_t>(id) >= vocabulary)
      return Error(ErrorCode::kInvalidFile, "%s: 0..%zu wanted, %" PRId32 " found", kStopIds,
                   vocabulary - 1, id);
  }
  return Status();
}

}  // namespace

Result<ModelTokenizer> ReadModelTokenizer(const Metadata& meta, std::string_view architecture,
                                          size_t vocabulary) {
  const bool ours = architecture == "fastvlm";
  ModelTokenizer result;
  if (meta.Find("fastvlm.image_token_id") != nullptr) {
    TVLM_ASSIGN_OR_RETURN(result.image_token_id, meta.GetI32("fastvlm.image_token_id"));
  }
  TVLM_RETURN_IF_ERROR(ReadStopIds(meta, vocabulary, &result.stop_ids));
  if (meta.Find(kKind) == nullptr) return result;

  TVLM_ASSIGN_OR_RETURN(const std::string kind, meta.GetString(kKind));
  if (kind == "gpt2") {
    TVLM_RETURN_IF_ERROR(CheckPreSplit(meta, architecture, &result.warnings));
    TVLM_ASSIGN_OR_RETURN(result.tokenizer, ReadBpe(meta));
  } else if (kind == "llama") {
    TVLM_ASSIGN_OR_RETURN(result.tokenizer, ReadSentencePiece(meta));
  } else {
    return Error(ErrorCode::kUnsupported,
                 "%s: \"gpt2\" (byte-level BPE) or \"llama\" (SentencePiece) wanted, \"%s\" found",
                 kKind, kind.c_str());
  }
  const Tokenizer& tokenizer = *result.tokenizer;
  if (tokenizer.size() > vocabulary) {
    return Error(ErrorCode::kInvalidFile, "%s has %zu tokens, token_embd.weight only %zu rows",
                 kTokens, tokenizer.size(), vocabulary);
  }

  if (ours) {
    TVLM_ASSIGN_OR_RETURN(const std::string style, meta.GetString("fastvlm.chat_style"));
    const Result<ChatStyle> known = ParseChatStyle(style);
    if (!known.ok())
      return Error(ErrorCode::kUnsupported, "fastvlm.chat_style: %s",
                   known.status().message().c_str());
    result.chat_style = known;
  } else {
    result.chat_style = ThirdPartyStyle(meta, tokenizer);
    // The end token may be one of the unused tokens behind tokenizer.size().
    TVLM_ASSIGN_OR_RETURN(const int32_t eos_id, ReadId(meta, kEosId, vocabulary));
    if (eos_id >= 0) result.stop_ids.push_back(eos_id);
    for (const int32_t id : EndTokens(tokenizer)) {
      if (id != eos_id) result.stop_ids.push_back(id);
    }
  }
  // Llama's SentencePiece models begin every text with BOS unless the file says otherwise.
  TVLM_ASSIGN_OR_RETURN(const bool add_bos, ReadFlag(meta, kAddBos, !ours && kind == "llama"));
  if (add_bos) {
    TVLM_ASSIGN_OR_RETURN(const int32_t bos_id, ReadId(meta, kBosId, tokenizer.size()));
    if (bos_id >= 0) {
      result.bos_id = bos_id;
    } else if (meta.Find(kAddBos) != nullptr) {
      return Error(ErrorCode::kNotFound, "%s is missing, although %s is true", kBosId, kAddBos);
    }
  }
  return result;
}

}  // namespace tinyvlm
