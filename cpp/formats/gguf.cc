#include "formats/gguf.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/byte_reader.h"
#include "base/check.h"
#include "formats/gguf_type.h"

namespace tinyvlm {

namespace {

// Far above any real header (a vocabulary of 150,000 words takes 6 MB, a 7B model has 1,000
// tensors); larger counts and lengths come from malicious files and are rejected.
constexpr uint64_t kMaxHeaderBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxEntries = 100'000;
constexpr uint64_t kMaxKeyBytes = 4096, kMaxNameBytes = 256;
constexpr uint32_t kMaxDimensions = 4;
constexpr uint32_t kMinAlignment = 8, kMaxAlignment = 65536;

// Smallest encodings: empty key, type, value of one byte; empty name, dimension count, type,
// offset.
constexpr uint64_t kMinValueBytes = 8 + 4 + 1, kMinTensorBytes = 8 + 4 + 4 + 8;

constexpr const char* kChunkSize = "tinyvlm.chunk_size";
constexpr const char* kChunkHashes = "tinyvlm.chunk_sha256";
constexpr const char* kHeaderHash = "tinyvlm.header_sha256";

// ggml types that this engine does not read, for messages.
const char* UnsupportedTypeName(uint32_t ggml_type) {
  static constexpr struct {
    uint32_t number;
    const char* name;
  } kNames[] = {{4, "q4_2"},        {5, "q4_3"},        {9, "q8_1"},        {10, "q2_k"},
                {11, "q3_k"},       {15, "q8_k"},       {16, "iq2_xxs"},    {17, "iq2_xs"},
                {18, "iq3_xxs"},    {19, "iq1_s"},      {20, "iq4_nl"},     {21, "iq3_s"},
                {22, "iq2_s"},      {23, "iq4_xs"},     {24, "i8"},         {25, "i16"},
                {26, "i32"},        {28, "f64"},        {29, "iq1_m"},      {31, "q4_0_4_4"},
                {32, "q4_0_4_8"},   {33, "q4_0_8_8"},   {34, "tq1_0"},      {35, "tq2_0"},
                {36, "iq4_nl_4_4"}, {37, "iq4_nl_4_8"}, {38, "iq4_nl_8_8"}, {39, "mxfp4"},
                {40, "nvfp4"},      {41, "q1_0"},       {42, "q2_0"}};
  for (const auto& entry : kNames) {
    if (entry.number == ggml_type) return entry.name;
  }
  return "unknown";
}

// Names appear in error messages and logs: no control characters, nothing outside ASCII.
bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

int Length(std::string_view text) { return static_cast<int>(text.size()); }

// The kind of a file that does not begin with GGUF, for the error message.
const char* Recognise(std::span<const uint8_t> prefix) {
  const std::string_view text = AsText(prefix);
  const auto begins = [&text](std::string_view magic) {
    return text.substr(0, magic.size()) == magic;
  };
  if (begins("ggml") || begins("lmgg") || begins("tjgg") || begins("fmgg"))
    return "an old GGML file; convert it to GGUF";
  if (begins("PK\x03\x04")) return "a zip archive (a PyTorch checkpoint is one)";
  if (begins("\x1f\x8b")) return "a gzip archive";
  if (begins("version https://git-lfs")) return "a Git LFS pointer, not the file itself";
  if (begins("\x89PNG") || begins("\xff\xd8\xff")) return "an image";
  if (text.size() > 8 && text[8] == '{' &&
      LoadLittleEndian<uint64_t>(prefix.data()) < (uint64_t{1} << 32)) {
    return "a safetensors file; convert its folder with tiny-vlm convert";
  }
  size_t start = 0;
  while (start < text.size() &&
         (text[start] == ' ' || text[start] == '\n' || text[start] == '\r' || text[start] == '\t'))
    ++start;
  if (start < text.size() && text[start] == '<')
    return "an HTML or XML page: the address is not that of the file itself";
  if (start < text.size() && text[start] == '{') return "JSON text";
  return nullptr;
}

}  // namespace

// Reads a header front to back. Each Read... returns false at the end of the prefix (then needed_
// is the least number of bytes to continue) or if status_ is an error.
class GgufParser {
 public:
  explicit GgufParser(std::span<const uint8_t> prefix) : prefix_(prefix), reader_(prefix) {}

