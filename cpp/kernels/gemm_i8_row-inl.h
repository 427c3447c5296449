// GemmI8 for a few rows (decode: one token is one row): packed panels are read in place, once per
// row. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_GEMM_I8_ROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_GEMM_I8_ROW_INL_H_
#undef TINYVLM_KERNELS_GEMM_I8_ROW_INL_H_
#else
#define TINYVLM_KERNELS_GEMM_I8_ROW_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

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

// sums[v] += dot products of one packed block of weights with the activation words at x.
template <DType kType, class Dot>
HWY_INLINE void AddRowBlock(const uint8_t* HWY_RESTRICT block, const int32_t* HWY_RESTRICT x,
                            typename Dot::Accumulator (&sums)[kTileVectors]) {
  hn::Vec<PanelI32> fifth[kTileVectors];
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) fifth[v] = LoadFifthBits<kType>(block, v);
  ForEachIndex<PackedType<kType>::kGroups>([&](size_t q) TINYVLM_LAMBDA {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) {
      ForEachStepOfGroup<kType, Dot>(
          block, q, v, fifth[v], [&](size_t step, hn::Vec<PanelI32> words) TINYVLM_LAMBDA {
            Dot::Accumulate(words, hn::Set(PanelI32(), x[step]), sums[v]);
          });
    }
  });
}

// Turns the totals of an outlier block's low bytes into the totals of the whole block. Not inlined:
// such blocks are rare.
template <DType kType, class Dot>
HWY_NOINLINE void AddOutlierRowBlock(const QuantizedRows& a, size_t row, size_t block,
                                     const uint8_t* panel,
                                     hn::Vec<PanelI32> (&totals)[kTileVectors]) {
  if constexpr (!Dot::kInt16Activations) {
    typename Dot::Accumulator sums[kTileVectors];
    for (size_t v = 0; v < kTileVectors; ++v)
      sums[v] = Dot::Initial(InitialAccumulator<Dot>(a.high_sums[row * (a.k / 32) + block]));
    AddRowBlock<kType, Dot>(panel, ByteWords(a.high, a.k, row, block), sums);
    for (size_t v = 0; v < kTileVectors; ++v)
      totals[v] = hn::Add(totals[v], TimesHighStep(Dot::Total(sums[v])));
  } else if constexpr (Dot::kInt8BlocksOnly) {  // recomputes the totals, with another Dot
    using Pairs = Int16Dot<0>;
    int32_t words[Pairs::kSteps];
    ExpandBlock(a.low + row * a.k + block * 32, a.high + row * a.k + block * 32, words);
    Pairs::Accumulator sums[kTileVectors];
    AddRowBlock<kType, Pairs>(panel, words, sums);
    for (size_t v = 0; v < kTileVectors; ++v) totals[v] = Pairs::Total(sums[v]);
  }
}

// c[0..16) += one row times one packed panel. Integer totals and the order of the blocks are those
// of MultiplyTileI8, so the result has the same bits. `expanded` and `initial` come from ExpandRow
// where Dot::kInt16Activations, and are not read otherwise.
template <DType kType, class Dot>
HWY_NOINLINE void MultiplyRowI8(const QuantizedRows& a, size_t row,
                                const int32_t* HWY_RESTRICT expanded,
                                const int32_t* HWY_RESTRICT initial,
                                const uint8_t* HWY_RESTRICT panel, float* HWY_RESTRICT c) {
  const TileF32 df;
  const size_t blocks = a.k / 32;
  const float* HWY_RESTRICT scales = a.scales + row * blocks;
  const int32_t* HWY_RESTRICT low_sums = a.low_sums + row * blocks;
  const int32_t* HWY_RESTRICT words =
      Dot::kInt16Activations ? expanded : ByteWords(a.low, a.k, row, 0);
  hn::Vec<TileF32> results[kTileVectors];
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) results[v] = hn::LoadU(df, c + v * kTileLanes);
  for (size_t b = 0; b < blocks;
       ++b, panel += PackedType<kType>::kBlockBytes, words += Dot::kWords) {
    typename Dot::Accumulator sums[kTileVectors];
    hn::Vec<PanelI32> totals[kTileVectors];
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) {
      sums[v] = Dot::Initial(Dot::kInt16Activations ? hn::Set(PanelI32(), initial[b])
                                                    : InitialAccumulator<Dot>(low_sums[b]));
    }
    AddRowBlock<kType, Dot>(panel, words, sums);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) totals[v] = Dot::Total(sums[v]);
    if (HWY_UNLIKELY(a.IsOutlierBlock(row, b)))
      AddOutlierRowBlock<kType, Dot>(a, row, b, panel, totals);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v)
      results[v] = AddScaled(scales[b], LoadScales(panel, v), totals[v], results[v]);
  }
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) hn::StoreU(results[v], df, c + v * kTileLanes);
}

