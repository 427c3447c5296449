// Lane code of activation.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_ACTIVATION_INL_H_
#undef TINYVLM_KERNELS_ACTIVATION_INL_H_
#else
#define TINYVLM_KERNELS_ACTIVATION_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "kernels/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using ActivationF32 = hn::ScalableTag<float>;
using ActivationVec = hn::Vec<ActivationF32>;

// out[i] = op(a[i], b[i]); the tail runs through the same lanes, so that a value does not depend on where it stands.
template <class Op>
HWY_INLINE void ForEachPair(const float* a, const float* b, float* out, size_t n, Op op) {
  const ActivationF32 d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(op(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
  if (i < n) hn::StoreN(op(hn::LoadN(d, a + i, n - i), hn::LoadN(d, b + i, n - i)), d, out + i, n - i);
}

template <class Op>
HWY_INLINE void ForEach(float* x, size_t n, Op op) {
  const ActivationF32 d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(op(hn::LoadU(d, x + i)), d, x + i);
  if (i < n) hn::StoreN(op(hn::LoadN(d, x + i, n - i)), d, x + i, n - i);
}

// x (1/2 + x R(x^2)), where x R(x^2) is erf(x / sqrt(2)) / 2 up to |x| = 5.6; beyond, the true value differs from x or 0 by less than 6e-8. R = P / Q,
// both of degree 5 (all coefficients positive, so nothing cancels), makes x^2 R least wrong in its maximum: 2.9e-8, found by weighted least squares
// with repeated reweighting. Rounding adds a few units in the last place of x.
struct GeluOp {
  HWY_INLINE ActivationVec operator()(ActivationVec x) const {
    const ActivationF32 d;
    const auto limit = hn::Set(d, 5.6f);
    const auto t = hn::Min(hn::Mul(x, x), hn::Set(d, 31.36f));
    auto p = hn::Set(d, 2.17072463e-8f);
    auto q = hn::Set(d, 1.183478249e-6f);
    p = hn::MulAdd(p, t, hn::Set(d, 6.570158895e-6f));
    q = hn::MulAdd(q, t, hn::Set(d, 8.059873856e-5f));
    p = hn::MulAdd(p, t, hn::Set(d, 1.891141526e-4f));
    q = hn::MulAdd(q, t, hn::Set(d, 1.997818275e-3f));
    p = hn::MulAdd(p, t, hn::Set(d, 4.799447194e-3f));
    q = hn::MulAdd(q, t, hn::Set(d, 2.975128639e-2f));
    p = hn::MulAdd(p, t, hn::Set(d, 3.57579679e-2f));
    q = hn::MulAdd(q, t, hn::Set(d, 2.562951982e-1f));
    p = hn::MulAdd(p, t, hn::Set(d, 3.989419807e-1f));
    q = hn::MulAdd(q, t, hn::Set(d, 1.0f));
    const auto y = hn::Mul(x, hn::MulAdd(x, hn::Div(p, q), hn::Set(d, 0.5f)));
    // NaN compares false twice and stays.
    return hn::IfThenElse(hn::Gt(x, limit), x, hn::IfThenZeroElse(hn::Lt(x, hn::Neg(limit)), y));
  }
};

struct ReluOp {
  HWY_INLINE ActivationVec operator()(ActivationVec x) const {
    const ActivationF32 d;
    return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
  }
};

// 1 / (1 + e) or e / (1 + e) with e = exp(-|x|), which never overflows.
struct SigmoidOp {
  HWY_INLINE ActivationVec operator()(ActivationVec x) const {
    const ActivationF32 d;
    const auto one = hn::Set(d, 1.0f);
    const auto e = ExpOfNonPositive(d, hn::Neg(hn::Abs(x)));
    return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
  }
};

struct SiluMulOp {
  HWY_INLINE ActivationVec operator()(ActivationVec gate, ActivationVec up) const { return hn::Mul(hn::Mul(gate, SigmoidOp()(gate)), up); }
};

struct AddOp {
  HWY_INLINE ActivationVec operator()(ActivationVec a, ActivationVec b) const { return hn::Add(a, b); }
};

HWY_INLINE void GeluImpl(float* x, size_t n) { ForEach(x, n, GeluOp()); }
HWY_INLINE void ReluImpl(float* x, size_t n) { ForEach(x, n, ReluOp()); }
HWY_INLINE void SigmoidImpl(float* x, size_t n) { ForEach(x, n, SigmoidOp()); }
HWY_INLINE void SiluMulImpl(const float* gate, const float* up, float* out, size_t n) { ForEachPair(gate, up, out, n, SiluMulOp()); }
HWY_INLINE void AddRowsImpl(const float* a, const float* b, size_t n, float* out) { ForEachPair(a, b, out, n, AddOp()); }

HWY_INLINE void ScaleAddRowsImpl(const float* x, const float* y, const float* gamma, size_t rows, size_t n, float* out) {
  const ActivationF32 d;
  const size_t lanes = hn::Lanes(d);
  for (size_t r = 0; r < rows; ++r, x += n, y += n, out += n) {
    size_t i = 0;
    for (; i + lanes <= n; i += lanes) hn::StoreU(hn::MulAdd(hn::LoadU(d, gamma + i), hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d, out + i);
    if (i < n) {
      const size_t left = n - i;
      hn::StoreN(hn::MulAdd(hn::LoadN(d, gamma + i, left), hn::LoadN(d, y + i, left), hn::LoadN(d, x + i, left)), d, out + i, left);
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