  Result<GgufParse> Parse() {
    GgufParse parse;
    if (!ReadPreamble() || !ReadMetadata() || !ReadTensors() || !FinishHeader()) {
      if (!status_.ok()) return status_;
      if (needed_ > kMaxHeaderBytes) {
        return Error(ErrorCode::kInvalidFile,
                     "the GGUF header would take at least %" PRIu64 " bytes; up to %" PRIu64
                     " wanted: its counts or lengths are wrong",
                     needed_, kMaxHeaderBytes);
      }
      TVLM_DCHECK(needed_ > prefix_.size());
      parse.bytes_needed = needed_;
      return parse;
    }
    TVLM_RETURN_IF_ERROR(BuildIndexes());
    TVLM_RETURN_IF_ERROR(PlaceTensors());
    TVLM_RETURN_IF_ERROR(KeepMetadata());
    TVLM_RETURN_IF_ERROR(BindHashes());
    parse.file = std::move(file_);
    return parse;
  }

 private:
  bool Fail(Status status) {
    status_ = std::move(status);
    return false;
  }

  // The prefix is too short: at least `bytes` more from here, and `later` after those, must follow.
  bool Need(uint64_t bytes, uint64_t later) {
    uint64_t needed = 0;
    if (__builtin_add_overflow(uint64_t{reader_.position()}, bytes, &needed) ||
        __builtin_add_overflow(needed, later, &needed)) {
      needed = std::numeric_limits<uint64_t>::max();
    }
    needed_ = needed;
    return false;
  }

  // The least number of bytes that the entries after this one take.
  uint64_t LaterBytes() const {
    return values_left_ * kMinValueBytes + tensors_left_ * kMinTensorBytes;
  }

  template <typename T>
  bool Read(T* value) {
    return reader_.Read(value) || Need(sizeof(T), LaterBytes());
  }

  bool ReadString(std::string_view* text) {
    uint64_t length = 0;
    if (!Read(&length)) return false;
    std::span<const uint8_t> bytes;
    if (!reader_.ReadBytes(length, &bytes)) return Need(length, LaterBytes());
    *text = AsText(bytes);
    return true;
  }

  bool ReadPreamble() {
    const std::string_view magic_seen = AsText(prefix_.first(std::min<size_t>(prefix_.size(), 4)));
    if (magic_seen != std::string_view("GGUF").substr(0, magic_seen.size())) {
      // With a few more bytes the kind of file can be named.
      if (prefix_.size() < 16) return Need(16, 0);
      const char* const kind = Recognise(prefix_);
      if (kind != nullptr)
        return Fail(Error(ErrorCode::kInvalidFile, "a GGUF model file wanted, %s found", kind));
      return Fail(Error(ErrorCode::kInvalidFile,
                        "a GGUF model file wanted (first bytes 47 47 55 46), a file that begins "
                        "with %02x %02x %02x %02x found",
                        prefix_[0], prefix_[1], prefix_[2], prefix_[3]));
    }
    uint32_t magic = 0;
    if (!Read(&magic) || !Read(&file_.version)) return false;
    if (file_.version != 2 && file_.version != 3) {
      if ((file_.version & 0xffff) == 0) {
        return Fail(Error(ErrorCode::kUnsupported,
                          "a little-endian GGUF file wanted, a big-endian one (version %u) found",
                          __builtin_bswap32(file_.version)));
      }
      return Fail(Error(ErrorCode::kUnsupported, "GGUF version 2 or 3 wanted, version %u found",
                        file_.version));
    }
    uint64_t tensors = 0, values = 0;
    if (!Read(&tensors) || !Read(&values)) return false;
    if (tensors > kMaxEntries || values > kMaxEntries) {
      return Fail(Error(ErrorCode::kInvalidFile,
                        "GGUF: at most %" PRIu64 " tensors and keys wanted, %" PRIu64
                        " and %" PRIu64 " found",
                        kMaxEntries, tensors, values));
    }
    tensors_left_ = tensors;
    values_left_ = values;
    return true;
  }

