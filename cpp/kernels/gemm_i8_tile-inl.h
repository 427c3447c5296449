// GemmI8 for many rows (prefill, vision): for each group of panels and each strip of blocks, the
// weights are unpacked once where the Dot needs it, then every tile of rows is multiplied by them.
// Included once per target, after hwy/highway.h.
//
//   for each group of 4 panels (64 outputs)          MultiplyManyRowsI8
//     for each strip of 8 (or 4) blocks of k
//       unpack the strip of each panel               UnpackStrip
//       for each tile of rows                        MultiplyGroupI8
//         gather the activations of the strip        GatherStrip
//         for each panel: tile += strip              MultiplyPanelI8, MultiplyTileI8
#if defined(TINYVLM_KERNELS_GEMM_I8_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_GEMM_I8_TILE_INL_H_
#undef TINYVLM_KERNELS_GEMM_I8_TILE_INL_H_
#else
#define TINYVLM_KERNELS_GEMM_I8_TILE_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/block_activations-inl.h"
#include "kernels/block_dot-inl.h"
#include "kernels/block_weights-inl.h"
#include "kernels/gemm_i8_scratch-inl.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "kernels/unpack_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Where a tile reads the weights of one strip of one panel.
struct PanelPointers {
  const uint8_t* words;   // of the first block, kStepBytes per step
  const uint8_t* scales;  // of the first block
};

// Reads unpacked weights: words [block][step][kStepBytes], scales [block][16] in f32 (UnpackStrip).
struct UnpackedWeights {
  template <class Dot>
  static constexpr size_t kWordsOfBlock = Dot::kSteps * kStepBytes;
  static constexpr size_t kScalesOfBlock = kPanelRows * sizeof(float), kScaleBytes = sizeof(float);

  template <class Dot>
  static HWY_INLINE hn::Vec<PanelI32> Load(const uint8_t* HWY_RESTRICT words, size_t v) {
    return LoadWord(words, 0, v);
  }
  static HWY_INLINE hn::Vec<TileF32> Scales(const uint8_t* HWY_RESTRICT scales, size_t v) {
    return hn::LoadU(TileF32(), reinterpret_cast<const float*>(scales) + v * kTileLanes);
  }
};

// Reads packed Q8_0 weights in place.
struct PackedInt8 {
  template <class Dot>
  static constexpr size_t kWordsOfBlock = kBlockBytesQ8;
  static constexpr size_t kScalesOfBlock = kBlockBytesQ8, kScaleBytes = sizeof(uint16_t);

  template <class Dot>
  static HWY_INLINE hn::Vec<PanelI32> Load(const uint8_t* HWY_RESTRICT words, size_t v) {
    return Dot::FromInt8(LoadWord(words, 0, v));
  }
  static HWY_INLINE hn::Vec<TileF32> Scales(const uint8_t* HWY_RESTRICT scales, size_t v) {
    return LoadScales(scales, v);
  }
};

// Whether Dot multiplies packed weights in place, so that nothing has to be unpacked.
template <DType kType, class Dot>
inline constexpr bool kReadsPacked =
    kType == DType::kQ8_0 && !Dot::kInt16Activations && Dot::kPasses == 1;

template <DType kType, class Dot>
using WeightsOfTile = std::conditional_t<kReadsPacked<kType, Dot>, PackedInt8, UnpackedWeights>;

// Adds one pass over a block to `sum`, for one row and one vector of outputs: the high bytes of
// outlier blocks, which are few.
template <class Dot, class Weights>
HWY_INLINE void AddWords(const uint8_t* HWY_RESTRICT weights, size_t v,
                         const int32_t* HWY_RESTRICT x, typename Dot::Accumulator& sum) {
#ifdef __clang__
#pragma clang loop unroll(disable)
#endif
  for (size_t i = 0; i < Dot::kWords; ++i, weights += kStepBytes) {
    Dot::Accumulate(Weights::template Load<Dot>(weights, v), hn::Set(PanelI32(), x[i]), sum);
  }
}

