// Lane code of GemmI8 (gemm.h). Included once per target, after hwy/highway.h.
//
// Products are i16 * i16 added in pairs to i32 (pmaddwd, i32x4.dot_i16x8_s, smlal), which is exact: 32 products of 16 by 8 bits stay below 2^27. So blocks
// of 16-bit activations cost what those of 8 bits do. u8 * i8 pairs would saturate i16; taking the sign
// out first (psignb, pmaddubsw, pmaddwd, paddd) needs three instructions on the two multiplying ports of Zen 3 for what two pmaddwd do.
#if defined(TINYVLM_KERNELS_GEMM_I8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_GEMM_I8_INL_H_
#undef TINYVLM_KERNELS_GEMM_I8_INL_H_
#else
#define TINYVLM_KERNELS_GEMM_I8_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/gemm.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "kernels/unpack_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// From this many rows on a panel is worth unpacking once for all of them.
inline constexpr size_t kMinPanelRowsI8 = 4;

// Unpacked part of a group of panels: 4 blocks * 4 panels * 1 kB of pairs, which stay in the first-level cache while all rows pass.
inline constexpr size_t kStripBlocks = 4;
inline constexpr size_t kGroupPanels = 4;
inline constexpr size_t kPairsPerBlock = 32 * kPanelRows;  // i16

// Fewer than kTileRows: a product takes a register of its own before it is added (with 6 rows AVX2 spills: 37 against 59 GMAC/s), and on Arm, which has no
// multiply-add of pairs, every sum takes two.
inline constexpr size_t kTileRowsI8 = kTileLanes == 16 ? 8 : kTileLanes == 8 ? 4 : 2;

// The caller's scratch, cut up.
class ScratchI8 {
 public:
  explicit ScratchI8(uint8_t* memory) : memory_(memory) {}

  // With the last panel comes a number per block, of the path for few rows.
  static size_t Bytes(size_t k) { return kTail + PackScratchBytes(DType::kQ8_0, k) + k / 32 * sizeof(int32_t); }

  // One panel of the group: [block][even, odd][8 groups][16 rows][2], and its scales [block][16 rows].
  int16_t* pairs(size_t panel) const { return reinterpret_cast<int16_t*>(memory_) + panel * kStripBlocks * kPairsPerBlock; }
  float* scales(size_t panel) const { return reinterpret_cast<float*>(memory_ + kScales) + panel * kStripBlocks * kPanelRows; }
  // [kTileRowsI8][16]: results of a panel with fewer than 16 columns.
  float* tile() const { return reinterpret_cast<float*>(memory_ + kTile); }
  // The last panel, packed.
  uint8_t* tail() const { return memory_ + kTail; }
  // One number per block of a row.
  int32_t* sums(size_t k) const { return reinterpret_cast<int32_t*>(memory_ + kTail + PackScratchBytes(DType::kQ8_0, k)); }

 private:
  static constexpr size_t kScales = kGroupPanels * kStripBlocks * kPairsPerBlock * sizeof(int16_t);
  static constexpr size_t kTile = kScales + kGroupPanels * kStripBlocks * kPanelRows * sizeof(float);
  static constexpr size_t kTail = kTile + kTileRowsI8 * kPanelRows * sizeof(float);

  uint8_t* memory_;
};

