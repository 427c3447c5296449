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

// max(x, 0) - a T(a) with a = |x|, where T(a) = erfc(a / sqrt(2)) / 2 is the tail of the normal distribution: what is approximated becomes small where x
// is large, so its rounding does too (a factor near 1 times x would lose 1e-6 at x = 5). T = 1 / (2 p^8); p, of degree 8, makes a T least wrong in its
// maximum on 0..6: 4.8e-8, found by weighted least squares with repeated reweighting. Beyond, p goes on growing; at 10 T is below 1e-19.
struct GeluOp {
  HWY_INLINE ActivationVec operator()(ActivationVec x) const {
    const ActivationF32 d;
    const auto a = hn::Min(hn::Abs(x), hn::Set(d, 10.0f));
    auto p = hn::Set(d, 2.932255046e-6f);
    p = hn::MulAdd(p, a, hn::Set(d, -1.674343026e-5f));
    p = hn::MulAdd(p, a, hn::Set(d, 9.755900692e-5f));
    p = hn::MulAdd(p, a, hn::Set(d, 1.114211304e-4f));
    p = hn::MulAdd(p, a, hn::Set(d, 9.805498022e-4f));
    p = hn::MulAdd(p, a, hn::Set(d, 8.59172485e-3f));
    p = hn::MulAdd(p, a, hn::Set(d, 4.478876636e-2f));
    p = hn::MulAdd(p, a, hn::Set(d, 9.973249957e-2f));
    p = hn::MulAdd(p, a, hn::Set(d, 1.0f));
    p = hn::Mul(p, p);
    p = hn::Mul(p, p);
    p = hn::Mul(p, p);
    const auto positive = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);  // a NaN stays
    return hn::Sub(positive, hn::Div(hn::Mul(a, hn::Set(d, 0.5f)), p));
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
