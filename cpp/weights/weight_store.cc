#include "weights/weight_store.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "base/check.h"
#include "tensor/quant.h"

namespace tinyvlm {

namespace {

// Undoes the interleaving of the halves of runs of `run` rows. `scratch` holds a run.
void Deinterleave(uint8_t* rows, size_t row_bytes, size_t n, size_t run, uint8_t* scratch) {
  TVLM_DCHECK(n % run == 0 && run % 2 == 0);
  for (size_t first = 0; first < n; first += run) {
    uint8_t* const to = rows + first * row_bytes;
    std::memcpy(scratch, to, run * row_bytes);
    for (size_t row = 0; row < run; ++row)
      std::memcpy(to + (row % 2 * (run / 2) + row / 2) * row_bytes, scratch + row * row_bytes,
                  row_bytes);
  }
}

// Weights of panel16 files are used unchanged, so their rows must not be interleaved.
Status CheckInOrder(const std::string& name, uint64_t interleaved) {
  if (interleaved == 0) return Status();
  return Error(ErrorCode::kUnsupported,
               "tensor %s: rows in order wanted in a panel16 file, those of a model that "
               "interleaves them found",
               name.c_str());
}

}  // namespace

Result<std::unique_ptr<WeightStore>> WeightStore::Create(const GgufFile& file) {
  TVLM_ASSIGN_OR_RETURN(const Packing packing, ReadPacking(file));
  std::unique_ptr<WeightStore> store(new WeightStore(file, packing));
  if (store->file_.data_bytes > SIZE_MAX / 2) {
    return Error(ErrorCode::kOutOfMemory,
                 "the weights take %.2f GB, more than this build can address; use the native build "
                 "or a smaller model",
                 static_cast<double>(store->file_.data_bytes) / 1e9);
  }
  TVLM_ASSIGN_OR_RETURN(store->data_,
                        AlignedBuffer<uint8_t>::Allocate(store->file_.data_bytes, "weights"));
  store->begin_ = store->data_.data();
  store->bound_.resize(store->file_.tensors.size());
  return store;
}

bool WeightStore::CanBorrow(std::span<const uint8_t> bytes) {
  return reinterpret_cast<uintptr_t>(bytes.data()) % alignof(float) == 0;
}

Result<std::unique_ptr<WeightStore>> WeightStore::CreateInPlace(const GgufFile& file,
                                                                BorrowedWeights weights) {
  TVLM_ASSIGN_OR_RETURN(const Packing packing, ReadPacking(file));
  if (packing != Packing::kPanel16) {
    return Error(ErrorCode::kInvalidArgument,
                 "%s: \"panel16\" wanted for weights that are read in place, \"%s\" found",
                 kPackingKey, PackingName(packing));
  }
  if (weights.bytes.size() < file.tensor_bytes) {
    return Error(ErrorCode::kInvalidArgument, "%" PRIu64 " bytes of weights wanted, %zu found",
                 file.tensor_bytes, weights.bytes.size());
  }
  if (!CanBorrow(weights.bytes)) {
    return Error(ErrorCode::kInvalidArgument, "weights aligned to %zu bytes wanted, %p found",
                 alignof(float), static_cast<const void*>(weights.bytes.data()));
  }
  std::unique_ptr<WeightStore> store(new WeightStore(file, packing));
  store->owner_ = std::move(weights.owner);
  store->begin_ = weights.bytes.data();
  store->bound_.resize(store->file_.tensors.size());
  store->next_ = store->file_.tensors.size();
  store->received_ = store->ready_bytes_ = store->file_.data_bytes;
  return store;
}

Result<size_t> WeightStore::FindTensor(const std::string& name) const {
  const TensorInfo* info = file_.Find(name);
  if (info == nullptr)
    return Error(ErrorCode::kNotFound, "tensor %s is missing from the model file", name.c_str());
  return static_cast<size_t>(info - file_.tensors.data());
}

uint64_t WeightStore::TakeBoundEnd() {
  const uint64_t end = bound_end_;
  bound_end_ = 0;
  return end;
}

Status WeightStore::ReserveScratch(uint64_t bytes) {
  if (bytes <= pack_scratch_.size()) return Status();
  TVLM_ASSIGN_OR_RETURN(pack_scratch_, AlignedBuffer<uint8_t>::Allocate(bytes, "packing buffer"));
  return Status();
}

Result<PackedMatrix> WeightStore::BindMatrix(const std::string& name, uint64_t n, uint64_t k,
                                             uint64_t interleaved) {
  TVLM_ASSIGN_OR_RETURN(const size_t index, FindTensor(name));
  const TensorInfo& info = file_.tensors[index];
  if (info.shape != Shape{n, k}) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted, %s found", name.c_str(),
                 ShapeToString({n, k}).c_str(), ShapeToString(info.shape).c_str());
  }
  if (info.type == DType::kI64)
    return Error(ErrorCode::kInvalidFile, "tensor %s: a float type wanted, i64 found",
                 name.c_str());
  bound_end_ = std::max(bound_end_, info.offset + info.bytes);
  Bound& bound = bound_[index];
  if (packing_ == Packing::kPanel16) {
    TVLM_RETURN_IF_ERROR(CheckInOrder(name, interleaved));
    bound.finish = Finish::kNothing;
  } else if (bound.finish == Finish::kUnbound) {
    const size_t row_length = static_cast<size_t>(k);
    TVLM_RETURN_IF_ERROR(ReserveScratch(std::max<uint64_t>(
        PackScratchBytes(info.type, row_length), interleaved * RowBytes(info.type, row_length))));
    bound = Bound{Finish::kPack, nullptr, n, k, interleaved};
  }
  return PackedMatrix{info.type, static_cast<size_t>(n), static_cast<size_t>(k),
                      begin_ + info.offset};
}

