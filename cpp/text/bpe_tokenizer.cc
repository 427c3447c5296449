#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "base/clock.h"
#include "base/utf8_encode.h"
#include "text/normalize.h"
#include "text/piece_type.h"
#include "text/pre_split.h"
#include "text/special_tokens.h"
#include "text/utf8.h"

namespace tinyvlm {

namespace {

// Limits far above real tokenizers (Qwen2: 151,646 tokens, 151,387 merges, 256 bytes a token). They
// keep numbers within 32 bits and bound the memory that a malicious file can ask for.
constexpr size_t kMaxTokens = size_t{1} << 20;
constexpr size_t kMaxMerges = size_t{1} << 21;
constexpr size_t kMaxTokenBytes = 1024;

// Look-ups that wait for memory together while a tokenizer is read.
constexpr size_t kLookAhead = 16;

// ---- mapped characters ------------------------------------------------------

constexpr char32_t kMappedCharacters = 0x100 + 68;

struct ByteMap {
  std::array<char32_t, 256> character{};
  std::array<int16_t, kMappedCharacters> byte{};  // -1: maps to no byte
};

constexpr ByteMap MakeByteMap() {
  ByteMap map;
  for (auto& byte : map.byte) byte = -1;
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    map.character[byte] = itself ? byte : next++;
    map.byte[map.character[byte]] = static_cast<int16_t>(byte);
  }
  return map;
}
constexpr ByteMap kByteMap = MakeByteMap();

// Appends the bytes that `mapped` maps to. False if a character, or bad UTF-8, maps to none.
bool AppendUnmapped(std::string_view mapped, std::string* out) {
  while (!mapped.empty()) {
    // Nearly all are printable ASCII, which stands for itself.
    size_t run = 0;
    while (run < mapped.size() && mapped[run] > ' ' && mapped[run] <= '~') ++run;
    out->append(mapped.data(), run);
    mapped.remove_prefix(run);
    if (mapped.empty()) break;
    const Utf8Step step = NextUtf8(mapped);
    if (step.kind != Utf8Step::kCharacter || step.character >= kMappedCharacters ||
        kByteMap.byte[step.character] < 0)
      return false;
    out->push_back(static_cast<char>(kByteMap.byte[step.character]));
    mapped.remove_prefix(step.length);
  }
  return true;
}

// ---- hash tables ------------------------------------------------------------

// An odd number that whoever wrote the file does not know, so that no file can be made whose tokens
// all meet in one place: that would take time by the square of their number. It changes where
// entries lie and nothing else.
uint64_t MakeKey(const void* address) {
  const double now = NowMs();
  uint64_t key = 0;
  std::memcpy(&key, &now, sizeof(key));
  key ^= static_cast<uint64_t>(reinterpret_cast<uintptr_t>(address)) << 32;
  for (int i = 0; i < 3; ++i) {
    key = (key ^ key >> 32) * 0xD6E8FEB86659FD93u;
  }
  return (key ^ key >> 32) | 1;
}

// The first slot to probe: the top bits of a product, which depend on all bits of the hash.
size_t FirstSlot(uint64_t hash, size_t slots, uint64_t key) {
  return static_cast<size_t>((hash * key) >> (64 - std::countr_zero(slots)));
}

// Open-addressing slots for `entries`, a power of two and at most half full, all -1.
Result<AlignedBuffer<int32_t>> MakeSlots(size_t entries, const char* what) {
  size_t slots = 16;
  while (slots < 2 * entries) slots *= 2;
  TVLM_ASSIGN_OR_RETURN(auto buffer, AlignedBuffer<int32_t>::Allocate(slots, what));
  std::fill_n(buffer.data(), slots, -1);
  return buffer;
}

// The bytes of all tokens, one after the other.
struct TokenArena {
  AlignedBuffer<char> bytes;
  AlignedBuffer<uint32_t> begins;  // one more than tokens

