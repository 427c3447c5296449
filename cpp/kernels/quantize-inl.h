// Lane code of quantize.h. Included once per target, after hwy/highway.h.
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

// A block stays in registers.
using QuantizeF32 = hn::CappedTag<float, 16>;
using QuantizeI32 = hn::RebindToSigned<QuantizeF32>;
inline constexpr size_t kQuantizeLanes = hn::MaxLanes(QuantizeF32()), kQuantizeVectors = 32 / kQuantizeLanes;

// The nearest integer, ties to even, of what is smaller than 2^22. wasm's conversion takes V8 about ten instructions; 1.5 * 2^23 in front leaves a sum no bits
// for a fraction.
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

// 32 integers of 8 bits to `out`, and their sums (quantize.h) to `sums`.
HWY_INLINE void StoreBytes(const hn::Vec<QuantizeI32> (&q)[kQuantizeVectors], int8_t* HWY_RESTRICT out, int32_t* HWY_RESTRICT sums) {
  const hn::Full128<int8_t> d8;
  const hn::Full128<int16_t> d16;
  const hn::Full128<int32_t> d32;
  if constexpr (kQuantizeLanes == 16) {
    const hn::Rebind<int8_t, QuantizeI32> dq;
    for (size_t v = 0; v < kQuantizeVectors; ++v) hn::StoreU(hn::DemoteTo(dq, q[v]), dq, out + v * kQuantizeLanes);
  } else {
    const hn::Repartition<int16_t, QuantizeI32> dh;
    const hn::Repartition<int8_t, QuantizeI32> dq;
    HWY_UNROLL(2)
    for (size_t v = 0; v < kQuantizeVectors; v += 4) {
      hn::StoreU(hn::OrderedDemote2To(dq, hn::OrderedDemote2To(dh, q[v], q[v + 1]), hn::OrderedDemote2To(dh, q[v + 2], q[v + 3])), dq, out + v * kQuantizeLanes);
    }
  }
  // Lanes of 32 bits hold two sums of 16 bits each.
  auto sum = hn::Add(AddBytePairs(hn::LoadU(d8, out)), AddBytePairs(hn::LoadU(d8, out + 16)));
  sum = hn::Add(sum, hn::BitCast(d16, hn::Shuffle1032(hn::BitCast(d32, sum))));
  sum = hn::Add(sum, hn::BitCast(d16, hn::Shuffle2301(hn::BitCast(d32, sum))));
  *sums = hn::GetLane(hn::BitCast(d32, sum));
}

// One block at x; `wide` and the sums are those of the block. Returns its scale. Not inlined: V8 replaces a wasm function by its optimised form between calls.
static HWY_NOINLINE HWY_MAYBE_UNUSED float QuantizeBlock(const float* HWY_RESTRICT x, int8_t* HWY_RESTRICT low, int8_t* HWY_RESTRICT high,
                                                         int32_t* HWY_RESTRICT low_sums, int32_t* HWY_RESTRICT high_sums, bool* HWY_RESTRICT wide) {
  const QuantizeF32 df;
  const QuantizeI32 di;
  hn::Vec<QuantizeF32> v[kQuantizeVectors];
  // The bits of absolute values are ordered like the values, with NaN above everything: unlike a float maximum this loses none.
  auto vmax = hn::Zero(di);
  HWY_UNROLL(8)
  for (size_t p = 0; p < kQuantizeVectors; ++p) {
    v[p] = hn::LoadU(df, x + p * kQuantizeLanes);
    vmax = hn::Max(vmax, hn::BitCast(di, hn::Abs(v[p])));
  }
  const float amax = hn::GetLane(hn::BitCast(df, hn::MaxOfLanes(di, vmax)));
  *wide = false;
  if (!(amax > 1e-30f && amax <= 3.402823466e38f)) {  // below, range / amax would overflow
    std::fill_n(low, 32, int8_t{0});
    *low_sums = 0;
    return amax <= 1e-30f ? 0.0f : amax * (1.0f / kNarrowRange);
  }
  const auto share = hn::Set(df, kOutlierShare * amax);
  if constexpr (kQuantizeLanes >= 8) {
    size_t large = 0;
    HWY_UNROLL(8)
    for (size_t p = 0; p < kQuantizeVectors; ++p) large += hn::CountTrue(df, hn::Gt(hn::Abs(v[p]), share));
    *wide = large <= kMaxOutliers;
  } else {  // counting what compared true is dear there
    auto minus_large = hn::Zero(di);
    HWY_UNROLL(8)
    for (size_t p = 0; p < kQuantizeVectors; ++p) {
      minus_large = hn::Add(minus_large, hn::BitCast(di, hn::VecFromMask(df, hn::Gt(hn::Abs(v[p]), share))));
    }
    *wide = hn::ReduceSum(di, minus_large) >= -static_cast<int32_t>(kMaxOutliers);
  }
  const float range = *wide ? float{kWideRange} : float{kNarrowRange}, step = *wide ? 1.0f / kWideRange : 1.0f / kNarrowRange;
  const auto inverse = hn::Set(df, range / amax);
  // |x * inverse| can exceed the range by a rounding error, never by half a unit, so the nearest integer is in it.
  hn::Vec<QuantizeI32> q[kQuantizeVectors];
  HWY_UNROLL(8)
  for (size_t p = 0; p < kQuantizeVectors; ++p) q[p] = NearestSmallInt(hn::Mul(v[p], inverse));
  if (*wide) {
    hn::Vec<QuantizeI32> h[kQuantizeVectors];
    HWY_UNROLL(8)
    for (size_t p = 0; p < kQuantizeVectors; ++p) {
      h[p] = NearestSmallInt(hn::Mul(hn::ConvertTo(df, q[p]), hn::Set(df, 1.0f / kWideStep)));  // an odd step leaves no ties
      q[p] = hn::Sub(q[p], hn::Sub(hn::ShiftLeft<8>(h[p]), h[p]));
    }
    StoreBytes(h, high, high_sums);
  }
  StoreBytes(q, low, low_sums);
  return amax * step;
}

HWY_INLINE void QuantizeBlocksImpl(const float* x, size_t stride, size_t m, size_t b0, size_t b1, const QuantizedRows& out) {
  const size_t blocks = out.k / 32;
  for (size_t r = 0; r < m; ++r) {
    for (size_t b = b0; b < b1; ++b) {
      const size_t at = r * blocks + b;
      bool wide;
      out.scales[at] = QuantizeBlock(x + r * stride + (b - b0) * 32, out.low + at * 32, out.high + at * 32, out.low_sums + at, out.high_sums + at, &wide);
      out.wide[at] = wide ? 1 : 0;
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
