// SIMD code of activation.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_ACTIVATION_INL_H_
#undef TINYVLM_KERNELS_ACTIVATION_INL_H_
#else
#define TINYVLM_KERNELS_ACTIVATION_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "kernels/exp-inl.h"
#include "kernels/relaxed-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using ActivationF32 = hn::ScalableTag<float>;
using ActivationVec = hn::Vec<ActivationF32>;

// out[i] = op(a[i], b[i]); the remainder uses the same instructions, so that a value does not
// depend on its position.
template <class Op>
HWY_INLINE void ForEachPair(const float* a, const float* b, float* out, size_t n, const Op& op) {
  const ActivationF32 d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(op(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
  if (i < n)
    hn::StoreN(op(hn::LoadN(d, a + i, n - i), hn::LoadN(d, b + i, n - i)), d, out + i, n - i);
}

template <class Op>
HWY_INLINE void ForEach(float* x, size_t n, const Op& op) {
  const ActivationF32 d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(op(hn::LoadU(d, x + i)), d, x + i);
  if (i < n) hn::StoreN(op(hn::LoadN(d, x + i, n - i)), d, x + i, n - i);
}

// max(x, 0) - a T(a) with a = |x|, where T(a) = erfc(a / sqrt(2)) / 2 is the tail of the normal
// distribution: the approximated term is small where x is large, and so is its rounding error (a
// factor near 1 times x would lose 1e-6 at x = 5). T = p^8: no division, and the eighth root is so
// close to a straight line that p needs degree 7 only. p minimises the maximum error of a T on
// 0..6, weighted by the error that rounding the result leaves: 1.5e-7 below 2, 1.3e-7 below
// 4, 8.3e-8 above; found by sequential linear programming. a is clamped to 6, where a p^8
// is 2.3e-8.
class GeluOp {
 public:
  HWY_INLINE GeluOp() { LoadConstants(ActivationF32(), kConstants, c_); }

  HWY_INLINE ActivationVec operator()(ActivationVec x) const {
    const ActivationF32 d;
    // -|x|, so that the last step is a multiply-add
    const auto a = hn::Max(hn::Or(x, c_[0]), c_[1]);
    // Pairs of powers halve the dependency chain, which counts where a multiply-add is two
    // instructions (wasm simd: 32 us; as one chain 44 us).
    const auto a2 = hn::Mul(a, a), a4 = hn::Mul(a2, a2);
    auto p = MultiplyAdd(a2, MultiplyAdd(c_[2], a, c_[3]), MultiplyAdd(c_[4], a, c_[5]));
    const auto q = MultiplyAdd(a2, MultiplyAdd(c_[6], a, c_[7]), MultiplyAdd(c_[8], a, c_[9]));
    p = MultiplyAdd(p, a4, q);
    p = hn::Mul(p, p);
    p = hn::Mul(p, p);
    p = hn::Mul(p, p);
    const auto positive = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);  // keeps a NaN
    return MultiplyAdd(a, p, positive);
  }

 private:
  static constexpr float kConstants[] = {
      -0.0f,           -6.0f,           -3.135055067e-6f, -3.451247903e-5f, 4.521611118e-5f,
      1.642233343e-3f, 8.065602742e-4f, -3.185796738e-2f, 9.147441387e-2f,  9.170053601e-1f};
  ActivationVec c_[10];
};

struct ReluOp {
  HWY_INLINE ActivationVec operator()(ActivationVec x) const {
    const ActivationF32 d;
    return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
  }
};

// 1 + exp(-x), with x clamped to +-87: beyond, exp(-x) is lost in the sum, or the quotient is
// almost 0.
class OnePlusExpOfNeg {
 public:
  HWY_INLINE OnePlusExpOfNeg() {}

  HWY_INLINE ActivationVec operator()(ActivationVec x) const {
    const ActivationF32 d;
    return hn::Add(
        exp_(hn::Max(hn::Min(hn::Neg(x), hn::Set(d, kExpRange)), hn::Set(d, -kExpRange))),
        hn::Set(d, 1.0f));
  }

 private:
  Exp<ActivationF32> exp_;
};

class SigmoidOp {
 public:
  HWY_INLINE SigmoidOp() {}

  HWY_INLINE ActivationVec operator()(ActivationVec x) const {
    return hn::IfThenElse(hn::IsNaN(x), x,
                          hn::Div(hn::Set(ActivationF32(), 1.0f), one_plus_exp_(x)));
  }

 private:
  OnePlusExpOfNeg one_plus_exp_;
};

class SiluMulOp {
 public:
  HWY_INLINE SiluMulOp() {}

  HWY_INLINE ActivationVec operator()(ActivationVec gate, ActivationVec up) const {
    return hn::Div(hn::Mul(gate, up), one_plus_exp_(gate));
  }

 private:
  OnePlusExpOfNeg one_plus_exp_;
};

struct AddOp {
  HWY_INLINE ActivationVec operator()(ActivationVec a, ActivationVec b) const {
    return hn::Add(a, b);
  }
};

HWY_INLINE void GeluImpl(float* x, size_t n) { ForEach(x, n, GeluOp()); }
HWY_INLINE void ReluImpl(float* x, size_t n) { ForEach(x, n, ReluOp()); }
HWY_INLINE void SigmoidImpl(float* x, size_t n) { ForEach(x, n, SigmoidOp()); }
HWY_INLINE void SiluMulImpl(const float* gate, const float* up, float* out, size_t n) {
  ForEachPair(gate, up, out, n, SiluMulOp());
}
HWY_INLINE void AddRowsImpl(const float* a, const float* b, size_t n, float* out) {
  ForEachPair(a, b, out, n, AddOp());
}

HWY_INLINE void ScaleAddRowsImpl(const float* x, const float* y, const float* gamma, size_t rows,
                                 size_t n, float* out) {
  const ActivationF32 d;
  const size_t lanes = hn::Lanes(d);
  for (size_t r = 0; r < rows; ++r, x += n, y += n, out += n) {
    size_t i = 0;
    for (; i + lanes <= n; i += lanes)
      hn::StoreU(MultiplyAdd(hn::LoadU(d, gamma + i), hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d,
                 out + i);
    if (i < n) {
      const size_t left = n - i;
      hn::StoreN(MultiplyAdd(hn::LoadN(d, gamma + i, left), hn::LoadN(d, y + i, left),
                             hn::LoadN(d, x + i, left)),
                 d, out + i, left);
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