  std::string_view operator[](size_t id) const {
    return {bytes.data() + begins[id], begins[id + 1] - begins[id]};
  }
};

// Ordinary tokens by their bytes; needed while merges are read.
class TokenIndex {
 public:
  static Result<TokenIndex> Create(const TokenArena* arena, size_t tokens) {
    TVLM_ASSIGN_OR_RETURN(auto slots, MakeSlots(tokens, "tokens by text"));
    return TokenIndex(arena, std::move(slots));
  }

  // -1: there is none.
  int32_t Find(std::string_view bytes) const { return slots_[SlotOf(bytes)]; }

  // Starts to fetch from memory what Find or Insert will look at first.
  void Prefetch(std::string_view bytes) const {
    __builtin_prefetch(&slots_[FirstSlot(Hash(bytes), slots_.size(), key_)]);
  }

  // Adds token `id`. Returns -1, or the id of an earlier token with the same bytes.
  int32_t Insert(int32_t id) {
    int32_t& slot = slots_[SlotOf((*arena_)[static_cast<size_t>(id)])];
    if (slot < 0) {
      slot = id;
      return -1;
    }
    return slot;
  }

 private:
  TokenIndex(const TokenArena* arena, AlignedBuffer<int32_t> slots)
      : arena_(arena), slots_(std::move(slots)) {}

  uint64_t Hash(std::string_view bytes) const {
    const char* p = bytes.data();
    size_t left = bytes.size();
    uint64_t hash = left;
    const auto mix = [&hash, key = key_](uint64_t word) {
      hash = (hash ^ word) * key;
      hash ^= hash >> 32;
    };
    for (; left >= 8; left -= 8, p += 8) {
      uint64_t word;
      std::memcpy(&word, p, 8);
      mix(word);
    }
    if (left >= 4) {  // two halves, which overlap where fewer than 8 bytes are left
      uint32_t low, high;
      std::memcpy(&low, p, 4);
      std::memcpy(&high, p + left - 4, 4);
      mix(uint64_t{high} << 32 | low);
    } else if (left > 0) {  // first, middle and last: all of up to 3 bytes
      mix(uint64_t{static_cast<uint8_t>(p[0])} << 16 |
          uint64_t{static_cast<uint8_t>(p[left / 2])} << 8 | static_cast<uint8_t>(p[left - 1]));
    }
    return hash;
  }

  size_t SlotOf(std::string_view bytes) const {
    size_t slot = FirstSlot(Hash(bytes), slots_.size(), key_);
    while (slots_[slot] >= 0 && (*arena_)[static_cast<size_t>(slots_[slot])] != bytes)
      slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  }

  const TokenArena* arena_;
  AlignedBuffer<int32_t> slots_;
  uint64_t key_ = MakeKey(slots_.data());
};

struct Merge {
  int32_t left, right, merged;
};

// Merges by rank, and ranks by pair.
class MergeTable {
 public:
  Status Allocate(size_t merges) {
    TVLM_ASSIGN_OR_RETURN(merges_,
                          AlignedBuffer<Merge>::Allocate(merges, "merges of the tokenizer"));
    TVLM_ASSIGN_OR_RETURN(slots_, MakeSlots(merges, "merges by pair"));
    return Status();
  }

  // Adds the pair with `rank`. Returns -1, or the rank that it has already.
  int32_t Insert(int32_t rank, const Merge& merge) {
    int32_t& slot = slots_[SlotOf(merge.left, merge.right)];
    if (slot >= 0) return slot;
    merges_[static_cast<size_t>(rank)] = merge;
    slot = rank;
    return -1;
  }

  // Starts to fetch from memory what Insert will look at first.
  void Prefetch(const Merge& merge) const {
    __builtin_prefetch(&slots_[FirstSlot(Hash(merge.left, merge.right), slots_.size(), key_)]);
  }

  // -1: the pair is not merged.
  int32_t Rank(int32_t left, int32_t right) const { return slots_[SlotOf(left, right)]; }

  const Merge& operator[](int32_t rank) const { return merges_[static_cast<size_t>(rank)]; }

