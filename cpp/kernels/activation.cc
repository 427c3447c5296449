#include "kernels/activation.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/activation.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/activation-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void Gelu(float* x, size_t n) { GeluImpl(x, n); }
void Relu(float* x, size_t n) { ReluImpl(x, n); }
void Sigmoid(float* x, size_t n) { SigmoidImpl(x, n); }
void SiluMul(const float* gate, const float* up, float* out, size_t n) {
  SiluMulImpl(gate, up, out, n);
}
void AddRows(const float* a, const float* b, size_t n, float* out) { AddRowsImpl(a, b, n, out); }
void ScaleAddRows(const float* x, const float* y, const float* gamma, size_t rows, size_t n,
                  float* out) {
  ScaleAddRowsImpl(x, y, gamma, rows, n, out);
}
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(Gelu);
void Gelu(float* x, size_t n) { HWY_DYNAMIC_DISPATCH(Gelu)(x, n); }
HWY_EXPORT(Relu);
void Relu(float* x, size_t n) { HWY_DYNAMIC_DISPATCH(Relu)(x, n); }
HWY_EXPORT(Sigmoid);
void Sigmoid(float* x, size_t n) { HWY_DYNAMIC_DISPATCH(Sigmoid)(x, n); }
HWY_EXPORT(SiluMul);
void SiluMul(const float* gate, const float* up, float* out, size_t n) {
  HWY_DYNAMIC_DISPATCH(SiluMul)(gate, up, out, n);
}
HWY_EXPORT(AddRows);
void AddRows(const float* a, const float* b, size_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(AddRows)(a, b, n, out);
}
HWY_EXPORT(ScaleAddRows);
void ScaleAddRows(const float* x, const float* y, const float* gamma, size_t rows, size_t n,
                  float* out) {
  HWY_DYNAMIC_DISPATCH(ScaleAddRows)(x, y, gamma, rows, n, out);
}
}  // namespace tinyvlm
#endif
