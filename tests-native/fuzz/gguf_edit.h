// GGUF files taken apart, changed and put together again, with counts, offsets and hashes that are
// right: so that a reader gets beyond them.
#ifndef TINYVLM_TESTS_FUZZ_GGUF_EDIT_H_
#define TINYVLM_TESTS_FUZZ_GGUF_EDIT_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_reader.h"
#include "base/sha256.h"
#include "formats/gguf_bytes.h"
#include "formats/gguf_type.h"
#include "fuzz/dice.h"
#include "fuzz/fuzz.h"
#include "tensor/dtype.h"

namespace tinyvlm {

// A file in parts. What cannot be read as GGUF is no such file.
struct GgufParts {
  struct Value {
    std::string key;
    uint32_t type = 0;  // of the value or of an array's elements
    bool is_array = false;
    uint64_t count = 1;
    std::string bytes;  // as in the file
  };
  struct TensorPart {
    std::string name;
    std::vector<uint64_t> ne;
    uint32_t type = 0;
    uint64_t offset = 0;
  };
  uint32_t version = 3;
  std::vector<Value> values;
  std::vector<TensorPart> tensors;
  std::string data;  // the data section

  static std::optional<GgufParts> Read(std::span<const uint8_t> file) {
    constexpr uint64_t kMost = 10'000;
    GgufParts parts;
    ByteReader reader(file);
    const auto text = [&reader](std::string* to) {
      uint64_t length = 0;
      std::span<const uint8_t> bytes;
      if (!reader.Read(&length) || !reader.ReadBytes(length, &bytes)) return false;
      to->assign(TextOf(bytes));
      return true;
    };
    uint32_t magic = 0;
    uint64_t tensors = 0, values = 0;
    if (!reader.Read(&magic) || !reader.Read(&parts.version) || !reader.Read(&tensors) ||
        !reader.Read(&values) || tensors > kMost || values > kMost)
      return std::nullopt;
    for (uint64_t i = 0; i < values; ++i) {
      Value value;
      if (!text(&value.key) || !reader.Read(&value.type)) return std::nullopt;
      if (value.type == static_cast<uint32_t>(GgufType::kArray)) {
        value.is_array = true;
        if (!reader.Read(&value.type) || !reader.Read(&value.count)) return std::nullopt;
      }
      const size_t begin = reader.position();
      std::span<const uint8_t> bytes;
      if (value.type == static_cast<uint32_t>(GgufType::kString)) {
        std::string skipped;
        for (uint64_t n = 0; n < value.count; ++n) {
          if (!text(&skipped)) return std::nullopt;
        }
      } else {
        const uint64_t each = GgufTypeBytes(static_cast<GgufType>(value.type));
        if (value.count > file.size() || !reader.ReadBytes(each * value.count, &bytes))
          return std::nullopt;
      }
      value.bytes.assign(TextOf(file.subspan(begin, reader.position() - begin)));
      parts.values.push_back(std::move(value));
    }
    for (uint64_t i = 0; i < tensors; ++i) {
      TensorPart tensor;
      uint32_t dimensions = 0;
      if (!text(&tensor.name) || !reader.Read(&dimensions) || dimensions > 8) return std::nullopt;
      tensor.ne.resize(dimensions);
      for (uint64_t& n : tensor.ne) {
        if (!reader.Read(&n)) return std::nullopt;
      }
      if (!reader.Read(&tensor.type) || !reader.Read(&tensor.offset)) return std::nullopt;
      parts.tensors.push_back(std::move(tensor));
    }
    const size_t alignment = parts.Alignment();
    const size_t padded = (reader.position() + alignment - 1) / alignment * alignment;
    if (padded < file.size()) parts.data.assign(TextOf(file.subspan(padded)));
    return parts;
  }

  Value* Find(std::string_view key) {
    const auto at = std::find_if(values.begin(), values.end(),
                                 [&](const Value& value) { return value.key == key; });
    return at == values.end() ? nullptr : &*at;
  }

  size_t Alignment() {
    const Value* const value = Find("general.alignment");
    if (value == nullptr || value->bytes.size() != 4) return 32;
    const uint32_t alignment =
        LoadLittleEndian<uint32_t>(reinterpret_cast<const uint8_t*>(value->bytes.data()));
    return alignment == 0 || alignment > 65536 ? 32 : alignment;
  }

