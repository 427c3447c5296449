// Lane code of rope.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_ROPE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_ROPE_INL_H_
#undef TINYVLM_KERNELS_ROPE_INL_H_
#else
#define TINYVLM_KERNELS_ROPE_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

HWY_INLINE void ApplyRopeImpl(float* x, size_t heads, size_t head_dim, const float* cos, const float* sin) {
  const hn::ScalableTag<float> d;
  const size_t half = head_dim / 2, lanes = hn::Lanes(d);
  for (size_t h = 0; h < heads; ++h, x += head_dim) {
    for (size_t i = 0; i < half; i += lanes) {
      const size_t count = HWY_MIN(lanes, half - i);
      const auto a = hn::LoadN(d, x + i, count), b = hn::LoadN(d, x + half + i, count);
      const auto c = hn::LoadN(d, cos + i, count), s = hn::LoadN(d, sin + i, count);
      hn::StoreN(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, x + i, count);
      hn::StoreN(hn::MulAdd(a, s, hn::Mul(b, c)), d, x + half + i, count);
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
