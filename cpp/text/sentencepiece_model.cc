#include "text/sentencepiece_model.h"

#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "base/byte_reader.h"
#include "text/utf8.h"

namespace tinyvlm {

namespace {

// Limits far above real models (Gemma: 4 MB, 256,000 pieces, 48 bytes a piece). They bound the work
// that a malicious file can cause in the library.
constexpr size_t kMaxModelBytes = size_t{64} << 20;
constexpr size_t kMaxPieces = size_t{1} << 20;
constexpr size_t kMaxPieceBytes = 1024;
// the library splits unused pieces recursively, a level per character
constexpr size_t kMaxUnusedPieceBytes = 128;
// output of one normaliser rule, so that normalised text stays in proportion (NFKC: 33)
constexpr size_t kMaxRuleBytes = 128;
// user-defined pieces that are prefixes of one another: the library's array for matches
constexpr size_t kMaxNestedSymbols = 64;
constexpr int kMaxNestedRules = 32;  // the same for the normaliser's rules

// ---- protobuf's wire format -------------------------------------------------

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// ---- writing: a field's number and wire type, then its value ----

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

void AppendNumberField(uint32_t number, uint64_t value, std::string* out) {
  AppendVarint(number << 3 | kVarint, out);
  AppendVarint(value, out);
}

void AppendBytesField(uint32_t number, std::string_view bytes, std::string* out) {
  AppendVarint(number << 3 | kBytes, out);
  AppendVarint(bytes.size(), out);
  out->append(bytes);
}

void AppendFloatField(uint32_t number, float value, std::string* out) {
  AppendVarint(number << 3 | kFixed32, out);
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<char>(bits >> shift));
}

// ---- reading ----

// One field of a message: bytes for kBytes, the number for the others.
struct Field {
  uint32_t number = 0;
  uint32_t wire = 0;
  size_t position = 0;  // of its tag in the file
  uint64_t value = 0;
  std::span<const uint8_t> bytes;
};

// The field of the whole model that holds the trainer's test sentences.
constexpr uint32_t kSelfTests = 4;

// Reads the fields of one message.
class FieldReader {
 public:
  // `bytes` lies at `base` in the file.
  FieldReader(std::span<const uint8_t> bytes, size_t base) : reader_(bytes), base_(base) {}

  bool done() const { return reader_.remaining() == 0; }
  size_t position() const { return base_ + reader_.position(); }

  Status Next(Field* field) {
    field->position = position();
    uint64_t tag = 0;
    if (!ReadVarint(&tag)) return Damaged(*field, "a field's tag is cut off");
    field->number = static_cast<uint32_t>(tag >> 3);
    field->wire = static_cast<uint32_t>(tag & 7);
    if (tag > UINT32_MAX || field->number == 0) return Damaged(*field, "this is not a field's tag");
    uint32_t fixed32 = 0;
    switch (field->wire) {
      case kVarint:
        if (!ReadVarint(&field->value)) return Damaged(*field, "a number is cut off");
        return Status();
      case kFixed64:
        if (!reader_.Read(&field->value)) return Damaged(*field, "a number is cut off");
        return Status();
      case kFixed32:
        if (!reader_.Read(&fixed32)) return Damaged(*field, "a number is cut off");
        field->value = fixed32;
        return Status();
      case kBytes:
        if (!ReadVarint(&field->value)) return Damaged(*field, "a length is cut off");
        if (!reader_.ReadBytes(field->value, &field->bytes)) {
          return Error(ErrorCode::kInvalidFile,
                       "tokenizer model: field %u at byte %zu has %llu bytes, only %zu are left",
                       field->number, field->position,
                       static_cast<unsigned long long>(field->value), reader_.remaining());
        }
        return Status();
      default:
        return Damaged(*field, "a varint, a string or a fixed number was wanted");
    }
  }

  // Where field->bytes lies in the file.
  size_t BytesPosition(const Field& field) const { return position() - field.bytes.size(); }

  static Status Damaged(const Field& field, const char* what) {
    return Error(ErrorCode::kInvalidFile, "tokenizer model: byte %zu: %s (field %u, wire type %u)",
                 field.position, what, field.number, field.wire);
  }

 private:
  bool ReadVarint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      uint8_t byte = 0;
      if (!reader_.Read(&byte)) return false;
      *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }

  ByteReader reader_;
  size_t base_;
};

