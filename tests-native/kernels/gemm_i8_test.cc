#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "for_each_target.h"
#include "kernels/gemm.h"
#include "packed.h"
#include "quantized.h"

namespace tinyvlm {
namespace {

const DType kTypes[] = {DType::kQ8_0, DType::kQ5_0, DType::kQ4_0};
constexpr float kUntouched = 12345.0f;

// Every third block has an outlier, and so int16 activations.
QuantizedMatrix RandomActivations(size_t m, size_t k, uint32_t seed) {
  std::vector<float> x = Values(m * k, seed);
  for (size_t block = 0; block < m * k / 32; block += 3) x[block * 32 + block % 32] *= 100;
  QuantizedMatrix made(m, k);
  reference::QuantizeRows(x.data(), k, m, made.rows);
  return made;
}

std::vector<float> Multiply(const QuantizedRows& a, size_t m, const PackedMatrix& B,
                            const float* bias, size_t ldc, size_t n0, size_t n1, RelaxedDot dot) {
  std::vector<float> c(m * ldc, kUntouched);
  std::vector<uint8_t> memory(GemmI8ScratchBytes(B.k) + 64);
  GemmI8(a, m, B, bias, c.data() + n0, ldc, n0, n1, AlignedIn(memory), dot);
  return c;
}

// A block's integer sum is exact. Each block then rounds four times at most: the sum to f32,
// product of the scales, product of both, addition.
TEST_CASE("GemmI8 equals the reference for every type and remainder", "[kernels][gemm_i8]") {
  for (const DType type : kTypes) {
    for (const size_t k : {32, 96, 128, 160, 608}) {
      for (const size_t n : {1, 16, 23, 64, 67, 100}) {
        const TestMatrix weights = RandomMatrix(type, n, k, static_cast<uint32_t>(n));
        const std::vector<float> bias = Values(n, 7);
        for (const size_t m : {0, 1, 2, 3, 4, 5, 6, 12, 19, 31}) {
          const bool with_bias = m % 2 == 1;
          const size_t ldc = n + 1;
          CAPTURE(GetDTypeInfo(type).name, m, n, k);
          const QuantizedMatrix a = RandomActivations(m, k, static_cast<uint32_t>(k + m));
          std::vector<float> wanted(m * ldc, kUntouched), bounds(m * ldc, 0.0f), row(k);
          reference::GemmI8(a.rows, m, weights.matrix, with_bias ? bias.data() : nullptr,
                            wanted.data(), ldc, 0, n);
          for (size_t c = 0; c < n; ++c) {
            UnpackRow(weights.matrix, c, row.data());
            for (size_t r = 0; r < m; ++r) {
              float sum = with_bias ? std::fabs(bias[c]) : 0.0f;
              for (size_t b = 0; b < k / 32; ++b) {
                float block = 0.0f;
                for (size_t i = b * 32; i < (b + 1) * 32; ++i)
                  block += static_cast<float>(a.rows.Value(r, i)) * row[i];
                sum += std::fabs(block) * a.rows.scales[r * (k / 32) + b];
              }
              bounds[r * ldc + c] = sum * 1.01f;  // itself computed in f32
            }
          }
          ForEachTargetAndDot([&](RelaxedDot dot) {
            const std::vector<float> found = Multiply(
                a.rows, m, weights.matrix, with_bias ? bias.data() : nullptr, ldc, 0, n, dot);
            RequireWithin(found, wanted, bounds, static_cast<double>(4 * (k / 32) + 2) * kRounding);
          });
        }
      }
    }
  }
}

// With all scales 1 a result is an integer. Of 8-bit activations it is below 2^24, which f32 holds
// exactly; of 16-bit ones the sums of blocks are rounded to f32 and added in order, which the test
// does, too. Any lost or saturated product would show.
TEST_CASE("GemmI8 adds the integers of a block exactly, extremes included", "[kernels][gemm_i8]") {
  const size_t n = 37, k = 512;
  for (const DType type : kTypes) {
    const size_t block_bytes = GetDTypeInfo(type).block_bytes;
    for (const int pattern : {0, 1, 2, 3}) {
      std::mt19937 random(static_cast<uint32_t>(pattern));
      // 0x80 is -128 in Q8_0 and (-8, 0) in Q4_0; 0xFF is -1 and (7, 7).
      const auto weight = [&]() -> uint8_t {
        if (pattern < 2) return pattern == 0 ? 0x80 : 0x7F;
        return pattern == 2 ? (random() % 2 ? 0x80 : 0x7F) : static_cast<uint8_t>(random());
      };
      const auto activation = [&](int range) -> int32_t {
        if (pattern < 2) return pattern == 0 ? range : -range;
        return pattern == 2
                   ? (random() % 2 ? range : -range)
                   : static_cast<int>(random() % static_cast<unsigned>(2 * range + 1)) - range;
      };
      std::vector<uint8_t> file(n * RowBytes(type, k));
      for (size_t i = 0; i < file.size(); ++i)
        file[i] = i % block_bytes == 0   ? 0x00
                  : i % block_bytes == 1 ? 0x3C
                                         : weight();  // 0x3C00 is 1.0 in f16
      const TestMatrix weights = MakeMatrix(type, n, k, file);
      for (const auto& [m, range] : {std::pair<size_t, int>{1, kInt8Range},
                                     {3, kInt8Range},
                                     {4, kInt8Range},
                                     {29, kInt8Range},
                                     {1, kInt16Range},
                                     {3, kInt16Range},
                                     {4, kInt16Range},
                                     {29, kInt16Range}}) {
        CAPTURE(GetDTypeInfo(type).name, pattern, m, range);
        const size_t rows = m;  // Clang 14 captures no structured binding
        QuantizedMatrix a(rows, k);
        for (size_t r = 0; r < rows; ++r) {
          for (size_t b = 0; b < k / 32; ++b) {
            int32_t block[32];
            for (int32_t& q : block) q = activation(range);
            a.SetBlock(r, b, block, range > kInt8Range, 1.0f);
          }
        }
        std::vector<float> wanted(m * n), row(k);
        for (size_t c = 0; c < n; ++c) {
          UnpackRow(weights.matrix, c, row.data());
          for (size_t r = 0; r < m; ++r) {
            float sum = 0;
            for (size_t b = 0; b < k; b += 32) {
              int64_t block = 0;
              for (size_t i = b; i < b + 32; ++i)
                block += int64_t{a.rows.Value(r, i)} * static_cast<int64_t>(row[i]);
              sum += static_cast<float>(block);
            }
            if (range == kInt8Range) REQUIRE(std::fabs(sum) < 0x1p24f);
            wanted[r * n + c] = sum;
          }
        }
        ForEachTargetAndDot([&](RelaxedDot dot) {
          REQUIRE(Multiply(a.rows, rows, weights.matrix, nullptr, n, 0, n, dot) == wanted);
        });
      }
    }
  }
}

TEST_CASE("GemmI8 reads every finite scale of a block exactly, subnormal ones too",
          "[kernels][gemm_i8]") {
  // One output for each half, whose only weight other than zero is 1.
  std::vector<uint16_t> halves;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7c00) != 0x7c00) halves.push_back(static_cast<uint16_t>(bits));
  }
  const size_t n = halves.size();
  std::vector<uint8_t> file(n * RowBytes(DType::kQ8_0, 32), 0);
  std::vector<float> wanted(n);
  for (size_t i = 0; i < n; ++i) {
    uint8_t* const block = file.data() + i * RowBytes(DType::kQ8_0, 32);
    block[0] = static_cast<uint8_t>(halves[i] & 0xff),
    block[1] = static_cast<uint8_t>(halves[i] >> 8), block[2] = 1;
    wanted[i] = F16ToF32(halves[i]);
  }
  const TestMatrix weights = MakeMatrix(DType::kQ8_0, n, 32, std::move(file));
  for (const size_t m : {1, 4}) {
    const size_t rows = m;
    QuantizedMatrix a(rows, 32);
    const int32_t one[32] = {1};
    for (size_t r = 0; r < rows; ++r) a.SetBlock(r, 0, one, false, 1.0f);
    ForEachTargetAndDot([&](RelaxedDot dot) {
      const std::vector<float> found =
          Multiply(a.rows, rows, weights.matrix, nullptr, n, 0, n, dot);
      for (size_t r = 0; r < rows; ++r)
        REQUIRE(std::equal(wanted.begin(), wanted.end(),
                           found.begin() + static_cast<ptrdiff_t>(r * n)));
    });
  }
}

