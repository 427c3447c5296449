// SIMD code of GemmF32 (gemm.h). Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_GEMM_F32_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_GEMM_F32_INL_H_
#undef TINYVLM_KERNELS_GEMM_F32_INL_H_
#else
#define TINYVLM_KERNELS_GEMM_F32_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/gemm.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/pack.h"
#include "kernels/unpack_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {

// k is split into strips of whole blocks, whose part of a panel (16 kB) stays in the L1 cache while
// all rows are multiplied by it.
inline constexpr size_t kStripF32 = 256;

// Elements [k0, k0 + count) of a panel as f32 [count][16]: in place for f32 weights, else unpacked
// into `strip`.
HWY_INLINE const float* PanelStrip(DType type, const uint8_t* panel, size_t k0, size_t count,
                                   float* strip) {
  const DTypeInfo& info = GetDTypeInfo(type);
  const uint8_t* const from = panel + k0 / info.block_elements * info.block_bytes * kPanelRows;
  const size_t blocks = count / info.block_elements;
  switch (type) {
    case DType::kF32:
      return reinterpret_cast<const float*>(from);
    case DType::kF16:
      WidenPanel<hwy::float16_t>(from, count, strip);
      break;
    case DType::kBF16:
      WidenPanel<hwy::bfloat16_t>(from, count, strip);
      break;
    case DType::kQ8_0:
      DequantizePanelQ8(from, blocks, strip);
      break;
    case DType::kQ4_0:
      DequantizePanelNibbles<4, false>(from, blocks, strip);
      break;
    case DType::kQ4_1:
      DequantizePanelNibbles<4, true>(from, blocks, strip);
      break;
    case DType::kQ5_0:
      DequantizePanelNibbles<5, false>(from, blocks, strip);
      break;
    case DType::kQ5_1:
      DequantizePanelNibbles<5, true>(from, blocks, strip);
      break;
    case DType::kQ4_K:
      DequantizePanelQ45K<4>(from, blocks, strip);
      break;
    case DType::kQ5_K:
      DequantizePanelQ45K<5>(from, blocks, strip);
      break;
    case DType::kQ6_K:
      DequantizePanelQ6K(from, blocks, strip);
      break;
    case DType::kI64:
      break;  // never a matrix
  }
  return strip;
}

HWY_INLINE void GemmF32Impl(const float* a, size_t lda, size_t m, const PackedMatrix& B,
                            const float* bias, float* c, size_t ldc, size_t n0, size_t n1,
                            float* scratch) {
  if (m == 0) return;  // c may be null then
  float* const strip = scratch;
  uint8_t* const tail = reinterpret_cast<uint8_t*>(scratch + kStripF32 * kPanelRows);
  const size_t panel_bytes = PackScratchBytes(B.type, B.k);
  for (size_t n = n0; n < n1; n += kPanelRows) {
    const size_t columns = std::min(kPanelRows, n1 - n);
    const uint8_t* panel = B.data + n / kPanelRows * panel_bytes;
    if (columns < kPanelRows) {
      PackTail(B, tail);
      panel = tail;
    }
    for (size_t r = 0; r < m; ++r) {
      if (bias != nullptr) {
        std::copy_n(bias + n, columns, c + r * ldc + (n - n0));
      } else {
        std::fill_n(c + r * ldc + (n - n0), columns, 0.0f);
      }
    }
    for (size_t k0 = 0; k0 < B.k; k0 += kStripF32) {
      const size_t count = std::min(kStripF32, B.k - k0);
      MultiplyRowsByPanel(a + k0, lda, m, count, PanelStrip(B.type, panel, k0, count, strip),
                          kPanelRows, c + (n - n0), ldc, columns);
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