// c[r][0..16) += sum over the blocks of scale * scale * (integer sum), for kRows rows whose pairs are `stride` apart.
template <size_t kRows>
HWY_NOINLINE void MultiplyTileI8(const int32_t* HWY_RESTRICT a, size_t stride, const float* HWY_RESTRICT a_scales, size_t scale_stride, size_t blocks,
                                 const int16_t* HWY_RESTRICT pairs, const float* HWY_RESTRICT scales, float* HWY_RESTRICT c, size_t ldc) {
  const TileF32 df;
  const PanelI32 di;
  const PanelI16 d16;
  for (size_t b = 0; b < blocks; ++b, pairs += kPairsPerBlock, scales += kPanelRows) {
    hn::Vec<PanelI32> sum0[kRows][kTileVectors], sum1[kRows][kTileVectors];  // sum1 is used on Arm only
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) {
      HWY_UNROLL(16)
      for (size_t v = 0; v < kTileVectors; ++v) sum0[r][v] = sum1[r][v] = hn::Zero(di);
    }
    const int32_t* const row = a + b * kBlockPairs;
    HWY_UNROLL(4)  // GCC copies each accumulator once per turn
    for (size_t g = 0; g < kBlockPairs; ++g) {
      hn::Vec<PanelI16> w[kTileVectors];
      HWY_UNROLL(16)
      for (size_t v = 0; v < kTileVectors; ++v) w[v] = hn::LoadU(d16, pairs + g * 2 * kPanelRows + v * 2 * kTileLanes);
      HWY_UNROLL(16)
      for (size_t r = 0; r < kRows; ++r) {
        const auto x = hn::BitCast(d16, hn::Set(di, row[r * stride + g]));
        HWY_UNROLL(16)
        for (size_t v = 0; v < kTileVectors; ++v) sum0[r][v] = hn::ReorderWidenMulAccumulate(di, w[v], x, sum0[r][v], sum1[r][v]);
      }
    }
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) {
      const auto scale = hn::Set(df, a_scales[r * scale_stride + b]);
      HWY_UNROLL(16)
      for (size_t v = 0; v < kTileVectors; ++v) {
        float* const to = c + r * ldc + v * kTileLanes;
        const auto sum = hn::ConvertTo(df, hn::RearrangeToOddPlusEven(sum0[r][v], sum1[r][v]));
        hn::StoreU(hn::MulAdd(hn::Mul(scale, hn::LoadU(df, scales + v * kTileLanes)), sum, hn::LoadU(df, to)), df, to);
      }
    }
  }
}

// `blocks` blocks of kRows rows against a group of unpacked panels. a and a_scales are those of the first row's first block, row_blocks blocks from the next
// row's; c points to the group's first column.
template <size_t kRows>
HWY_INLINE void MultiplyGroupI8(const int32_t* a, const float* a_scales, size_t row_blocks, size_t blocks, const ScratchI8& scratch, float* c, size_t ldc,
                                size_t columns) {
  for (size_t n = 0, p = 0; n < columns; n += kPanelRows, ++p) {
    const int16_t* const pairs = scratch.pairs(p);
    const float* const scales = scratch.scales(p);
    if (columns - n >= kPanelRows) {
      MultiplyTileI8<kRows>(a, row_blocks * kBlockPairs, a_scales, row_blocks, blocks, pairs, scales, c + n, ldc);
      continue;
    }
    for (size_t r = 0; r < kRows; ++r) std::copy_n(c + r * ldc + n, columns - n, scratch.tile() + r * kPanelRows);
    MultiplyTileI8<kRows>(a, row_blocks * kBlockPairs, a_scales, row_blocks, blocks, pairs, scales, scratch.tile(), kPanelRows);
    for (size_t r = 0; r < kRows; ++r) std::copy_n(scratch.tile() + r * kPanelRows, columns - n, c + r * ldc + n);
  }
}

// One row against one packed panel of Q8_0: the same integers and the same order of blocks as MultiplyTileI8, so the same bits.
static HWY_NOINLINE HWY_MAYBE_UNUSED void MultiplyRowQ8(const int32_t* HWY_RESTRICT a, const float* HWY_RESTRICT a_scales, size_t blocks,
                                                 const uint8_t* HWY_RESTRICT panel, float* HWY_RESTRICT c) {
  const TileF32 df;
  const PanelI32 di;
  const PanelI16 d16;
  hn::Vec<TileF32> acc[kTileVectors];
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) acc[v] = hn::LoadU(df, c + v * kTileLanes);
  for (size_t b = 0; b < blocks; ++b, panel += kBlockBytesQ8, a += kBlockPairs) {
    hn::Vec<PanelI32> sum0[kTileVectors], sum1[kTileVectors];
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) sum0[v] = sum1[v] = hn::Zero(di);
    for (size_t q = 0; q < 8; ++q) {
      const auto even = hn::BitCast(d16, hn::Set(di, a[q]));
      const auto odd = hn::BitCast(d16, hn::Set(di, a[kBlockPairs / 2 + q]));
      HWY_UNROLL(16)
      for (size_t v = 0; v < kTileVectors; ++v) {
        const auto raw = LoadGroup(panel, q, v);
        sum0[v] = hn::ReorderWidenMulAccumulate(di, EvenPair(raw), even, sum0[v], sum1[v]);
        sum0[v] = hn::ReorderWidenMulAccumulate(di, OddPair(raw), odd, sum0[v], sum1[v]);
      }
    }
    const auto scale = hn::Set(df, a_scales[b]);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) {
      acc[v] = hn::MulAdd(hn::Mul(scale, LoadScales(panel, v)), hn::ConvertTo(df, hn::RearrangeToOddPlusEven(sum0[v], sum1[v])), acc[v]);
    }
  }
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) hn::StoreU(acc[v], df, c + v * kTileLanes);
}

