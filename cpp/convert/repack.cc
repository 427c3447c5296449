#include "convert/repack.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/gguf.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_writer.h"
#include "kernels/pack.h"
#include "tensor/quant.h"
#include "weights/packing.h"

namespace tinyvlm {

namespace {

// Bytes read and written at once, about.
constexpr size_t kPieceBytes = size_t{1} << 20;

// Keys that the writer makes anew.
bool IsWriters(std::string_view key) {
  return key == "general.alignment" || key == "tinyvlm.chunk_size" ||
         key == "tinyvlm.chunk_sha256" || key == "tinyvlm.header_sha256" || key == kPackingKey;
}

Status CheckInput(const GgufFile& file) {
  TVLM_ASSIGN_OR_RETURN(const Packing packing, ReadPacking(file));
  if (packing != Packing::kNone)
    return Error(ErrorCode::kUnsupported, "%s: \"none\" wanted, \"%s\" found: nothing is to do",
                 kPackingKey, PackingName(packing));
  TVLM_ASSIGN_OR_RETURN(const std::string architecture,
                        file.metadata.GetString("general.architecture"));
  if (architecture != "fastvlm" && architecture != "qwen2")
    return Error(ErrorCode::kUnsupported,
                 "general.architecture: \"fastvlm\" or \"qwen2\" wanted for panel16, \"%s\" found",
                 architecture.c_str());
  for (const TensorInfo& tensor : file.tensors) {
    const size_t dimensions = tensor.shape.size();
    if (tensor.type != DType::kI64 && (dimensions == 1 || dimensions == 2 || dimensions == 4))
      continue;
    return Error(ErrorCode::kUnsupported,
                 "tensor %s: a vector, matrix or convolution kernel of floats wanted, %s of type "
                 "%s found",
                 tensor.name.c_str(), ShapeToString(tensor.shape).c_str(),
                 GetDTypeInfo(tensor.type).name);
  }
  return Status();
}

// Where Convert puts the key: behind the other numbers of the format.
void AddKeys(const GgufFile& file, GgufWriter* writer) {
  constexpr std::string_view kBefore = "general.quantization_version";
  const bool has_place = file.metadata.Find(kBefore) != nullptr;
  const char* const name = PackingName(Packing::kPanel16);
  if (!has_place) writer->AddString(kPackingKey, name);
  for (const Metadata::Entry& entry : file.metadata.entries()) {
    if (!IsWriters(entry.key)) writer->AddEntry(entry);
    if (entry.key == kBefore) writer->AddString(kPackingKey, name);
  }
}

// A matrix, in ranges of whole panels.
Status RepackMatrix(const RandomAccessFile& input, uint64_t offset, const TensorInfo& tensor,
                    GgufWriter* writer) {
  const size_t k = static_cast<size_t>(tensor.shape[1]), row = RowBytes(tensor.type, k);
  const uint64_t at_once = std::max<uint64_t>(1, kPieceBytes / row / kPanelRows) * kPanelRows;
  std::vector<uint8_t> rows, scratch(PackScratchBytes(tensor.type, k));
  for (uint64_t first = 0; first < tensor.shape[0]; first += at_once) {
    const size_t take = static_cast<size_t>(std::min(at_once, tensor.shape[0] - first));
    rows.resize(take * row);
    TVLM_RETURN_IF_ERROR(input.ReadAt(offset + first * row, rows.data(), rows.size()));
    PackInPlace(tensor.type, take, k, rows.data(), scratch.data());
    TVLM_RETURN_IF_ERROR(writer->Append(rows.data(), rows.size()));
  }
  return Status();
}

// A vector or a convolution kernel: as f32, a kernel in the kernels' order.
Status RepackFloats(const RandomAccessFile& input, uint64_t offset, const TensorInfo& tensor,
                    GgufWriter* writer) {
  TVLM_ASSIGN_OR_RETURN(const uint64_t elements, ElementCount(tensor.shape));
  const size_t count = static_cast<size_t>(elements);
  std::vector<uint8_t> bytes(static_cast<size_t>(tensor.bytes));
  std::vector<float> values(count), packed;
  TVLM_RETURN_IF_ERROR(input.ReadAt(offset, bytes.data(), bytes.size()));
  DequantizeRow(tensor.type, bytes.data(), count, values.data());
  if (tensor.shape.size() == 4) {
    packed.resize(count);
    const size_t cout = static_cast<size_t>(tensor.shape[0]),
                 cin = static_cast<size_t>(tensor.shape[1]);
    PackKernel(values.data(), cout, cin, count / cout / cin, packed.data());
    values.swap(packed);
  }
  return writer->Append(reinterpret_cast<const uint8_t*>(values.data()), count * sizeof(float));
}

}  // namespace

Status Repack(const std::string& input_path, const std::string& output,
              const ConvertProgress& progress) {
  TVLM_ASSIGN_OR_RETURN(const RandomAccessFile input, RandomAccessFile::Open(input_path));
  const auto named = [&input_path](const Status& status) {
    return status.ok() ? status : Status(status.code(), input_path + ": " + status.message());
  };
  const Result<GgufFile> header = ReadGgufHeader(input);
  if (!header.ok()) return named(header.status());
  const GgufFile& file = *header;
  TVLM_RETURN_IF_ERROR(named(CheckInput(file)));
  TVLM_RETURN_IF_ERROR(named(VerifyGgufData(input, file)));
  GgufWriter writer;
  AddKeys(file, &writer);
  for (const TensorInfo& tensor : file.tensors) {
    const DType type = tensor.shape.size() == 2 ? tensor.type : DType::kF32;
    TVLM_RETURN_IF_ERROR(writer.AddTensor(tensor.name, type, tensor.shape));
  }
  TVLM_RETURN_IF_ERROR(writer.Begin(output));
  for (const TensorInfo& tensor : file.tensors) {
    const uint64_t offset = file.data_offset + tensor.offset;
    TVLM_RETURN_IF_ERROR(tensor.shape.size() == 2 ? RepackMatrix(input, offset, tensor, &writer)
                                                  : RepackFloats(input, offset, tensor, &writer));
    if (progress) progress(tensor.offset + tensor.bytes, file.tensor_bytes);
  }
  return writer.Finish();
}

}  // namespace tinyvlm
