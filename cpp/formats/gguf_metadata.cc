// The accessors of Metadata (formats/gguf.h): typed values of a header that gguf.cc has checked.
#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <limits>

#include "base/byte_reader.h"
#include "base/check.h"
#include "formats/gguf.h"
#include "formats/gguf_type.h"

namespace tinyvlm {

namespace {

int Length(std::string_view text) { return static_cast<int>(text.size()); }

Status WrongType(std::string_view key, const char* wanted, const Metadata::Entry& found) {
  return Error(ErrorCode::kInvalidFile, "%.*s: %s wanted, %s%s found", Length(key), key.data(),
               wanted, found.is_array ? "an array of " : "", GgufTypeName(found.type));
}

// An integer of any width: magnitude and sign. False for other types.
bool LoadInteger(const Metadata::Entry& entry, uint64_t index, bool* negative,
                 uint64_t* magnitude) {
  const uint8_t* const bytes = entry.values.data() + index * GgufTypeBytes(entry.type);
  int64_t value = 0;
  switch (entry.type) {
    case GgufType::kU8:
      value = bytes[0];
      break;
    case GgufType::kI8:
      value = static_cast<int8_t>(bytes[0]);  // NOLINT(bugprone-signed-char-misuse): a number
      break;
    case GgufType::kU16:
      value = LoadLittleEndian<uint16_t>(bytes);
      break;
    case GgufType::kI16:
      value = LoadLittleEndian<int16_t>(bytes);
      break;
    case GgufType::kU32:
      value = LoadLittleEndian<uint32_t>(bytes);
      break;
    case GgufType::kI32:
      value = LoadLittleEndian<int32_t>(bytes);
      break;
    case GgufType::kI64:
      value = LoadLittleEndian<int64_t>(bytes);
      break;
    case GgufType::kU64:
      *negative = false;
      *magnitude = LoadLittleEndian<uint64_t>(bytes);
      return true;
    case GgufType::kF32:
    case GgufType::kF64:
    case GgufType::kBool:
    case GgufType::kString:
    case GgufType::kArray:
      return false;
  }
  *negative = value < 0;
  *magnitude = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  return true;
}

bool IsInteger(GgufType type) {
  return GgufTypeBytes(type) != 0 && type != GgufType::kBool && type != GgufType::kF32 &&
         type != GgufType::kF64;
}

// The element `index` of an integer entry as a T.
template <typename T>
Result<T> GetInteger(const Metadata::Entry& entry, uint64_t index) {
  bool negative = false;
  uint64_t magnitude = 0;
  LoadInteger(entry, index, &negative, &magnitude);
  constexpr uint64_t kMax = static_cast<uint64_t>(std::numeric_limits<T>::max());
  const uint64_t limit = !negative ? kMax : std::numeric_limits<T>::min() == 0 ? 0 : kMax + 1;
  if (magnitude > limit) {
    return Error(ErrorCode::kInvalidFile,
                 "%.*s: a number from %" PRId64 " to %" PRIu64 " wanted, %s%" PRIu64 " found",
                 Length(entry.key), entry.key.data(),
                 static_cast<int64_t>(std::numeric_limits<T>::min()), kMax, negative ? "-" : "",
                 magnitude);
  }
  return static_cast<T>(negative ? 0 - magnitude : magnitude);
}

float GetFloat(const Metadata::Entry& entry, uint64_t index) {
  if (entry.type == GgufType::kF32) return LoadLittleEndian<float>(entry.values.data() + 4 * index);
  const double value = LoadLittleEndian<double>(entry.values.data() + 8 * index);
  // The conversion of a double beyond f32 is undefined in C++.
  if (std::fabs(value) > std::numeric_limits<float>::max())
    return std::copysign(std::numeric_limits<float>::infinity(),
                         static_cast<float>(value > 0 ? 1 : -1));
  return static_cast<float>(value);
}

bool IsFloat(GgufType type) { return type == GgufType::kF32 || type == GgufType::kF64; }

}  // namespace

const Metadata::Entry* Metadata::Find(std::string_view key) const {
  const auto at = std::lower_bound(
      by_key_.begin(), by_key_.end(), key,
      [this](uint32_t i, std::string_view wanted) { return entries_[i].key < wanted; });
  return at != by_key_.end() && entries_[*at].key == key ? &entries_[*at] : nullptr;
}

Result<const Metadata::Entry*> Metadata::FindTyped(std::string_view key, bool is_array,
                                                   bool (*is_type)(GgufType),
                                                   const char* wanted) const {
  const Entry* const entry = Find(key);
  if (entry == nullptr)
    return Error(ErrorCode::kNotFound, "%.*s is missing from the model file", Length(key),
                 key.data());
  if (entry->is_array != is_array || !is_type(entry->type)) return WrongType(key, wanted, *entry);
  return entry;
}

Result<uint32_t> Metadata::GetU32(std::string_view key) const {
  TVLM_ASSIGN_OR_RETURN(const Entry* const entry, FindTyped(key, false, IsInteger, "an integer"));
  return GetInteger<uint32_t>(*entry, 0);
}

Result<int32_t> Metadata::GetI32(std::string_view key) const {
  TVLM_ASSIGN_OR_RETURN(const Entry* const entry, FindTyped(key, false, IsInteger, "an integer"));
  return GetInteger<int32_t>(*entry, 0);
}

Result<float> Metadata::GetF32(std::string_view key) const {
  TVLM_ASSIGN_OR_RETURN(const Entry* const entry, FindTyped(key, false, IsFloat, "a float"));
  return GetFloat(*entry, 0);
}

Result<bool> Metadata::GetBool(std::string_view key) const {
  TVLM_ASSIGN_OR_RETURN(
      const Entry* const entry,
      FindTyped(key, false, [](GgufType type) { return type == GgufType::kBool; }, "a bool"));
  return entry->values[0] != 0;
}

Result<std::string> Metadata::GetString(std::string_view key) const {
  TVLM_ASSIGN_OR_RETURN(
      const Entry* const entry,
      FindTyped(key, false, [](GgufType type) { return type == GgufType::kString; }, "a string"));
  return std::string(AsText(entry->values.subspan(8)));
}

Result<std::vector<int32_t>> Metadata::GetI32Array(std::string_view key) const {
  TVLM_ASSIGN_OR_RETURN(const Entry* const entry,
                        FindTyped(key, true, IsInteger, "an array of integers"));
  std::vector<int32_t> values;
  values.reserve(static_cast<size_t>(entry->count));
  for (uint64_t i = 0; i < entry->count; ++i) {
    TVLM_ASSIGN_OR_RETURN(const int32_t value, GetInteger<int32_t>(*entry, i));
    values.push_back(value);
  }
  return values;
}

Result<std::vector<float>> Metadata::GetF32Array(std::string_view key) const {
  TVLM_ASSIGN_OR_RETURN(const Entry* const entry,
                        FindTyped(key, true, IsFloat, "an array of floats"));
  std::vector<float> values(static_cast<size_t>(entry->count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = GetFloat(*entry, i);
  return values;
}

Result<std::span<const uint8_t>> Metadata::GetU8Array(std::string_view key) const {
  TVLM_ASSIGN_OR_RETURN(
      const Entry* const entry,
      FindTyped(key, true, [](GgufType type) { return type == GgufType::kU8; }, "an array of u8"));
  return entry->values;
}

Result<std::vector<std::string_view>> Metadata::GetStringArray(std::string_view key) const {
  TVLM_ASSIGN_OR_RETURN(const Entry* const entry,
                        FindTyped(
                            key, true, [](GgufType type) { return type == GgufType::kString; },
                            "an array of strings"));
  std::vector<std::string_view> values;
  values.reserve(static_cast<size_t>(entry->count));
  ByteReader reader(entry->values);
  for (uint64_t i = 0; i < entry->count; ++i) {
    uint64_t length = 0;
    std::span<const uint8_t> bytes;
    const bool whole = reader.Read(&length) && reader.ReadBytes(length, &bytes);
    TVLM_DCHECK(whole);  // the parser has checked it
    static_cast<void>(whole);
    values.push_back(AsText(bytes));
  }
  return values;
}

}  // namespace tinyvlm