// A small tensor of a panel16 file: already in the form that the kernels read.
Result<const float*> WeightStore::BindPackedFloats(size_t tensor) {
  const TensorInfo& info = file_.tensors[tensor];
  if (info.type != DType::kF32) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: f32 wanted in a panel16 file, %s found",
                 info.name.c_str(), GetDTypeInfo(info.type).name);
  }
  bound_end_ = std::max(bound_end_, info.offset + info.bytes);
  bound_[tensor].finish = Finish::kNothing;
  return reinterpret_cast<const float*>(begin_ + info.offset);
}

Result<float*> WeightStore::AllocateFloats(size_t tensor, const std::string& name) {
  const TensorInfo& info = file_.tensors[tensor];
  if (info.type == DType::kI64) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: a float type wanted, i64 found",
                 name.c_str());
  }
  bound_end_ = std::max(bound_end_, info.offset + info.bytes);
  if (bound_[tensor].finish != Finish::kUnbound) return bound_[tensor].out;
  TVLM_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(info.shape));
  TVLM_ASSIGN_OR_RETURN(AlignedBuffer<float> buffer,
                        AlignedBuffer<float>::Allocate(count, "small weights"));
  // FinishTensor dequantises a convolution kernel into row_scratch_ as one row
  const uint64_t row = info.shape.empty() ? 1 : count;
  if (row > row_scratch_.size()) {
    TVLM_ASSIGN_OR_RETURN(row_scratch_, AlignedBuffer<float>::Allocate(row, "small weights"));
  }
  float* out = buffer.data();
  widened_bytes_ += count * sizeof(float);
  widened_.push_back(std::move(buffer));
  return out;
}

