// Lane code of quantize.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_QUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_QUANTIZE_INL_H_
#undef TINYVLM_KERNELS_QUANTIZE_INL_H_
#else
#define TINYVLM_KERNELS_QUANTIZE_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

HWY_INLINE void QuantizeRowsI8Impl(const float* x, size_t stride, size_t m, size_t k, int8_t* q, float* scales) {
  const hn::CappedTag<float, 16> df;
  const hn::RebindToSigned<decltype(df)> di;
  const hn::Rebind<int8_t, decltype(df)> d8;
  const size_t lanes = hn::Lanes(df);
  for (size_t r = 0; r < m; ++r) {
    for (size_t b = 0; b < k / 32; ++b) {
      const float* const block = x + r * stride + b * 32;
      int8_t* const out = q + r * k + b * 32;
      // The bits of absolute values are ordered like the values, with NaN above everything: unlike a float maximum this loses none.
      auto vmax = hn::Zero(di);
      for (size_t i = 0; i < 32; i += lanes) vmax = hn::Max(vmax, hn::BitCast(di, hn::Abs(hn::LoadU(df, block + i))));
      const float amax = hn::GetLane(hn::BitCast(df, hn::MaxOfLanes(di, vmax)));
      scales[r * (k / 32) + b] = amax <= 1e-30f ? 0.0f : amax * (1.0f / 127.0f);
      if (!(amax > 1e-30f && amax <= 3.402823466e38f)) {  // below, 127 / amax would overflow
        for (size_t i = 0; i < 32; i += lanes) hn::StoreU(hn::Zero(d8), d8, out + i);
        continue;
      }
      const auto inverse = hn::Set(df, 127.0f / amax);
      for (size_t i = 0; i < 32; i += lanes) {
        // |x * inverse| can exceed 127 by a rounding error, never by half a unit, so the nearest integer is in range.
        const auto v = hn::NearestInt(hn::Mul(hn::LoadU(df, block + i), inverse));
        hn::StoreU(hn::DemoteTo(d8, v), d8, out + i);
      }
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