#if TINYVLM_ARM_INT8 == 2
// sums[r][v] = the integer totals of one block, for an even number of rows. smmla multiplies two
// rows of eight bytes by two rows of eight bytes, that is twice as much as sdot does. The words of
// two steps, interleaved, are two outputs with eight weights each:
//
//   words of step s               a0 b0 c0 d0     (4 weights of each of the outputs a, b, c, d)
//   words of step s + 1           a1 b1 c1 d1
//   weights of outputs a, b       a0 a1 b0 b1     and of c, d: c0 c1 d0 d1
//   activations of rows 0, 1      x0 x1 y0 y1
//   sums                          xa xb ya yb     and xc xd yc yd
template <class Dot, class Weights, size_t kRows, size_t kVectors>
HWY_INLINE void MultiplyBlockByPairs(const uint8_t* HWY_RESTRICT weights,
                                     const int32_t* HWY_RESTRICT words,
                                     hn::Vec<PanelI32> (&sums)[kRows][kVectors]) {
  const PanelI32 d;
  const hn::Half<PanelI32> half;
  hn::Vec<PanelI32> pairs[kRows / 2][kVectors][2];
  for (auto& pair : pairs) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kVectors; ++v) pair[v][0] = pair[v][1] = hn::Zero(d);
  }
  ForEachIndex<Dot::kWords / 2>([&](size_t s) TINYVLM_LAMBDA {
    hn::Vec<PanelI32> w[kVectors][2];
    HWY_UNROLL(16)
    for (size_t v = 0; v < kVectors; ++v) {
      const auto first = Weights::template Load<Dot>(weights + 2 * s * kStepBytes, v),
                 second = Weights::template Load<Dot>(weights + (2 * s + 1) * kStepBytes, v);
      w[v][0] = hn::InterleaveLower(d, first, second);
      w[v][1] = hn::InterleaveUpper(d, first, second);
    }
    HWY_UNROLL(16)
    for (size_t p = 0; p < kRows / 2; ++p) {
      const int32_t* const at = words + 2 * p * kStripSteps + 2 * s;
      const auto x = hn::Combine(d, hn::LoadU(half, at + kStripSteps), hn::LoadU(half, at));
      HWY_UNROLL(16)
      for (size_t v = 0; v < kVectors; ++v) {
        for (size_t i = 0; i < 2; ++i) {
          pairs[p][v][i] =
              hn::Vec<PanelI32>(vmmlaq_s32(pairs[p][v][i].raw, hn::BitCast(PanelI8(), x).raw,
                                           hn::BitCast(PanelI8(), w[v][i]).raw));
        }
      }
    }
  });
  HWY_UNROLL(16)
  for (size_t p = 0; p < kRows / 2; ++p) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kVectors; ++v) {
      sums[2 * p][v] = hn::ConcatLowerLower(d, pairs[p][v][1], pairs[p][v][0]);
      sums[2 * p + 1][v] = hn::ConcatUpperUpper(d, pairs[p][v][1], pairs[p][v][0]);
    }
  }
}
#endif

// c[r][0..kVectors vectors) += sum over the blocks of scale * scale * (integer total), for kRows
// rows. kOutliers: there may be outlier blocks, whose high bytes are read from `a`, of which the
// strip begins at (row, block).
template <class Dot, class Weights, size_t kRows, size_t kVectors, bool kOutliers>
HWY_NOINLINE void MultiplyTileI8(const StripRowsI8& rows, const QuantizedRows& a, size_t row,
                                 size_t block, size_t blocks, const uint8_t* HWY_RESTRICT weights,
                                 const uint8_t* HWY_RESTRICT scales, float* HWY_RESTRICT c,
                                 size_t ldc) {
  const TileF32 df;
  const PanelI32 di;
  constexpr size_t kWordsOfBlock = Weights::template kWordsOfBlock<Dot>;
  const int32_t* HWY_RESTRICT words = rows.words[0];
  hn::Vec<TileF32> kept[kKeepsResults ? kRows : 1];
  if constexpr (kKeepsResults) {
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) kept[r] = hn::LoadU(df, c + r * ldc);
  }
  for (size_t b = 0; b < blocks;
       ++b, weights += kWordsOfBlock, scales += Weights::kScalesOfBlock, words += Dot::kWords) {
    typename Dot::Accumulator sums[kRows][kVectors];
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) {
      const auto initial = Dot::Initial(hn::Set(di, rows.initial[r][b]));
      HWY_UNROLL(16)
      for (size_t v = 0; v < kVectors; ++v) sums[r][v] = initial;
    }
    const int32_t* x_at = words;
    const uint8_t* w_at = weights;
    const auto step = [&](size_t) TINYVLM_LAMBDA {
      hn::Vec<PanelI32> w[kVectors];
      HWY_UNROLL(16)
      for (size_t v = 0; v < kVectors; ++v) w[v] = Weights::template Load<Dot>(w_at, v);
      HWY_UNROLL(16)
      for (size_t r = 0; r < kRows; ++r) {
        const auto x = hn::Set(di, x_at[r * kStripSteps]);
        HWY_UNROLL(16)
        for (size_t v = 0; v < kVectors; ++v) Dot::Accumulate(w[v], x, sums[r][v]);
      }
      w_at += kStepBytes;
      ++x_at;
    };
