#include "formats/gguf_writer.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <type_traits>

namespace tinyvlm {

namespace {

constexpr uint32_t kWriterAlignment = 64;
constexpr size_t kHashBytes = 32;

template <typename T>
void Put(T value, std::vector<uint8_t>* out) {
  if constexpr (std::is_same_v<T, float>) {
    Put(std::bit_cast<uint32_t>(value), out);
  } else {
    for (size_t i = 0; i < sizeof(T); ++i)
      out->push_back(static_cast<uint8_t>(static_cast<std::make_unsigned_t<T>>(value) >> (8 * i)));
  }
}

void PutString(std::string_view text, std::vector<uint8_t>* out) {
  Put(static_cast<uint64_t>(text.size()), out);
  out->insert(out->end(), text.begin(), text.end());
}

}  // namespace

void GgufHeaderWriter::StartValue(std::string_view key, GgufType type) {
  PutString(key, &values_);
  Put(static_cast<uint32_t>(type), &values_);
  ++value_count_;
}

void GgufHeaderWriter::StartArray(std::string_view key, GgufType type, uint64_t count) {
  StartValue(key, GgufType::kArray);
  Put(static_cast<uint32_t>(type), &values_);
  Put(count, &values_);
}

void GgufHeaderWriter::AddU32(std::string_view key, uint32_t value) {
  StartValue(key, GgufType::kU32);
  Put(value, &values_);
}

void GgufHeaderWriter::AddI32(std::string_view key, int32_t value) {
  StartValue(key, GgufType::kI32);
  Put(value, &values_);
}

void GgufHeaderWriter::AddF32(std::string_view key, float value) {
  StartValue(key, GgufType::kF32);
  Put(value, &values_);
}

void GgufHeaderWriter::AddBool(std::string_view key, bool value) {
  StartValue(key, GgufType::kBool);
  values_.push_back(value ? 1 : 0);
}

void GgufHeaderWriter::AddString(std::string_view key, std::string_view value) {
  StartValue(key, GgufType::kString);
  PutString(value, &values_);
}

void GgufHeaderWriter::AddI32Array(std::string_view key, std::span<const int32_t> values) {
  StartArray(key, GgufType::kI32, values.size());
  for (const int32_t value : values) Put(value, &values_);
}

void GgufHeaderWriter::AddF32Array(std::string_view key, std::span<const float> values) {
  StartArray(key, GgufType::kF32, values.size());
  for (const float value : values) Put(value, &values_);
}

void GgufHeaderWriter::AddU8Array(std::string_view key, std::span<const uint8_t> values) {
  StartArray(key, GgufType::kU8, values.size());
  values_.insert(values_.end(), values.begin(), values.end());
}

void GgufHeaderWriter::AddStringArray(std::string_view key, std::span<const std::string> values) {
  StartArray(key, GgufType::kString, values.size());
  for (const std::string& value : values) PutString(value, &values_);
}

void GgufHeaderWriter::AddEntry(const Metadata::Entry& entry) {
  if (entry.is_array) {
    StartArray(entry.key, entry.type, entry.count);
  } else {
    StartValue(entry.key, entry.type);
  }
  values_.insert(values_.end(), entry.values.begin(), entry.values.end());
}

Status GgufHeaderWriter::AddTensor(std::string name, DType type, Shape shape) {
  const Result<uint64_t> bytes = ByteCount(shape, type);
  if (!bytes.ok())
    return Error(bytes.status().code(), "tensor %s: %s", name.c_str(),
                 bytes.status().message().c_str());
  uint64_t offset = 0;
  if (!tensors_.empty())
    offset = (tensors_.back().offset + tensors_.back().bytes + kWriterAlignment - 1) /
             kWriterAlignment * kWriterAlignment;
  tensors_.push_back(TensorInfo{std::move(name), type, std::move(shape), offset, *bytes});
  return Status();
}

uint64_t GgufHeaderWriter::data_bytes() const {
  if (tensors_.empty()) return 0;
  return (tensors_.back().offset + tensors_.back().bytes + kWriterAlignment - 1) /
         kWriterAlignment * kWriterAlignment;
}

void GgufHeaderWriter::LayOut() {
  AddU32("general.alignment", kWriterAlignment);
  AddU32("tinyvlm.chunk_size", kGgufChunkBytes);
  const std::vector<uint8_t> no_hashes(static_cast<size_t>(chunks()) * kHashBytes);
  AddU8Array("tinyvlm.chunk_sha256", no_hashes);
  const size_t chunk_hashes_end = values_.size();
  AddU8Array("tinyvlm.header_sha256", Sha256::Digest{});
  const size_t header_hash_end = values_.size();

  std::vector<uint8_t> preamble{'G', 'G', 'U', 'F'};
  Put(uint32_t{3}, &preamble);
  Put(static_cast<uint64_t>(tensors_.size()), &preamble);
  Put(value_count_, &preamble);
  values_.insert(values_.begin(), preamble.begin(), preamble.end());
  chunk_hashes_offset_ = preamble.size() + chunk_hashes_end - no_hashes.size();
  header_hash_offset_ = preamble.size() + header_hash_end - kHashBytes;
  for (const TensorInfo& info : tensors_) {
    PutString(info.name, &values_);
    Put(static_cast<uint32_t>(info.shape.size()), &values_);
    for (auto dimension = info.shape.rbegin(); dimension != info.shape.rend(); ++dimension)
      Put(*dimension, &values_);
    Put(static_cast<uint32_t>(info.type), &values_);
    Put(info.offset, &values_);
  }
  values_.resize((values_.size() + kWriterAlignment - 1) / kWriterAlignment * kWriterAlignment);
}

void GgufHeaderWriter::SetChunkHash(uint64_t chunk, const Sha256::Digest& digest) {
  const size_t at = chunk_hashes_offset_ + static_cast<size_t>(chunk) * kHashBytes;
  std::copy(digest.begin(), digest.end(), values_.begin() + static_cast<ptrdiff_t>(at));
}

std::span<const uint8_t> GgufHeaderWriter::FinishHeader() {
  Sha256 header;
  header.Update(values_.data(), values_.size());
  const Sha256::Digest digest = header.Finish();
  std::copy(digest.begin(), digest.end(),
            values_.begin() + static_cast<ptrdiff_t>(header_hash_offset_));
  return values_;
}

Status GgufWriter::Begin(const std::string& path) {
  LayOut();
  TVLM_ASSIGN_OR_RETURN(file_, FileWriter::Create(path));
  // Zeros reserve the space of the header: if writing is interrupted, the file does not look like a
  // GGUF file.
  const std::vector<uint8_t> place(static_cast<size_t>(header_bytes()));
  return file_->Append(place.data(), place.size());
}

// Appends to the data section; each complete chunk, and the last, is hashed.
Status GgufWriter::WriteData(const uint8_t* data, size_t bytes) {
  TVLM_RETURN_IF_ERROR(file_->Append(data, bytes));
  while (bytes > 0) {
    const size_t take = static_cast<size_t>(
        std::min<uint64_t>(bytes, kGgufChunkBytes - written_ % kGgufChunkBytes));
    chunk_.Update(data, take);
    written_ += take;
    data += take;
    bytes -= take;
    if (written_ % kGgufChunkBytes == 0 || written_ == data_bytes()) {
      SetChunkHash((written_ - 1) / kGgufChunkBytes, chunk_.Finish());
      chunk_.Reset();
    }
  }
  return Status();
}

Status GgufWriter::Append(const uint8_t* data, size_t bytes) {
  if (bytes == 0) return Status();
  const uint64_t end =
      tensor_ < tensors().size() ? tensors()[tensor_].offset + tensors()[tensor_].bytes : written_;
  if (bytes > end - written_) {
    return Error(ErrorCode::kInternal, "%zu bytes of tensor data written, %" PRIu64 " wanted",
                 bytes, end - written_);
  }
  TVLM_RETURN_IF_ERROR(WriteData(data, bytes));
  if (written_ < end) return Status();
  ++tensor_;
  static constexpr uint8_t kZeros[kWriterAlignment] = {};
  return WriteData(
      kZeros, static_cast<size_t>((kWriterAlignment - end % kWriterAlignment) % kWriterAlignment));
}

Status GgufWriter::Finish() {
  if (tensor_ != tensors().size()) {
    return Error(ErrorCode::kInternal, "tensor %s: %" PRIu64 " bytes wanted, %" PRIu64 " written",
                 tensors()[tensor_].name.c_str(), tensors()[tensor_].bytes,
                 written_ - tensors()[tensor_].offset);
  }
  const std::span<const uint8_t> header = FinishHeader();
  TVLM_RETURN_IF_ERROR(file_->Overwrite(0, header.data(), header.size()));
  return file_->Commit();
}

}  // namespace tinyvlm