// Writes the int16 words of a row and the initial accumulators of its blocks, for a Dot with
// kInt16Activations.
template <class Dot>
HWY_INLINE void ExpandRow(const QuantizedRows& a, size_t row, int32_t* HWY_RESTRICT words,
                          int32_t* HWY_RESTRICT initial) {
  const hn::CappedTag<int32_t, 1> one;
  for (size_t b = 0; b < a.k / 32; ++b, words += Dot::kWords) {
    const size_t at = row * (a.k / 32) + b;
    const bool outliers = a.outlier[at] != 0;
    if constexpr (Dot::kInt8BlocksOnly) {
      ExpandRawBlock(a.low + at * 32, words, initial + b);  // AddOutlierRowBlock ignores it
    } else {
      ExpandBlock(a.low + at * 32, outliers ? a.high + at * 32 : nullptr, words);
      const auto initial_of = [&](int32_t sums) TINYVLM_LAMBDA {
        return hn::GetLane(Dot::InitialWords(one, hn::Set(one, sums)));
      };
      initial[b] =
          initial_of(a.low_sums[at]) + (outliers ? kHighStep * initial_of(a.high_sums[at]) : 0);
    }
  }
}

// MultiplyRowI8 has this signature for every type and Dot.
using MultiplyRowFunction =
    decltype(&MultiplyRowI8<DType::kQ8_0, RowDot<DType::kQ8_0, kTargetInstruction>>);

// C[m, n0..n1) += A * B^T, one row after the other. `multiply_row` is MultiplyRowI8 for B's type
// and Dot: a function pointer, so that this loop is compiled once for all types with the same Dot.
template <class Dot>
HWY_NOINLINE void MultiplyFewRowsI8(const QuantizedRows& a, size_t m, const PackedMatrix& B,
                                    float* c, size_t ldc, size_t n0, size_t n1,
                                    const ScratchI8& scratch, MultiplyRowFunction multiply_row) {
  const size_t panel_bytes = PackScratchBytes(B.type, B.k);
  if (n1 % kPanelRows != 0) PackTail(B, scratch.tail());
  int32_t* const expanded = scratch.row_words(B.k);
  int32_t* const initial = scratch.row_initial(B.k);
  for (size_t r = 0; r < m; ++r) {
    if constexpr (Dot::kInt16Activations) ExpandRow<Dot>(a, r, expanded, initial);
    for (size_t n = n0; n < n1; n += kPanelRows) {
      const size_t columns = std::min(kPanelRows, n1 - n);
      const uint8_t* const panel =
          columns < kPanelRows ? scratch.tail() : B.data + n / kPanelRows * panel_bytes;
      float* const to = columns < kPanelRows ? scratch.tile() : c + r * ldc + (n - n0);
      if (columns < kPanelRows)
        CopyColumns(c + r * ldc + (n - n0), ldc, 1, columns, to, kPanelRows);
      multiply_row(a, r, expanded, initial, panel, to);
      if (columns < kPanelRows)
        CopyColumns(to, kPanelRows, 1, columns, c + r * ldc + (n - n0), ldc);
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
