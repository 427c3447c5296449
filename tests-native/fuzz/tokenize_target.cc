// Texts of any bytes through byte-level BPE: against merging that is written as the definition
// says, back to the text, and piece by piece through the detokenizer. The first bytes choose the
// vocabulary.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "text/bpe_tokenizer.h"
#include "text/detokenizer.h"
#include "text/normalize.h"
#include "text/piece_type.h"
#include "text/pre_split.h"
#include "text/utf8.h"

using namespace tinyvlm;

namespace {

// A vocabulary of bytes, of merges that choices make, and of two special tokens.
struct Vocabulary {
  std::vector<std::string> bytes;  // of the tokens, by id
  std::vector<std::string> tokens, merges;
  std::vector<int32_t> types;
  std::map<std::pair<std::string, std::string>, size_t> ranks;

  void Add(const std::string& token) {
    std::string mapped;
    AppendMappedCharacters(token, &mapped);
    bytes.push_back(token);
    tokens.push_back(mapped);
    types.push_back(kNormalPiece);
  }

  explicit Vocabulary(FuzzedDataProvider& input) {
    for (int byte = 0; byte < 256; ++byte) Add(std::string(1, static_cast<char>(byte)));
    static constexpr uint8_t kLikely[] = {'a', 'b', ' ', '\n', 0xc3, 0xa9, 0xcc, 0x81};
    for (size_t count = input.ConsumeIntegralInRange<size_t>(0, 24); count > 0; --count) {
      const auto pick = [&]() {
        const size_t grown = bytes.size() - 256;
        const size_t at = input.ConsumeIntegralInRange<size_t>(0, std::size(kLikely) + grown - 1);
        return at < std::size(kLikely) ? std::string(1, static_cast<char>(kLikely[at]))
                                       : bytes[256 + at - std::size(kLikely)];
      };
      const std::string left = pick(), right = pick();
      if (left.size() + right.size() > 12 ||
          std::find(bytes.begin(), bytes.end(), left + right) != bytes.end())
        continue;
      std::string merge;
      AppendMappedCharacters(left, &merge);
      merge += ' ';
      AppendMappedCharacters(right, &merge);
      ranks.emplace(std::pair(left, right), merges.size());
      merges.push_back(merge);
      Add(left + right);
    }
    for (const auto& [text, type] : {std::pair<const char*, PieceType>{"<|im_end|>", kControlPiece},
                                     {"ab ", kUserDefinedPiece}}) {
      bytes.emplace_back(type == kControlPiece ? "" : text);
      tokens.emplace_back(text);
      types.push_back(type);
    }
  }

  // The definition: of all neighbours the pair of the lowest rank is merged, the leftmost first.
  std::vector<std::string> Merge(std::string_view piece) const {
    std::vector<std::string> parts;
    for (const char byte : piece) parts.emplace_back(1, byte);
    for (;;) {
      size_t best = merges.size(), at = 0;
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto rank = ranks.find({parts[i], parts[i + 1]});
        if (rank != ranks.end() && rank->second < best) {
          best = rank->second;
          at = i;
        }
      }
      if (best == merges.size()) return parts;
      parts[at] += parts[at + 1];
      parts.erase(parts.begin() + static_cast<ptrdiff_t>(at) + 1);
    }
  }
};

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  FuzzedDataProvider input(data, size);
  const Vocabulary vocabulary(input);
  const std::vector<std::string_view> tokens(vocabulary.tokens.begin(), vocabulary.tokens.end()),
      merges(vocabulary.merges.begin(), vocabulary.merges.end());
  const auto loaded = LoadBpeTokenizer({tokens, vocabulary.types, merges});
  MustHold(loaded.ok(), "a vocabulary of bytes and merges is loaded");
  const Tokenizer& tokenizer = **loaded;
  const std::string stop = input.ConsumeRandomLengthString(6);
  const std::string text = input.ConsumeRemainingBytesAsString();

  const auto ids = tokenizer.Encode(text, false);
  MustHold(ids.ok(), "a text of any bytes is encoded");
  const std::string normal = NormalizeNfc(text);
  MustHold(IsValidUtf8(normal) && NormalizeNfc(normal) == normal, "normalising twice is once");
  MustHold(tokenizer.Decode(*ids) == normal, "decoding gives the normalised text");
  std::string bytes;
  for (const int32_t id : *ids) {
    MustHold(!tokenizer.IsControl(id), "no text gives a control token");
    bytes += tokenizer.TokenBytes(id);
  }
  MustHold(bytes == normal, "tokens are the bytes of the text");

  if (normal.find("ab ") == std::string::npos) {
    std::vector<std::string> wanted;
    for (std::string_view rest = normal; !rest.empty();) {
      const size_t piece = FirstPieceBytes(rest);
      MustHold(piece > 0 && piece <= rest.size(), "a piece is a part of the text");
      for (std::string& part : vocabulary.Merge(rest.substr(0, piece)))
        wanted.push_back(std::move(part));
      rest.remove_prefix(piece);
    }
    MustHold(wanted.size() == ids->size(), "as many tokens as the definition makes");
    for (size_t i = 0; i < wanted.size(); ++i)
      MustHold(tokenizer.TokenBytes((*ids)[i]) == wanted[i], "the tokens of the definition");
  }

  // The same answer however it is divided into tokens: as encoded, and byte by byte.
  std::string answers[2];
  const std::vector<std::string> stops = IsValidUtf8(stop) && !stop.empty()
                                             ? std::vector<std::string>{stop}
                                             : std::vector<std::string>{};
  for (const bool single : {false, true}) {
    std::vector<int32_t> given = *ids;
    if (single) {
      given.clear();
      for (const char byte : normal) given.push_back(static_cast<uint8_t>(byte));
    }
    Detokenizer detokenizer(&tokenizer);
    MustHold(detokenizer.Start(stops, given.size()).ok(), "an answer is begun");
    for (const int32_t id : given) {
      const std::string_view piece = detokenizer.Push(id);
      MustHold(IsValidUtf8(piece), "text comes in whole characters");
      answers[single] += piece;
    }
    answers[single] += detokenizer.Finish();
    MustHold(answers[single] == detokenizer.text(), "the text is what was given out");
  }
  MustHold(answers[0] == answers[1], "an answer does not depend on how it is divided");
  MustHold(stops.empty() || answers[0].find(stop) == std::string::npos,
           "an answer ends before its stop string");
  return 0;
}
