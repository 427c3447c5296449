#include "kernels/gemm.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm_f32.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/gemm_f32-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void GemmF32(const float* a, size_t lda, size_t m, const PackedMatrix& B, const float* bias,
             float* c, size_t ldc, size_t n0, size_t n1, float* scratch) {
  GemmF32Impl(a, lda, m, B, bias, c, ldc, n0, n1, scratch);
}
// a strip and the tail's panel, at most f32
size_t GemmF32ScratchFloats(size_t k) { return (kStripF32 + k) * kPanelRows; }
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(GemmF32);
void GemmF32(const float* a, size_t lda, size_t m, const PackedMatrix& B, const float* bias,
             float* c, size_t ldc, size_t n0, size_t n1, float* scratch) {
  HWY_DYNAMIC_DISPATCH(GemmF32)(a, lda, m, B, bias, c, ldc, n0, n1, scratch);
}
HWY_EXPORT(GemmF32ScratchFloats);
size_t GemmF32ScratchFloats(size_t k) { return HWY_DYNAMIC_DISPATCH(GemmF32ScratchFloats)(k); }
}  // namespace tinyvlm
#endif
