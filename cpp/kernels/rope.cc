#include "kernels/rope.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rope.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/rope-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void ApplyRope(float* x, size_t heads, size_t head_dim, const float* cos, const float* sin) {
  ApplyRopeImpl(x, heads, head_dim, cos, sin);
}
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(ApplyRope);
void ApplyRope(float* x, size_t heads, size_t head_dim, const float* cos, const float* sin) {
  HWY_DYNAMIC_DISPATCH(ApplyRope)(x, heads, head_dim, cos, sin);
}
}  // namespace tinyvlm
#endif
