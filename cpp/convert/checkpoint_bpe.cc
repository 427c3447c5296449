#include "convert/checkpoint_bpe.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "text/normalize.h"
#include "text/piece_type.h"
#include "text/utf8.h"

namespace tinyvlm {

namespace {

constexpr int64_t kMaxId = (int64_t{1} << 20) - 1;

constexpr const char* kTokenizerJson = "tokenizer.json";
constexpr const char* kVocabJson = "vocab.json";
constexpr const char* kMergesTxt = "merges.txt";
constexpr const char* kAddedTokensJson = "added_tokens.json";
constexpr const char* kConfigJson = "tokenizer_config.json";
constexpr const char* kSpecialMapJson = "special_tokens_map.json";

constexpr std::string_view kQwen2Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// ---- checks of tokenizer.json -----------------------------------------------

// Null where the member is absent or null.
const Json* Member(const Json* json, const char* key) {
  const Json* const value = json == nullptr ? nullptr : json->Find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string TextOf(const Json* json, const char* key) {
  const Json* const value = Member(json, key);
  return value != nullptr && value->string() != nullptr ? *value->string() : "";
}

bool FlagOf(const Json* json, const char* key) {
  const Json* const value = Member(json, key);
  return value != nullptr && value->boolean().value_or(true);
}

Status Differs(const char* key, const char* wanted, const std::string& found) {
  return Error(ErrorCode::kUnsupported, "%s: %s: Qwen2's (%s) wanted, %s found", kTokenizerJson,
               key, wanted, found.empty() ? "none" : Quoted(found, 200).c_str());
}

Status CheckType(const Json& top, const char* key, const char* wanted) {
  const std::string type = TextOf(Member(&top, key), "type");
  return type == wanted ? Status() : Differs(key, wanted, type);
}

Status CheckPreTokenizer(const Json& top) {
  constexpr const char* kKey = "pre_tokenizer";
  const Json* const pre = Member(&top, kKey);
  const Json* const list = Member(pre, "pretokenizers");
  if (TextOf(pre, "type") != "Sequence" || list == nullptr || list->array() == nullptr)
    return Differs(kKey, "Sequence of Split and ByteLevel", TextOf(pre, "type"));
  const Json::Array& steps = *list->array();
  if (steps.size() != 2 || TextOf(&steps[0], "type") != "Split" ||
      TextOf(&steps[1], "type") != "ByteLevel") {
    std::string found = "Sequence of";
    for (const Json& step : steps) found.append(" ").append(TextOf(&step, "type"));
    return Differs(kKey, "Sequence of Split and ByteLevel", found);
  }
  const std::string pattern = TextOf(Member(&steps[0], "pattern"), "Regex");
  if (pattern != kQwen2Split)
    return Differs("pre_tokenizer: Split: pattern", std::string(kQwen2Split).c_str(), pattern);
  if (TextOf(&steps[0], "behavior") != "Isolated" || FlagOf(&steps[0], "invert"))
    return Differs("pre_tokenizer: Split", "isolated, not inverted", "another");
  if (FlagOf(&steps[1], "add_prefix_space"))
    return Differs("pre_tokenizer: ByteLevel: add_prefix_space", "false", "true");
  // Absent means true: GPT-2's expression in addition.
  if (Member(&steps[1], "use_regex") == nullptr || FlagOf(&steps[1], "use_regex"))
    return Differs("pre_tokenizer: ByteLevel: use_regex", "false", "true");
  return Status();
}

Status CheckModel(const Json& top) {
  const Json* const model = Member(&top, "model");
  // Files of early versions omit the type.
  const std::string type = TextOf(model, "type").empty() && Member(model, "merges") != nullptr
                               ? "BPE"
                               : TextOf(model, "type");
  if (type != "BPE") {
    return Error(ErrorCode::kUnsupported, "%s: a tokenizer of type BPE wanted, %s found",
                 kTokenizerJson, type.empty() ? "one without a model" : Quoted(type).c_str());
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix", "unk_token"}) {
    if (!TextOf(model, key).empty()) return Differs(key, "none", TextOf(model, key));
  }
  for (const char* key : {"byte_fallback", "ignore_merges"}) {
    if (FlagOf(model, key)) return Differs(key, "false", "true");
  }
  const Json* const dropout = Member(model, "dropout");
  if (dropout != nullptr && dropout->number() != 0.0) return Differs("dropout", "none", "one");
  return Status();
}

// ---- added tokens -----------------------------------------------------------

struct AddedToken {
  std::string content;
  bool special = false;
};

class AddedTokens {
 public:
  // `entry`: the object that describes the token.
  Status Add(const char* file, int64_t id, const Json& entry) {
    const std::string content = TextOf(&entry, "content");
    const bool special = FlagOf(&entry, "special");
    // Control tokens are never searched for in text of the user, so these flags do not matter.
    for (const char* key : {"lstrip", "rstrip", "single_word"}) {
      if (!special && FlagOf(&entry, key))
        return Error(ErrorCode::kUnsupported, "%s: added token %s: %s of false wanted, true found",
                     file, Quoted(content).c_str(), key);
    }
    // The engine searches for tokens before it normalises texts. For tokens that normalisation does
    // not change, both orders find the same.
    if (!special && FlagOf(&entry, "normalized") && NormalizeNfc(content) != content) {
      return Error(ErrorCode::kUnsupported,
                   "%s: added token %s: normalized of false wanted, true found", file,
                   Quoted(content).c_str());
    }
    return Add(file, id, content, special);
  }

  Status Add(const char* file, int64_t id, const std::string& content, bool special) {
    if (id < 0 || id > kMaxId) {
      return Error(
          ErrorCode::kInvalidFile, "%s: added token %s: an id of 0..%lld wanted, %lld found", file,
          Quoted(content).c_str(), static_cast<long long>(kMaxId), static_cast<long long>(id));
    }
    if (content.empty())
      return Error(ErrorCode::kInvalidFile, "%s: added token %lld has no text", file,
                   static_cast<long long>(id));
    AddedToken& token = by_id_[id];
    if (!token.content.empty() && token.content != content) {
      return Error(ErrorCode::kInvalidFile, "%s: added token %lld is %s here, %s elsewhere", file,
                   static_cast<long long>(id), Quoted(content).c_str(),
                   Quoted(token.content).c_str());
    }
    token.content = content;
    token.special |= special;
    return Status();
  }

  std::map<int64_t, AddedToken>& by_id() { return by_id_; }

 private:
  std::map<int64_t, AddedToken> by_id_;
};

// Texts of the tokens to which a config gives a role: a string, an object with "content", or a list
// of either.
void CollectRoles(const Json& config, std::set<std::string>* texts) {
  const auto add = [texts](const Json& value) {
    const std::string text =
        value.string() != nullptr ? *value.string() : TextOf(&value, "content");
    if (!text.empty()) texts->insert(text);
  };
  for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                          "cls_token", "mask_token"}) {
    if (const Json* const value = Member(&config, key)) add(*value);
  }
  const Json* const more = Member(&config, "additional_special_tokens");
  if (more == nullptr || more->array() == nullptr) return;
  for (const Json& value : *more->array()) add(value);
}

Status ReadAddedTokens(const CheckpointSource& source, const std::optional<Json>& tokenizer_json,
                       const std::optional<Json>& config, AddedTokens* added) {
  const Json* const list = tokenizer_json ? Member(&*tokenizer_json, "added_tokens") : nullptr;
  if (list != nullptr && list->array() != nullptr) {
    for (const Json& entry : *list->array()) {
      Result<int64_t> id = entry.GetInt("id", 0, kMaxId);
      if (!id.ok())
        return Error(id.status().code(), "%s: added_tokens: %s", kTokenizerJson,
                     id.status().message().c_str());
      TVLM_RETURN_IF_ERROR(added->Add(kTokenizerJson, *id, entry));
    }
  }
  const Json* const decoder = config ? Member(&*config, "added_tokens_decoder") : nullptr;
  if (decoder != nullptr && decoder->object() != nullptr) {
    for (const auto& [key, entry] : *decoder->object()) {
      int64_t id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size()) {
        return Error(ErrorCode::kInvalidFile,
                     "%s: added_tokens_decoder: ids as keys wanted, %s found", kConfigJson,
                     Quoted(key).c_str());
      }
      TVLM_RETURN_IF_ERROR(added->Add(kConfigJson, id, entry));
    }
  }
  TVLM_ASSIGN_OR_RETURN(const std::optional<Json> plain,
                        source.ReadOptionalJson(kAddedTokensJson, kMaxTokenizerBytes));
  if (plain) {
    for (const auto& [content, id] : *plain->object()) {
      if (!id.int64())
        return Error(ErrorCode::kInvalidFile, "%s: %s: an id wanted, %s found", kAddedTokensJson,
                     Quoted(content).c_str(), id.KindName());
      TVLM_RETURN_IF_ERROR(added->Add(kAddedTokensJson, *id.int64(), content, /*special=*/false));
    }
  }
  std::set<std::string> roles;
  TVLM_ASSIGN_OR_RETURN(const std::optional<Json> map,
                        source.ReadOptionalJson(kSpecialMapJson, kMaxTokenizerBytes));
  if (map) CollectRoles(*map, &roles);
  if (config) CollectRoles(*config, &roles);
  for (auto& [id, token] : added->by_id()) token.special |= roles.count(token.content) > 0;
  return Status();
}

