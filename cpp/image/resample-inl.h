// SIMD code of resample.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_IMAGE_RESAMPLE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_IMAGE_RESAMPLE_INL_H_
#undef TINYVLM_IMAGE_RESAMPLE_INL_H_
#else
#define TINYVLM_IMAGE_RESAMPLE_INL_H_
#endif

#include "hwy/highway.h"
#include "image/resample.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Computes kResampleLanes outputs, three vectors at a time: as many as 512-bit vectors need, and
// enough to hide the latency of the multiplication.
HWY_INLINE void ResampleLanes(const uint8_t* HWY_RESTRICT rows, size_t stride,
                              const int32_t* HWY_RESTRICT weights, size_t count,
                              uint8_t* HWY_RESTRICT out) {
  const hn::CappedTag<int32_t, 16> d32;
  const hn::Rebind<uint8_t, decltype(d32)> d8;
  const size_t lanes = hn::Lanes(d32);
  const auto half = hn::Set(d32, kResampleStart);
  for (size_t i = 0; i < kResampleLanes; i += 3 * lanes) {
    auto sum0 = half, sum1 = half, sum2 = half;
    const uint8_t* row = rows + i;
    for (size_t t = 0; t < count; ++t, row += stride) {
      const auto weight = hn::Set(d32, weights[t]);
      sum0 = hn::Add(sum0, hn::Mul(weight, hn::PromoteTo(d32, hn::LoadU(d8, row))));
      sum1 = hn::Add(sum1, hn::Mul(weight, hn::PromoteTo(d32, hn::LoadU(d8, row + lanes))));
      sum2 = hn::Add(sum2, hn::Mul(weight, hn::PromoteTo(d32, hn::LoadU(d8, row + 2 * lanes))));
    }
    hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<kWeightBits>(sum0)), d8, out + i);
    hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<kWeightBits>(sum1)), d8, out + i + lanes);
    hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<kWeightBits>(sum2)), d8, out + i + 2 * lanes);
  }
}

HWY_INLINE void ResampleRowsImpl(const uint8_t* rows, size_t stride, const int32_t* weights,
                                 size_t count, size_t width, uint8_t* out) {
  for (size_t x = 0; x < width; x += kResampleLanes)
    ResampleLanes(rows + x, stride, weights, count, out + x);
}

HWY_INLINE void AddWeightedRowImpl(const uint8_t* HWY_RESTRICT row, int32_t weight, size_t width,
                                   int32_t* HWY_RESTRICT sums) {
  const hn::CappedTag<int32_t, 16> d32;
  const hn::Rebind<uint8_t, decltype(d32)> d8;
  const auto weights = hn::Set(d32, weight);
  for (size_t x = 0; x < width; x += hn::Lanes(d32)) {
    const auto values = hn::PromoteTo(d32, hn::LoadU(d8, row + x));
    hn::StoreU(hn::Add(hn::LoadU(d32, sums + x), hn::Mul(weights, values)), d32, sums + x);
  }
}

HWY_INLINE void RoundSumsImpl(const int32_t* HWY_RESTRICT sums, size_t width,
                              uint8_t* HWY_RESTRICT out) {
  const hn::CappedTag<int32_t, 16> d32;
  const hn::Rebind<uint8_t, decltype(d32)> d8;
  for (size_t x = 0; x < width; x += hn::Lanes(d32)) {
    const auto rounded = hn::ShiftRight<kWeightBits>(hn::LoadU(d32, sums + x));
    hn::StoreU(hn::DemoteTo(d8, rounded), d8, out + x);
  }
}

HWY_INLINE void ResampleColumnsImpl(const uint8_t* rows, const InputSpan* spans,
                                    const int32_t* weights, size_t weights_stride, size_t outputs,
                                    uint8_t* out) {
  for (size_t o = 0; o < outputs; ++o) {
    ResampleLanes(rows + spans[o].begin * kResampleLanes, kResampleLanes,
                  weights + o * weights_stride, spans[o].count, out + o * kResampleLanes);
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TINYVLM_IMAGE_RESAMPLE_INL_H_
