// C += A * B for a few rows and 16 columns at a time, f32: the inner loop of gemm_f32, attention
// and conv2d. Included once per target, after hwy/highway.h.
//
// Every element of C is one chain of multiply-adds in order of k, which starts from the value in C.
// So a result does not depend on how rows are grouped, and k may be split anywhere: the next part
// continues from C.
#if defined(TINYVLM_KERNELS_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_GEMM_TILE_INL_H_
#undef TINYVLM_KERNELS_GEMM_TILE_INL_H_
#else
#define TINYVLM_KERNELS_GEMM_TILE_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "kernels/relaxed-inl.h"

// Follows the parameters of a lambda in SIMD code: compiles it for the target of the enclosing
// function, and inlines it.
#undef TINYVLM_LAMBDA
#define TINYVLM_LAMBDA HWY_ATTR __attribute__((always_inline))

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr size_t kTileColumns = 16;
using TileF32 = hn::CappedTag<float, kTileColumns>;
inline constexpr size_t kTileLanes = hn::MaxLanes(TileF32());
inline constexpr size_t kTileVectors = kTileColumns / kTileLanes;

// Accumulators, a row of B and one broadcast stay in registers: AVX-512 and Arm have 32, others 16.
// Without a fused multiply-add the product needs a register too, and with 128-bit vectors 4 rows of
// accumulators would take all 16.
inline constexpr size_t kTileRows = kTileLanes == 16     ? 12
                                    : kTileLanes == 8    ? 6
                                    : HWY_TARGET_IS_NEON ? 4
                                                         : 2;

// c[r][0..16) += sum over i < k of a[r][i] * b[i][0..16). Not inlined: V8 switches a wasm function
// to its optimised code only between calls.
template <size_t kRows>
HWY_NOINLINE void MultiplyTile(const float* HWY_RESTRICT a, size_t lda, size_t k,
                               const float* HWY_RESTRICT b, size_t ldb, float* HWY_RESTRICT c,
                               size_t ldc) {
  const TileF32 d;
  hn::Vec<TileF32> acc[kRows][kTileVectors];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v)
      acc[r][v] = hn::LoadU(d, c + r * ldc + v * kTileLanes);
  }
  for (size_t i = 0; i < k; ++i) {
    hn::Vec<TileF32> w[kTileVectors];
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) w[v] = hn::LoadU(d, b + i * ldb + v * kTileLanes);
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) {
      const auto x = hn::Set(d, a[r * lda + i]);
      HWY_UNROLL(16)
      for (size_t v = 0; v < kTileVectors; ++v) acc[r][v] = MultiplyAdd(x, w[v], acc[r][v]);
    }
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v)
      hn::StoreU(acc[r][v], d, c + r * ldc + v * kTileLanes);
  }
}

// The same for one row and fewer than 16 columns; reads and writes only these.
static HWY_NOINLINE HWY_MAYBE_UNUSED void MultiplyPartialRow(const float* HWY_RESTRICT a, size_t k,
                                                             const float* HWY_RESTRICT b,
                                                             size_t ldb, float* HWY_RESTRICT c,
                                                             size_t columns) {
  const TileF32 d;
  for (size_t n = 0; n < columns; n += kTileLanes) {
    const size_t count = HWY_MIN(kTileLanes, columns - n);
    auto acc = hn::LoadN(d, c + n, count);
    for (size_t i = 0; i < k; ++i)
      acc = MultiplyAdd(hn::Set(d, a[i]), hn::LoadN(d, b + i * ldb + n, count), acc);
    hn::StoreN(acc, d, c + n, count);
  }
}

// The same for m rows and up to 16 columns.
HWY_INLINE void MultiplyRowsByPanel(const float* a, size_t lda, size_t m, size_t k, const float* b,
                                    size_t ldb, float* c, size_t ldc, size_t columns) {
  size_t r = 0;
  if (columns < kTileColumns) {
    for (; r < m; ++r) MultiplyPartialRow(a + r * lda, k, b, ldb, c + r * ldc, columns);
    return;
  }
  for (; r + kTileRows <= m; r += kTileRows)
    MultiplyTile<kTileRows>(a + r * lda, lda, k, b, ldb, c + r * ldc, ldc);
  if constexpr (kTileRows > 6) {
    // Attention of a decode step has as many rows as query heads share a key head, 7 in the 0.5B
    // model. 6 rows and then 1 would take twice the time: both wait for their own accumulators.
    if (m - r == 7) return MultiplyTile<7>(a + r * lda, lda, k, b, ldb, c + r * ldc, ldc);
    for (; r + 6 <= m; r += 6) MultiplyTile<6>(a + r * lda, lda, k, b, ldb, c + r * ldc, ldc);
  }
  if constexpr (kTileRows > 4) {
    for (; r + 4 <= m; r += 4) MultiplyTile<4>(a + r * lda, lda, k, b, ldb, c + r * ldc, ldc);
  }
  if constexpr (kTileRows > 2) {
    for (; r + 2 <= m; r += 2) MultiplyTile<2>(a + r * lda, lda, k, b, ldb, c + r * ldc, ldc);
  }
  for (; r < m; ++r) MultiplyTile<1>(a + r * lda, lda, k, b, ldb, c + r * ldc, ldc);
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
