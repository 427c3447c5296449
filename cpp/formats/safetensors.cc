#include "formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstring>
#include <set>
#include <utility>

#include "base/byte_reader.h"
#include "base/check.h"
#include "base/half.h"
#include "base/json.h"

namespace tinyvlm {

namespace {

// Real headers take 100 bytes a tensor; the JSON reader may take 40 times as much memory.
constexpr uint64_t kMaxHeaderBytes = uint64_t{16} << 20;
constexpr size_t kMaxShards = 1000;
constexpr size_t kMaxDimensions = 8;
constexpr size_t kMaxNameBytes = 512;

struct TypeRow {
  const char* name;
  size_t bytes;
};

// In the order of SafetensorsType.
constexpr TypeRow kTypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
                              {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U64", 8},  {"U32", 4},
                              {"U16", 2}, {"U8", 1},  {"BOOL", 1}};

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

// One member of a header as a tensor whose offset still counts from the data section.
Result<SafetensorsTensor> ParseTensor(const std::string& path, const Json::Member& member,
                                      uint64_t data_bytes) {
  const auto& [name, value] = member;
  if (name.empty() || name.size() > kMaxNameBytes || !IsPrintable(name)) {
    return Error(ErrorCode::kInvalidFile,
                 "%s: a tensor name of 1..%zu printable characters wanted, one of %zu found",
                 path.c_str(), kMaxNameBytes, name.size());
  }
  const auto wrong = [&path, name = name.c_str()](const char* what) {
    return Error(ErrorCode::kInvalidFile, "%s: tensor %s: %s", path.c_str(), name, what);
  };
  SafetensorsTensor tensor;
  tensor.name = tensor.name_in_file = name;
  const Json* const dtype = value.Find("dtype");
  if (dtype == nullptr || dtype->string() == nullptr)
    return wrong("\"dtype\" as a string wanted, not found");
  const auto* const row =
      std::find_if(std::begin(kTypes), std::end(kTypes),
                   [dtype](const TypeRow& r) { return *dtype->string() == r.name; });
  if (row == std::end(kTypes)) {
    return Error(ErrorCode::kUnsupported,
                 "%s: tensor %s: type \"%.20s\" is not one that this engine reads", path.c_str(),
                 name.c_str(), IsPrintable(*dtype->string()) ? dtype->string()->c_str() : "?");
  }
  tensor.type = static_cast<SafetensorsType>(row - std::begin(kTypes));
  const Json* const shape = value.Find("shape");
  if (shape == nullptr || shape->array() == nullptr || shape->array()->size() > kMaxDimensions)
    return wrong("\"shape\" of at most 8 dimensions wanted, not found");
  for (const Json& dimension : *shape->array()) {
    if (!dimension.uint64().has_value())
      return wrong("\"shape\" holds something that is not a size");
    tensor.shape.push_back(*dimension.uint64());
  }
  const Json* const offsets = value.Find("data_offsets");
  if (offsets == nullptr || offsets->array() == nullptr || offsets->array()->size() != 2)
    return wrong("\"data_offsets\" of two numbers wanted, not found");
  const std::optional<uint64_t> begin = (*offsets->array())[0].uint64(),
                                end = (*offsets->array())[1].uint64();
  if (!begin.has_value() || !end.has_value() || *begin > *end || *end > data_bytes) {
    return Error(ErrorCode::kInvalidFile,
                 "%s: tensor %s: two ascending offsets up to %" PRIu64
                 " wanted, others found (is the file truncated?)",
                 path.c_str(), name.c_str(), data_bytes);
  }
  tensor.offset = *begin;
  tensor.bytes = *end - *begin;
  const Result<uint64_t> elements = ElementCount(tensor.shape);
  uint64_t bytes = 0;
  if (!elements.ok() || !CheckedMultiply(*elements, row->bytes, &bytes))
    return wrong("its shape has more bytes than 64 bits can count");
  tensor.elements = *elements;
  if (bytes != tensor.bytes) {
    return Error(ErrorCode::kInvalidFile,
                 "%s: tensor %s: shape %s of %s takes %" PRIu64 " bytes, its offsets span %" PRIu64,
                 path.c_str(), name.c_str(), ShapeToString(tensor.shape).c_str(), row->name, bytes,
                 tensor.bytes);
  }
  return tensor;
}

}  // namespace

const char* SafetensorsTypeName(SafetensorsType type) {
  return kTypes[static_cast<size_t>(type)].name;
}

size_t SafetensorsTypeBytes(SafetensorsType type) {
  return kTypes[static_cast<size_t>(type)].bytes;
}

Status Safetensors::Source::ReadAt(uint64_t offset, void* data, size_t bytes) const {
  if (file_.has_value()) return file_->ReadAt(offset, data, bytes);
  if (offset > bytes_.size() || bytes > bytes_.size() - offset) {
    return Error(ErrorCode::kInvalidFile,
                 "%s: %zu bytes at %" PRIu64 " wanted, it ends at byte %zu", name_.c_str(), bytes,
                 offset, bytes_.size());
  }
  if (bytes != 0) std::memcpy(data, bytes_.data() + offset, bytes);
  return Status();
}

Status CheckSafetensorsBytes(const std::string& name, uint64_t file_bytes) {
  // A length, and the braces of an empty header.
  if (file_bytes >= kSafetensorsPrefixBytes + 2) return Status();
  return Error(ErrorCode::kInvalidFile,
               "%s: a safetensors file wanted, one of %" PRIu64 " bytes found", name.c_str(),
               file_bytes);
}

Result<uint64_t> SafetensorsHeaderBytes(const std::string& name, uint64_t file_bytes,
                                        std::span<const uint8_t, kSafetensorsPrefixBytes> prefix) {
  const uint64_t length = LoadLittleEndian<uint64_t>(prefix.data());
  if (length <= file_bytes - prefix.size() && length <= kMaxHeaderBytes) return length;
  const char* const hint = AsText(prefix.first(4)) == "vers"
                               ? " (it looks like a Git LFS pointer, not the file itself)"
                               : "";
  return Error(ErrorCode::kInvalidFile,
               "%s: a safetensors header of at most %" PRIu64 " bytes within the file's %" PRIu64
               " wanted, a length of %" PRIu64 " found%s",
               name.c_str(), kMaxHeaderBytes, file_bytes, length, hint);
}

Status Safetensors::AddSource(Source file) {
  uint8_t prefix[kSafetensorsPrefixBytes];
  TVLM_RETURN_IF_ERROR(CheckSafetensorsBytes(file.name(), file.size()));
  TVLM_RETURN_IF_ERROR(file.ReadAt(0, prefix, sizeof(prefix)));
  TVLM_ASSIGN_OR_RETURN(const uint64_t length,
                        SafetensorsHeaderBytes(file.name(), file.size(), prefix));
  std::string header(static_cast<size_t>(length), '\0');
  TVLM_RETURN_IF_ERROR(file.ReadAt(sizeof(prefix), header.data(), header.size()));
  const uint64_t size = file.size();
  return AddTensors(std::move(file), size, header);
}

Status Safetensors::AddHeader(std::string name, uint64_t file_bytes, std::string_view header) {
  return AddTensors(Source(std::move(name)), file_bytes, header);
}

Status Safetensors::AddTensors(Source file, uint64_t file_bytes, std::string_view header) {
  const std::string& path = file.name();
  const Result<Json> json = header.empty() || header[0] != '{'
                                ? Error(ErrorCode::kInvalidFile, "'{' wanted at byte 0")
                                : ParseJson(header);
  if (!json.ok())
    return Error(ErrorCode::kInvalidFile, "%s: its safetensors header cannot be read: %s",
                 path.c_str(), json.status().message().c_str());

  const uint64_t data_offset = kSafetensorsPrefixBytes + header.size(),
                 data_bytes = file_bytes - data_offset;
  std::vector<SafetensorsTensor> tensors;
  for (const Json::Member& member : *json->object()) {
    if (member.first == "__metadata__") continue;
    TVLM_ASSIGN_OR_RETURN(SafetensorsTensor tensor, ParseTensor(path, member, data_bytes));
    tensor.file = static_cast<uint32_t>(files_.size());
    tensors.push_back(std::move(tensor));
  }
  // The tensors must cover the data section once, without gaps.
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  uint64_t covered = 0;
  const char* before = "the header";
  for (SafetensorsTensor& tensor : tensors) {
    if (tensor.offset != covered) {
      return Error(ErrorCode::kInvalidFile,
                   "%s: tensor %s at byte %" PRIu64
                   " of the data %s %s, which ends at byte %" PRIu64,
                   path.c_str(), tensor.name.c_str(), tensor.offset,
                   tensor.offset < covered ? "overlaps" : "leaves a gap behind", before, covered);
    }
    covered += tensor.bytes;
    tensor.offset += data_offset;
    before = tensor.name.c_str();
  }
  if (covered != data_bytes) {
    return Error(ErrorCode::kInvalidFile,
                 "%s: %" PRIu64 " bytes of tensors wanted after the header, %" PRIu64 " found",
                 path.c_str(), covered, data_bytes);
  }
  std::move(tensors.begin(), tensors.end(), std::back_inserter(tensors_));
  files_.push_back(std::move(file));
  return Status();
}

Status Safetensors::Finish() {
  std::sort(tensors_.begin(), tensors_.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(tensors_.begin(), tensors_.end(),
                         [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice == tensors_.end()) return Status();
  return Error(ErrorCode::kInvalidFile, "%s: duplicate tensor %s",
               files_[twice->file].name().c_str(), twice->name.c_str());
}

Result<Safetensors> Safetensors::Open(const std::string& path) {
  Safetensors safetensors;
  TVLM_ASSIGN_OR_RETURN(RandomAccessFile file, RandomAccessFile::Open(path));
  TVLM_RETURN_IF_ERROR(safetensors.AddSource(Source(std::move(file))));
  TVLM_RETURN_IF_ERROR(safetensors.Finish());
  return safetensors;
}

Result<Safetensors> Safetensors::FromBytes(std::string name, std::span<const uint8_t> bytes) {
  Safetensors safetensors;
  TVLM_RETURN_IF_ERROR(safetensors.AddSource(Source(std::move(name), bytes)));
  TVLM_RETURN_IF_ERROR(safetensors.Finish());
  return safetensors;
}

Result<SafetensorsIndex> ParseSafetensorsIndex(std::string name, std::string_view text) {
  const Result<Json> json = ParseJson(text);
  if (!json.ok())
    return Error(json.status().code(), "%s: %s", name.c_str(), json.status().message().c_str());
  const Json* const map = json->Find("weight_map");
  if (map == nullptr || map->object() == nullptr)
    return Error(ErrorCode::kInvalidFile, "%s: an object \"weight_map\" wanted, not found",
                 name.c_str());

  SafetensorsIndex index;
  std::set<std::string> shards;
  std::set<std::string_view> names;
  for (const auto& [tensor, shard] : *map->object()) {
    if (!names.insert(tensor).second) {
      return Error(ErrorCode::kInvalidFile, "%s: duplicate tensor %s", name.c_str(),
                   IsPrintable(tensor) ? tensor.c_str() : "?");
    }
    const std::string* const file = shard.string();
    // A shard is a file beside the index: it must not name any other file on the disk.
    if (file == nullptr || file->empty() || (*file)[0] == '.' ||
        file->find_first_of(std::string_view("/\\\0", 3)) != std::string::npos ||
        !IsPrintable(*file)) {
      return Error(ErrorCode::kInvalidFile,
                   "%s: \"weight_map\" names a shard that is not a file name", name.c_str());
    }
    shards.insert(*file);
    index.tensors.emplace_back(tensor, *file);
  }
  if (shards.empty() || shards.size() > kMaxShards) {
    return Error(ErrorCode::kInvalidFile, "%s: 1..%zu shards wanted, %zu found", name.c_str(),
                 kMaxShards, shards.size());
  }
  index.name = std::move(name);
  index.shards.assign(shards.begin(), shards.end());
  return index;
}

Status Safetensors::CheckIndex(const SafetensorsIndex& index, const std::string& folder) const {
  for (const auto& [name, shard] : index.tensors) {
    const SafetensorsTensor* const tensor = Find(name);
    if (tensor != nullptr && files_[tensor->file].name() == folder + shard) continue;
    return Error(ErrorCode::kInvalidFile, "%s: tensor %s wanted in %s, not found there",
                 index.name.c_str(), IsPrintable(name) ? name.c_str() : "?", shard.c_str());
  }
  return Status();
}

Status Safetensors::Rename(std::span<const std::string> names) {
  TVLM_DCHECK(names.size() == tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) tensors_[i].name = names[i];
  std::erase_if(tensors_, [](const SafetensorsTensor& tensor) { return tensor.name.empty(); });
  return Finish();
}

Status Safetensors::Append(Safetensors other) {
  for (SafetensorsTensor& tensor : other.tensors_) {
    tensor.file += static_cast<uint32_t>(files_.size());
    tensors_.push_back(std::move(tensor));
  }
  std::move(other.files_.begin(), other.files_.end(), std::back_inserter(files_));
  return Finish();
}

const SafetensorsTensor* Safetensors::Find(std::string_view name) const {
  const auto at = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                   [](const SafetensorsTensor& tensor, std::string_view wanted) {
                                     return tensor.name < wanted;
                                   });
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

std::span<const SafetensorsTensor> Safetensors::WithPrefix(std::string_view prefix) const {
  const auto begin = std::partition_point(
      tensors_.begin(), tensors_.end(),
      [prefix](const SafetensorsTensor& tensor) { return tensor.name < prefix; });
  const auto end = std::partition_point(
      begin, tensors_.end(),
      [prefix](const SafetensorsTensor& tensor) { return tensor.name.starts_with(prefix); });
  return {begin, end};
}

Status Safetensors::ReadBytes(const SafetensorsTensor& tensor, uint64_t first, void* data,
                              size_t bytes) const {
  if (first > tensor.bytes || bytes > tensor.bytes - first) {
    return Error(ErrorCode::kInternal,
                 "tensor %s: %zu bytes at %" PRIu64 " asked for, it has %" PRIu64,
                 tensor.name_in_file.c_str(), bytes, first, tensor.bytes);
  }
  return files_[tensor.file].ReadAt(tensor.offset + first, data, bytes);
}

namespace {

// `count` elements of `From`, little-endian, each converted.
template <typename From, typename To, typename Convert>
void Decode(const uint8_t* bytes, size_t count, To* values, const Convert& convert) {
  for (size_t i = 0; i < count; ++i)
    values[i] = convert(LoadLittleEndian<From>(bytes + i * sizeof(From)));
}

Status WrongType(const SafetensorsTensor& tensor, const char* wanted) {
  return Error(ErrorCode::kUnsupported, "tensor %s: %s wanted, %s found",
               tensor.name_in_file.c_str(), wanted, SafetensorsTypeName(tensor.type));
}

// Reads the elements [first, first + count) in pieces; `decode`(bytes, count, values) converts one.
template <typename To, typename DecodePiece>
Status ReadDecoded(const Safetensors& safetensors, const SafetensorsTensor& tensor, uint64_t first,
                   size_t count, To* values, const DecodePiece& decode) {
  constexpr size_t kPieceBytes = size_t{1} << 14;
  uint8_t piece[kPieceBytes];
  const size_t element = SafetensorsTypeBytes(tensor.type);
  for (size_t done = 0; done < count;) {
    const size_t take = std::min(kPieceBytes / element, count - done);
    TVLM_RETURN_IF_ERROR(
        safetensors.ReadBytes(tensor, (first + done) * element, piece, take * element));
    TVLM_RETURN_IF_ERROR(decode(piece, take, values + done));
    done += take;
  }
  return Status();
}

}  // namespace

Status DecodeF32(const SafetensorsTensor& tensor, const uint8_t* bytes, size_t count,
                 float* values) {
  switch (tensor.type) {
    case SafetensorsType::kF32:
      Decode<float>(bytes, count, values, [](float value) { return value; });
      return Status();
    case SafetensorsType::kF16:
      Decode<uint16_t>(bytes, count, values, F16ToF32);
      return Status();
    case SafetensorsType::kBF16:
      Decode<uint16_t>(bytes, count, values, BF16ToF32);
      return Status();
    case SafetensorsType::kF64:
    case SafetensorsType::kI64:
    case SafetensorsType::kI32:
    case SafetensorsType::kI16:
    case SafetensorsType::kI8:
    case SafetensorsType::kU64:
    case SafetensorsType::kU32:
    case SafetensorsType::kU16:
    case SafetensorsType::kU8:
    case SafetensorsType::kBool:
      break;
  }
  return WrongType(tensor, "F32, F16 or BF16");
}

Status Safetensors::ReadF32(const SafetensorsTensor& tensor, uint64_t first, size_t count,
                            float* values) const {
  return ReadDecoded(*this, tensor, first, count, values,
                     [&tensor](const uint8_t* bytes, size_t piece, float* to) {
                       return DecodeF32(tensor, bytes, piece, to);
                     });
}

Status Safetensors::ReadI64(const SafetensorsTensor& tensor, uint64_t first, size_t count,
                            int64_t* values) const {
  const auto decode = [&tensor](const uint8_t* bytes, size_t piece, int64_t* to) {
    if (tensor.type == SafetensorsType::kI64) {
      Decode<int64_t>(bytes, piece, to, [](int64_t value) { return value; });
    } else if (tensor.type == SafetensorsType::kI32) {
      Decode<int32_t>(bytes, piece, to, [](int32_t value) { return int64_t{value}; });
    } else {
      return WrongType(tensor, "I64 or I32");
    }
    return Status();
  };
  return ReadDecoded(*this, tensor, first, count, values, decode);
}

Status WriteSafetensors(const std::string& path, std::span<const SafetensorsOutput> tensors) {
  static_assert(std::endian::native == std::endian::little);
  // Wider elements first, so that every tensor is aligned to its element.
  std::vector<const SafetensorsOutput*> order;
  for (const SafetensorsOutput& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return SafetensorsTypeBytes(a->type) > SafetensorsTypeBytes(b->type);
  });

  std::string header = "{";
  std::vector<uint64_t> sizes;
  uint64_t offset = 0;
  for (const SafetensorsOutput* tensor : order) {
    TVLM_ASSIGN_OR_RETURN(const uint64_t elements, ElementCount(tensor->shape));
    sizes.push_back(elements * SafetensorsTypeBytes(tensor->type));
    if (header.size() > 1) header += ',';
    AppendJsonString(tensor->name, &header);
    header += Format(":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}",
                     SafetensorsTypeName(tensor->type), ShapeToString(tensor->shape).c_str(),
                     offset, offset + sizes.back());
    offset += sizes.back();
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');

  TVLM_ASSIGN_OR_RETURN(FileWriter file, FileWriter::Create(path));
  const uint64_t length = header.size();
  TVLM_RETURN_IF_ERROR(file.Append(&length, sizeof(length)));
  TVLM_RETURN_IF_ERROR(file.Append(header.data(), header.size()));
  for (size_t i = 0; i < order.size(); ++i)
    TVLM_RETURN_IF_ERROR(file.Append(order[i]->data, static_cast<size_t>(sizes[i])));
  return file.Commit();
}

}  // namespace tinyvlm