  bool ReadMetadata() {
    values_begin_ = reader_.position();
    while (values_left_ > 0) {
      --values_left_;
      if (!ReadValue()) return false;
    }
    values_end_ = reader_.position();
    return true;
  }

  bool ReadValue() {
    Metadata::Entry entry{};
    const size_t at = reader_.position();
    uint32_t type = 0;
    if (!ReadString(&entry.key)) return false;
    if (entry.key.empty() || entry.key.size() > kMaxKeyBytes || !IsPrintable(entry.key)) {
      return Fail(Error(ErrorCode::kInvalidFile,
                        "GGUF: a key of 1..%" PRIu64
                        " printable characters wanted at byte %zu, %zu bytes found",
                        kMaxKeyBytes, at, entry.key.size()));
    }
    if (!Read(&type)) return false;
    entry.count = 1;
    if (type == static_cast<uint32_t>(GgufType::kArray)) {
      entry.is_array = true;
      if (!Read(&type) || !Read(&entry.count)) return false;
    }
    entry.type = static_cast<GgufType>(type);
    if (type == static_cast<uint32_t>(GgufType::kArray)) {
      return Fail(Error(ErrorCode::kUnsupported,
                        "GGUF: %.*s is an array of arrays, which this engine does not read",
                        Length(entry.key), entry.key.data()));
    }
    if (type > static_cast<uint32_t>(GgufType::kF64)) {
      return Fail(Error(ErrorCode::kInvalidFile, "GGUF: %.*s has the value type %u; 0..12 wanted",
                        Length(entry.key), entry.key.data(), type));
    }
    if (!ReadElements(&entry)) return false;
    file_.metadata.entries_.push_back(entry);
    return true;
  }

  bool ReadElements(Metadata::Entry* entry) {
    const size_t begin = reader_.position();
    if (entry->type == GgufType::kString) {
      for (uint64_t left = entry->count; left > 0; --left) {
        uint64_t length = 0, later = 0;
        if (!CheckedMultiply(left - 1, 8, &later) ||
            __builtin_add_overflow(later, LaterBytes(), &later))
          later = std::numeric_limits<uint64_t>::max();
        if (!reader_.Read(&length)) return Need(8, later);
        std::span<const uint8_t> bytes;
        if (!reader_.ReadBytes(length, &bytes)) return Need(length, later);
      }
      entry->values = prefix_.subspan(begin, reader_.position() - begin);
      return true;
    }
    uint64_t bytes = 0;
    if (!CheckedMultiply(entry->count, GgufTypeBytes(entry->type), &bytes))
      bytes = std::numeric_limits<uint64_t>::max();
    if (!reader_.ReadBytes(bytes, &entry->values)) return Need(bytes, LaterBytes());
    if (entry->type == GgufType::kBool &&
        std::any_of(entry->values.begin(), entry->values.end(), [](uint8_t b) { return b > 1; })) {
      return Fail(Error(ErrorCode::kInvalidFile, "GGUF: %.*s holds a bool that is neither 0 nor 1",
                        Length(entry->key), entry->key.data()));
    }
    return true;
  }

  bool ReadTensors() {
    while (tensors_left_ > 0) {
      --tensors_left_;
      if (!ReadTensor()) return false;
    }
    return true;
  }

