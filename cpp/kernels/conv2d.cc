#include "kernels/conv2d.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/conv2d-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void Conv2dStem(const float* in, size_t h, size_t w, size_t cout, const float* weights,
                const float* bias, size_t row_begin, size_t row_end, float* out) {
  Conv2dStemImpl(in, h, w, cout, weights, bias, row_begin, row_end, out);
}
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(Conv2dStem);
void Conv2dStem(const float* in, size_t h, size_t w, size_t cout, const float* weights,
                const float* bias, size_t row_begin, size_t row_end, float* out) {
  HWY_DYNAMIC_DISPATCH(Conv2dStem)(in, h, w, cout, weights, bias, row_begin, row_end, out);
}
}  // namespace tinyvlm
#endif
