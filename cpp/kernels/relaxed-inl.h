// What Highway lacks for wasm: three instructions of relaxed SIMD (multiply-add, two int8 dot
// products), sums of neighbouring lanes, constants that V8 keeps in registers. Other targets get
// equivalents. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_RELAXED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_RELAXED_INL_H_
#undef TINYVLM_KERNELS_RELAXED_INL_H_
#else
#define TINYVLM_KERNELS_RELAXED_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

#if HWY_TARGET == HWY_WASM
#include <wasm_simd128.h>
#endif
#if HWY_TARGET == HWY_WASM && defined(__wasm_relaxed_simd__)
#define TINYVLM_RELAXED_SIMD 1
#else
#define TINYVLM_RELAXED_SIMD 0
#endif

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// a * b + c: rounded once where the machine has such an instruction, else twice; the same way
// throughout a run.
template <class V>
HWY_INLINE V MultiplyAdd(V a, V b, V c) {
#if TINYVLM_RELAXED_SIMD
  return V{static_cast<decltype(a.raw)>(wasm_f32x4_relaxed_madd(a.raw, b.raw, c.raw))};
#else
  return hn::MulAdd(a, b, c);
#endif
}

#if TINYVLM_RELAXED_SIMD || (HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3)
// Sums of two neighbouring products of weights 0..127 and signed activations, as int16. Machines
// differ for sums that do not fit in int16 and for weights of eight bits; neither happens here
// (2 * 127 * 128 = 32512).
template <class VWeights, class VActivations>
HWY_INLINE hn::Vec<hn::Repartition<int16_t, hn::DFromV<VActivations>>> DotU7I8(
    VWeights weights, VActivations activations) {
  const hn::Repartition<int16_t, hn::DFromV<VActivations>> d16;
#if TINYVLM_RELAXED_SIMD
  return hn::Vec<decltype(d16)>{static_cast<decltype(hn::Zero(d16).raw)>(
      wasm_i16x8_relaxed_dot_i8x16_i7x16(activations.raw, weights.raw))};
#else
  return hn::SatWidenMulPairwiseAdd(d16, weights, activations);
#endif
}
#endif

#if TINYVLM_RELAXED_SIMD
// sums + sums of four neighbouring products of weights 0..127 and signed activations, as int32:
// exact everywhere for the same reason. One instruction where HasFastDotAdd (relaxed_dots.h), else
// about four.
template <class VWeights, class VActivations, class VSums>
HWY_INLINE VSums AddDotU7I8(VWeights weights, VActivations activations, VSums sums) {
  return VSums{static_cast<decltype(sums.raw)>(
      wasm_i32x4_relaxed_dot_i8x16_i7x16_add(activations.raw, weights.raw, sums.raw))};
}
#endif

// Sums of two neighbouring int16 lanes, as int32. wasm's instruction needs no vector of ones, which
// V8 would rebuild at every use.
template <class V>
HWY_INLINE hn::Vec<hn::Repartition<int32_t, hn::DFromV<V>>> AddPairs(V v) {
  const hn::Repartition<int32_t, hn::DFromV<V>> d32;
#if HWY_TARGET == HWY_WASM
  return hn::Vec<decltype(d32)>{
      static_cast<decltype(hn::Zero(d32).raw)>(wasm_i32x4_extadd_pairwise_i16x8(v.raw))};
#else
  return hn::WidenMulPairwiseAdd(d32, v, hn::Set(hn::DFromV<V>(), int16_t{1}));
#endif
}

// Sums of two neighbouring int8 lanes, as int16.
template <class V>
HWY_INLINE hn::Vec<hn::Repartition<int16_t, hn::DFromV<V>>> AddBytePairs(V v) {
#if HWY_TARGET == HWY_WASM
  const hn::Repartition<int16_t, hn::DFromV<V>> d16;
  return hn::Vec<decltype(d16)>{
      static_cast<decltype(hn::Zero(d16).raw)>(wasm_i16x8_extadd_pairwise_i8x16(v.raw))};
#elif HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  const hn::Repartition<int16_t, hn::DFromV<V>> d16;
  return hn::SatWidenMulPairwiseAdd(d16, hn::Set(hn::RebindToUnsigned<hn::DFromV<V>>(), uint8_t{1}),
                                    v);
#else
  return hn::SumsOf2(v);
#endif
}

// Constants of a loop, each in every lane. V8 rebuilds visible constants in every iteration, by
// several instructions; values from memory it keeps in a register or on the stack (GELU of 64k
// values: 40 us and 25 us). `values` must be static, so that they have an address.
template <class D, size_t kCount>
HWY_INLINE void LoadConstants(D d, const float (&values)[kCount], hn::Vec<D> (&out)[kCount]) {
  const float* from = values;
#if HWY_TARGET == HWY_WASM
  asm("" : "+r"(from));
#endif
  HWY_UNROLL(16)
  for (size_t i = 0; i < kCount; ++i) out[i] = hn::Set(d, from[i]);
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
