#include "weights/linear.h"

#include <algorithm>

#include "base/rounding.h"
#include "kernels/gemm.h"

namespace tinyvlm {

Result<Linear> BindLinear(WeightStore& store, const LinearTensors& tensors, uint64_t interleaved) {
  Linear linear;
  const Shape& shape = tensors.weights->shape;
  TVLM_ASSIGN_OR_RETURN(linear.weights,
                        store.BindMatrix(tensors.weights->name, shape[0], shape[1], interleaved));
  if (tensors.bias != nullptr) {
    TVLM_ASSIGN_OR_RETURN(linear.bias, store.BindVector(tensors.bias->name, shape[0], interleaved));
  }
  return linear;
}

Result<const float*> BindVector(WeightStore& store, const TensorInfo* tensor) {
  return store.BindVector(tensor->name, tensor->shape[0]);
}

bool UsesI8(const Linear& linear, Compute compute) {
  return compute == Compute::kFast && HasGemmI8(linear.weights.type);
}

uint64_t Rows::Bytes(uint64_t rows, uint64_t width, bool quantized) {
  return AlignUp(rows * width * sizeof(float)) +
         (quantized ? QuantizedRows::Bytes(rows, width) : 0);
}

Rows::Rows(uint8_t* memory, size_t rows, size_t width, bool quantized)
    : width_(width), f32_(reinterpret_cast<float*>(memory)) {
  if (quantized)
    quantized_ =
        QuantizedRows::At(memory + AlignUp(uint64_t{rows} * width * sizeof(float)), rows, width);
}

void Rows::Finish(size_t r0, size_t r1) {
  if (quantized_.k != 0) QuantizeRows(row(r0), width_, r1 - r0, quantized(r0));
}

size_t MultiplyScratchBytes(size_t k) {
  return static_cast<size_t>(
      AlignUp(std::max(GemmF32ScratchFloats(k) * sizeof(float), GemmI8ScratchBytes(k))));
}

void MultiplyQuantized(const Linear& linear, const QuantizedRows& x, size_t m, float* c, size_t ldc,
                       size_t n0, size_t n1, uint8_t* scratch) {
  GemmI8(x, m, linear.weights, linear.bias, c, ldc, n0, n1, scratch);
}

void MultiplyRows(const Linear& linear, Compute compute, const Rows& x, size_t r0, size_t r1,
                  float* c, size_t ldc, size_t n0, size_t n1, uint8_t* scratch) {
  if (UsesI8(linear, compute)) {
    MultiplyQuantized(linear, x.quantized(r0), r1 - r0, c, ldc, n0, n1, scratch);
  } else {
    GemmF32(x.row(r0), x.width(), r1 - r0, linear.weights, linear.bias, c, ldc, n0, n1,
            reinterpret_cast<float*>(scratch));
  }
}

}  // namespace tinyvlm
