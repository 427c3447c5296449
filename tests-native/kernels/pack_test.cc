#include "kernels/pack.h"

#include <algorithm>

#include "catch_amalgamated.hpp"
#include "packed.h"

namespace tinyvlm {
namespace {

TEST_CASE(
    "A packed matrix is a permutation of the file's bytes, and its rows unpack to the file's "
    "values",
    "[kernels][pack]") {
  for (const DType type : kMatrixTypes) {
    const size_t block = GetDTypeInfo(type).block_elements;
    for (const size_t n : {1, 15, 16, 17, 32, 50}) {
      for (const size_t k :
           block == 1 ? std::vector<size_t>{1, 7, 32, 65} : std::vector<size_t>{block, 3 * block}) {
        CAPTURE(GetDTypeInfo(type).name, n, k);
        const TestMatrix made = RandomMatrix(type, n, k, 1);
        std::vector<uint8_t> before = made.file, after = made.packed;
        std::sort(before.begin(), before.end());
        std::sort(after.begin(), after.end());
        REQUIRE(before == after);
        std::vector<float> wanted(k), found(k);
        for (size_t row = 0; row < n; ++row) {
          DequantizeRow(type, made.file.data() + row * RowBytes(type, k), k, wanted.data());
          UnpackRow(made.matrix, row, found.data());
          REQUIRE(wanted == found);
        }
      }
    }
  }
}

TEST_CASE("The last rows pack into a whole panel, absent rows being zero", "[kernels][pack]") {
  for (const DType type : kMatrixTypes) {
    const size_t n = 21, k = std::max<size_t>(64, GetDTypeInfo(type).block_elements);
    CAPTURE(GetDTypeInfo(type).name);
    const TestMatrix made = RandomMatrix(type, n, k, 2);
    std::vector<uint8_t> panel(PackScratchBytes(type, k), 0xAA);
    PackTail(made.matrix, panel.data());
    const PackedMatrix tail{type, kPanelRows, k, panel.data()};
    std::vector<float> wanted(k), found(k);
    for (size_t row = 0; row < kPanelRows; ++row) {
      std::fill(wanted.begin(), wanted.end(), 0.0f);
      if (row < n % kPanelRows)
        UnpackRow(made.matrix, n / kPanelRows * kPanelRows + row, wanted.data());
      UnpackRow(tail, row, found.data());
      for (size_t i = 0; i < k; ++i) REQUIRE(wanted[i] == found[i]);
    }
  }
}

}  // namespace
}  // namespace tinyvlm
