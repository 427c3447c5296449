#include "image/resample.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/resample.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "image/resample-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void ResampleRows(const uint8_t* rows, size_t stride, const int32_t* weights, size_t count,
                  size_t width, uint8_t* out) {
  ResampleRowsImpl(rows, stride, weights, count, width, out);
}
void AddWeightedRow(const uint8_t* row, int32_t weight, size_t width, int32_t* sums) {
  AddWeightedRowImpl(row, weight, width, sums);
}
void RoundSums(const int32_t* sums, size_t width, uint8_t* out) { RoundSumsImpl(sums, width, out); }
void ResampleColumns(const uint8_t* rows, const InputSpan* spans, const int32_t* weights,
                     size_t weights_stride, size_t outputs, uint8_t* out) {
  ResampleColumnsImpl(rows, spans, weights, weights_stride, outputs, out);
}
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(ResampleRows);
void ResampleRows(const uint8_t* rows, size_t stride, const int32_t* weights, size_t count,
                  size_t width, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(ResampleRows)(rows, stride, weights, count, width, out);
}
HWY_EXPORT(AddWeightedRow);
void AddWeightedRow(const uint8_t* row, int32_t weight, size_t width, int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(AddWeightedRow)(row, weight, width, sums);
}
HWY_EXPORT(RoundSums);
void RoundSums(const int32_t* sums, size_t width, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(RoundSums)(sums, width, out);
}
HWY_EXPORT(ResampleColumns);
void ResampleColumns(const uint8_t* rows, const InputSpan* spans, const int32_t* weights,
                     size_t weights_stride, size_t outputs, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(ResampleColumns)(rows, spans, weights, weights_stride, outputs, out);
}
}  // namespace tinyvlm
#endif
