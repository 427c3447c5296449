// GemmI8 once more, for Arm processors with instructions that the Highway target of the build lacks
// (arm_int8.h). A source file defines TINYVLM_ARM_INT8 and includes this:
//
//   1  int8 dot products (dotprod): GemmI8 in the namespace N_NEON_DOTPROD
//   2  int8 matrix products, too (i8mm): in N_NEON_I8MM
//
// The vectors are Highway's of its static target. Only the functions of this project's own -inl.h
// files are compiled for further instructions, by attributes, and in a namespace of their own:
// whatever other files share with this one stays as it is, so that no processor meets what it does
// not have. Attributes, because options per file are not to be had in every build system.
#include "hwy/highway.h"
#include "kernels/arm_int8.h"

#if TINYVLM_CHOOSES_ARM_INT8

#if TINYVLM_ARM_INT8 == 1
#define TINYVLM_ARM_EXTENSIONS "+dotprod"
#define TINYVLM_ARM_NAMESPACE N_NEON_DOTPROD
#else
#define TINYVLM_ARM_EXTENSIONS "+dotprod+i8mm"
#define TINYVLM_ARM_NAMESPACE N_NEON_I8MM
#endif

namespace hwy {
namespace TINYVLM_ARM_NAMESPACE = HWY_NAMESPACE;
}  // namespace hwy

#undef HWY_NAMESPACE
#undef HWY_BEFORE_NAMESPACE
#undef HWY_AFTER_NAMESPACE
#undef HWY_ATTR
#define HWY_NAMESPACE TINYVLM_ARM_NAMESPACE
#define HWY_BEFORE_NAMESPACE()                \
  HWY_PUSH_ATTRIBUTES(TINYVLM_ARM_EXTENSIONS) \
  static_assert(true, "wants a semicolon")
#define HWY_AFTER_NAMESPACE() \
  HWY_POP_ATTRIBUTES          \
  static_assert(true, "wants a semicolon")
#define HWY_ATTR __attribute__((target(TINYVLM_ARM_EXTENSIONS)))

#include "kernels/gemm_i8-inl.h"  // after the macros

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void GemmI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, const float* bias, float* c,
            size_t ldc, size_t n0, size_t n1, uint8_t* scratch, RelaxedDot relaxed_dot) {
  GemmI8Impl(a, m, B, bias, c, ldc, n0, n1, scratch, relaxed_dot);
}
size_t GemmI8ScratchBytes(size_t k) { return ScratchI8::Bytes(k); }
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
