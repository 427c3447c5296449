// SIMD code of norm.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_NORM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_NORM_INL_H_
#undef TINYVLM_KERNELS_NORM_INL_H_
#else
#define TINYVLM_KERNELS_NORM_INL_H_
#endif

#include <cmath>
#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using NormF32 = hn::ScalableTag<float>;
using NormVec = hn::Vec<NormF32>;

// Sum of x - shift, or of its square. Two accumulators hide the latency of the addition; beyond
// that memory is the limit.
template <bool kSquare>
HWY_INLINE float SumRow(const float* HWY_RESTRICT x, float shift, size_t n) {
  const NormF32 d;
  const size_t lanes = hn::Lanes(d);
  const auto s = hn::Set(d, shift);
  auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto a = hn::Sub(hn::LoadU(d, x + i), s), b = hn::Sub(hn::LoadU(d, x + i + lanes), s);
    sum0 = kSquare ? hn::MulAdd(a, a, sum0) : hn::Add(sum0, a);
    sum1 = kSquare ? hn::MulAdd(b, b, sum1) : hn::Add(sum1, b);
  }
  for (; i < n; i += lanes) {
    const size_t left = HWY_MIN(lanes, n - i);
    const auto a = hn::IfThenElseZero(hn::FirstN(d, left), hn::Sub(hn::LoadN(d, x + i, left), s));
    sum0 = kSquare ? hn::MulAdd(a, a, sum0) : hn::Add(sum0, a);
  }
  return hn::ReduceSum(d, hn::Add(sum0, sum1));
}

HWY_INLINE void LayerNormRowsImpl(const float* x, const float* weight, const float* bias,
                                  float epsilon, size_t rows, size_t n, float* out) {
  const NormF32 d;
  const size_t lanes = hn::Lanes(d);
  for (size_t r = 0; r < rows; ++r, x += n, out += n) {
    const float mean = SumRow<false>(x, 0.0f, n) / static_cast<float>(n);
    const float variance = SumRow<true>(x, mean, n) / static_cast<float>(n);
    const auto m = hn::Set(d, mean), scale = hn::Set(d, 1.0f / std::sqrt(variance + epsilon));
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      const auto y = hn::Mul(hn::Sub(hn::LoadU(d, x + i), m), scale);
      hn::StoreU(hn::MulAdd(y, hn::LoadU(d, weight + i), hn::LoadU(d, bias + i)), d, out + i);
    }
    if (i < n) {
      const auto y = hn::Mul(hn::Sub(hn::LoadN(d, x + i, n - i), m), scale);
      hn::StoreN(hn::MulAdd(y, hn::LoadN(d, weight + i, n - i), hn::LoadN(d, bias + i, n - i)), d,
                 out + i, n - i);
    }
  }
}

HWY_INLINE void RmsNormRowsImpl(const float* x, const float* weight, float epsilon, size_t rows,
                                size_t n, float* out) {
  const NormF32 d;
  const size_t lanes = hn::Lanes(d);
  for (size_t r = 0; r < rows; ++r, x += n, out += n) {
    const auto scale =
        hn::Set(d, 1.0f / std::sqrt(SumRow<true>(x, 0.0f, n) / static_cast<float>(n) + epsilon));
    size_t i = 0;
    for (; i + lanes <= n; i += lanes)
      hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + i), scale), hn::LoadU(d, weight + i)), d,
                 out + i);
    if (i < n)
      hn::StoreN(
          hn::Mul(hn::Mul(hn::LoadN(d, x + i, n - i), scale), hn::LoadN(d, weight + i, n - i)), d,
          out + i, n - i);
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
