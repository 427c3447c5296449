#include <algorithm>

#include "for_each_target.h"
#include "kernels/gemm.h"
#include "packed.h"

namespace tinyvlm {
namespace {

constexpr float kUntouched = 12345.0f;

std::vector<size_t> Lengths(DType type) {
  switch (GetDTypeInfo(type).block_elements) {
    case 1:
      return {1, 2, 31, 33, 255, 256, 257, 600};
    case 32:
      return {32, 64, 256, 288, 608};
    default:
      return {256, 512, 768};
  }
}

std::vector<float> Multiply(const std::vector<float>& a, size_t lda, size_t m,
                            const PackedMatrix& B, const float* bias, size_t ldc, size_t n0,
                            size_t n1) {
  std::vector<float> c(m * ldc, kUntouched), scratch(GemmF32ScratchFloats(B.k));
  GemmF32(a.data(), lda, m, B, bias, c.data() + n0, ldc, n0, n1, scratch.data());
  return c;
}

// A chain of k multiply-adds from the bias rounds at most 2 k times (product and sum, where they
// are not fused), each time by kRounding of at most the sum of the absolute values.
TEST_CASE("GemmF32 equals the reference for every type and remainder", "[kernels][gemm_f32]") {
  for (const DType type : kMatrixTypes) {
    for (const size_t k : Lengths(type)) {
      for (const size_t n : {1, 16, 23, 67}) {
        const TestMatrix weights = RandomMatrix(type, n, k, static_cast<uint32_t>(n));
        std::vector<float> rows(n * k);
        for (size_t r = 0; r < n; ++r) UnpackRow(weights.matrix, r, rows.data() + r * k);
        rows = Absolute(rows);
        const TestMatrix absolute =
            MakeMatrix(DType::kF32, n, k,
                       std::vector<uint8_t>(reinterpret_cast<uint8_t*>(rows.data()),
                                            reinterpret_cast<uint8_t*>(rows.data() + rows.size())));
        const std::vector<float> bias = Values(n, 7);
        for (const size_t m : {0, 1, 2, 3, 5, 12, 19}) {
          const bool with_bias = m % 2 == 1;
          const size_t lda = k + 3, ldc = n + 1;
          CAPTURE(GetDTypeInfo(type).name, m, n, k);
          const std::vector<float> a = Values(m * lda, static_cast<uint32_t>(k));
          std::vector<float> wanted(m * ldc, kUntouched), bounds(m * ldc, 0.0f);
          reference::GemmF32(a.data(), lda, m, weights.matrix, with_bias ? bias.data() : nullptr,
                             wanted.data(), ldc, 0, n);
          reference::GemmF32(Absolute(a).data(), lda, m, absolute.matrix,
                             with_bias ? Absolute(bias).data() : nullptr, bounds.data(), ldc, 0, n);
          ForEachTarget([&] {
            const std::vector<float> found =
                Multiply(a, lda, m, weights.matrix, with_bias ? bias.data() : nullptr, ldc, 0, n);
            RequireWithin(found, wanted, bounds, static_cast<double>(2 * k + 2) * kRounding);
          });
        }
      }
    }
  }
}

// A row of the identity picks one value of each weight row: 1 * w plus zeros is w.
TEST_CASE("GemmF32 multiplies exactly the values that tensor/quant defines",
          "[kernels][gemm_f32]") {
  for (const DType type : kMatrixTypes) {
    const size_t n = 37, k = 512;
    const TestMatrix weights = RandomMatrix(type, n, k, 11);
    CAPTURE(GetDTypeInfo(type).name);
    std::vector<float> wanted(n * k), identity(k * k, 0.0f);
    for (size_t i = 0; i < k; ++i) identity[i * k + i] = 1.0f;
    for (size_t row = 0; row < n; ++row)
      DequantizeRow(type, weights.file.data() + row * RowBytes(type, k), k,
                    wanted.data() + row * k);
    REQUIRE(std::any_of(wanted.begin(), wanted.end(), [](float v) { return v < -0.25f; }));
    REQUIRE(std::any_of(wanted.begin(), wanted.end(), [](float v) { return v > 0.25f; }));
    ForEachTarget([&] {
      const std::vector<float> found = Multiply(identity, k, k, weights.matrix, nullptr, n, 0, n);
      for (size_t row = 0; row < n; ++row) {
        for (size_t i = 0; i < k; ++i) {
          const float want = wanted[row * k + i], got = found[i * n + row];
          if (got != want)
            FAIL("row " << row << ", element " << i << ": " << want << " wanted, " << got
                        << " found");
        }
      }
    });
  }
}

TEST_CASE("GemmF32 gives a row the same bits whatever the other rows and the cut of the columns",
          "[kernels][gemm_f32]") {
  for (const DType type : kMatrixTypes) {
    const size_t m = 29, n = 75, k = GetDTypeInfo(type).block_elements == 256 ? 768 : 608;
    const TestMatrix weights = RandomMatrix(type, n, k, 3);
    const std::vector<float> a = Values(m * k, 4), bias = Values(n, 5);
    CAPTURE(GetDTypeInfo(type).name);
    ForEachTarget([&] {
      const std::vector<float> whole = Multiply(a, k, m, weights.matrix, bias.data(), n, 0, n);
      for (size_t r = 0; r < m; ++r) {
        const std::vector<float> row(a.begin() + static_cast<ptrdiff_t>(r * k),
                                     a.begin() + static_cast<ptrdiff_t>((r + 1) * k));
        REQUIRE(SameBits(Multiply(row, k, 1, weights.matrix, bias.data(), n, 0, n).data(),
                         whole.data() + r * n, n));
      }
      for (const size_t rows : {2, 3, 4, 7, 11, 13}) {
        REQUIRE(SameBits(Multiply(a, k, rows, weights.matrix, bias.data(), n, 0, n).data(),
                         whole.data(), rows * n));
      }
      for (const auto& [n0, n1] :
           {std::pair<size_t, size_t>{0, 16}, {16, 48}, {32, 75}, {64, 75}}) {
        const std::vector<float> part = Multiply(a, k, m, weights.matrix, bias.data(), n, n0, n1);
        for (size_t r = 0; r < m; ++r) {
          for (size_t c = 0; c < n; ++c)
            REQUIRE(part[r * n + c] == (c >= n0 && c < n1 ? whole[r * n + c] : kUntouched));
        }
      }
    });
  }
}

}  // namespace
}  // namespace tinyvlm