// ---- vocabulary and merges --------------------------------------------------

Status ReadVocabulary(const Json& vocabulary, const char* file, std::vector<std::string>* tokens) {
  for (const auto& [text, value] : *vocabulary.object()) {
    const std::optional<int64_t> id = value.int64();
    if (!id || *id < 0 || *id > kMaxId) {
      return Error(ErrorCode::kInvalidFile, "%s: token %s: an id of 0..%lld wanted, %s found", file,
                   Quoted(text).c_str(), static_cast<long long>(kMaxId),
                   id ? std::to_string(*id).c_str() : value.KindName());
    }
    if (text.empty())
      return Error(ErrorCode::kInvalidFile, "%s: token %lld has no text", file,
                   static_cast<long long>(*id));
    const size_t i = static_cast<size_t>(*id);
    if (i >= tokens->size()) tokens->resize(i + 1);
    if (!(*tokens)[i].empty()) {
      return Error(ErrorCode::kInvalidFile, "%s: tokens %s and %s have the same id, %zu", file,
                   Quoted((*tokens)[i]).c_str(), Quoted(text).c_str(), i);
    }
    (*tokens)[i] = text;
  }
  return Status();
}

Status ReadMergeList(const Json& list, std::vector<std::string>* merges) {
  for (const Json& one : *list.array()) {
    if (one.string() != nullptr) {
      merges->push_back(*one.string());
      continue;
    }
    const Json::Array* const pair = one.array();
    if (pair == nullptr || pair->size() != 2 || (*pair)[0].string() == nullptr ||
        (*pair)[1].string() == nullptr) {
      return Error(ErrorCode::kInvalidFile,
                   "%s: merge %zu: a string or a pair of strings wanted, %s found", kTokenizerJson,
                   merges->size(), one.KindName());
    }
    merges->push_back(*(*pair)[0].string() + " " + *(*pair)[1].string());
  }
  return Status();
}