Result<const float*> WeightStore::BindVector(const std::string& name, uint64_t n,
                                             uint64_t interleaved) {
  TVLM_ASSIGN_OR_RETURN(const size_t index, FindTensor(name));
  const TensorInfo& info = file_.tensors[index];
  if (info.shape != Shape{n}) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted, %s found", name.c_str(),
                 ShapeToString({n}).c_str(), ShapeToString(info.shape).c_str());
  }
  if (packing_ == Packing::kPanel16) {
    TVLM_RETURN_IF_ERROR(CheckInOrder(name, interleaved));
    return BindPackedFloats(index);
  }
  TVLM_ASSIGN_OR_RETURN(float* const out, AllocateFloats(index, name));
  TVLM_RETURN_IF_ERROR(ReserveScratch(interleaved * sizeof(float)));
  if (bound_[index].finish == Finish::kUnbound)
    bound_[index] = Bound{Finish::kWiden, out, 1, n, interleaved};
  return static_cast<const float*>(out);
}

Result<const float*> WeightStore::BindKernel(const std::string& name, uint64_t cout,
                                             uint64_t cin_per_group, uint64_t size) {
  TVLM_ASSIGN_OR_RETURN(const size_t index, FindTensor(name));
  const TensorInfo& info = file_.tensors[index];
  const Shape wanted{cout, cin_per_group, size, size};
  if (info.shape != wanted) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted, %s found", name.c_str(),
                 ShapeToString(wanted).c_str(), ShapeToString(info.shape).c_str());
  }
  if (GetDTypeInfo(info.type).block_elements != 1) {
    return Error(ErrorCode::kUnsupported,
                 "tensor %s: a convolution kernel of type %s; f32, f16 or bf16 wanted",
                 name.c_str(), GetDTypeInfo(info.type).name);
  }
  if (packing_ == Packing::kPanel16) return BindPackedFloats(index);
  TVLM_ASSIGN_OR_RETURN(float* const out, AllocateFloats(index, name));
  if (bound_[index].finish == Finish::kUnbound)
    bound_[index] = Bound{Finish::kTranspose, out, cout, cin_per_group * size * size, 0};
  return static_cast<const float*>(out);
}

void WeightStore::FinishTensor(size_t tensor) {
  const TensorInfo& info = file_.tensors[tensor];
  const Bound& bound = bound_[tensor];
  uint8_t* const bytes = data_.data() + info.offset;
  switch (bound.finish) {
    case Finish::kUnbound:
    case Finish::kNothing:
      break;
    case Finish::kPack: {
      const size_t n = static_cast<size_t>(bound.rows), k = static_cast<size_t>(bound.cols),
                   run = static_cast<size_t>(bound.interleaved);
      if (run != 0) Deinterleave(bytes, RowBytes(info.type, k), n, run, pack_scratch_.data());
      PackInPlace(info.type, n, k, bytes, pack_scratch_.data());
      break;
    }
    case Finish::kWiden: {
      const size_t n = static_cast<size_t>(bound.cols),
                   run = static_cast<size_t>(bound.interleaved);
      DequantizeRow(info.type, bytes, n, bound.out);
      if (run != 0)
        Deinterleave(reinterpret_cast<uint8_t*>(bound.out), sizeof(float), n, run,
                     pack_scratch_.data());
      break;
    }
    case Finish::kTranspose: {
      const size_t cout = static_cast<size_t>(bound.rows), taps = static_cast<size_t>(bound.cols);
      const size_t cin = static_cast<size_t>(info.shape[1]);
      DequantizeRow(info.type, bytes, cout * taps, row_scratch_.data());
      PackKernel(row_scratch_.data(), cout, cin, taps / cin, bound.out);
      break;
    }
  }
}

void WeightStore::SetReceived(uint64_t bytes) {
  TVLM_DCHECK(bytes >= received_ && bytes <= file_.data_bytes);
  received_ = bytes;
  while (next_ < file_.tensors.size()) {
    const TensorInfo& info = file_.tensors[next_];
    if (info.offset + info.bytes > received_) return;
    FinishTensor(next_);
    ready_bytes_ = info.offset + info.bytes;
    ++next_;
  }
  ready_bytes_ = received_;
}

}  // namespace tinyvlm
