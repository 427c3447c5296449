// Random weight matrices in file order and packed, for tests of the matrix kernels.
#ifndef TINYVLM_TESTS_KERNELS_PACKED_H_
#define TINYVLM_TESTS_KERNELS_PACKED_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "base/half.h"
#include "kernels/pack.h"
#include "tensor/quant.h"
#include "values.h"

namespace tinyvlm {

// Every type of weights that GemmF32 multiplies.
inline constexpr DType kMatrixTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                                         DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                         DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

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

// Blocks of a type that is only ever read: random codes and scales, and steps (f16, from the start
// of a block or, in Q6_K, at its end) that keep values between about -range and range, a tenth of
// them negative.
inline void RandomBlocks(DType type, std::mt19937& random, std::vector<uint8_t>& file,
                         float range = 1.0f) {
  for (uint8_t& byte : file) byte = static_cast<uint8_t>(random());
  const size_t bytes = GetDTypeInfo(type).block_bytes, first = type == DType::kQ6_K ? 208 : 0,
               count = type == DType::kQ6_K ? 1 : 2;
  const float largest = type == DType::kQ6_K   ? 128.0f * 32.0f
                        : type == DType::kQ5_K ? 63.0f * 31.0f
                                               : 63.0f * 15.0f;
  for (size_t block = 0; block < file.size(); block += bytes) {
    for (size_t i = 0; i < count; ++i) {
      const uint16_t half =
          F32ToF16((random() % 10 == 0 ? -1.0f : 1.0f) * static_cast<float>(64 + random() % 64) /
                   128.0f / largest * range);
      std::memcpy(file.data() + block + first + 2 * i, &half, 2);
    }
  }
}

inline TestMatrix RandomMatrix(DType type, size_t n, size_t k, uint32_t seed) {
  std::vector<uint8_t> file(n * RowBytes(type, k));
  if (CanQuantize(type)) {
    const std::vector<float> values = Values(n * k, seed);
    for (size_t row = 0; row < n; ++row)
      QuantizeRow(type, values.data() + row * k, k, file.data() + row * RowBytes(type, k));
  } else {
    std::mt19937 random(seed);
    RandomBlocks(type, random, file);
  }
  return MakeMatrix(type, n, k, std::move(file));
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_KERNELS_PACKED_H_