#if TINYVLM_ARM_INT8 == 2
    if constexpr (kRows % 2 == 0) {
      MultiplyBlockByPairs<Dot, Weights>(weights, words, sums);
    } else {
      ForEachIndex<Dot::kWords>(step);
    }
#else
    ForEachIndex<Dot::kWords>(step);
#endif
    if constexpr (Dot::kPasses == 2) {
      HWY_UNROLL(16)
      for (size_t r = 0; r < kRows; ++r) {
        HWY_UNROLL(16)
        for (size_t v = 0; v < kVectors; ++v) sums[r][v] = Dot::Double(sums[r][v]);
      }
      x_at = words;
      ForEachIndex<Dot::kWords>(step);
    }
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) {
      const float scale = rows.scales[r][b];
      HWY_UNROLL(16)
      for (size_t v = 0; v < kVectors; ++v) {
        auto total = Dot::Total(sums[r][v]);
        if constexpr (kOutliers) {
          if (a.IsOutlierBlock(row + r, block + b)) {
            const int32_t* const high = ByteWords(a.high, a.k, row + r, block + b);
            auto sum = Dot::Initial(hn::Set(di, rows.high_initial[r][b]));
            AddWords<Dot, Weights>(weights, v, high, sum);
            if constexpr (Dot::kPasses == 2) {
              sum = Dot::Double(sum);
              AddWords<Dot, Weights>(weights + Dot::kWords * kStepBytes, v, high, sum);
            }
            total = hn::Add(total, TimesHighStep(Dot::Total(sum)));
          }
        }
        const auto weight_scales = Weights::Scales(scales, v);
        if constexpr (kKeepsResults) {
          kept[r] = AddScaled(scale, weight_scales, total, kept[r]);
        } else {
          float* const to = c + r * ldc + v * kTileLanes;
          hn::StoreU(AddScaled(scale, weight_scales, total, hn::LoadU(df, to)), df, to);
        }
      }
    }
  }
  if constexpr (kKeepsResults) {
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) hn::StoreU(kept[r], df, c + r * ldc);
  }
}

// One strip of one panel: MultiplyTileI8 for each kTileVectorsI8 of its vectors.
template <class Dot, class Weights, size_t kRows, bool kOutliers>
HWY_INLINE void MultiplyPanelI8(const StripRowsI8& rows, const QuantizedRows& a, size_t row,
                                size_t block, size_t blocks, const PanelPointers& panel, float* c,
                                size_t ldc) {
  for (size_t v = 0; v < kTileVectors; v += kTileVectorsI8) {
    MultiplyTileI8<Dot, Weights, kRows, kTileVectorsI8, kOutliers>(
        rows, a, row, block, blocks, panel.words + v * kTileLanes * 4,
        panel.scales + v * kTileLanes * Weights::kScaleBytes, c + v * kTileLanes, ldc);
  }
}

// The initial accumulators for the high bytes of those of `blocks` blocks that are outlier blocks.
template <class Dot>
HWY_NOINLINE void GatherHighInitial(const QuantizedRows& a, size_t at, size_t blocks,
                                    int32_t* high_initial) {
  for (size_t b = 0; b < blocks; ++b) {
    if (a.outlier[at + b] != 0)
      high_initial[b] = hn::GetLane(InitialAccumulator<Dot>(a.high_sums[at + b]));
  }
}