  size_t memory_bytes() const {
    return merges_.size() * sizeof(Merge) + slots_.size() * sizeof(int32_t);
  }

 private:
  static uint64_t Hash(int32_t left, int32_t right) {
    const uint64_t pair =
        static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
    return pair ^ pair >> 29;
  }

  size_t SlotOf(int32_t left, int32_t right) const {
    size_t slot = FirstSlot(Hash(left, right), slots_.size(), key_);
    while (slots_[slot] >= 0) {
      const Merge& merge = (*this)[slots_[slot]];
      if (merge.left == left && merge.right == right) break;
      slot = (slot + 1) & (slots_.size() - 1);
    }
    return slot;
  }

  AlignedBuffer<Merge> merges_;
  AlignedBuffer<int32_t> slots_;
  uint64_t key_ = MakeKey(this);
};

// ---- the tokenizer ----------------------------------------------------------

class BpeTokenizer final : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> Load(const BpeVocabulary& vocabulary) {
    auto tokenizer = std::unique_ptr<BpeTokenizer>(new BpeTokenizer);
    TVLM_RETURN_IF_ERROR(tokenizer->ReadTokens(vocabulary));
    TVLM_ASSIGN_OR_RETURN(TokenIndex index,
                          TokenIndex::Create(&tokenizer->arena_, vocabulary.tokens.size()));
    TVLM_RETURN_IF_ERROR(tokenizer->IndexTokens(vocabulary, &index));
    TVLM_RETURN_IF_ERROR(tokenizer->ReadMerges(vocabulary, index));
    return std::unique_ptr<Tokenizer>(std::move(tokenizer));
  }

  size_t size() const override { return size_; }

  Result<std::vector<int32_t>> Encode(std::string_view text, bool parse_special) const override {
    if (text.size() > kMaxTextBytes) {
      return Error(ErrorCode::kInvalidArgument, "a text of at most %zu bytes wanted, %zu found",
                   kMaxTextBytes, text.size());
    }
    std::vector<int32_t> ids;
    Word word;
    size_t plain = 0;  // offset of the text that is not encoded yet
    for (size_t i = 0; i < text.size();) {
      const SpecialTokens::Token* const special =
          specials_.LongestAt(text.substr(i), parse_special, /*user_defined=*/true);
      if (special == nullptr) {
        ++i;
        continue;
      }
      AppendPlain(text.substr(plain, i - plain), &word, &ids);
      ids.push_back(special->id);
      i += special->text.size();
      plain = i;
    }
    AppendPlain(text.substr(plain), &word, &ids);
    return ids;
  }

  Result<std::vector<int32_t>> EncodeContinuation(std::string_view text) const override {
    return Encode(text, /*parse_special=*/false);
  }

  std::string_view TokenBytes(int32_t id) const override {
    if (!Has(id) || IsControl(id) || types_[static_cast<size_t>(id)] == kUnusedPiece) return {};
    return arena_[static_cast<size_t>(id)];
  }

  bool IsControl(int32_t id) const override {
    return Has(id) && types_[static_cast<size_t>(id)] == kControlPiece;
  }

  std::optional<int32_t> FindSpecial(std::string_view name) const override {
    const SpecialTokens::Token* const special = specials_.Find(name);
    return special == nullptr ? std::nullopt : std::optional<int32_t>(special->id);
  }

  std::string Decode(std::span<const int32_t> ids) const override {
    std::string bytes, text;
    for (const int32_t id : ids) bytes.append(TokenBytes(id));
    AppendValidUtf8(bytes, &text);
    return text;
  }

  size_t memory_bytes() const override {
    return arena_.bytes.size() + arena_.begins.size() * sizeof(uint32_t) + types_.size() +
           merges_.memory_bytes();
  }