Status Want(const Field& field, WireType wire) {
  if (field.wire == wire) return Status();
  return Error(ErrorCode::kInvalidFile,
               "tokenizer model: field %u at byte %zu: wire type %u wanted, %u found", field.number,
               field.position, static_cast<unsigned>(wire), field.wire);
}

Status ReadBool(const Field& field, bool* value) {
  TVLM_RETURN_IF_ERROR(Want(field, kVarint));
  *value = field.value != 0;
  return Status();
}

Status ReadInt32(const Field& field, int32_t* value) {
  TVLM_RETURN_IF_ERROR(Want(field, kVarint));
  *value = static_cast<int32_t>(
      static_cast<uint32_t>(field.value));  // negative numbers are written with 64 bits
  return Status();
}

Status ReadText(const Field& field, std::string* value) {
  TVLM_RETURN_IF_ERROR(Want(field, kBytes));
  const std::string_view text = AsText(field.bytes);
  if (!IsValidUtf8(text) || text.find('\0') != std::string_view::npos) {
    return FieldReader::Damaged(field, "a string of UTF-8 without null characters was wanted");
  }
  *value = text;
  return Status();
}

// ---- the model --------------------------------------------------------------

struct TrainerIds {
  int32_t unk = 0, bos = 1, eos = 2, pad = -1;
  std::string unk_piece = "<unk>", bos_piece = "<s>", eos_piece = "</s>", pad_piece = "<pad>";
};

Status ReadPiece(FieldReader reader, size_t number, SentencePieceModelInfo::Piece* piece) {
  Field field;
  while (!reader.done()) {
    TVLM_RETURN_IF_ERROR(reader.Next(&field));
    if (field.number == 1) {
      TVLM_RETURN_IF_ERROR(ReadText(field, &piece->text));
    } else if (field.number == 2) {
      TVLM_RETURN_IF_ERROR(Want(field, kFixed32));
      const uint32_t bits = static_cast<uint32_t>(field.value);
      std::memcpy(&piece->score, &bits, sizeof(bits));
      if (!std::isfinite(piece->score))
        return Error(ErrorCode::kInvalidFile,
                     "tokenizer model: the score of piece %zu is not a finite number", number);
    } else if (field.number == 3) {
      TVLM_RETURN_IF_ERROR(Want(field, kVarint));
      if (field.value < kNormalPiece || field.value > kBytePiece) {
        return Error(ErrorCode::kInvalidFile,
                     "tokenizer model: piece %zu: a type from 1 to 6 wanted, %llu found", number,
                     static_cast<unsigned long long>(field.value));
      }
      piece->type = static_cast<int32_t>(field.value);
    }
  }
  if (piece->text.empty())
    return Error(ErrorCode::kInvalidFile, "tokenizer model: piece %zu has no text", number);
  const size_t limit = piece->type == kUnusedPiece ? kMaxUnusedPieceBytes : kMaxPieceBytes;
  if (piece->text.size() > limit) {
    return Error(ErrorCode::kUnsupported,
                 "tokenizer model: piece %zu (type %d): at most %zu bytes wanted, %zu found",
                 number, static_cast<int>(piece->type), limit, piece->text.size());
  }
  return Status();
}

Status ReadTrainerSpec(FieldReader reader, SentencePieceModelInfo* info, TrainerIds* ids) {
  Field field;
  while (!reader.done()) {
    TVLM_RETURN_IF_ERROR(reader.Next(&field));
    switch (field.number) {
      case 3:
        TVLM_RETURN_IF_ERROR(Want(field, kVarint));
        if (field.value < 1 || field.value > 4) {
          return Error(ErrorCode::kInvalidFile,
                       "tokenizer model: a model type from 1 to 4 wanted, %llu found",
                       static_cast<unsigned long long>(field.value));
        }
        info->algorithm = static_cast<SentencePieceModelInfo::Algorithm>(field.value);
        break;
      case 24:
        TVLM_RETURN_IF_ERROR(ReadBool(field, &info->treat_whitespace_as_suffix));
        break;
      case 35:
        TVLM_RETURN_IF_ERROR(ReadBool(field, &info->byte_fallback));
        break;
      case 40:
        TVLM_RETURN_IF_ERROR(ReadInt32(field, &ids->unk));
        break;
      case 41:
        TVLM_RETURN_IF_ERROR(ReadInt32(field, &ids->bos));
        break;
      case 42:
        TVLM_RETURN_IF_ERROR(ReadInt32(field, &ids->eos));
        break;
      case 43:
        TVLM_RETURN_IF_ERROR(ReadInt32(field, &ids->pad));
        break;
      case 44:
        TVLM_RETURN_IF_ERROR(ReadText(field, &info->unk_surface));
        break;
      case 45:
        TVLM_RETURN_IF_ERROR(ReadText(field, &ids->unk_piece));
        break;
      case 46:
        TVLM_RETURN_IF_ERROR(ReadText(field, &ids->bos_piece));
        break;
      case 47:
        TVLM_RETURN_IF_ERROR(ReadText(field, &ids->eos_piece));
        break;
      case 48:
        TVLM_RETURN_IF_ERROR(ReadText(field, &ids->pad_piece));
        break;
      default:
        break;  // how the model was trained
    }
  }
  return Status();
}

