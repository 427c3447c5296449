#include "kernels/depthwise_conv.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/depthwise_conv.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/depthwise_conv-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void DepthwiseConv(const DepthwiseShape& shape, const float* in, const float* weights,
                   const float* bias, size_t p0, size_t p1, float* out) {
  DepthwiseConvImpl(shape, in, weights, bias, p0, p1, out);
}
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(DepthwiseConv);
void DepthwiseConv(const DepthwiseShape& shape, const float* in, const float* weights,
                   const float* bias, size_t p0, size_t p1, float* out) {
  HWY_DYNAMIC_DISPATCH(DepthwiseConv)(shape, in, weights, bias, p0, p1, out);
}
}  // namespace tinyvlm
#endif