 private:
  // The symbols of one piece while they are merged: bytes first, tokens in the end.
  struct Word {
    struct Symbol {
      int32_t id;             // -1: merged into the symbol before
      int32_t before, after;  // indices of the neighbours; -1: none
    };
    // A pair that may be merged. It is stale if its symbols have changed since.
    struct Candidate {
      int32_t rank, place;  // merged in order of rank, leftmost first
      bool operator<(const Candidate& other) const {
        return rank != other.rank ? rank > other.rank : place > other.place;
      }  // the heap pops the largest
    };
    std::vector<Symbol> symbols;
    std::vector<Candidate> queue;
  };

  bool Has(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < size_; }

  int32_t TypeOf(const BpeVocabulary& vocabulary, size_t id) const {
    return vocabulary.types.empty() ? static_cast<int32_t>(kNormalPiece) : vocabulary.types[id];
  }

  Status ReadTokens(const BpeVocabulary& vocabulary) {
    const size_t count = vocabulary.tokens.size();
    if (count > kMaxTokens)
      return Error(ErrorCode::kUnsupported, "tokenizer: at most %zu tokens wanted, %zu found",
                   kMaxTokens, count);
    if (!vocabulary.types.empty() && vocabulary.types.size() != count) {
      return Error(ErrorCode::kInvalidFile,
                   "tokenizer: a type for each of %zu tokens wanted, %zu types found", count,
                   vocabulary.types.size());
    }
    uint64_t bytes = 0;
    // Mapped characters are longer than the bytes they map to.
    for (const std::string_view token : vocabulary.tokens) bytes += token.size();
    if (bytes > UINT32_MAX)
      return Error(ErrorCode::kUnsupported,
                   "tokenizer: at most 4 GB of tokens wanted, %.1f GB found",
                   static_cast<double>(bytes) / 1e9);
    TVLM_ASSIGN_OR_RETURN(arena_.bytes,
                          AlignedBuffer<char>::Allocate(bytes, "tokens of the tokenizer"));
    TVLM_ASSIGN_OR_RETURN(arena_.begins,
                          AlignedBuffer<uint32_t>::Allocate(count + 1, "tokens of the tokenizer"));
    TVLM_ASSIGN_OR_RETURN(
        types_, AlignedBuffer<uint8_t>::Allocate(count, "types of the tokenizer's tokens"));
    std::vector<SpecialTokens::Token> specials;
    std::string unmapped;
    uint32_t end = 0;
    arena_.begins[0] = 0;
    for (size_t id = 0; id < count; ++id) {
      const std::string_view token = vocabulary.tokens[id];
      const int32_t type = TypeOf(vocabulary, id);
      std::string_view as_text = token;
      switch (type) {
        case kNormalPiece:
          unmapped.clear();
          if (!AppendUnmapped(token, &unmapped)) {
            return Error(ErrorCode::kInvalidFile,
                         "tokenizer: token %zu %s is not in the characters of byte-level BPE", id,
                         Quoted(token).c_str());
          }
          as_text = unmapped;
          break;
        case kControlPiece:
        case kUserDefinedPiece:
          if (!IsValidUtf8(token))
            return Error(ErrorCode::kInvalidFile, "tokenizer: token %zu %s is not valid UTF-8", id,
                         Quoted(token).c_str());
          if (!token.empty())
            specials.push_back(
                {std::string(token), static_cast<int32_t>(id), type == kControlPiece});
          break;
        case kUnusedPiece:
          break;
        default:
          return Error(ErrorCode::kInvalidFile,
                       "tokenizer: token %zu %s: type 1 (normal), 3 (control), 4 (user-defined) or "
                       "5 (unused) wanted, %d found",
                       id, Quoted(token).c_str(), static_cast<int>(type));
      }
      if (as_text.empty() && type != kUnusedPiece)
        return Error(ErrorCode::kInvalidFile, "tokenizer: token %zu has no text", id);
      if (as_text.size() > kMaxTokenBytes) {
        return Error(ErrorCode::kUnsupported,
                     "tokenizer: token %zu %s: at most %zu bytes wanted, %zu found", id,
                     Quoted(token).c_str(), kMaxTokenBytes, as_text.size());
      }
      if (type != kUnusedPiece) size_ = id + 1;
      types_[id] = static_cast<uint8_t>(type);
      if (!as_text.empty()) std::memcpy(arena_.bytes.data() + end, as_text.data(), as_text.size());
      end += static_cast<uint32_t>(as_text.size());
      arena_.begins[id + 1] = end;
    }
    specials_ = SpecialTokens(std::move(specials));
    return Status();
  }

