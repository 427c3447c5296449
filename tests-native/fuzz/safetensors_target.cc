// safetensors files and indexes of shards. The first byte of the input tells which.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "fuzz/dice.h"
#include "fuzz/fuzz.h"

using namespace tinyvlm;

namespace {

void ReadFile(std::span<const uint8_t> bytes) {
  const ExactCopy file(bytes);
  const Result<Safetensors> opened = Safetensors::FromBytes("file", file.bytes());
  MustBeTold(opened.status());
  if (!opened.ok()) return;
  uint64_t sum = 0;
  for (const SafetensorsTensor& tensor : opened->tensors()) {
    MustHold(opened->Find(tensor.name) == &tensor, "every tensor is found");
    MustHold(tensor.bytes == tensor.elements * SafetensorsTypeBytes(tensor.type) &&
                 tensor.offset <= file.bytes().size() &&
                 tensor.bytes <= file.bytes().size() - tensor.offset,
             "a tensor lies in the file");
    sum += tensor.bytes;
    const size_t count = static_cast<size_t>(std::min<uint64_t>(tensor.elements, 5000));
    std::vector<float> floats(count);
    std::vector<int64_t> integers(count);
    const uint64_t first = tensor.elements - count;
    MustBeTold(opened->ReadF32(tensor, first, count, floats.data()));
    MustBeTold(opened->ReadI64(tensor, first, count, integers.data()));
    MustHold(!opened->ReadF32(tensor, tensor.elements, 1, floats.data()).ok(),
             "nothing is read behind a tensor");
  }
  MustHold(sum <= file.bytes().size(), "tensors do not overlap");

  // By the header alone the same tensors are known.
  const uint64_t header = file.bytes().size() - 8 - sum;
  const std::string_view text = TextOf(file.bytes().subspan(8, static_cast<size_t>(header)));
  Safetensors known, more;
  for (Safetensors* const each : {&known, &more}) {
    MustHold(each->AddHeader("file", file.bytes().size(), text).ok(),
             "a good header is good alone");
  }
  MustHold(known.Finish().ok() && more.Finish().ok() &&
               known.tensors().size() == opened->tensors().size(),
           "a header alone has the same tensors");
  std::vector<std::string> names;
  for (const SafetensorsTensor& tensor : known.tensors())
    names.push_back(tensor.name.size() % 3 == 0 ? "" : tensor.name + ".x");
  MustHold(known.Rename(names).ok(), "other names are taken");
  MustBeTold(known.Append(std::move(more)));
}

void ReadIndex(std::string_view text) {
  const Result<SafetensorsIndex> index = ParseSafetensorsIndex("index", text);
  MustBeTold(index.status());
  if (!index.ok()) return;
  for (const std::string& shard : index->shards)
    MustHold(shard.find('/') == std::string::npos && shard.find("..") != 0,
             "a shard lies beside its index");
  MustHold(std::is_sorted(index->shards.begin(), index->shards.end()), "shards are sorted");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  if (size == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  if (data[0] == 'i') {
    ReadIndex(TextOf(rest));
  } else {
    ReadFile(rest);
  }
  return 0;
}

// Mends the length of the header, and of the data the length that the last offset asks for.
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  Dice dice(seed);
  size = LLVMFuzzerMutate(data, size, max_size);
  if (size < 10 || data[0] == 'i' || dice.OneIn(8)) return size;
  std::string text(TextOf({data + 9, size - 9}));
  const size_t end = text.rfind("}}");
  if (end == std::string::npos) return size;
  const uint64_t header = end + 2;
  std::memcpy(data + 1, &header, sizeof(header));
  uint64_t most = 0;
  for (size_t at = text.find("data_offsets"); at < end; at = text.find("data_offsets", at + 1)) {
    const size_t comma = text.find(',', at), close = text.find(']', at);
    if (comma == std::string::npos || close == std::string::npos || close < comma) break;
    most = std::max<uint64_t>(most, std::strtoull(text.c_str() + comma + 1, nullptr, 10));
  }
  const size_t wanted = 9 + static_cast<size_t>(header) + static_cast<size_t>(most);
  if (most > max_size || wanted > max_size) return size;
  if (wanted > size) std::fill(data + size, data + wanted, uint8_t{0});
  return wanted;
}
