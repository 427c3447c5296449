// QuantizeBlocks (quantize.h). Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_QUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_QUANTIZE_INL_H_
#undef TINYVLM_KERNELS_QUANTIZE_INL_H_
#else
#define TINYVLM_KERNELS_QUANTIZE_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/quantize.h"
#include "kernels/relaxed-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A block of 32 stays in registers: 2 to 8 vectors.
using QuantizeF32 = hn::CappedTag<float, 16>;
using QuantizeI32 = hn::RebindToSigned<QuantizeF32>;
inline constexpr size_t kQuantizeLanes = hn::MaxLanes(QuantizeF32()),
                        kQuantizeVectors = 32 / kQuantizeLanes;

// The nearest integer, ties to even; |v| < 2^22. V8 makes about ten instructions of wasm's own
// conversion; adding 1.5 * 2^23 leaves no bits for a fraction.
HWY_INLINE hn::Vec<QuantizeI32> NearestSmallInt(hn::Vec<QuantizeF32> v) {
#if HWY_TARGET == HWY_WASM
  const QuantizeF32 df;
  const QuantizeI32 di;
  const auto shift = hn::Set(df, 12582912.0f);
  return hn::Sub(hn::BitCast(di, hn::Add(v, shift)), hn::BitCast(di, shift));
#else
  return hn::NearestInt(v);
#endif
}

// Writes 32 int8 values to `out` and their two sums (QuantizedRows::low_sums) to `sums`.
HWY_INLINE void StoreBytes(const hn::Vec<QuantizeI32> (&q)[kQuantizeVectors],
                           int8_t* HWY_RESTRICT out, int32_t* HWY_RESTRICT sums) {
  const hn::Full128<int8_t> d8;
  const hn::Full128<int16_t> d16;
  const hn::Full128<int32_t> d32;
  if constexpr (kQuantizeLanes == 16) {
    const hn::Rebind<int8_t, QuantizeI32> dq;
    for (size_t v = 0; v < kQuantizeVectors; ++v)
      hn::StoreU(hn::DemoteTo(dq, q[v]), dq, out + v * kQuantizeLanes);
  } else {
    const hn::Repartition<int16_t, QuantizeI32> dh;
    const hn::Repartition<int8_t, QuantizeI32> dq;
    HWY_UNROLL(2)
    for (size_t v = 0; v < kQuantizeVectors; v += 4) {
      hn::StoreU(hn::OrderedDemote2To(dq, hn::OrderedDemote2To(dh, q[v], q[v + 1]),
                                      hn::OrderedDemote2To(dh, q[v + 2], q[v + 3])),
                 dq, out + v * kQuantizeLanes);
    }
  }
  // Each 32-bit lane holds two int16 sums.
  auto sum = hn::Add(AddBytePairs(hn::LoadU(d8, out)), AddBytePairs(hn::LoadU(d8, out + 16)));
  sum = hn::Add(sum, hn::BitCast(d16, hn::Shuffle1032(hn::BitCast(d32, sum))));
  sum = hn::Add(sum, hn::BitCast(d16, hn::Shuffle2301(hn::BitCast(d32, sum))));
  *sums = hn::GetLane(hn::BitCast(d32, sum));
}

// Quantises the block at x. Returns its scale; writes its values, sums and kind. Not inlined: V8
// switches a wasm function to its optimised code only between calls.
static HWY_NOINLINE HWY_MAYBE_UNUSED float QuantizeBlock(const float* HWY_RESTRICT x,
                                                         int8_t* HWY_RESTRICT low,
                                                         int8_t* HWY_RESTRICT high,
                                                         int32_t* HWY_RESTRICT low_sums,
                                                         int32_t* HWY_RESTRICT high_sums,
                                                         bool* HWY_RESTRICT is_outlier) {
  const QuantizeF32 df;
  const QuantizeI32 di;
  hn::Vec<QuantizeF32> v[kQuantizeVectors];
  // The bits of absolute values are ordered like the values, with NaN above all: unlike a float
  // maximum, this one never loses a NaN.
  auto vmax = hn::Zero(di);
  HWY_UNROLL(8)
  for (size_t p = 0; p < kQuantizeVectors; ++p) {
    v[p] = hn::LoadU(df, x + p * kQuantizeLanes);
    vmax = hn::Max(vmax, hn::BitCast(di, hn::Abs(v[p])));
  }
  const float amax = hn::GetLane(hn::BitCast(df, hn::MaxOfLanes(di, vmax)));
  *is_outlier = false;
  if (!(amax > 1e-30f && amax <= 3.402823466e38f)) {  // below, range / amax would overflow
    std::fill_n(low, 32, int8_t{0});
    *low_sums = 0;
    return amax <= 1e-30f ? 0.0f : amax * (1.0f / kInt8Range);
  }
  const auto share = hn::Set(df, kOutlierShare * amax);
  // If more than kMaxOutliers lanes have a maximum above the share, which is nearly always so, the
  // block is an int8 block without counting all values.
  if (HWY_UNLIKELY(hn::CountTrue(df, hn::Gt(hn::BitCast(df, vmax), share)) <= kMaxOutliers)) {
    size_t large = 0;
    HWY_UNROLL(8)
    for (size_t p = 0; p < kQuantizeVectors; ++p)
      large += hn::CountTrue(df, hn::Gt(hn::Abs(v[p]), share));
    *is_outlier = large <= kMaxOutliers;
  }
  const float range = *is_outlier ? float{kInt16Range} : float{kInt8Range},
              step = *is_outlier ? 1.0f / kInt16Range : 1.0f / kInt8Range;
  const auto inverse = hn::Set(df, range / amax);
  // |x * inverse| can exceed the range by a rounding error, never by half a unit, so the nearest
  // integer is in it.
  hn::Vec<QuantizeI32> q[kQuantizeVectors];
  HWY_UNROLL(8)
  for (size_t p = 0; p < kQuantizeVectors; ++p) q[p] = NearestSmallInt(hn::Mul(v[p], inverse));
  if (*is_outlier) {
    hn::Vec<QuantizeI32> h[kQuantizeVectors];
    HWY_UNROLL(8)
    for (size_t p = 0; p < kQuantizeVectors; ++p) {
      // The step is odd, so there are no ties.
      h[p] = NearestSmallInt(hn::Mul(hn::ConvertTo(df, q[p]), hn::Set(df, 1.0f / kHighStep)));
      q[p] = hn::Sub(q[p], hn::Sub(hn::ShiftLeft<8>(h[p]), h[p]));
    }
    StoreBytes(h, high, high_sums);
  }
  StoreBytes(q, low, low_sums);
  return amax * step;
}

