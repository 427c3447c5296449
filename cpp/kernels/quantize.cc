#include "kernels/quantize.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/quantize-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void QuantizeRows(const float* x, size_t stride, size_t m, const QuantizedRows& out) { QuantizeRowsImpl(x, stride, m, out); }
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(QuantizeRows);
void QuantizeRows(const float* x, size_t stride, size_t m, const QuantizedRows& out) { HWY_DYNAMIC_DISPATCH(QuantizeRows)(x, stride, m, out); }
}  // namespace tinyvlm
#endif