// Copies kBlocks blocks of one row into the strip. Returns whether one of them is an outlier block
// whose high bytes must be multiplied separately.
template <class Dot, size_t kBlocks>
HWY_INLINE bool GatherBlocks(const QuantizedRows& a, size_t at, int32_t* HWY_RESTRICT words,
                             int32_t* HWY_RESTRICT initial, int32_t* HWY_RESTRICT high_initial,
                             float* HWY_RESTRICT scales) {
  const hn::CappedTag<int32_t, kBlocks> d;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<int32_t, kBlocks>());
  for (size_t b = 0; b < kBlocks; b += kLanes)
    hn::StoreU(Dot::InitialWords(d, hn::LoadU(d, a.low_sums + at + b)), d, initial + b);
  std::memcpy(scales, a.scales + at, kBlocks * sizeof(float));
  uint64_t outliers = 0;
  if constexpr (Dot::kInt16Activations) {
#ifdef __clang__
#pragma clang loop unroll(disable)
#endif
    for (size_t b = 0; b < kBlocks; ++b) {
      ExpandBlock(a.low + (at + b) * 32, a.outlier[at + b] != 0 ? a.high + (at + b) * 32 : nullptr,
                  words + b * Dot::kWords);
    }
  } else {
    std::memcpy(words, a.low + at * 32, kBlocks * 32);
    std::memcpy(&outliers, a.outlier + at, kBlocks);
    if (HWY_UNLIKELY(outliers != 0)) GatherHighInitial<Dot>(a, at, kBlocks, high_initial);
  }
  return outliers != 0;
}

// Fills `strip` from `count` rows. Returns whether one of their blocks is an outlier block whose
// high bytes must be multiplied separately. Copies have compile-time sizes: others are calls, and
// in wasm a call takes as long as a tile. Not inlined: it would be duplicated for every number of
// rows.
template <class Dot>
HWY_NOINLINE bool GatherStrip(const QuantizedRows& a, size_t row, size_t count, size_t block,
                              size_t blocks, StripRowsI8* HWY_RESTRICT strip) {
  bool outliers = false;
  for (size_t r = 0; r < count; ++r) {
    const size_t at = (row + r) * (a.k / 32) + block;
    if (blocks == kStripBlocks<Dot>) {
      outliers |= GatherBlocks<Dot, kStripBlocks<Dot>>(a, at, strip->words[r], strip->initial[r],
                                                       strip->high_initial[r], strip->scales[r]);
    } else {
      for (size_t b = 0; b < blocks; ++b) {
        outliers |= GatherBlocks<Dot, 1>(a, at + b, strip->words[r] + b * Dot::kWords,
                                         strip->initial[r] + b, strip->high_initial[r] + b,
                                         strip->scales[r] + b);
      }
    }
  }
  return outliers;
}

// Multiplies one strip (`blocks` blocks from `block` on) of kRows rows (from `row` on) by a group
// of panels. c points to the first row's result in the group's first column.
template <class Dot, class Weights, size_t kRows>
HWY_INLINE void MultiplyGroupI8(const QuantizedRows& a, size_t row, size_t block, size_t blocks,
                                const PanelPointers (&panels)[kGroupPanels],
                                const ScratchI8& scratch, float* c, size_t ldc, size_t columns) {
  StripRowsI8& rows = *scratch.rows();
  const bool outliers = GatherStrip<Dot>(a, row, kRows, block, blocks, &rows);
  for (size_t n = 0, p = 0; n < columns; n += kPanelRows, ++p) {
    const bool partial_panel = columns - n < kPanelRows;
    float* const to = partial_panel ? scratch.tile() : c + n;
    const size_t to_stride = partial_panel ? kPanelRows : ldc;
    if (partial_panel) CopyColumns(c + n, ldc, kRows, columns - n, to, kPanelRows);
    if (outliers) {  // never with int16 activations: they hold outliers already
      MultiplyPanelI8<Dot, Weights, kRows, !Dot::kInt16Activations>(rows, a, row, block, blocks,
                                                                    panels[p], to, to_stride);
    } else {
      MultiplyPanelI8<Dot, Weights, kRows, false>(rows, a, row, block, blocks, panels[p], to,
                                                  to_stride);
    }
    if (partial_panel) CopyColumns(to, kPanelRows, kRows, columns - n, c + n, ldc);
  }
}

