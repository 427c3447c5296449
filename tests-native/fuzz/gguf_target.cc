// The header of a GGUF file: parsed whole and in prefixes, every value asked for as every type.
#include <algorithm>

#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "fuzz/fuzz.h"
#include "fuzz/gguf_edit.h"

using namespace tinyvlm;

namespace {

void AskForEverything(const GgufFile& file) {
  for (const Metadata::Entry& entry : file.metadata.entries()) {
    const std::string_view key = entry.key;
    MustHold(file.metadata.Find(key) == &entry, "every key is found");
    MustBeTold(file.metadata.GetU32(key).status());
    MustBeTold(file.metadata.GetI32(key).status());
    MustBeTold(file.metadata.GetF32(key).status());
    MustBeTold(file.metadata.GetBool(key).status());
    MustBeTold(file.metadata.GetString(key).status());
    MustBeTold(file.metadata.GetI32Array(key).status());
    MustBeTold(file.metadata.GetF32Array(key).status());
    MustBeTold(file.metadata.GetU8Array(key).status());
    MustBeTold(file.metadata.GetStringArray(key).status());
  }
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const TensorInfo& tensor = file.tensors[i];
    MustHold(file.Find(tensor.name) == &tensor, "every tensor is found");
    MustHold(tensor.bytes > 0 && tensor.bytes <= file.tensor_bytes &&
                 tensor.offset <= file.tensor_bytes - tensor.bytes,
             "a tensor lies in the data section");
    MustHold(i == 0 || file.tensors[i - 1].offset + file.tensors[i - 1].bytes <= tensor.offset,
             "tensors do not overlap");
  }
}

// What our writer makes of the same keys and tensors says the same.
void WriteAgain(const GgufFile& file) {
  GgufHeaderWriter writer;
  for (const Metadata::Entry& entry : file.metadata.entries()) {
    if (entry.key != "general.alignment" && !entry.key.starts_with("tinyvlm."))
      writer.AddEntry(entry);
  }
  for (const TensorInfo& tensor : file.tensors) {
    const Status status = writer.AddTensor(tensor.name, tensor.type, tensor.shape);
    if (!status.ok()) return;
  }
  if (writer.chunks() > 64) return;  // hashes of large sections are long
  writer.LayOut();
  for (uint64_t i = 0; i < writer.chunks(); ++i) writer.SetChunkHash(i, {});
  const std::span<const uint8_t> header = writer.FinishHeader();
  const Result<GgufParse> again = ParseGgufHeader(header);
  MustHold(again.ok() && again->file.has_value(), "what the writer wrote is read");
  MustHold(VerifyHeaderHash(*again->file, header).ok(), "the writer's hash is right");
  MustHold(again->file->tensors.size() == file.tensors.size(), "no tensor is lost");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  const ExactCopy copy({data, size});
  const Result<GgufParse> parse = ParseGgufHeader(copy.bytes());
  MustBeTold(parse.status());
  if (!parse.ok()) return 0;
  if (!parse->file.has_value()) {
    MustHold(parse->bytes_needed > size, "more bytes are asked for than there are");
    return 0;
  }
  const GgufFile& file = *parse->file;
  MustHold(file.data_offset <= size, "the header ends in the file");
  AskForEverything(file);
  const size_t header = static_cast<size_t>(file.data_offset);
  MustBeTold(VerifyHeaderHash(file, copy.bytes().first(header)));
  MustBeTold(CheckFileBytes(file, size));
  if (file.chunk_size != 0 && size - header >= file.data_bytes) {
    const uint64_t chunk = std::min(file.chunk_size, file.data_bytes);
    if (chunk > 0)
      MustBeTold(VerifyChunk(file, 0, copy.bytes().subspan(header, static_cast<size_t>(chunk))));
  }
  // A shorter prefix asks for no more than the header has, and is never taken for a whole one.
  for (const size_t prefix : {size_t{5}, header / 2, header - 1}) {
    const ExactCopy part(copy.bytes().first(std::min(prefix, header)));
    const Result<GgufParse> shorter = ParseGgufHeader(part.bytes());
    MustHold(shorter.ok() && !shorter->file.has_value(), "a part of a good header is no error");
    MustHold(shorter->bytes_needed > prefix && shorter->bytes_needed <= header,
             "no more bytes are asked for than the header has");
  }
  if (header < 100'000) WriteAgain(file);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateGguf(data, size, max_size, seed);
}
