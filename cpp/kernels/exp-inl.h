// exp(x) for x <= 0, shared by softmax and the sigmoid. Included once per target, after
// hwy/highway.h.
#if defined(TINYVLM_KERNELS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_EXP_INL_H_
#undef TINYVLM_KERNELS_EXP_INL_H_
#else
#define TINYVLM_KERNELS_EXP_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/relaxed-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Beyond +-kExpRange exp(x) or exp(-x) is no normal number.
inline constexpr float kExpRange = 87.33f;

// exp(x) for |x| <= kExpRange, NaN for NaN. Relative error below 2e-7 (8.7e-8
// measured).
//
// x = n ln 2 + r with |r| <= ln 2 / 2, exp(x) = 2^n (1 + r + r^2 p(r)). p has degree 4 and the
// least maximum relative error (3.1e-9), found by weighted least squares with repeated reweighting.
template <class D>
class Exp {
 public:
  using V = hn::Vec<D>;
  HWY_INLINE Exp() { LoadConstants(D(), kConstants, c_); }

  HWY_INLINE V operator()(V x) const {
    const D d;
    const hn::RebindToSigned<D> di;
    const V shifted = MultiplyAdd(x, c_[0], c_[1]);
    const V n = hn::Sub(shifted, c_[1]);
    V r = MultiplyAdd(n, c_[2], x);
    r = MultiplyAdd(n, c_[3], r);
    const V r2 = hn::Mul(r, r);
    const V p = MultiplyAdd(MultiplyAdd(c_[4], r2, MultiplyAdd(c_[5], r, c_[6])), r2,
                            MultiplyAdd(c_[7], r, c_[8]));
    const V scale = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, shifted)));
    return MultiplyAdd(scale, MultiplyAdd(r2, p, r), scale);
  }

 private:
  static constexpr float kConstants[] = {
      1.44269504f,
      // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits, equally on every
      // target. The exponent's bias, 127, is added with it.
      12582912.0f + 127.0f,
      // ln 2 in two parts; the first has 9 bits, so n times it is exact.
      -0.693359375f, 2.12194440e-4f,
      // p
      1.381448241e-3f, 8.368780452e-3f, 4.166839401e-2f, 1.666652011e-1f, 4.999999341e-1f};
  V c_[9];
};

// exp(x) for x <= 0, NaN for NaN; 0 below -kExpRange.
template <class D>
class ExpOfNonPositive {
 public:
  using V = hn::Vec<D>;
  // Written out: an implicit constructor would not be compiled for the target.
  HWY_INLINE ExpOfNonPositive() {}

  HWY_INLINE V operator()(V x) const {
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(D(), -kExpRange)), exp_(x));
  }

 private:
  Exp<D> exp_;
};

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
