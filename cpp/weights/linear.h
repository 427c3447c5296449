// Linear layers over packed weights, in the session's compute mode: the one place that decides
// between the 8-bit and the f32 product.
#ifndef TINYVLM_WEIGHTS_LINEAR_H_
#define TINYVLM_WEIGHTS_LINEAR_H_

#include <cstddef>
#include <cstdint>

#include "backend/compute.h"
#include "backend/model_description.h"
#include "base/aligned.h"
#include "base/status.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "weights/weight_store.h"

namespace tinyvlm {

// y = W x + b. Borrowed from the WeightStore.
struct Linear {
  PackedMatrix weights{};
  const float* bias = nullptr;  // null where the layer has none
};

// Binds a layer's tensors. `interleaved` and errors as in WeightStore::BindMatrix.
Result<Linear> BindLinear(WeightStore& store, const LinearTensors& tensors,
                          uint64_t interleaved = 0);

// Binds all values of a 1-dimensional tensor as f32.
Result<const float*> BindVector(WeightStore& store, const TensorInfo* tensor);

// True where a product with these weights reads quantised activations.
bool UsesI8(const Linear& linear, Compute compute);

// Rows of activations that a matrix product reads: f32, and their quantised form where the product
// wants it. A view of memory that its maker owns.
class Rows {
 public:
  // Bytes that `rows` rows of `width` values take; `quantized` adds the quantised form (width is
  // then a multiple of 32, as rows of quantised weights are). A multiple of 64.
  static uint64_t Bytes(uint64_t rows, uint64_t width, bool quantized);

  Rows() = default;

  // Lays the rows out in Bytes() bytes at `memory`, which is aligned to 64 and outlives this.
  Rows(uint8_t* memory, size_t rows, size_t width, bool quantized);

  float* row(size_t r) { return f32_ + r * width_; }
  const float* row(size_t r) const { return f32_ + r * width_; }
  size_t width() const { return width_; }

  // Makes the quantised form of rows [r0, r1) if there is one; call when their f32 form is
  // complete.
  void Finish(size_t r0, size_t r1);

  // The quantised form from row r on, where there is one.
  QuantizedRows quantized(size_t r) const { return quantized_.From(r); }

 private:
  size_t width_ = 0;
  float* f32_ = nullptr;
  QuantizedRows quantized_;  // its k is 0 where there is none
};

// Bytes of scratch that MultiplyRows and MultiplyQuantized need per worker for weights with rows of
// length k, aligned to 64.
size_t MultiplyScratchBytes(size_t k);

// Columns [n0, n1) of W x_r + b for rows [r0, r1) of `x`, on which Finish has been called. c points
// to column n0 of row r0; its rows are ldc floats apart. n0 is a multiple of 16, n1 too unless it
// is n. A row's result depends neither on the other rows nor on n0 and n1.
void MultiplyRows(const Linear& linear, Compute compute, const Rows& x, size_t r0, size_t r1,
                  float* c, size_t ldc, size_t n0, size_t n1, uint8_t* scratch);

// The same product of m rows that exist in quantised form only; UsesI8 is true.
void MultiplyQuantized(const Linear& linear, const QuantizedRows& x, size_t m, float* c, size_t ldc,
                       size_t n0, size_t n1, uint8_t* scratch);

}  // namespace tinyvlm

#endif  // TINYVLM_WEIGHTS_LINEAR_H_
