// Quantised activations (quantize.h) -> the int16 words that Dots with kInt16Activations read
// (block_dot-inl.h). Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_BLOCK_ACTIVATIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_BLOCK_ACTIVATIONS_INL_H_
#undef TINYVLM_KERNELS_BLOCK_ACTIVATIONS_INL_H_
#else
#define TINYVLM_KERNELS_BLOCK_ACTIVATIONS_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/quantize.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The 16 words of one block for Int16Dot: 8 pairs of elements 0 and 2 of every four, then 8 pairs
// of elements 1 and 3. `high` is null for an int8 block.
HWY_INLINE void ExpandBlock(const int8_t* HWY_RESTRICT low, const int8_t* HWY_RESTRICT high,
                            int32_t* HWY_RESTRICT words) {
  const hn::CappedTag<int32_t, 8> d;
  const hn::Repartition<int16_t, decltype(d)> d16;
  const hn::Repartition<int8_t, decltype(d)> d8;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<int32_t, 8>());
  for (size_t i = 0; i < 8; i += kLanes) {
    const auto raw = hn::BitCast(d16, hn::LoadU(d8, low + 4 * i));
    auto even = hn::ShiftRight<8>(hn::ShiftLeft<8>(raw)), odd = hn::ShiftRight<8>(raw);
    if (high != nullptr) {
      const auto upper = hn::BitCast(d16, hn::LoadU(d8, high + 4 * i));
      const auto step = hn::Set(d16, static_cast<int16_t>(kHighStep));
      even = hn::Add(even, hn::Mul(hn::ShiftRight<8>(hn::ShiftLeft<8>(upper)), step));
      odd = hn::Add(odd, hn::Mul(hn::ShiftRight<8>(upper), step));
    }
    hn::StoreU(hn::BitCast(d, even), d, words + i);
    hn::StoreU(hn::BitCast(d, odd), d, words + 8 + i);
  }
}

// The 16 words of an int8 block for RawByteDot, and its initial accumulator: -128 times the sum of
// the even activations.
HWY_INLINE void ExpandRawBlock(const int8_t* HWY_RESTRICT low, int32_t* HWY_RESTRICT words,
                               int32_t* HWY_RESTRICT initial) {
  const hn::CappedTag<int32_t, 8> d;
  const hn::Repartition<int16_t, decltype(d)> d16;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<int32_t, 8>());
  ExpandBlock(low, nullptr, words);
  auto sum = hn::Zero(d);
  for (size_t i = 0; i < 8; i += kLanes) {
    const auto even = hn::BitCast(d16, hn::LoadU(d, words + i)),
               odd = hn::BitCast(d16, hn::LoadU(d, words + 8 + i));
    hn::StoreU(hn::BitCast(d, hn::Sub(odd, hn::ShiftLeft<8>(even))), d, words + 8 + i);
    sum = hn::Add(sum, hn::WidenMulPairwiseAdd(d, even, hn::Set(d16, int16_t{-128})));
  }
  *initial = hn::ReduceSum(d, sum);
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