  bool ReadTensor() {
    const size_t at = reader_.position();
    std::string_view name;
    uint32_t dimensions = 0, type = 0;
    if (!ReadString(&name)) return false;
    if (name.empty() || name.size() > kMaxNameBytes || !IsPrintable(name)) {
      return Fail(Error(ErrorCode::kInvalidFile,
                        "GGUF: a tensor name of 1..%" PRIu64
                        " printable characters wanted at byte %zu, %zu bytes found",
                        kMaxNameBytes, at, name.size()));
    }
    if (!Read(&dimensions)) return false;
    if (dimensions > kMaxDimensions) {
      return Fail(Error(ErrorCode::kInvalidFile,
                        "tensor %.*s: at most %u dimensions wanted, %u found", Length(name),
                        name.data(), kMaxDimensions, dimensions));
    }
    TensorInfo info;
    info.name = std::string(name);
    info.shape.resize(dimensions);
    for (uint32_t d = 0; d < dimensions; ++d) {
      uint64_t& dimension = info.shape[dimensions - 1 - d];  // the file has the innermost first
      if (!Read(&dimension)) return false;
      if (dimension == 0)
        return Fail(
            Error(ErrorCode::kInvalidFile, "tensor %s: a dimension of 0 found", info.name.c_str()));
    }
    if (!Read(&type) || !Read(&info.offset)) return false;
    if (FindDTypeInfo(type) == nullptr) {
      return Fail(Error(ErrorCode::kUnsupported,
                        "tensor %s: type %s (ggml number %u) is not one that this engine reads",
                        info.name.c_str(), UnsupportedTypeName(type), type));
    }
    info.type = static_cast<DType>(type);
    const Result<uint64_t> bytes = ByteCount(info.shape, info.type);
    if (!bytes.ok())
      return Fail(Error(bytes.status().code(), "tensor %s: %s", info.name.c_str(),
                        bytes.status().message().c_str()));
    info.bytes = *bytes;
    file_.tensors.push_back(std::move(info));
    return true;
  }

  // The header ends at the next multiple of the alignment.
  bool FinishHeader() {
    if (file_.metadata.entries_.empty() && file_.tensors.empty())
      return Fail(Error(ErrorCode::kInvalidFile, "the GGUF file is empty: no keys and no tensors"));
    for (const Metadata::Entry& entry : file_.metadata.entries_) {
      if (entry.key != "general.alignment") continue;
      if (entry.type != GgufType::kU32 || entry.is_array)
        return Fail(
            Error(ErrorCode::kInvalidFile, "general.alignment: a u32 wanted, another type found"));
      const uint32_t alignment = LoadLittleEndian<uint32_t>(entry.values.data());
      if (!std::has_single_bit(alignment) || alignment < kMinAlignment ||
          alignment > kMaxAlignment) {
        return Fail(Error(ErrorCode::kInvalidFile,
                          "general.alignment: a power of two from %u to %u wanted, %u found",
                          kMinAlignment, kMaxAlignment, alignment));
      }
      file_.alignment = alignment;
    }
    const uint64_t padding =
        (file_.alignment - reader_.position() % file_.alignment) % file_.alignment;
    std::span<const uint8_t> pad;
    if (!file_.tensors.empty() && !reader_.ReadBytes(padding, &pad)) return Need(padding, 0);
    file_.data_offset = reader_.position();
    return true;
  }

  // Sorts keys and names; an error names a duplicate.
  Status BuildIndexes() {
    Metadata& metadata = file_.metadata;
    metadata.by_key_.resize(metadata.entries_.size());
    std::iota(metadata.by_key_.begin(), metadata.by_key_.end(), 0u);
    const auto key = [&metadata](uint32_t i) { return metadata.entries_[i].key; };
    std::sort(metadata.by_key_.begin(), metadata.by_key_.end(),
              [&key](uint32_t a, uint32_t b) { return key(a) < key(b); });
    for (size_t i = 1; i < metadata.by_key_.size(); ++i) {
      const std::string_view name = key(metadata.by_key_[i]);
      if (name == key(metadata.by_key_[i - 1]))
        return Error(ErrorCode::kInvalidFile, "GGUF: duplicate key %.*s", Length(name),
                     name.data());
    }
    std::sort(file_.tensors.begin(), file_.tensors.end(),
              [](const TensorInfo& a, const TensorInfo& b) { return a.offset < b.offset; });
    file_.by_name.resize(file_.tensors.size());
    std::iota(file_.by_name.begin(), file_.by_name.end(), 0u);
    const auto name = [this](uint32_t i) -> const std::string& { return file_.tensors[i].name; };
    std::sort(file_.by_name.begin(), file_.by_name.end(),
              [&name](uint32_t a, uint32_t b) { return name(a) < name(b); });
    for (size_t i = 1; i < file_.by_name.size(); ++i) {
      const std::string& here = name(file_.by_name[i]);
      if (here == name(file_.by_name[i - 1]))
        return Error(ErrorCode::kInvalidFile, "GGUF: duplicate tensor %s", here.c_str());
    }
    return Status();
  }