#undef TINYVLM_QUANTIZES_FOUR
#if HWY_TARGET <= HWY_AVX3_DL && HWY_ARCH_X86
#define TINYVLM_QUANTIZES_FOUR 1
// Quantises four blocks: two neighbouring ones at x[0] and two at x[1], whose indices in `out`
// start at at[0] and at[1]. Returns false, having written nothing, unless all four are int8 blocks
// whose values are finite and not all tiny. With 512-bit vectors most of the time of a single block
// goes into maxima and sums across lanes; four blocks share them.
HWY_INLINE bool QuantizeFourInt8Blocks(const float* const (&x)[2], const size_t (&at)[2],
                                       const QuantizedRows& out) {
  constexpr size_t kBlocks = 4;
  const QuantizeF32 df;
  const QuantizeI32 di;
  const hn::Full256<int32_t> d256;
  const hn::Full128<int32_t> d128;
  const hn::Full128<float> df128;
  const hn::Full128<int64_t> d64;
  hn::Vec<QuantizeF32> v[kBlocks][2];
  hn::Vec<QuantizeI32> vmax[kBlocks];
  hn::Vec<decltype(d128)> quarter[kBlocks];
  HWY_UNROLL(4)
  for (size_t b = 0; b < kBlocks; ++b) {
    v[b][0] = hn::LoadU(df, x[b / 2] + b % 2 * 32);
    v[b][1] = hn::LoadU(df, x[b / 2] + b % 2 * 32 + 16);
    vmax[b] = hn::Max(hn::BitCast(di, hn::Abs(v[b][0])), hn::BitCast(di, hn::Abs(v[b][1])));
    const auto half = hn::Max(hn::LowerHalf(d256, vmax[b]), hn::UpperHalf(d256, vmax[b]));
    quarter[b] = hn::Max(hn::LowerHalf(d128, half), hn::UpperHalf(d128, half));
  }
  const auto low_pair =
      hn::BitCast(d64, hn::Max(hn::InterleaveLower(d128, quarter[0], quarter[1]),
                               hn::InterleaveUpper(d128, quarter[0], quarter[1])));
  const auto high_pair =
      hn::BitCast(d64, hn::Max(hn::InterleaveLower(d128, quarter[2], quarter[3]),
                               hn::InterleaveUpper(d128, quarter[2], quarter[3])));
  const auto amax =
      hn::BitCast(df128, hn::Max(hn::BitCast(d128, hn::InterleaveLower(d64, low_pair, high_pair)),
                                 hn::BitCast(d128, hn::InterleaveUpper(d64, low_pair, high_pair))));
  if (!hn::AllTrue(df128, hn::And(hn::Gt(amax, hn::Set(df128, 1e-30f)),
                                  hn::Le(amax, hn::Set(df128, 3.402823466e38f)))))
    return false;
  alignas(16) float shares[kBlocks], inverses[kBlocks];
  hn::Store(hn::Mul(amax, hn::Set(df128, kOutlierShare)), df128, shares);
  hn::Store(hn::Div(hn::Set(df128, float{kInt8Range}), amax), df128, inverses);
  HWY_UNROLL(4)
  for (size_t b = 0; b < kBlocks; ++b) {
    const auto share = hn::Set(df, shares[b]);
    if (HWY_LIKELY(hn::CountTrue(df, hn::Gt(hn::BitCast(df, vmax[b]), share)) > kMaxOutliers))
      continue;
    if (hn::CountTrue(df, hn::Gt(hn::Abs(v[b][0]), share)) +
            hn::CountTrue(df, hn::Gt(hn::Abs(v[b][1]), share)) <=
        kMaxOutliers)
      return false;
  }

  // Two blocks per vector of bytes. Narrowing works within 128-bit parts, so that the 32-bit words
  // come out of order and are permuted afterwards.
  const hn::Repartition<int16_t, QuantizeI32> d16;
  const hn::Repartition<int8_t, QuantizeI32> d8;
  alignas(64) static constexpr int32_t kOrder[16] = {0, 4, 8,  12, 1, 5, 9,  13,
                                                     2, 6, 10, 14, 3, 7, 11, 15};
  const auto order = hn::SetTableIndices(di, kOrder);
  hn::Vec<QuantizeI32> sums[2];
  HWY_UNROLL(2)
  for (size_t i = 0; i < 2; ++i) {
    const auto first = hn::Set(df, inverses[2 * i]), second = hn::Set(df, inverses[2 * i + 1]);
    const auto words = hn::BitCast(
        di, hn::ReorderDemote2To(
                d8,
                hn::ReorderDemote2To(d16, hn::NearestInt(hn::Mul(v[2 * i][0], first)),
                                     hn::NearestInt(hn::Mul(v[2 * i][1], first))),
                hn::ReorderDemote2To(d16, hn::NearestInt(hn::Mul(v[2 * i + 1][0], second)),
                                     hn::NearestInt(hn::Mul(v[2 * i + 1][1], second)))));
    const auto pairs = AddBytePairs(hn::BitCast(d8, words));
    // Adds neighbouring words: each sum appears twice in every four words.
    sums[i] =
        hn::BitCast(di, hn::Add(pairs, hn::BitCast(d16, hn::Shuffle2301(hn::BitCast(di, pairs)))));
    hn::StoreU(hn::BitCast(d8, hn::TableLookupLanes(words, order)), d8, out.low + at[i] * 32);
  }
  const hn::Repartition<int16_t, decltype(d256)> d16_256;
  const hn::Full128<int16_t> d16_128;
  const auto both = hn::OddEven(sums[1], sums[0]);  // blocks 0, 2, 1, 3
  const auto half = hn::Add(hn::BitCast(d16_256, hn::LowerHalf(d256, both)),
                            hn::BitCast(d16_256, hn::UpperHalf(d256, both)));
  const auto total =
      hn::BitCast(d128, hn::Add(hn::LowerHalf(d16_128, half), hn::UpperHalf(d16_128, half)));
  const auto low_sums = hn::InterleaveLower(d128, total, hn::Shuffle1032(total));
  const auto scales = hn::Mul(amax, hn::Set(df128, 1.0f / kInt8Range));
  const hn::Half<decltype(d128)> two_sums;
  const hn::Half<decltype(df128)> two_scales;
  hn::StoreU(hn::LowerHalf(two_sums, low_sums), two_sums, out.low_sums + at[0]);
  hn::StoreU(hn::UpperHalf(two_sums, low_sums), two_sums, out.low_sums + at[1]);
  hn::StoreU(hn::LowerHalf(two_scales, scales), two_scales, out.scales + at[0]);
  hn::StoreU(hn::UpperHalf(two_scales, scales), two_scales, out.scales + at[1]);
  for (const size_t place : at) std::fill_n(out.outlier + place, 2, uint8_t{0});
  return true;
}
#else
#define TINYVLM_QUANTIZES_FOUR 0
#endif

