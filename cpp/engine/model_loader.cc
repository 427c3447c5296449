#include "engine/model_loader.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "cpu/cpu_backend.h"

namespace tinyvlm {

namespace {

// Room for the header before anything is known of it; it grows by doubling.
constexpr uint64_t kFirstHeaderBytes = 64 * 1024;

}  // namespace

ModelLoader::ModelLoader(size_t threads, ModelUse use)
    : ModelLoader(MakeCpuBackend(threads), use) {}

Result<uint8_t*> ModelLoader::Reserve(uint64_t bytes) {
  if (!failure_.ok()) return failure_;
  if (bytes == 0)
    return Error(ErrorCode::kInvalidArgument, "at least 1 byte of a model file wanted, 0 reserved");
  reserved_ = bytes;
  if (state_ == State::kHeader) {
    const uint64_t wanted = header_bytes_ + bytes;
    if (wanted > header_.size()) {
      TVLM_ASSIGN_OR_RETURN(
          auto larger,
          AlignedBuffer<uint8_t>::Allocate(
              std::max({wanted, uint64_t{header_.size()} * 2, kFirstHeaderBytes}), "header"));
      if (header_bytes_ != 0)
        std::memcpy(larger.data(), header_.data(), static_cast<size_t>(header_bytes_));
      header_ = std::move(larger);
    }
    return header_.data() + header_bytes_;
  }
  if (bytes > model_->file().data_bytes - data_received_) {
    failure_ =
        Error(ErrorCode::kInvalidFile,
              "the model file is longer than the %" PRIu64 " bytes that its header describes",
              file_bytes());
    return failure_;
  }
  return model_->backend().WeightPlace(data_received_, bytes);
}

Status ModelLoader::TakeReserved(uint64_t bytes) {
  if (!failure_.ok()) return failure_;
  if (bytes > reserved_)
    return Error(ErrorCode::kInvalidArgument, "%" PRIu64 " bytes committed, %" PRIu64 " reserved",
                 bytes, reserved_);
  reserved_ = 0;
  return Status();
}

Status ModelLoader::Commit(uint64_t bytes) {
  TVLM_RETURN_IF_ERROR(TakeReserved(bytes));
  Status status =
      state_ == State::kHeader ? CommitHeader(bytes, Hash::kCompare) : CommitData(bytes);
  if (!status.ok()) failure_ = status;
  return status;
}

Status ModelLoader::CommitVerified(uint64_t bytes) {
  TVLM_RETURN_IF_ERROR(TakeReserved(bytes));
  if (state_ == State::kHeader) {
    Status status = CommitHeader(bytes, Hash::kVerified);
    if (!status.ok() && status.code() != ErrorCode::kInvalidArgument) failure_ = status;
    return status;
  }
  const uint64_t end = data_received_ + bytes;
  const bool whole =
      data_received_ == data_hashed_ &&
      (chunk_bytes_ == 0 || end % chunk_bytes_ == 0 || end == model_->file().data_bytes);
  if (!whole)
    return Error(ErrorCode::kInvalidArgument,
                 "verified bytes: whole chunks behind verified ones wanted, bytes %" PRIu64
                 " to %" PRIu64 " of the data section found",
                 data_received_, end);
  data_received_ = data_hashed_ = end;
  Status status = SetReceived();
  if (!status.ok()) failure_ = status;
  return status;
}

Status ModelLoader::CommitHeader(uint64_t bytes, Hash hash) {
  const bool first = header_bytes_ == 0;
  header_bytes_ += bytes;
  if (header_bytes_ < header_wanted_ && hash == Hash::kCompare) return Status();
  TVLM_ASSIGN_OR_RETURN(GgufParse parse,
                        ParseGgufHeader({header_.data(), static_cast<size_t>(header_bytes_)}));
  if (hash == Hash::kVerified &&
      !(first && parse.file.has_value() && parse.file->data_offset == header_bytes_)) {
    header_bytes_ -= bytes;
    return Error(ErrorCode::kInvalidArgument,
                 "verified bytes: a whole header wanted, bytes %" PRIu64 " to %" PRIu64
                 " of the file found",
                 header_bytes_, header_bytes_ + bytes);
  }
  if (!parse.file.has_value()) {
    header_wanted_ = parse.bytes_needed;
    return Status();
  }
  GgufFile& file = *parse.file;
  const uint64_t header = file.data_offset, spare = header_bytes_ - header;
  if (hash == Hash::kCompare)
    TVLM_RETURN_IF_ERROR(VerifyHeaderHash(file, {header_.data(), static_cast<size_t>(header)}));
  chunk_bytes_ = file.chunk_size;
  TVLM_ASSIGN_OR_RETURN(model_, Model::Create(std::move(file), make_backend_, use_));
  header_bytes_ = header;
  state_ = State::kLoading;
  if (spare > model_->file().data_bytes) {
    return Error(ErrorCode::kInvalidFile,
                 "the model file is longer than the %" PRIu64 " bytes that its header describes",
                 file_bytes());
  }
  if (spare != 0) {
    TVLM_ASSIGN_OR_RETURN(uint8_t* const place, model_->backend().WeightPlace(0, spare));
    std::memcpy(place, header_.data() + header, static_cast<size_t>(spare));
  }
  header_ = AlignedBuffer<uint8_t>();
  return CommitData(spare);
}

// Only hashed bytes are given to the backend, which may reorder them in place: a chunk is always
// hashed as it was in the file.
Status ModelLoader::CommitData(uint64_t bytes) {
  Backend& backend = model_->backend();
  const uint64_t data_bytes = model_->file().data_bytes;
  data_received_ += bytes;
  if (chunk_bytes_ == 0) {
    data_hashed_ = data_received_;
  } else {
    while (data_hashed_ < data_bytes) {
      const uint64_t end = std::min(data_bytes, (data_hashed_ / chunk_bytes_ + 1) * chunk_bytes_);
      if (end > data_received_) break;
      const uint64_t chunk = data_hashed_ / chunk_bytes_;
      TVLM_ASSIGN_OR_RETURN(const uint8_t* const place,
                            backend.WeightPlace(data_hashed_, end - data_hashed_));
      TVLM_RETURN_IF_ERROR(
          VerifyChunk(model_->file(), chunk, {place, static_cast<size_t>(end - data_hashed_)}));
      data_hashed_ = end;
    }
  }
  return SetReceived();
}

Status ModelLoader::SetReceived() {
  TVLM_RETURN_IF_ERROR(model_->backend().SetReceived(data_hashed_));
  if (data_received_ == model_->file().data_bytes) state_ = State::kComplete;
  return Status();
}

Status ModelLoader::End() {
  if (!failure_.ok()) return failure_;
  // Other writers may leave out the padding behind the last tensor.
  if (state_ == State::kLoading && chunk_bytes_ == 0 &&
      data_received_ >= model_->file().tensor_bytes)
    state_ = State::kComplete;
  if (state_ == State::kComplete) return Status();
  if (state_ == State::kHeader) {
    failure_ = header_bytes_ == 0 ? Error(ErrorCode::kInvalidFile, "the model file is empty")
                                  : Error(ErrorCode::kInvalidFile,
                                          "the model file is truncated: it ends after %" PRIu64
                                          " bytes, inside its header",
                                          header_bytes_);
  } else {
    failure_ = Error(ErrorCode::kInvalidFile,
                     "the model file is truncated: %" PRIu64 " bytes wanted, %" PRIu64 " found",
                     file_bytes(), received_bytes());
  }
  return failure_;
}

}  // namespace tinyvlm