  // Bytes of a tensor where its type and dimensions are possible, else 0.
  static uint64_t Bytes(const TensorPart& tensor) {
    Shape shape(tensor.ne.rbegin(), tensor.ne.rend());
    if (FindDTypeInfo(tensor.type) == nullptr) return 0;
    const Result<uint64_t> bytes = ByteCount(shape, static_cast<DType>(tensor.type));
    return bytes.ok() ? *bytes : 0;
  }

  // Lays the tensors' data one behind the other and makes the data section as long as that, as far
  // as `most` bytes go; gives the hashes their lengths.
  void LayOut(size_t most) {
    const size_t alignment = Alignment();
    uint64_t end = 0;
    for (TensorPart& tensor : tensors) {
      tensor.offset = end;
      const uint64_t bytes = Bytes(tensor);
      if (bytes > most || end > most) return;
      end += (bytes + alignment - 1) / alignment * alignment;
    }
    if (end <= most) data.resize(static_cast<size_t>(end));
    Value* const chunk_size = Find("tinyvlm.chunk_size");
    Value* const chunks = Find("tinyvlm.chunk_sha256");
    if (chunk_size == nullptr || chunks == nullptr || chunk_size->bytes.size() != 4) return;
    const uint32_t each =
        LoadLittleEndian<uint32_t>(reinterpret_cast<const uint8_t*>(chunk_size->bytes.data()));
    if (each == 0 || data.size() / each > most / 32) return;
    chunks->count = (data.size() + each - 1) / each * 32;
    chunks->bytes.resize(static_cast<size_t>(chunks->count));
  }

  // The file's bytes. `mend`: with the hashes that it states computed anew.
  std::vector<uint8_t> Write(bool mend) {
    GgufBytes file(tensors.size(), values.size(), version);
    size_t chunk_hashes = 0, header_hash = 0, chunk_bytes = 0, chunk_room = 0;
    for (const Value& value : values) {
      file.String(value.key);
      if (value.is_array) file.U32(static_cast<uint32_t>(GgufType::kArray));
      file.U32(value.type);
      if (value.is_array) file.U64(value.count);
      if (value.key == "tinyvlm.chunk_sha256") {
        chunk_hashes = file.bytes.size();
        chunk_room = value.bytes.size();
      }
      if (value.key == "tinyvlm.header_sha256" && value.bytes.size() == 32)
        header_hash = file.bytes.size();
      if (value.key == "tinyvlm.chunk_size" && value.bytes.size() == 4)
        chunk_bytes =
            LoadLittleEndian<uint32_t>(reinterpret_cast<const uint8_t*>(value.bytes.data()));
      file.Text(value.bytes);
    }
    for (const TensorPart& tensor : tensors)
      file.Tensor(tensor.name, tensor.ne, tensor.type, tensor.offset);
    file.Pad(Alignment());
    const size_t header = file.bytes.size();
    file.Text(data);
    if (!mend) return std::move(file.bytes);
    const auto hash = [&](size_t begin, size_t bytes, size_t to) {
      Sha256 sha;
      sha.Update(file.bytes.data() + begin, bytes);
      const Sha256::Digest digest = sha.Finish();
      std::copy(digest.begin(), digest.end(), file.bytes.begin() + static_cast<ptrdiff_t>(to));
    };
    if (chunk_hashes != 0 && chunk_bytes != 0) {
      for (size_t begin = 0, at = 0; begin < data.size() && at + 32 <= chunk_room;
           begin += chunk_bytes, at += 32)
        hash(header + begin, std::min(chunk_bytes, data.size() - begin), chunk_hashes + at);
    }
    if (header_hash != 0) {
      std::fill_n(file.bytes.begin() + static_cast<ptrdiff_t>(header_hash), 32, uint8_t{0});
      hash(0, header, header_hash);
    }
    return std::move(file.bytes);
  }

  // Changes one thing.
  void Change(Dice& dice, size_t room) {
    switch (dice.Roll(12)) {
      case 0:
        if (!values.empty())
          values.erase(values.begin() + static_cast<ptrdiff_t>(dice.Roll(values.size())));
        return;
      case 1:
        if (!values.empty()) values.push_back(values[dice.Roll(values.size())]);
        return;
      case 2:
        if (!tensors.empty())
          tensors.erase(tensors.begin() + static_cast<ptrdiff_t>(dice.Roll(tensors.size())));
        return;
      case 3:
        if (!tensors.empty()) tensors.push_back(tensors[dice.Roll(tensors.size())]);
        return;
      case 4:
      case 5:
        if (!tensors.empty()) ChangeTensor(dice, tensors[dice.Roll(tensors.size())], room);
        return;
      case 6:
        dice.Mutate(&data, std::min<size_t>(room, 64));
        return;
      case 7:
        if (dice.OneIn(8)) version = static_cast<uint32_t>(dice.Changed(version));
        return;
      default:
        if (!values.empty()) ChangeValue(dice, values[dice.Roll(values.size())], room);
    }
  }

