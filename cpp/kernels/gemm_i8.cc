#include "kernels/gemm.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm_i8.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/arm_int8.h"
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
#if TINYVLM_CHOOSES_ARM_INT8
namespace N_NEON_DOTPROD {  // gemm_i8_dotprod.cc
decltype(tinyvlm::GemmI8) GemmI8;
decltype(tinyvlm::GemmI8ScratchBytes) GemmI8ScratchBytes;
}  // namespace N_NEON_DOTPROD
namespace N_NEON_I8MM {  // gemm_i8_i8mm.cc
decltype(tinyvlm::GemmI8) GemmI8;
decltype(tinyvlm::GemmI8ScratchBytes) GemmI8ScratchBytes;
}  // namespace N_NEON_I8MM
#endif
HWY_EXPORT(GemmI8);
void GemmI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, const float* bias, float* c,
            size_t ldc, size_t n0, size_t n1, uint8_t* scratch, RelaxedDot relaxed_dot) {
#if TINYVLM_CHOOSES_ARM_INT8
  switch (ChosenArmInt8()) {
    case ArmInt8::kI8mm:
      return N_NEON_I8MM::GemmI8(a, m, B, bias, c, ldc, n0, n1, scratch, relaxed_dot);
    case ArmInt8::kDotProd:
      return N_NEON_DOTPROD::GemmI8(a, m, B, bias, c, ldc, n0, n1, scratch, relaxed_dot);
    case ArmInt8::kNeon:
      break;
  }
#endif
  HWY_DYNAMIC_DISPATCH(GemmI8)(a, m, B, bias, c, ldc, n0, n1, scratch, relaxed_dot);
}
HWY_EXPORT(GemmI8ScratchBytes);
size_t GemmI8ScratchBytes(size_t k) {
#if TINYVLM_CHOOSES_ARM_INT8
  switch (ChosenArmInt8()) {
    case ArmInt8::kI8mm:
      return N_NEON_I8MM::GemmI8ScratchBytes(k);
    case ArmInt8::kDotProd:
      return N_NEON_DOTPROD::GemmI8ScratchBytes(k);
    case ArmInt8::kNeon:
      break;
  }
#endif
  return HWY_DYNAMIC_DISPATCH(GemmI8ScratchBytes)(k);
}
}  // namespace tinyvlm
#endif
