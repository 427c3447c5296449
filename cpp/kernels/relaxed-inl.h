// The two instructions of wasm's relaxed SIMD that the kernels gain from and Highway does not emit; on other targets what stands in for them. Included once
// per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_RELAXED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_RELAXED_INL_H_
#undef TINYVLM_KERNELS_RELAXED_INL_H_
#else
#define TINYVLM_KERNELS_RELAXED_INL_H_
#endif

#include "hwy/highway.h"

#if HWY_TARGET == HWY_WASM && defined(__wasm_relaxed_simd__)
#include <wasm_simd128.h>
#define TINYVLM_RELAXED_SIMD 1
#else
#define TINYVLM_RELAXED_SIMD 0
#endif

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// a * b + c: rounded once where the machine has such an instruction, else twice. Which of the two is the same throughout a run.
template <class V>
HWY_INLINE V MultiplyAdd(V a, V b, V c) {
#if TINYVLM_RELAXED_SIMD
  return V{static_cast<decltype(a.raw)>(wasm_f32x4_relaxed_madd(a.raw, b.raw, c.raw))};
#else
  return hn::MulAdd(a, b, c);
#endif
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
