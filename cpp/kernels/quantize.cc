#include "kernels/quantize.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/quantize-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void QuantizeRowsI8(const float* x, size_t stride, size_t m, size_t k, int8_t* q, float* scales) { QuantizeRowsI8Impl(x, stride, m, k, q, scales); }
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(QuantizeRowsI8);
void QuantizeRowsI8(const float* x, size_t stride, size_t m, size_t k, int8_t* q, float* scales) {
  HWY_DYNAMIC_DISPATCH(QuantizeRowsI8)(x, stride, m, k, q, scales);
}
}  // namespace tinyvlm
#endif