 private:
  static void ChangeTensor(Dice& dice, TensorPart& tensor, size_t room) {
    static constexpr uint32_t kTypes[] = {0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 27, 30, 4, 99};
    switch (dice.Roll(6)) {
      case 0:
        dice.Mutate(&tensor.name, std::min<size_t>(room, 16));
        return;
      case 1:
        tensor.type = kTypes[dice.Roll(std::size(kTypes))];
        return;
      case 2:
        tensor.offset = dice.Changed(tensor.offset);
        return;
      case 3:
        tensor.ne.resize(dice.Roll(6), 1);
        return;
      default:
        if (!tensor.ne.empty()) {
          uint64_t& n = tensor.ne[dice.Roll(tensor.ne.size())];
          n = dice.Changed(n);
        }
    }
  }

  static void ChangeValue(Dice& dice, Value& value, size_t room) {
    if (dice.OneIn(16)) return dice.Mutate(&value.key, std::min<size_t>(room, 16));
    if (dice.OneIn(16)) {
      value.type = static_cast<uint32_t>(dice.Roll(14));
      return;
    }
    if (dice.OneIn(16)) {
      value.count = dice.Changed(value.count);
      return;
    }
    const uint64_t each = GgufTypeBytes(static_cast<GgufType>(std::min<uint32_t>(value.type, 12)));
    if (each == 0) {  // strings: one of them is changed, its length mended
      std::vector<std::string> texts;
      for (size_t at = 0; at + 8 <= value.bytes.size();) {
        const uint64_t length =
            LoadLittleEndian<uint64_t>(reinterpret_cast<const uint8_t*>(value.bytes.data()) + at);
        if (length > value.bytes.size() - at - 8) break;
        texts.push_back(value.bytes.substr(at + 8, static_cast<size_t>(length)));
        at += 8 + static_cast<size_t>(length);
      }
      if (!texts.empty()) {
        std::string& text = texts[dice.Roll(texts.size())];
        if (dice.OneIn(4)) {
          text = texts[dice.Roll(texts.size())];
        } else {
          dice.Mutate(&text, std::min<size_t>(room, 32));
        }
      }
      if (value.is_array && dice.OneIn(4)) texts.resize(dice.Roll(texts.size() + 3));
      value.bytes.clear();
      for (const std::string& text : texts) {
        const uint64_t length = text.size();
        value.bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
        value.bytes += text;
      }
      value.count = texts.size();
      return;
    }
    if (value.is_array && dice.OneIn(4)) {
      value.count = dice.Roll(value.bytes.size() / static_cast<size_t>(each) + 3);
      value.bytes.resize(static_cast<size_t>(value.count * each));
      return;
    }
    if (value.bytes.size() < each) return;
    const size_t at =
        dice.Roll(value.bytes.size() / static_cast<size_t>(each)) * static_cast<size_t>(each);
    uint64_t number = 0;
    std::memcpy(&number, value.bytes.data() + at, static_cast<size_t>(each));
    if (value.type == static_cast<uint32_t>(GgufType::kF32) && dice.OneIn(2)) {
      static constexpr float kFloats[] = {0.0f, -1.0f, 1e-30f, 1e30f, 0.5f, 1.0f / 0.3f};
      const float chosen = kFloats[dice.Roll(std::size(kFloats))];
      std::memcpy(&number, &chosen, sizeof(chosen));
    } else {
      number = dice.Changed(number);
    }
    std::memcpy(value.bytes.data() + at, &number, static_cast<size_t>(each));
  }
};

// The mutator of targets whose input is a GGUF file.
inline size_t MutateGguf(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  Dice dice(seed);
  std::optional<GgufParts> parts = GgufParts::Read({data, size});
  if (!parts.has_value() || dice.OneIn(16)) return LLVMFuzzerMutate(data, size, max_size);
  for (size_t changes = 1 + dice.Roll(3); changes > 0; --changes)
    parts->Change(dice, max_size - size);
  if (!dice.OneIn(4)) parts->LayOut(max_size);
  const std::vector<uint8_t> file = parts->Write(!dice.OneIn(16));
  if (file.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(file.begin(), file.end(), data);
  return file.size();
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FUZZ_GGUF_EDIT_H_