  // Tensors follow each other with only padding between them, as all writers do it: a gap would be
  // bytes that nothing describes.
  Status PlaceTensors() {
    uint64_t end = 0;
    const std::string* before = nullptr;
    for (const TensorInfo& info : file_.tensors) {
      if (info.offset % file_.alignment != 0) {
        return Error(ErrorCode::kInvalidFile,
                     "tensor %s: its offset %" PRIu64
                     " is not a multiple of the alignment %" PRIu64,
                     info.name.c_str(), info.offset, file_.alignment);
      }
      if (info.offset < end) {
        return Error(ErrorCode::kInvalidFile,
                     "tensor %s at %" PRIu64 " overlaps tensor %s, which ends at %" PRIu64,
                     info.name.c_str(), info.offset, before->c_str(), end);
      }
      if (info.offset - end >= file_.alignment) {
        return Error(ErrorCode::kInvalidFile,
                     "tensor %s at %" PRIu64
                     ": nothing describes the bytes before it from %" PRIu64,
                     info.name.c_str(), info.offset, end);
      }
      uint64_t padded = 0;
      if (__builtin_add_overflow(info.offset, info.bytes, &end) ||
          __builtin_add_overflow(end, file_.alignment - 1, &padded) ||
          __builtin_add_overflow(padded, file_.data_offset, &padded)) {
        return Error(ErrorCode::kInvalidFile,
                     "tensor %s: %" PRIu64 " bytes at %" PRIu64
                     " end beyond what 64 bits can count",
                     info.name.c_str(), info.bytes, info.offset);
      }
      before = &info.name;
    }
    file_.tensor_bytes = end;
    file_.data_bytes = (end + file_.alignment - 1) / file_.alignment * file_.alignment;
    return Status();
  }

  // Moves views of the prefix to the metadata's own copy.
  Status KeepMetadata() {
    Metadata& metadata = file_.metadata;
    TVLM_ASSIGN_OR_RETURN(
        metadata.bytes_, AlignedBuffer<uint8_t>::Allocate(values_end_ - values_begin_, "metadata"));
    if (metadata.bytes_.size() == 0) return Status();
    const uint8_t* const from = prefix_.data() + values_begin_;
    uint8_t* const to = metadata.bytes_.data();
    std::memcpy(to, from, metadata.bytes_.size());
    for (Metadata::Entry& entry : metadata.entries_) {
      if (entry.key == kHeaderHash)
        header_hash_at_ = static_cast<uint64_t>(entry.values.data() - prefix_.data());
      entry.key = AsText(
          {to + (reinterpret_cast<const uint8_t*>(entry.key.data()) - from), entry.key.size()});
      entry.values = {to + (entry.values.data() - from), entry.values.size()};
    }
    return Status();
  }

  Status BindHashes() {
    const Metadata& metadata = file_.metadata;
    const bool has_size = metadata.Find(kChunkSize) != nullptr,
               has_chunks = metadata.Find(kChunkHashes) != nullptr;
    const bool has_header = metadata.Find(kHeaderHash) != nullptr;
    if (!has_size && !has_chunks && !has_header) return Status();
    // A damaged key must not switch the checks off, so each of the three requires the other two.
    TVLM_ASSIGN_OR_RETURN(const uint32_t chunk_size, metadata.GetU32(kChunkSize));
    TVLM_ASSIGN_OR_RETURN(const auto chunks, metadata.GetU8Array(kChunkHashes));
    TVLM_ASSIGN_OR_RETURN(const auto header, metadata.GetU8Array(kHeaderHash));
    if (chunk_size == 0)
      return Error(ErrorCode::kInvalidFile, "%s: at least 1 wanted, 0 found", kChunkSize);
    const uint64_t count = file_.data_bytes / chunk_size + (file_.data_bytes % chunk_size != 0);
    if (chunks.size() % 32 != 0 || chunks.size() / 32 != count) {
      return Error(ErrorCode::kInvalidFile,
                   "%s: 32 bytes for each of %" PRIu64 " chunks wanted, %zu bytes found",
                   kChunkHashes, count, chunks.size());
    }
    if (header.size() != 32)
      return Error(ErrorCode::kInvalidFile, "%s: 32 bytes wanted, %zu found", kHeaderHash,
                   header.size());
    file_.chunk_size = chunk_size;
    file_.chunk_hashes = chunks;
    file_.header_hash_offset = header_hash_at_;
    return Status();
  }