Status ReadNormalizerSpec(FieldReader reader, SentencePieceModelInfo* info,
                          std::span<const uint8_t>* charsmap) {
  Field field;
  while (!reader.done()) {
    TVLM_RETURN_IF_ERROR(reader.Next(&field));
    switch (field.number) {
      case 2:
        TVLM_RETURN_IF_ERROR(Want(field, kBytes));
        *charsmap = field.bytes;
        break;
      case 3:
        TVLM_RETURN_IF_ERROR(ReadBool(field, &info->add_dummy_prefix));
        break;
      case 4:
        TVLM_RETURN_IF_ERROR(ReadBool(field, &info->remove_extra_whitespaces));
        break;
      case 5:
        TVLM_RETURN_IF_ERROR(ReadBool(field, &info->escape_whitespaces));
        break;
      default:
        break;
    }
  }
  return Status();
}

Status ReadDenormalizerSpec(FieldReader reader, SentencePieceModelInfo* info) {
  Field field;
  while (!reader.done()) {
    TVLM_RETURN_IF_ERROR(reader.Next(&field));
    if (field.number != 2) continue;
    TVLM_RETURN_IF_ERROR(Want(field, kBytes));
    info->has_denormalizer = !field.bytes.empty();
  }
  return Status();
}

// ---- checks -----------------------------------------------------------------

Status CheckPieces(const SentencePieceModelInfo& info) {
  std::unordered_set<std::string_view> texts;
  texts.reserve(info.pieces.size());
  std::bitset<256> bytes;
  std::vector<std::string_view> symbols;
  int32_t unk_id = -1;
  for (size_t i = 0; i < info.pieces.size(); ++i) {
    const SentencePieceModelInfo::Piece& piece = info.pieces[i];
    const char* const text = piece.text.c_str();
    // The library would accept a control piece with the text of a normal one; then text of the user
    // could become the control piece.
    if (!texts.insert(piece.text).second)
      return Error(ErrorCode::kInvalidFile, "tokenizer model: piece %zu \"%s\" exists already", i,
                   text);
    switch (piece.type) {
      case kUnknownPiece:
        if (unk_id >= 0) {
          return Error(ErrorCode::kInvalidFile,
                       "tokenizer model: one unknown piece wanted, pieces %d and %zu found",
                       static_cast<int>(unk_id), i);
        }
        unk_id = static_cast<int32_t>(i);
        break;
      case kControlPiece:
        // The library looks up single characters among all pieces.
        if (NextUtf8(piece.text).length == piece.text.size()) {
          return Error(ErrorCode::kUnsupported,
                       "tokenizer model: control piece %zu \"%s\": more than one character wanted",
                       i, text);
        }
        break;
      case kUserDefinedPiece:
        symbols.push_back(piece.text);
        break;
      case kBytePiece: {
        const int byte = ByteOfPiece(piece.text);
        if (byte < 0)
          return Error(
              ErrorCode::kInvalidFile,
              "tokenizer model: byte piece %zu: \"<0x00>\" to \"<0xFF>\" wanted, \"%s\" found", i,
              text);
        if (!info.byte_fallback) {
          return Error(
              ErrorCode::kInvalidFile,
              "tokenizer model: byte piece %zu \"%s\" found, although byte_fallback is off", i,
              text);
        }
        bytes.set(static_cast<size_t>(byte));
        break;
      }
      default:
        break;
    }
  }
  if (unk_id < 0)
    return Error(ErrorCode::kInvalidFile,
                 "tokenizer model: an unknown piece (type 2) wanted, none found among %zu",
                 info.pieces.size());
  if (info.byte_fallback && !bytes.all()) {
    return Error(ErrorCode::kInvalidFile,
                 "tokenizer model: 256 byte pieces wanted (byte_fallback is on), %zu found",
                 bytes.count());
  }
  // In sorted order the prefixes of a piece come before it, each a prefix of the next.
  std::sort(symbols.begin(), symbols.end());
  std::vector<std::string_view> prefixes;
  for (const std::string_view symbol : symbols) {
    while (!prefixes.empty() && !symbol.starts_with(prefixes.back())) prefixes.pop_back();
    prefixes.push_back(symbol);
    if (prefixes.size() > kMaxNestedSymbols) {
      return Error(ErrorCode::kUnsupported,
                   "tokenizer model: more than %zu user-defined pieces are prefixes of one another",
                   kMaxNestedSymbols);
    }
  }
  return Status();
}