void ReadMergeLines(std::string_view text, std::vector<std::string>* merges) {
  for (bool first = true; !text.empty(); first = false) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || (first && line.starts_with("#version"))) continue;
    merges->emplace_back(line);
  }
}

// Adds the added tokens by their ids and sets the type of every id.
Status PlaceAddedTokens(const std::map<int64_t, AddedToken>& added, CheckpointBpe* bpe) {
  if (!added.empty())
    bpe->tokens.resize(
        std::max(bpe->tokens.size(), static_cast<size_t>(added.rbegin()->first) + 1));
  bpe->types.assign(bpe->tokens.size(), kNormalPiece);
  for (const auto& [id, token] : added) {
    const size_t i = static_cast<size_t>(id);
    if (!bpe->tokens[i].empty() && bpe->tokens[i] != token.content) {
      return Error(ErrorCode::kInvalidFile,
                   "added token %s has the id %zu, which the vocabulary gives to %s",
                   Quoted(token.content).c_str(), i, Quoted(bpe->tokens[i]).c_str());
    }
    bpe->tokens[i] = token.content;
    bpe->types[i] = token.special ? kControlPiece : kUserDefinedPiece;
  }
  const auto hole = std::find(bpe->tokens.begin(), bpe->tokens.end(), "");
  if (hole == bpe->tokens.end()) return Status();
  return Error(ErrorCode::kInvalidFile,
               "a token for each of the ids 0..%zu wanted, none for %td found",
               bpe->tokens.size() - 1, hole - bpe->tokens.begin());
}