// Quantises block b of row r, which x points to.
HWY_INLINE void QuantizeOneBlock(const float* x, size_t r, size_t b, const QuantizedRows& out) {
  const size_t at = r * (out.k / 32) + b;
  bool is_outlier;
  out.scales[at] = QuantizeBlock(x, out.low + at * 32, out.high + at * 32, out.low_sums + at,
                                 out.high_sums + at, &is_outlier);
  out.outlier[at] = is_outlier ? 1 : 0;
}

HWY_INLINE void QuantizeBlocksImpl(const float* x, size_t stride, size_t m, size_t b0, size_t b1,
                                   const QuantizedRows& out) {
  size_t r = 0;
#if TINYVLM_QUANTIZES_FOUR
  const size_t blocks = out.k / 32;
  for (; r + 2 <= m; r += 2, x += 2 * stride) {
    const float* from = x;
    size_t b = b0;
    for (; b + 2 <= b1; b += 2, from += 64) {
      if (QuantizeFourInt8Blocks({from, from + stride}, {r * blocks + b, (r + 1) * blocks + b},
                                 out))
        continue;
      for (size_t i = 0; i < 4; ++i)
        QuantizeOneBlock(from + i / 2 * stride + i % 2 * 32, r + i / 2, b + i % 2, out);
    }
    if (b < b1) {
      QuantizeOneBlock(from, r, b, out);
      QuantizeOneBlock(from + stride, r + 1, b, out);
    }
  }
#endif
  for (; r < m; ++r, x += stride) {
    for (size_t b = b0; b < b1; ++b) QuantizeOneBlock(x + (b - b0) * 32, r, b, out);
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
