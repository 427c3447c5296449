// Softmax of a row of scores without the division, for attention. Included once per target, after
// hwy/highway.h.
#if defined(TINYVLM_KERNELS_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_SOFTMAX_INL_H_
#undef TINYVLM_KERNELS_SOFTMAX_INL_H_
#else
#define TINYVLM_KERNELS_SOFTMAX_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "kernels/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// *max = the largest of *max and x, then x = exp(x - *max), for n >= 1 values, in place; returns
// their sum. The caller divides by the sum of all keys, which is at least 1: once per output
// instead of once per key.
static HWY_NOINLINE HWY_MAYBE_UNUSED float SoftmaxNumerators(float* HWY_RESTRICT x, size_t n,
                                                             float* HWY_RESTRICT max_so_far) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto max = hn::Set(d, *max_so_far);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) max = hn::Max(max, hn::LoadU(d, x + i));
  if (i < n) max = hn::Max(max, hn::LoadNOr(max, d, x + i, n - i));
  max = hn::MaxOfLanes(d, max);
  *max_so_far = hn::GetLane(max);
  const ExpOfNonPositive<hn::ScalableTag<float>> exp;
  auto sum = hn::Zero(d);
  for (i = 0; i + lanes <= n; i += lanes) {
    const auto e = exp(hn::Sub(hn::LoadU(d, x + i), max));
    sum = hn::Add(sum, e);
    hn::StoreU(e, d, x + i);
  }
  if (i < n) {
    const auto e = hn::IfThenElseZero(hn::FirstN(d, n - i),
                                      exp(hn::Sub(hn::LoadNOr(max, d, x + i, n - i), max)));
    sum = hn::Add(sum, e);
    hn::StoreN(e, d, x + i, n - i);
  }
  return hn::ReduceSum(d, sum);
}

// exp(x), x <= 0.
HWY_INLINE float ExpOfOne(float x) {
  const hn::CappedTag<float, 1> d;
  return hn::GetLane(ExpOfNonPositive<decltype(d)>()(hn::Set(d, x)));
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