Status CheckIds(const TrainerIds& ids, size_t pieces) {
  const struct {
    const char* name;
    int32_t id;
  } all[] = {{"unk_id", ids.unk}, {"bos_id", ids.bos}, {"eos_id", ids.eos}, {"pad_id", ids.pad}};
  for (const auto& one : all) {
    if (one.id < -1 || (one.id >= 0 && static_cast<size_t>(one.id) >= pieces)) {
      return Error(ErrorCode::kInvalidFile,
                   "tokenizer model: %s: -1 or an id below %zu wanted, %d found", one.name, pieces,
                   static_cast<int>(one.id));
    }
  }
  return Status();
}

// The normaliser's rules: the size of a trie, the trie (a double array in darts-clone's layout),
// and the results as null-terminated strings. The library follows the trie without bounds checks,
// so every state that some input can reach is checked here.
class CharsmapCheck {
 public:
  static Status Run(std::span<const uint8_t> charsmap) {
    ByteReader reader(charsmap);
    uint32_t trie_bytes = 0;
    std::span<const uint8_t> trie;
    // 1024 bytes are a block of 256 units, within which a state's children lie.
    if (!reader.Read(&trie_bytes) || trie_bytes == 0 || trie_bytes % 1024 != 0 ||
        !reader.ReadBytes(trie_bytes, &trie)) {
      return Damaged("a trie of whole blocks of 1024 bytes was wanted");
    }
    const std::string_view results = AsText(charsmap.subspan(reader.position()));
    if (results.empty() || results.back() != '\0')
      return Damaged("results that end with a null character were wanted");
    return CharsmapCheck(trie, results).Walk();
  }

 private:
  CharsmapCheck(std::span<const uint8_t> trie, std::string_view results)
      : trie_(trie), results_(results), depth_(trie.size() / 4, kNew) {}

  static Status Damaged(const char* what) {
    return Error(ErrorCode::kInvalidFile, "tokenizer model: normalizer charsmap: %s", what);
  }

  uint32_t Unit(size_t i) const { return LoadLittleEndian<uint32_t>(trie_.data() + 4 * i); }

  // Depth first, without recursion: a path is as long as a rule. A state's depth is the largest
  // number of rules on a path that starts at it.
  Status Walk() {
    struct Visit {
      uint32_t state;
      size_t children;
      uint32_t next = 0;  // label to look at
      int below = 0;
    };
    std::vector<Visit> path;
    size_t children = 0;
    int rules = 0;
    TVLM_RETURN_IF_ERROR(Enter(0, &children, &rules));
    if (rules != 0) return Damaged("a rule for the empty string");
    path.push_back({0, children});
    while (!path.empty()) {
      Visit& visit = path.back();
      if (visit.next == 256) {
        const uint32_t state = visit.state;
        const int depth = visit.below + ((Unit(state) >> 8 & 1) != 0 ? 1 : 0);
        if (depth > kMaxNestedRules)
          return Damaged("too many rules that are prefixes of one another");
        depth_[state] = static_cast<int8_t>(depth);
        path.pop_back();
        if (!path.empty()) path.back().below = std::max(path.back().below, depth);
        continue;
      }
      const uint32_t label = visit.next++;
      const size_t child = visit.children ^ label;
      if ((Unit(child) & kLabelMask) != label) continue;
      if (depth_[child] == kOnPath) return Damaged("the trie has a cycle");
      if (depth_[child] >= 0) {
        visit.below = std::max<int>(visit.below, depth_[child]);
        continue;
      }
      TVLM_RETURN_IF_ERROR(Enter(child, &children, &rules));
      path.push_back({static_cast<uint32_t>(child), children});
    }
    return Status();
  }