// The same for Q4_0. Nibbles are multiplied as 0..15; eight_sums[b] is 8 times the sum of the block's activations.
static HWY_NOINLINE HWY_MAYBE_UNUSED void MultiplyRowQ4(const int32_t* HWY_RESTRICT a, const float* HWY_RESTRICT a_scales,
                                                        const int32_t* HWY_RESTRICT eight_sums, size_t blocks, const uint8_t* HWY_RESTRICT panel,
                                                        float* HWY_RESTRICT c) {
  const TileF32 df;
  const PanelI32 di;
  const PanelI16 d16;
  hn::Vec<TileF32> acc[kTileVectors];
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) acc[v] = hn::LoadU(df, c + v * kTileLanes);
  for (size_t b = 0; b < blocks; ++b, panel += kBlockBytesQ4, a += kBlockPairs) {
    hn::Vec<PanelI32> sum0[kTileVectors], sum1[kTileVectors];
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) sum0[v] = sum1[v] = hn::Zero(di);
    for (size_t q = 0; q < 4; ++q) {
      const auto even_low = hn::BitCast(d16, hn::Set(di, a[q]));
      const auto even_high = hn::BitCast(d16, hn::Set(di, a[4 + q]));
      const auto odd_low = hn::BitCast(d16, hn::Set(di, a[kBlockPairs / 2 + q]));
      const auto odd_high = hn::BitCast(d16, hn::Set(di, a[kBlockPairs / 2 + 4 + q]));
      HWY_UNROLL(16)
      for (size_t v = 0; v < kTileVectors; ++v) {
        const auto raw = LoadGroup(panel, q, v);
        sum0[v] = hn::ReorderWidenMulAccumulate(di, NibblePair<0>(raw), even_low, sum0[v], sum1[v]);
        sum0[v] = hn::ReorderWidenMulAccumulate(di, NibblePair<4>(raw), even_high, sum0[v], sum1[v]);
        sum0[v] = hn::ReorderWidenMulAccumulate(di, NibblePair<8>(raw), odd_low, sum0[v], sum1[v]);
        sum0[v] = hn::ReorderWidenMulAccumulate(di, NibblePair<12>(raw), odd_high, sum0[v], sum1[v]);
      }
    }
    const auto scale = hn::Set(df, a_scales[b]);
    const auto eight_sum = hn::Set(di, eight_sums[b]);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) {
      const auto sum = hn::Sub(hn::RearrangeToOddPlusEven(sum0[v], sum1[v]), eight_sum);
      acc[v] = hn::MulAdd(hn::Mul(scale, LoadScales(panel, v)), hn::ConvertTo(df, sum), acc[v]);
    }
  }
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) hn::StoreU(acc[v], df, c + v * kTileLanes);
}

// A few rows, one after the other, against packed panels as they are: a decode step is one row.
HWY_INLINE void MultiplyFewRowsI8(const int32_t* a, const float* a_scales, size_t m, const PackedMatrix& B, float* c, size_t ldc, size_t n0, size_t n1,
                                  const ScratchI8& scratch) {
  const size_t blocks = B.k / 32, panel_bytes = PackScratchBytes(B.type, B.k);
  int32_t* const eight_sums = scratch.sums(B.k);
  if (n1 % kPanelRows != 0) PackTail(B, scratch.tail());
  for (size_t r = 0; r < m; ++r) {
    const int32_t* const pairs = a + r * blocks * kBlockPairs;
    if (B.type == DType::kQ4_0) {
      for (size_t b = 0; b < blocks; ++b) {
        int32_t sum = 0;
        for (size_t i = b * kBlockPairs; i < (b + 1) * kBlockPairs; ++i) {
          sum += static_cast<int16_t>(pairs[i] & 0xffff) + (pairs[i] >> 16);
        }
        eight_sums[b] = 8 * sum;
      }
    }
    for (size_t n = n0; n < n1; n += kPanelRows) {
      const size_t columns = std::min(kPanelRows, n1 - n);
      const uint8_t* const panel = columns < kPanelRows ? scratch.tail() : B.data + n / kPanelRows * panel_bytes;
      float* const to = columns < kPanelRows ? scratch.tile() : c + r * ldc + n;
      if (columns < kPanelRows) std::copy_n(c + r * ldc + n, columns, to);
      if (B.type == DType::kQ4_0) {
        MultiplyRowQ4(pairs, a_scales + r * blocks, eight_sums, blocks, panel, to);
      } else {
        MultiplyRowQ8(pairs, a_scales + r * blocks, blocks, panel, to);
      }
      if (columns < kPanelRows) std::copy_n(to, columns, c + r * ldc + n);
    }
  }
}

