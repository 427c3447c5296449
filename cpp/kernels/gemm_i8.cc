#include "kernels/gemm.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm_i8.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/gemm_i8-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void GemmI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, const float* bias, float* c,
            size_t ldc, size_t n0, size_t n1, uint8_t* scratch, RelaxedDot relaxed_dot) {
  GemmI8Impl(a, m, B, bias, c, ldc, n0, n1, scratch, relaxed_dot);
}
size_t GemmI8ScratchBytes(size_t k) { return ScratchI8::Bytes(k); }
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(GemmI8);
void GemmI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, const float* bias, float* c,
            size_t ldc, size_t n0, size_t n1, uint8_t* scratch, RelaxedDot relaxed_dot) {
  HWY_DYNAMIC_DISPATCH(GemmI8)(a, m, B, bias, c, ldc, n0, n1, scratch, relaxed_dot);
}
HWY_EXPORT(GemmI8ScratchBytes);
size_t GemmI8ScratchBytes(size_t k) { return HWY_DYNAMIC_DISPATCH(GemmI8ScratchBytes)(k); }
}  // namespace tinyvlm
#endif