  // Checks that the children of a state, and its own result, lie within bounds. *rules: 1 if a rule
  // ends here.
  Status Enter(size_t state, size_t* children, int* rules) {
    depth_[state] = kOnPath;
    const uint32_t unit = Unit(state);
    const size_t offset = static_cast<size_t>(unit >> 10) << (unit >> 6 & 8);
    *children = state ^ offset;
    *rules = static_cast<int>(unit >> 8 & 1);
    if ((*children | 255) >= depth_.size()) return Damaged("a state lies outside the trie");
    if (*rules == 0) return Status();
    const size_t result = Unit(*children) & 0x7FFFFFFF;
    if (result >= results_.size()) return Damaged("a result lies outside the results");
    const std::string_view text = results_.substr(result, results_.find('\0', result) - result);
    if (text.size() > kMaxRuleBytes) return Damaged("a result is longer than 128 bytes");
    if (!IsValidUtf8(text)) return Damaged("a result is not UTF-8");
    return Status();
  }

  // the top bit marks a value, which never matches a character
  static constexpr uint32_t kLabelMask = 0x800000FF;
  static constexpr int8_t kNew = -1;
  static constexpr int8_t kOnPath = -2;

  std::span<const uint8_t> trie_;
  std::string_view results_;
  std::vector<int8_t> depth_;
};

}  // namespace

