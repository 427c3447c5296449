#include "kernels/norm.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/norm.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/norm-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void LayerNormRows(const float* x, const float* weight, const float* bias, float epsilon,
                   size_t rows, size_t n, float* out) {
  LayerNormRowsImpl(x, weight, bias, epsilon, rows, n, out);
}
void RmsNormRows(const float* x, const float* weight, float epsilon, size_t rows, size_t n,
                 float* out) {
  RmsNormRowsImpl(x, weight, epsilon, rows, n, out);
}
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(LayerNormRows);
void LayerNormRows(const float* x, const float* weight, const float* bias, float epsilon,
                   size_t rows, size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(LayerNormRows)(x, weight, bias, epsilon, rows, n, out);
}
HWY_EXPORT(RmsNormRows);
void RmsNormRows(const float* x, const float* weight, float epsilon, size_t rows, size_t n,
                 float* out) {
  HWY_DYNAMIC_DISPATCH(RmsNormRows)(x, weight, epsilon, rows, n, out);
}
}  // namespace tinyvlm
#endif
