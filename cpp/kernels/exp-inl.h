// exp(x) for x <= 0, shared by softmax and the sigmoid. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_EXP_INL_H_
#undef TINYVLM_KERNELS_EXP_INL_H_
#else
#define TINYVLM_KERNELS_EXP_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// exp(x), x <= 0 or NaN, which stays NaN. Relative error below 2e-7 (8.1e-8 measured); below -87.33 (results that are not normal numbers) it is 0.
//
// x = n ln 2 + r with |r| <= ln 2 / 2, exp(x) = 2^n (1 + r + r^2 p(r)). p has degree 4 and the least maximum relative error (3.1e-9), found by weighted
// least squares with repeated reweighting.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ExpOfNonPositive(D d, V x) {
  const hn::RebindToSigned<D> di;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits, on every target alike.
  const V magic = hn::Set(d, 12582912.0f);
  const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504f), magic);
  const V n = hn::Sub(shifted, magic);
  // ln 2 in two parts; the first has 9 bits, so n times it is exact.
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::Set(d, 1.381448241e-3f);
  p = hn::MulAdd(p, r, hn::Set(d, 8.368780452e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.166839401e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.666652011e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.999999341e-1f));
  p = hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), hn::Set(d, 1.0f));
  const auto exponent = hn::Sub(hn::BitCast(di, shifted), hn::BitCast(di, magic));
  const V scale = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(exponent, hn::Set(di, 127))));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.33f)), hn::Mul(p, scale));
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