// Unpacks `blocks` blocks of a packed panel into words [block][step][kStepBytes] and scales
// [block][16].
template <DType kType, class Dot>
HWY_NOINLINE void UnpackStrip(const uint8_t* HWY_RESTRICT panel, size_t blocks,
                              uint8_t* HWY_RESTRICT weights, float* HWY_RESTRICT scales) {
  for (size_t b = 0; b < blocks; ++b, panel += PackedType<kType>::kBlockBytes,
              weights += Dot::kSteps * kStepBytes, scales += kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) {
      hn::StoreU(LoadScales(panel, v), TileF32(), scales + v * kTileLanes);
      auto fifth = LoadFifthBits<kType>(panel, v);
      ForEachIndex<PackedType<kType>::kGroups>([&](size_t q) TINYVLM_LAMBDA {
        ForEachStepOfGroup<kType, Dot>(
            panel, q, v, fifth, [&](size_t step, hn::Vec<PanelI32> words) TINYVLM_LAMBDA {
              hn::StoreU(hn::BitCast(PanelU8(), words), PanelU8(),
                         weights + step * kStepBytes + v * kTileLanes * 4);
            });
      });
    }
  }
}

// C[m, n0..n1) += A * B^T for m rows.
template <DType kType, class Dot>
HWY_INLINE void MultiplyManyRowsI8(const QuantizedRows& a, size_t m, const PackedMatrix& B,
                                   float* c, size_t ldc, size_t n0, size_t n1,
                                   const ScratchI8& scratch) {
  using Weights = WeightsOfTile<kType, Dot>;
  const size_t blocks = B.k / 32, panel_bytes = PackScratchBytes(B.type, B.k);
  for (size_t n = n0; n < n1; n += kGroupPanels * kPanelRows) {
    const size_t columns = std::min(kGroupPanels * kPanelRows, n1 - n);
    if (columns % kPanelRows != 0) PackTail(B, scratch.tail());
    for (size_t b0 = 0; b0 < blocks; b0 += kStripBlocks<Dot>) {
      const size_t count = std::min(kStripBlocks<Dot>, blocks - b0);
      PanelPointers panels[kGroupPanels];
      for (size_t p = 0; p * kPanelRows < columns; ++p) {
        const uint8_t* const panel = columns - p * kPanelRows < kPanelRows
                                         ? scratch.tail()
                                         : B.data + (n / kPanelRows + p) * panel_bytes;
        const uint8_t* const from = panel + b0 * PackedType<kType>::kBlockBytes;
        if constexpr (kReadsPacked<kType, Dot>) {
          panels[p] = {from + kScaleBytes, from};
        } else {
          UnpackStrip<kType, Dot>(from, count, scratch.weights(p), scratch.scales(p));
          panels[p] = {scratch.weights(p), reinterpret_cast<const uint8_t*>(scratch.scales(p))};
        }
      }
      for (size_t r = 0, rows; r < m; r += rows) {
        float* const to = c + r * ldc + (n - n0);
        // 16 rows are faster as two tiles of 8 than as one of 12 and one of 4: four accumulators
        // are too few to hide the latency of the dot product.
        const size_t left = m - r;
        if (left >= kTileRowsI8 && (kTileRowsI8 <= 8 || left != 16)) {
          MultiplyGroupI8<Dot, Weights, kTileRowsI8>(a, r, b0, count, panels, scratch, to, ldc,
                                                     columns);
          rows = kTileRowsI8;
        } else if (kTileRowsI8 > 8 && left >= 8) {
          MultiplyGroupI8<Dot, Weights, std::min<size_t>(kTileRowsI8, 8)>(
              a, r, b0, count, panels, scratch, to, ldc, columns);
          rows = 8;
        } else if (kTileRowsI8 > 4 && left >= 4) {
          MultiplyGroupI8<Dot, Weights, std::min<size_t>(kTileRowsI8, 4)>(
              a, r, b0, count, panels, scratch, to, ldc, columns);
          rows = 4;
        } else if (kHasTileOfTwo && left >= 2) {
          MultiplyGroupI8<Dot, Weights, kHasTileOfTwo ? 2 : 1>(a, r, b0, count, panels, scratch, to,
                                                               ldc, columns);
          rows = 2;
        } else {
          MultiplyGroupI8<Dot, Weights, 1>(a, r, b0, count, panels, scratch, to, ldc, columns);
          rows = 1;
        }
      }
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