Status ReadTokenizerJson(const Json& top, CheckpointBpe* bpe) {
  TVLM_RETURN_IF_ERROR(CheckModel(top));
  TVLM_RETURN_IF_ERROR(CheckType(top, "normalizer", "NFC"));
  TVLM_RETURN_IF_ERROR(CheckPreTokenizer(top));
  TVLM_RETURN_IF_ERROR(CheckType(top, "decoder", "ByteLevel"));
  const Json* const vocabulary = Member(Member(&top, "model"), "vocab");
  const Json* const merges = Member(Member(&top, "model"), "merges");
  if (vocabulary == nullptr || vocabulary->object() == nullptr)
    return Error(ErrorCode::kInvalidFile, "%s: model.vocab: an object wanted, none found",
                 kTokenizerJson);
  if (merges == nullptr || merges->array() == nullptr)
    return Error(ErrorCode::kInvalidFile, "%s: model.merges: an array wanted, none found",
                 kTokenizerJson);
  TVLM_RETURN_IF_ERROR(ReadVocabulary(*vocabulary, kTokenizerJson, &bpe->tokens));
  return ReadMergeList(*merges, &bpe->merges);
}

Status ReadVocabAndMerges(const CheckpointSource& source, const std::optional<Json>& config,
                          CheckpointBpe* bpe) {
  // These files do not tell how texts are split.
  const std::string name = config ? TextOf(&*config, "tokenizer_class") : "";
  if (!name.empty() && name != "Qwen2Tokenizer" && name != "Qwen2TokenizerFast") {
    return Error(ErrorCode::kUnsupported,
                 "%s: tokenizer_class: \"Qwen2Tokenizer\" wanted, %s found", kConfigJson,
                 Quoted(name).c_str());
  }
  TVLM_ASSIGN_OR_RETURN(const std::optional<Json> vocabulary,
                        source.ReadOptionalJson(kVocabJson, kMaxTokenizerBytes));
  TVLM_RETURN_IF_ERROR(ReadVocabulary(*vocabulary, kVocabJson, &bpe->tokens));
  if (!source.Has(kMergesTxt))
    return Error(ErrorCode::kNotFound, "%s: %s wanted beside %s, none found", source.name().c_str(),
                 kMergesTxt, kVocabJson);
  TVLM_ASSIGN_OR_RETURN(const std::string merges, source.Read(kMergesTxt, kMaxTokenizerBytes));
  ReadMergeLines(merges, &bpe->merges);
  return Status();
}

}  // namespace

bool HasCheckpointBpe(const CheckpointSource& source) {
  return source.Has(kTokenizerJson) || source.Has(kVocabJson);
}

std::vector<std::string> CheckpointBpeFiles(const CheckpointSource& source) {
  std::vector<std::string> files{kConfigJson, kAddedTokensJson, kSpecialMapJson};
  if (source.Has(kTokenizerJson)) {
    files.push_back(kTokenizerJson);
  } else {
    files.insert(files.end(), {kVocabJson, kMergesTxt});
  }
  return files;
}

Result<CheckpointBpe> ReadCheckpointBpe(const CheckpointSource& source) {
  TVLM_ASSIGN_OR_RETURN(const std::optional<Json> config,
                        source.ReadOptionalJson(kConfigJson, kMaxTokenizerBytes));
  TVLM_ASSIGN_OR_RETURN(const std::optional<Json> tokenizer_json,
                        source.ReadOptionalJson(kTokenizerJson, kMaxTokenizerBytes));
  CheckpointBpe bpe;
  if (tokenizer_json) {
    TVLM_RETURN_IF_ERROR(ReadTokenizerJson(*tokenizer_json, &bpe));
  } else {
    TVLM_RETURN_IF_ERROR(ReadVocabAndMerges(source, config, &bpe));
  }
  AddedTokens added;
  TVLM_RETURN_IF_ERROR(ReadAddedTokens(source, tokenizer_json, config, &added));
  const Status placed = PlaceAddedTokens(added.by_id(), &bpe);
  if (!placed.ok())
    return Error(placed.code(), "%s: %s", tokenizer_json ? kTokenizerJson : kVocabJson,
                 placed.message().c_str());
  return bpe;
}

}  // namespace tinyvlm
