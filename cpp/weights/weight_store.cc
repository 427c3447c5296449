#include "weights/weight_store.h"

#include <algorithm>
#include <cinttypes>

#include "base/check.h"
#include "tensor/quant.h"

namespace tinyvlm {

namespace {

// The types that the matrix kernels read packed. Anything else a GGUF may hold is refused by name.
bool IsMatrixType(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16 || type == DType::kQ8_0 || type == DType::kQ4_0;
}

}  // namespace

Result<std::unique_ptr<WeightStore>> WeightStore::Create(GgufFile file) {
  std::unique_ptr<WeightStore> store(new WeightStore(std::move(file)));
  if (store->file_.data_bytes > SIZE_MAX / 2) {
    return Error(ErrorCode::kOutOfMemory, "the weights take %.2f GB, more than this build can address; use the native build or a smaller model",
                 static_cast<double>(store->file_.data_bytes) / 1e9);
  }
  TVLM_ASSIGN_OR_RETURN(store->data_, AlignedBuffer<uint8_t>::Allocate(store->file_.data_bytes, "weights"));
  store->bound_.resize(store->file_.tensors.size());
  return store;
}

bool WeightStore::Has(std::string_view name) const { return file_.Find(name) != nullptr; }

Result<size_t> WeightStore::FindTensor(const std::string& name) const {
  const TensorInfo* info = file_.Find(name);
  if (info == nullptr) return Error(ErrorCode::kNotFound, "tensor %s is missing from the model file", name.c_str());
  return static_cast<size_t>(info - file_.tensors.data());
}

uint64_t WeightStore::TakeBoundEnd() {
  const uint64_t end = bound_end_;
  bound_end_ = 0;
  return end;
}

Result<PackedMatrix> WeightStore::BindMatrix(const std::string& name, uint64_t n, uint64_t k) {
  TVLM_ASSIGN_OR_RETURN(const size_t index, FindTensor(name));
  const TensorInfo& info = file_.tensors[index];
  if (info.shape != Shape{n, k}) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted, %s found", name.c_str(), ShapeToString({n, k}).c_str(),
                 ShapeToString(info.shape).c_str());
  }
  if (!IsMatrixType(info.type)) {
    return Error(ErrorCode::kUnsupported, "tensor %s: type %s is not one that this engine multiplies (f32, f16, bf16, q8_0, q4_0)", name.c_str(),
                 GetDTypeInfo(info.type).name);
  }
  bound_end_ = std::max(bound_end_, info.offset + info.bytes);
  Bound& bound = bound_[index];
  if (bound.finish == Finish::kNothing) {
    bound = Bound{Finish::kPack, nullptr, n, k};
    const size_t scratch = PackScratchBytes(info.type, static_cast<size_t>(k));
    if (scratch > pack_scratch_.size()) {
      TVLM_ASSIGN_OR_RETURN(pack_scratch_, AlignedBuffer<uint8_t>::Allocate(scratch, "packing buffer"));
    }
  }
  return PackedMatrix{info.type, static_cast<size_t>(n), static_cast<size_t>(k), data_.data() + info.offset};
}

Result<float*> WeightStore::AllocateFloats(size_t tensor, const std::string& name) {
  const TensorInfo& info = file_.tensors[tensor];
  if (info.type == DType::kI64) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: a float type wanted, i64 found", name.c_str());
  }
  bound_end_ = std::max(bound_end_, info.offset + info.bytes);
  if (bound_[tensor].finish != Finish::kNothing) return bound_[tensor].out;
  TVLM_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(info.shape));
  TVLM_ASSIGN_OR_RETURN(AlignedBuffer<float> buffer, AlignedBuffer<float>::Allocate(count, "small weights"));
  const uint64_t row = info.shape.empty() ? 1 : count;  // FinishTensor widens the whole tensor as one row
  if (row > row_scratch_.size()) {
    TVLM_ASSIGN_OR_RETURN(row_scratch_, AlignedBuffer<float>::Allocate(row, "small weights"));
  }
  float* out = buffer.data();
  widened_bytes_ += count * sizeof(float);
  widened_.push_back(std::move(buffer));
  return out;
}

Result<const float*> WeightStore::BindVector(const std::string& name, uint64_t n) {
  TVLM_ASSIGN_OR_RETURN(const size_t index, FindTensor(name));
  const TensorInfo& info = file_.tensors[index];
  if (info.shape != Shape{n}) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted, %s found", name.c_str(), ShapeToString({n}).c_str(),
                 ShapeToString(info.shape).c_str());
  }
  TVLM_ASSIGN_OR_RETURN(float* const out, AllocateFloats(index, name));
  if (bound_[index].finish == Finish::kNothing) bound_[index] = Bound{Finish::kWiden, out, 1, n};
  return static_cast<const float*>(out);
}

Result<const float*> WeightStore::BindKernel(const std::string& name, uint64_t cout, uint64_t cin_per_group, uint64_t size) {
  TVLM_ASSIGN_OR_RETURN(const size_t index, FindTensor(name));
  const TensorInfo& info = file_.tensors[index];
  const Shape wanted{cout, cin_per_group, size, size};
  if (info.shape != wanted) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: shape %s wanted, %s found", name.c_str(), ShapeToString(wanted).c_str(),
                 ShapeToString(info.shape).c_str());
  }
  if (GetDTypeInfo(info.type).block_elements != 1) {
    return Error(ErrorCode::kUnsupported, "tensor %s: a convolution kernel of type %s; f32, f16 or bf16 wanted", name.c_str(), GetDTypeInfo(info.type).name);
  }
  TVLM_ASSIGN_OR_RETURN(float* const out, AllocateFloats(index, name));
  if (bound_[index].finish == Finish::kNothing) bound_[index] = Bound{Finish::kTranspose, out, cout, cin_per_group * size * size};
  return static_cast<const float*>(out);
}

void WeightStore::FinishTensor(size_t tensor) {
  const TensorInfo& info = file_.tensors[tensor];
  const Bound& bound = bound_[tensor];
  uint8_t* bytes = data_.data() + info.offset;
  switch (bound.finish) {
    case Finish::kNothing:
      break;
    case Finish::kPack:
      PackInPlace(info.type, static_cast<size_t>(bound.rows), static_cast<size_t>(bound.cols), bytes, pack_scratch_.data());
      break;
    case Finish::kWiden:
      DequantizeRow(info.type, bytes, static_cast<size_t>(bound.cols), bound.out);
      break;
    case Finish::kTranspose: {
      // [cout][cin][ky][kx] -> [ky][kx][cin][cout]. With one input channel per group (depthwise) that is a plain transposition.
      const size_t cout = static_cast<size_t>(bound.rows), taps = static_cast<size_t>(bound.cols);
      const size_t cin = static_cast<size_t>(info.shape[1]), area = taps / cin;
      DequantizeRow(info.type, bytes, cout * taps, row_scratch_.data());
      for (size_t o = 0; o < cout; ++o) {
        for (size_t ci = 0; ci < cin; ++ci) {
          for (size_t t = 0; t < area; ++t) bound.out[(t * cin + ci) * cout + o] = row_scratch_[(o * cin + ci) * area + t];
        }
      }
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
