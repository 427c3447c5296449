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

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

HWY_INLINE void QuantizeRowsImpl(const float* x, size_t stride, size_t m, size_t k, int32_t* pairs, float* scales) {
  // A block stays in registers, every fourth element in a vector, so that pairs come out of whole vectors.
  const hn::CappedTag<float, 8> df;
  const hn::RebindToSigned<decltype(df)> di;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<float, 8>()), kParts = 8 / kLanes;
  using V = hn::Vec<decltype(df)>;
  for (size_t r = 0; r < m; ++r) {
    for (size_t b = 0; b < k / 32; ++b) {
      const float* const block = x + r * stride + b * 32;
      int32_t* const out = pairs + (r * (k / 32) + b) * kBlockPairs;
      V v[kParts][4];
      // The bits of absolute values are ordered like the values, with NaN above everything: unlike a float maximum this loses none.
      auto vmax = hn::Zero(di);
      HWY_UNROLL(8)
      for (size_t p = 0; p < kParts; ++p) {
        hn::LoadInterleaved4(df, block + p * 4 * kLanes, v[p][0], v[p][1], v[p][2], v[p][3]);
        HWY_UNROLL(4)
        for (size_t i = 0; i < 4; ++i) vmax = hn::Max(vmax, hn::BitCast(di, hn::Abs(v[p][i])));
      }
      const float amax = hn::GetLane(hn::BitCast(df, hn::MaxOfLanes(di, vmax)));
      const auto share = hn::Set(df, kOutlierShare * amax);
      auto minus_large = hn::Zero(di);
      HWY_UNROLL(8)
      for (size_t p = 0; p < kParts; ++p) {
        HWY_UNROLL(4)
        for (size_t i = 0; i < 4; ++i) minus_large = hn::Add(minus_large, hn::BitCast(di, hn::VecFromMask(df, hn::Gt(hn::Abs(v[p][i]), share))));
      }
      const float range = hn::ReduceSum(di, minus_large) >= -static_cast<int32_t>(kMaxOutliers) ? 32767.0f : 127.0f;
      scales[r * (k / 32) + b] = amax <= 1e-30f ? 0.0f : amax * (1.0f / range);
      if (!(amax > 1e-30f && amax <= 3.402823466e38f)) {  // below, range / amax would overflow
        std::fill_n(out, kBlockPairs, 0);
        continue;
      }
      const auto inverse = hn::Set(df, range / amax);
      const auto low_half = hn::Set(di, 0xffff);
      // |x * inverse| can exceed the range by a rounding error, never by half a unit, so the nearest integer is in it.
      const auto pair = [&](V low, V high) {
        return hn::Or(hn::And(hn::NearestInt(hn::Mul(low, inverse)), low_half), hn::ShiftLeft<16>(hn::NearestInt(hn::Mul(high, inverse))));
      };
      HWY_UNROLL(8)
      for (size_t p = 0; p < kParts; ++p) {
        hn::StoreU(pair(v[p][0], v[p][2]), di, out + p * kLanes);
        hn::StoreU(pair(v[p][1], v[p][3]), di, out + kBlockPairs / 2 + p * kLanes);
      }
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
