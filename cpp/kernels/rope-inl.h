// SIMD code of rope.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_ROPE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_ROPE_INL_H_
#undef TINYVLM_KERNELS_ROPE_INL_H_
#else
#define TINYVLM_KERNELS_ROPE_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "kernels/relaxed-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

HWY_INLINE void ApplyRopeImpl(float* x, size_t heads, size_t head_dim, const float* cos,
                              const float* sin) {
  const hn::ScalableTag<float> d;
  const size_t half = head_dim / 2, lanes = hn::Lanes(d);
  for (size_t h = 0; h < heads; ++h, x += head_dim) {
    size_t i = 0;
    for (; i + lanes <= half; i += lanes) {
      const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + half + i), c = hn::LoadU(d, cos + i),
                 s = hn::LoadU(d, sin + i);
      hn::StoreU(MultiplyAdd(hn::Neg(b), s, hn::Mul(a, c)), d, x + i);
      hn::StoreU(MultiplyAdd(a, s, hn::Mul(b, c)), d, x + half + i);
    }
    if (i < half) {
      const size_t left = half - i;
      const auto a = hn::LoadN(d, x + i, left), b = hn::LoadN(d, x + half + i, left),
                 c = hn::LoadN(d, cos + i, left), s = hn::LoadN(d, sin + i, left);
      hn::StoreN(MultiplyAdd(hn::Neg(b), s, hn::Mul(a, c)), d, x + i, left);
      hn::StoreN(MultiplyAdd(a, s, hn::Mul(b, c)), d, x + half + i, left);
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