  Status IndexTokens(const BpeVocabulary& vocabulary, TokenIndex* index) {
    const size_t count = vocabulary.tokens.size();
    for (size_t id = 0; id < count; ++id) {
      if (id + kLookAhead < count) index->Prefetch(arena_[id + kLookAhead]);
      int32_t other = -1;
      if (types_[id] == kNormalPiece) {
        other = index->Insert(static_cast<int32_t>(id));
      } else if (types_[id] != kUnusedPiece) {
        const int32_t found = specials_.Find(vocabulary.tokens[id])->id;
        other = found == static_cast<int32_t>(id) ? -1 : found;
      }
      if (other >= 0) {
        return Error(ErrorCode::kInvalidFile, "tokenizer: token %zu %s exists already as %d", id,
                     Quoted(vocabulary.tokens[id]).c_str(), static_cast<int>(other));
      }
    }
    for (size_t byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      byte_ids_[byte] = index->Find(std::string_view(&c, 1));
      if (byte_ids_[byte] < 0)
        return Error(ErrorCode::kInvalidFile,
                     "tokenizer: a token for each of 256 bytes wanted, none for byte 0x%02zX found",
                     byte);
    }
    return Status();
  }

  Status ReadMerges(const BpeVocabulary& vocabulary, const TokenIndex& index) {
    const size_t count = vocabulary.merges.size();
    if (count > kMaxMerges)
      return Error(ErrorCode::kUnsupported, "tokenizer: at most %zu merges wanted, %zu found",
                   kMaxMerges, count);
    TVLM_RETURN_IF_ERROR(merges_.Allocate(count));
    // In batches, whose look-ups fetch from memory together; one after the other they would wait.
    struct Sides {
      std::string bytes;  // of both sides
      size_t left_bytes;
      std::string_view left() const { return std::string_view(bytes).substr(0, left_bytes); }
      std::string_view right() const { return std::string_view(bytes).substr(left_bytes); }
    };
    std::array<Sides, kLookAhead> sides;
    std::array<Merge, kLookAhead> batch;
    int32_t expected = -1;
    for (size_t first = 0; first < count; first += kLookAhead) {
      const size_t merges = std::min(kLookAhead, count - first);
      const auto wrong = [&](size_t i, const char* what) {
        return Error(ErrorCode::kInvalidFile, "tokenizer: merge %zu %s: %s", first + i,
                     Quoted(vocabulary.merges[first + i]).c_str(), what);
      };
      for (size_t i = 0; i < merges; ++i) {
        const std::string_view text = vocabulary.merges[first + i];
        const size_t space = text.find(' ');
        if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
          return wrong(i, "two tokens divided by one space wanted");
        Sides& both = sides[i];
        both.bytes.clear();
        if (!AppendUnmapped(text.substr(0, space), &both.bytes))
          return wrong(i, "the left side is not in the characters of byte-level BPE");
        both.left_bytes = both.bytes.size();
        if (!AppendUnmapped(text.substr(space + 1), &both.bytes))
          return wrong(i, "the right side is not in the characters of byte-level BPE");
        index.Prefetch(both.left());
        index.Prefetch(both.right());
      }
      for (size_t i = 0; i < merges; ++i) {
        // Tokens usually stand in the order of their merges: the next one is tried before looking.
        const bool next = expected >= 0 && static_cast<size_t>(expected) < types_.size() &&
                          types_[static_cast<size_t>(expected)] == kNormalPiece &&
                          arena_[static_cast<size_t>(expected)] == sides[i].bytes;
        batch[i] = {index.Find(sides[i].left()), index.Find(sides[i].right()),
                    next ? expected : index.Find(sides[i].bytes)};
        if (batch[i].left < 0) return wrong(i, "the left side is not a token");
        if (batch[i].right < 0) return wrong(i, "the right side is not a token");
        if (batch[i].merged < 0) return wrong(i, "what it makes is not a token");
        expected = batch[i].merged + 1;
        merges_.Prefetch(batch[i]);
      }
      for (size_t i = 0; i < merges; ++i) {
        const size_t rank = first + i;
        const int32_t other = merges_.Insert(static_cast<int32_t>(rank), batch[i]);
        if (other >= 0)
          return Error(ErrorCode::kInvalidFile, "tokenizer: merge %zu %s exists already as %d",
                       rank, Quoted(vocabulary.merges[rank]).c_str(), static_cast<int>(other));
      }
    }
    return Status();
  }