int ByteOfPiece(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
  const int high = digit(text[3]), low = digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

Result<SentencePieceModelInfo> ParseSentencePieceModel(std::span<const uint8_t> bytes) {
  if (bytes.size() > kMaxModelBytes) {
    return Error(ErrorCode::kUnsupported, "tokenizer model: at most %zu bytes wanted, %zu found",
                 kMaxModelBytes, bytes.size());
  }
  SentencePieceModelInfo info;
  info.unk_surface = " \xE2\x81\x87 ";
  TrainerIds ids;
  std::span<const uint8_t> charsmap;
  FieldReader reader(bytes, 0);
  Field field;
  while (!reader.done()) {
    TVLM_RETURN_IF_ERROR(reader.Next(&field));
    if (field.number < 1 || field.number > 5) continue;
    TVLM_RETURN_IF_ERROR(Want(field, kBytes));
    const FieldReader message(field.bytes, reader.BytesPosition(field));
    switch (field.number) {
      case 1:
        if (info.pieces.size() == kMaxPieces)
          return Error(ErrorCode::kUnsupported, "tokenizer model: more than %zu pieces",
                       kMaxPieces);
        info.pieces.emplace_back();
        TVLM_RETURN_IF_ERROR(ReadPiece(message, info.pieces.size() - 1, &info.pieces.back()));
        break;
      case 2:
        TVLM_RETURN_IF_ERROR(ReadTrainerSpec(message, &info, &ids));
        break;
      case 3:
        TVLM_RETURN_IF_ERROR(ReadNormalizerSpec(message, &info, &charsmap));
        break;
      case 5:
        TVLM_RETURN_IF_ERROR(ReadDenormalizerSpec(message, &info));
        break;
      default:
        break;  // kSelfTests
    }
  }
  TVLM_RETURN_IF_ERROR(CheckPieces(info));
  TVLM_RETURN_IF_ERROR(CheckIds(ids, info.pieces.size()));
  if (!charsmap.empty()) TVLM_RETURN_IF_ERROR(CharsmapCheck::Run(charsmap));

  // The library finds the special pieces by their texts, whatever the trainer's ids say.
  for (size_t i = 0; i < info.pieces.size(); ++i) {
    const SentencePieceModelInfo::Piece& piece = info.pieces[i];
    const int32_t id = static_cast<int32_t>(i);
    if (piece.type == kUnknownPiece) info.unk_id = id;
    if (piece.type != kControlPiece) continue;
    if (piece.text == ids.bos_piece) info.bos_id = id;
    if (piece.text == ids.eos_piece) info.eos_id = id;
    if (piece.text == ids.pad_piece) info.pad_id = id;
  }
  return info;
}

Result<std::string> BuildSentencePieceModel(const SentencePieceVocabulary& vocabulary) {
  size_t count = vocabulary.tokens.size();
  if (vocabulary.scores.size() != count || vocabulary.types.size() != count) {
    return Error(ErrorCode::kInvalidFile,
                 "tokenizer: a score and a type for each of %zu tokens wanted, %zu scores and %zu "
                 "types found",
                 count, vocabulary.scores.size(), vocabulary.types.size());
  }
  if (count > kMaxPieces)
    return Error(ErrorCode::kUnsupported, "tokenizer: at most %zu tokens wanted, %zu found",
                 kMaxPieces, count);
  int32_t unk_id = vocabulary.unk_id;
  if (unk_id < 0) {
    const auto unknown = std::find(vocabulary.types.begin(), vocabulary.types.end(),
                                   static_cast<int32_t>(kUnknownPiece));
    if (unknown == vocabulary.types.end())
      return Error(ErrorCode::kInvalidFile,
                   "tokenizer: an unknown token (type 2) wanted, none found among %zu", count);
    unk_id = static_cast<int32_t>(unknown - vocabulary.types.begin());
  }
  const struct {
    const char* name;
    int32_t id;
  } ids[] = {{"unknown", unk_id}, {"bos", vocabulary.bos_id}, {"eos", vocabulary.eos_id}};
  for (const auto& one : ids) {
    if (one.id < -1 || (one.id >= 0 && static_cast<size_t>(one.id) >= count)) {
      return Error(ErrorCode::kInvalidFile, "tokenizer: %s token: an id below %zu wanted, %d found",
                   one.name, count, static_cast<int>(one.id));
    }
  }
  const auto type_of = [&](size_t i) {
    if (i == static_cast<size_t>(unk_id)) return static_cast<int32_t>(kUnknownPiece);
    return vocabulary.types[i] == kUnknownPiece ? static_cast<int32_t>(kUnusedPiece)
                                                : vocabulary.types[i];
  };
  while (count > 0 && type_of(count - 1) == kUnusedPiece) --count;

  std::string model, message;
  std::bitset<256> bytes;
  for (size_t i = 0; i < count; ++i) {
    message.clear();
    AppendBytesField(1, vocabulary.tokens[i], &message);
    AppendFloatField(2, vocabulary.scores[i], &message);
    AppendNumberField(3, static_cast<uint64_t>(type_of(i)), &message);
    AppendBytesField(1, message, &model);
    const int byte = type_of(i) == kBytePiece ? ByteOfPiece(vocabulary.tokens[i]) : -1;
    if (byte >= 0) bytes.set(static_cast<size_t>(byte));
  }
  message.clear();
  AppendNumberField(3, static_cast<uint64_t>(SentencePieceModelInfo::Algorithm::kBpe), &message);
  AppendNumberField(35, bytes.any() ? 1 : 0, &message);  // byte_fallback
  // The library finds special pieces by their texts.
  const auto add_special = [&](uint32_t id_field, uint32_t text_field, int32_t id) {
    const bool has = id >= 0 && static_cast<size_t>(id) < count;
    AppendNumberField(id_field, static_cast<uint64_t>(static_cast<int64_t>(has ? id : -1)),
                      &message);
    if (has) AppendBytesField(text_field, vocabulary.tokens[static_cast<size_t>(id)], &message);
  };
  add_special(40, 45, unk_id);
  add_special(41, 46, vocabulary.bos_id);
  add_special(42, 47, vocabulary.eos_id);
  AppendBytesField(2, message, &model);
  message.clear();
  AppendBytesField(1, "identity", &message);
  AppendNumberField(3, vocabulary.add_dummy_prefix ? 1 : 0, &message);
  AppendNumberField(4, 0, &message);  // remove_extra_whitespaces
  AppendNumberField(5, 1, &message);  // escape_whitespaces
  AppendBytesField(3, message, &model);
  return model;
}

std::string WithoutSelfTests(std::span<const uint8_t> bytes) {
  std::string kept;
  kept.reserve(bytes.size());
  FieldReader reader(bytes, 0);
  Field field;
  while (!reader.done() && reader.Next(&field).ok()) {
    if (field.number != kSelfTests)
      kept.append(AsText(bytes.subspan(field.position, reader.position() - field.position)));
  }
  return kept;
}

}  // namespace tinyvlm
