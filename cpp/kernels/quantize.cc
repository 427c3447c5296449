#include "kernels/quantize.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/quantize-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void QuantizeBlocks(const float* x, size_t stride, size_t m, size_t b0, size_t b1,
                    const QuantizedRows& out) {
  QuantizeBlocksImpl(x, stride, m, b0, b1, out);
}
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(QuantizeBlocks);
void QuantizeBlocks(const float* x, size_t stride, size_t m, size_t b0, size_t b1,
                    const QuantizedRows& out) {
  HWY_DYNAMIC_DISPATCH(QuantizeBlocks)(x, stride, m, b0, b1, out);
}
void QuantizeRows(const float* x, size_t stride, size_t m, const QuantizedRows& out) {
  QuantizeBlocks(x, stride, m, 0, out.k / 32, out);
}
}  // namespace tinyvlm
#endif
