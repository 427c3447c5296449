#include "weights/weight_store.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "base/check.h"
#include "tensor/quant.h"

namespace tinyvlm {

namespace {

// Brings runs of `run` rows, whose halves are interleaved, into their order. `scratch` holds a run.
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

}  // namespace

Result<std::unique_ptr<WeightStore>> WeightStore::Create(GgufFile file) {
  std::unique_ptr<WeightStore> store(new WeightStore(std::move(file)));
  if (store->file_.data_bytes > SIZE_MAX / 2) {
    return Error(ErrorCode::kOutOfMemory,
                 "the weights take %.2f GB, more than this build can address; use the native build "
                 "or a smaller model",
                 static_cast<double>(store->file_.data_bytes) / 1e9);
  }
  TVLM_ASSIGN_OR_RETURN(store->data_,
                        AlignedBuffer<uint8_t>::Allocate(store->file_.data_bytes, "weights"));
  store->bound_.resize(store->file_.tensors.size());
  return store;
}

bool WeightStore::Has(std::string_view name) const { return file_.Find(name) != nullptr; }

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

Status WeightStore::CheckAllBound() const {
  for (size_t i = 0; i < bound_.size(); ++i) {
    if (bound_[i].finish != Finish::kNothing) continue;
    return Error(ErrorCode::kUnsupported,
                 "tensor %s is not one of the model that general.architecture names: this engine "
                 "does not run the variant",
                 file_.tensors[i].name.c_str());
  }
  return Status();
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
  if (bound.finish == Finish::kNothing) {
    const size_t row_length = static_cast<size_t>(k);
    TVLM_RETURN_IF_ERROR(ReserveScratch(std::max<uint64_t>(
        PackScratchBytes(info.type, row_length), interleaved * RowBytes(info.type, row_length))));
    bound = Bound{Finish::kPack, nullptr, n, k, interleaved};
  }
  return PackedMatrix{info.type, static_cast<size_t>(n), static_cast<size_t>(k),
                      data_.data() + info.offset};
}

Result<float*> WeightStore::AllocateFloats(size_t tensor, const std::string& name) {
  const TensorInfo& info = file_.tensors[tensor];
  if (info.type == DType::kI64) {
    return Error(ErrorCode::kInvalidFile, "tensor %s: a float type wanted, i64 found",
                 name.c_str());
  }
  bound_end_ = std::max(bound_end_, info.offset + info.bytes);
  if (bound_[tensor].finish != Finish::kNothing) return bound_[tensor].out;
  TVLM_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(info.shape));
  TVLM_ASSIGN_OR_RETURN(AlignedBuffer<float> buffer,
                        AlignedBuffer<float>::Allocate(count, "small weights"));
  // FinishTensor widens the whole tensor as one row
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
  TVLM_ASSIGN_OR_RETURN(float* const out, AllocateFloats(index, name));
  TVLM_RETURN_IF_ERROR(ReserveScratch(interleaved * sizeof(float)));
  if (bound_[index].finish == Finish::kNothing)
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
  TVLM_ASSIGN_OR_RETURN(float* const out, AllocateFloats(index, name));
  if (bound_[index].finish == Finish::kNothing)
    bound_[index] = Bound{Finish::kTranspose, out, cout, cin_per_group * size * size, 0};
  return static_cast<const float*>(out);
}

void WeightStore::FinishTensor(size_t tensor) {
  const TensorInfo& info = file_.tensors[tensor];
  const Bound& bound = bound_[tensor];
  uint8_t* bytes = data_.data() + info.offset;
  switch (bound.finish) {
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
      // [cout][cin][ky][kx] -> [ky][kx][cin][cout]. With one input channel per group (depthwise)
      // that is a plain transposition.
      const size_t cout = static_cast<size_t>(bound.rows), taps = static_cast<size_t>(bound.cols);
      const size_t cin = static_cast<size_t>(info.shape[1]), area = taps / cin;
      DequantizeRow(info.type, bytes, cout * taps, row_scratch_.data());
      for (size_t o = 0; o < cout; ++o) {
        for (size_t ci = 0; ci < cin; ++ci) {
          for (size_t t = 0; t < area; ++t)
            bound.out[(t * cin + ci) * cout + o] = row_scratch_[(o * cin + ci) * area + t];
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