// Many rows: panels are unpacked a strip of a group at a time, then all rows pass.
HWY_INLINE void MultiplyManyRowsI8(const int32_t* a, const float* a_scales, size_t m, const PackedMatrix& B, float* c, size_t ldc, size_t n0, size_t n1,
                                   const ScratchI8& scratch) {
  const size_t blocks = B.k / 32, panel_bytes = PackScratchBytes(B.type, B.k);
  const size_t block_bytes = B.type == DType::kQ4_0 ? kBlockBytesQ4 : kBlockBytesQ8;
  for (size_t n = n0; n < n1; n += kGroupPanels * kPanelRows) {
    const size_t columns = std::min(kGroupPanels * kPanelRows, n1 - n);
    if (columns % kPanelRows != 0) PackTail(B, scratch.tail());
    for (size_t b0 = 0; b0 < blocks; b0 += kStripBlocks) {
      const size_t count = std::min(kStripBlocks, blocks - b0);
      for (size_t p = 0; p * kPanelRows < columns; ++p) {
        const uint8_t* const panel = columns - p * kPanelRows < kPanelRows ? scratch.tail() : B.data + (n / kPanelRows + p) * panel_bytes;
        int16_t* const pairs = scratch.pairs(p);
        float* const scales = scratch.scales(p);
        if (B.type == DType::kQ4_0) {
          PairPanelQ4(panel + b0 * block_bytes, count, pairs, scales);
        } else {
          PairPanelQ8(panel + b0 * block_bytes, count, pairs, scales);
        }
      }
      const auto row = [&](size_t r) { return a + (r * blocks + b0) * kBlockPairs; };
      const auto row_scales = [&](size_t r) { return a_scales + r * blocks + b0; };
      size_t r = 0;
      for (; r + kTileRowsI8 <= m; r += kTileRowsI8) {
        MultiplyGroupI8<kTileRowsI8>(row(r), row_scales(r), blocks, count, scratch, c + r * ldc + n, ldc, columns);
      }
      if constexpr (kTileRowsI8 > 4) {
        for (; r + 4 <= m; r += 4) MultiplyGroupI8<4>(row(r), row_scales(r), blocks, count, scratch, c + r * ldc + n, ldc, columns);
      }
      if constexpr (kTileRowsI8 > 2) {
        for (; r + 2 <= m; r += 2) MultiplyGroupI8<2>(row(r), row_scales(r), blocks, count, scratch, c + r * ldc + n, ldc, columns);
      }
      for (; r < m; ++r) MultiplyGroupI8<1>(row(r), row_scales(r), blocks, count, scratch, c + r * ldc + n, ldc, columns);
    }
  }
}

HWY_INLINE void GemmI8Impl(const int32_t* a, const float* scales, size_t m, const PackedMatrix& B, const float* bias, float* c, size_t ldc, size_t n0,
                           size_t n1, uint8_t* memory) {
  for (size_t r = 0; r < m; ++r) {
    if (bias != nullptr) {
      std::copy(bias + n0, bias + n1, c + r * ldc + n0);
    } else {
      std::fill(c + r * ldc + n0, c + r * ldc + n1, 0.0f);
    }
  }
  const ScratchI8 scratch(memory);
  if (m < kMinPanelRowsI8) {
    MultiplyFewRowsI8(a, scales, m, B, c, ldc, n0, n1, scratch);
  } else {
    MultiplyManyRowsI8(a, scales, m, B, c, ldc, n0, n1, scratch);
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