  // Appends the ids of text without special tokens.
  void AppendPlain(std::string_view text, Word* word, std::vector<int32_t>* ids) const {
    const std::string nfc = NormalizeNfc(text);
    for (std::string_view rest = nfc; !rest.empty();) {
      const size_t bytes = FirstPieceBytes(rest);
      AppendWord(rest.substr(0, bytes), word, ids);
      rest.remove_prefix(bytes);
    }
  }

  // Appends the ids of one piece: starts with its bytes and merges adjacent pairs, the lowest rank
  // first, until no pair is in the table.
  void AppendWord(std::string_view bytes, Word* word, std::vector<int32_t>* ids) const {
    auto& symbols = word->symbols;
    auto& queue = word->queue;
    symbols.clear();
    queue.clear();
    const int32_t count = static_cast<int32_t>(bytes.size());
    for (int32_t i = 0; i < count; ++i)
      symbols.push_back({byte_ids_[static_cast<uint8_t>(bytes[static_cast<size_t>(i)])], i - 1,
                         i + 1 < count ? i + 1 : -1});
    const auto symbol = [&](int32_t place) -> Word::Symbol& {
      return symbols[static_cast<size_t>(place)];
    };
    for (int32_t i = 0; i + 1 < count; ++i) {
      const int32_t rank = merges_.Rank(symbol(i).id, symbol(i + 1).id);
      if (rank >= 0) queue.push_back({rank, i});
    }
    std::make_heap(queue.begin(), queue.end());
    const auto push = [&](int32_t place, int32_t next) {
      const int32_t rank = merges_.Rank(symbol(place).id, symbol(next).id);
      if (rank < 0) return;
      queue.push_back({rank, place});
      std::push_heap(queue.begin(), queue.end());
    };
    while (!queue.empty()) {
      const Word::Candidate best = queue.front();
      std::pop_heap(queue.begin(), queue.end());
      queue.pop_back();
      const Merge& merge = merges_[best.rank];
      Word::Symbol& left = symbol(best.place);
      if (left.id != merge.left || left.after < 0 || symbol(left.after).id != merge.right) continue;
      Word::Symbol& right = symbol(left.after);
      left.id = merge.merged;
      left.after = right.after;
      right.id = -1;
      if (left.after >= 0) {
        symbol(left.after).before = best.place;
        push(best.place, left.after);
      }
      if (left.before >= 0) push(left.before, best.place);
    }
    for (int32_t place = 0; place >= 0 && place < count; place = symbol(place).after)
      ids->push_back(symbol(place).id);
  }

  TokenArena arena_;              // the bytes of each token
  AlignedBuffer<uint8_t> types_;  // PieceType by id
  size_t size_ = 0;
  std::array<int32_t, 256> byte_ids_{};
  MergeTable merges_;
  SpecialTokens specials_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> LoadBpeTokenizer(const BpeVocabulary& vocabulary) {
  return BpeTokenizer::Load(vocabulary);
}

void AppendMappedCharacters(std::string_view text, std::string* out) {
  for (const char c : text) AppendUtf8(kByteMap.character[static_cast<uint8_t>(c)], out);
}

}  // namespace tinyvlm
