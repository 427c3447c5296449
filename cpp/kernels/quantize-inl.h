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
  const hn::CappedTag<float, 16> df;
  const hn::RebindToSigned<decltype(df)> di;
  const hn::Rebind<int16_t, decltype(df)> dh;
  const hn::CappedTag<int16_t, 16> d16;
  const size_t lanes = hn::Lanes(df);
  for (size_t r = 0; r < m; ++r) {
    for (size_t b = 0; b < k / 32; ++b) {
      const float* const block = x + r * stride + b * 32;
      int16_t* const out = reinterpret_cast<int16_t*>(pairs + (r * (k / 32) + b) * kBlockPairs);  // even elements, then odd ones
      // The bits of absolute values are ordered like the values, with NaN above everything: unlike a float maximum this loses none.
      auto vmax = hn::Zero(di);
      for (size_t i = 0; i < 32; i += lanes) vmax = hn::Max(vmax, hn::BitCast(di, hn::Abs(hn::LoadU(df, block + i))));
      const float amax = hn::GetLane(hn::BitCast(df, hn::MaxOfLanes(di, vmax)));
      const auto share = hn::Set(df, kOutlierShare * amax);
      size_t large = 0;
      for (size_t i = 0; i < 32; i += lanes) large += hn::CountTrue(df, hn::Gt(hn::Abs(hn::LoadU(df, block + i)), share));
      const float range = large <= kMaxOutliers ? 32767.0f : 127.0f;
      scales[r * (k / 32) + b] = amax <= 1e-30f ? 0.0f : amax * (1.0f / range);
      if (!(amax > 1e-30f && amax <= 3.402823466e38f)) {  // below, range / amax would overflow
        std::fill_n(pairs + (r * (k / 32) + b) * kBlockPairs, kBlockPairs, 0);
        continue;
      }
      const auto inverse = hn::Set(df, range / amax);
      int16_t values[32];
      for (size_t i = 0; i < 32; i += lanes) {
        // |x * inverse| can exceed the range by a rounding error, never by half a unit, so the nearest integer is in it.
        const auto v = hn::NearestInt(hn::Mul(hn::LoadU(df, block + i), inverse));
        hn::StoreU(hn::DemoteTo(dh, v), dh, values + i);
      }
      for (size_t i = 0; i < 16; i += hn::Lanes(d16)) {
        hn::Vec<decltype(d16)> even, odd;
        hn::LoadInterleaved2(d16, values + 2 * i, even, odd);
        hn::StoreU(even, d16, out + i);
        hn::StoreU(odd, d16, out + 16 + i);
      }
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
