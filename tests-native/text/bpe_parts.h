// Byte-level BPE tokenizers for tests: small ones made by hand, and Qwen2's from its own files.
#ifndef TINYVLM_TESTS_TEXT_BPE_PARTS_H_
#define TINYVLM_TESTS_TEXT_BPE_PARTS_H_

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "catch_amalgamated.hpp"
#include "text/bpe_tokenizer.h"
#include "text/model_writer.h"
#include "text/piece_type.h"

namespace tinyvlm {

// The parts of a tokenizer, owned.
struct BpeParts {
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<std::string> merges;

  // The 256 bytes, in the order of their values.
  static BpeParts Bytes() {
    BpeParts parts;
    for (int byte = 0; byte < 256; ++byte) parts.AddToken(std::string(1, static_cast<char>(byte)));
    return parts;
  }

  // An ordinary token, given by its bytes.
  void AddToken(std::string_view bytes) {
    tokens.emplace_back();
    AppendMappedCharacters(bytes, &tokens.back());
    types.push_back(kNormalPiece);
  }

  void AddSpecial(std::string text, PieceType type) {
    tokens.push_back(std::move(text));
    types.push_back(type);
  }

  // A merge and the token that it makes, given by their bytes.
  void AddMerge(std::string_view left, std::string_view right) {
    merges.emplace_back();
    AppendMappedCharacters(left, &merges.back());
    merges.back() += ' ';
    AppendMappedCharacters(right, &merges.back());
    AddToken(std::string(left).append(right));
  }

  Result<std::unique_ptr<Tokenizer>> Load() const {
    const std::vector<std::string_view> token_views(tokens.begin(), tokens.end()),
        merge_views(merges.begin(), merges.end());
    return LoadBpeTokenizer({token_views, types, merge_views});
  }
};

// Qwen2's, out of the folder with its vocab.json and merges.
inline BpeParts ReadQwen2Parts(const std::filesystem::path& folder) {
  BpeParts parts;
  const auto vocabulary = ParseJson(ReadWholeFile(folder / "vocab.json"));
  const auto added = ParseJson(ReadWholeFile(folder / "added_tokens.json"));
  REQUIRE((vocabulary.ok() && added.ok()));
  parts.tokens.resize(vocabulary->object()->size() + added->object()->size());
  parts.types.resize(parts.tokens.size(), kNormalPiece);
  for (const auto& [text, id] : *vocabulary->object()) parts.tokens.at(*id.uint64()) = text;
  for (const auto& [text, id] : *added->object()) {
    parts.tokens.at(*id.uint64()) = text;
    parts.types.at(*id.uint64()) = kControlPiece;
  }
  std::ifstream merges(folder / "merges.lf.txt");
  for (std::string line; std::getline(merges, line);) {
    if (!line.starts_with("#version") && !line.empty()) parts.merges.push_back(line);
  }
  return parts;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_TEXT_BPE_PARTS_H_