  std::span<const uint8_t> prefix_;
  ByteReader reader_;
  Status status_;
  uint64_t needed_ = 0;
  uint64_t values_left_ = 0, tensors_left_ = 0;
  size_t values_begin_ = 0, values_end_ = 0;
  uint64_t header_hash_at_ = 0;
  GgufFile file_;
};

Result<GgufParse> ParseGgufHeader(std::span<const uint8_t> prefix) {
  return GgufParser(prefix).Parse();
}

const TensorInfo* GgufFile::Find(std::string_view name) const {
  const auto at = std::lower_bound(
      by_name.begin(), by_name.end(), name,
      [this](uint32_t i, std::string_view wanted) { return tensors[i].name < wanted; });
  return at != by_name.end() && tensors[*at].name == name ? &tensors[*at] : nullptr;
}

Status VerifyHeaderHash(const GgufFile& file, std::span<const uint8_t> header) {
  if (file.chunk_size == 0) return Status();
  TVLM_DCHECK(header.size() == file.data_offset);
  static constexpr Sha256::Digest kZeros{};
  const size_t hash = static_cast<size_t>(file.header_hash_offset);
  Sha256 sha;
  sha.Update(header.data(), hash);
  sha.Update(kZeros.data(), kZeros.size());
  sha.Update(header.data() + hash + kZeros.size(), header.size() - hash - kZeros.size());
  const Sha256::Digest digest = sha.Finish();
  if (std::equal(digest.begin(), digest.end(), header.begin() + static_cast<ptrdiff_t>(hash)))
    return Status();
  return Error(ErrorCode::kInvalidFile,
               "the model file is damaged: its first %zu bytes do not have the SHA-256 that they "
               "state; download it again",
               header.size());
}

Sha256::Digest ChunkHash(const GgufFile& file, uint64_t chunk) {
  Sha256::Digest digest;
  std::copy_n(file.chunk_hashes.begin() + static_cast<ptrdiff_t>(chunk * digest.size()),
              digest.size(), digest.begin());
  return digest;
}

Status VerifyChunk(const GgufFile& file, uint64_t chunk, std::span<const uint8_t> bytes) {
  Sha256 sha;
  sha.Update(bytes.data(), bytes.size());
  if (sha.Finish() == ChunkHash(file, chunk)) return Status();
  const uint64_t begin = file.data_offset + chunk * file.chunk_size;
  return Error(ErrorCode::kInvalidFile,
               "the model file is damaged: bytes %" PRIu64 "..%" PRIu64
               " do not have the SHA-256 that its header gives for chunk %" PRIu64
               "; download it again",
               begin, begin + bytes.size() - 1, chunk);
}

Status CheckFileBytes(const GgufFile& file, uint64_t bytes) {
  const uint64_t wanted = file.data_offset + file.data_bytes,
                 least = file.chunk_size != 0 ? wanted : file.data_offset + file.tensor_bytes;
  if (bytes > wanted) {
    return Error(ErrorCode::kInvalidFile,
                 "the model file is longer than the %" PRIu64
                 " bytes that its header describes: %" PRIu64 " found",
                 wanted, bytes);
  }
  if (bytes < least) {
    return Error(ErrorCode::kInvalidFile,
                 "the model file is truncated: %" PRIu64 " bytes wanted, %" PRIu64 " found", wanted,
                 bytes);
  }
  return Status();
}

}  // namespace tinyvlm