TEST_CASE("GemmI8 gives a row the same bits whatever the other rows and the cut of the columns",
          "[kernels][gemm_i8]") {
  for (const DType type : kTypes) {
    const size_t m = 29, n = 139, k = 608;
    const TestMatrix weights = RandomMatrix(type, n, k, 3);
    const QuantizedMatrix a = RandomActivations(m, k, 4);
    const std::vector<float> bias = Values(n, 5);
    CAPTURE(GetDTypeInfo(type).name);
    ForEachTargetAndDot([&](RelaxedDot dot) {
      const std::vector<float> whole =
          Multiply(a.rows, m, weights.matrix, bias.data(), n, 0, n, dot);
      for (size_t r = 0; r < m; ++r) {
        const std::vector<float> row =
            Multiply(a.rows.From(r), 1, weights.matrix, bias.data(), n, 0, n, dot);
        REQUIRE(SameBits(row.data(), whole.data() + r * n, n));
      }
      for (const size_t rows : {2, 3, 4, 5, 7, 11, 13}) {
        REQUIRE(SameBits(Multiply(a.rows, rows, weights.matrix, bias.data(), n, 0, n, dot).data(),
                         whole.data(), rows * n));
      }
      for (const auto& [n0, n1] :
           {std::pair<size_t, size_t>{0, 16}, {16, 48}, {32, 139}, {128, 139}}) {
        for (const size_t rows : {size_t{2}, m}) {
          const std::vector<float> part =
              Multiply(a.rows, rows, weights.matrix, bias.data(), n, n0, n1, dot);
          for (size_t r = 0; r < rows; ++r) {
            for (size_t c = 0; c < n; ++c)
              REQUIRE(part[r * n + c] == (c >= n0 && c < n1 ? whole[r * n + c] : kUntouched));
          }
        }
      }
    });
  }
}

#if TINYVLM_CHOOSES_ARM_INT8
TEST_CASE("GemmI8 gives the same bits with every kind of Arm's int8 instructions",
          "[kernels][gemm_i8]") {
  for (const DType type : kTypes) {
    const size_t n = 100, k = 608;
    const TestMatrix weights = RandomMatrix(type, n, k, 6);
    const std::vector<float> bias = Values(n, 7);
    for (const size_t m : {1, 2, 3, 4, 8, 9, 14, 29}) {
      CAPTURE(GetDTypeInfo(type).name, m);
      const QuantizedMatrix a = RandomActivations(m, k, static_cast<uint32_t>(m));
      std::vector<float> first;
      ForEachTargetAndDot([&](RelaxedDot dot) {
        const std::vector<float> found =
            Multiply(a.rows, m, weights.matrix, bias.data(), n, 0, n, dot);
        if (first.empty()) first = found;
        REQUIRE(SameBits(found.data(), first.data(), found.size()));
      });
    }
  }
}
#endif

}  // namespace
}  // namespace tinyvlm
