// Random weight matrices in file order and packed, for tests of the matrix kernels.
#ifndef TINYVLM_TESTS_KERNELS_PACKED_H_
#define TINYVLM_TESTS_KERNELS_PACKED_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/pack.h"
#include "tensor/quant.h"
#include "values.h"

namespace tinyvlm {

struct TestMatrix {
  std::vector<uint8_t> file;    // n rows as a model file has them
  std::vector<uint8_t> packed;  // the same bytes, packed
  PackedMatrix matrix;          // a view of `packed`
};

inline TestMatrix MakeMatrix(DType type, size_t n, size_t k, std::vector<uint8_t> file) {
  TestMatrix made;
  made.file = std::move(file);
  made.packed = made.file;
  std::vector<uint8_t> scratch(PackScratchBytes(type, k));
  PackInPlace(type, n, k, made.packed.data(), scratch.data());
  made.matrix = PackedMatrix{type, n, k, made.packed.data()};
  return made;
}

inline TestMatrix RandomMatrix(DType type, size_t n, size_t k, uint32_t seed) {
  const std::vector<float> values = Values(n * k, seed);
  std::vector<uint8_t> file(n * RowBytes(type, k));
  for (size_t row = 0; row < n; ++row) QuantizeRow(type, values.data() + row * k, k, file.data() + row * RowBytes(type, k));
  return MakeMatrix(type, n, k, std::move(file));
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_KERNELS_PACKED_H_
