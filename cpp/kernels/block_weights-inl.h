// Packed weights (pack.h) -> the words that a Dot (block_dot-inl.h) reads, and which Dot multiplies
// which type on this target. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_BLOCK_WEIGHTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_BLOCK_WEIGHTS_INL_H_
#undef TINYVLM_KERNELS_BLOCK_WEIGHTS_INL_H_
#else
#define TINYVLM_KERNELS_BLOCK_WEIGHTS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/block_dot-inl.h"
#include "kernels/pack.h"
#include "kernels/unpack_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Which Dot multiplies int8 weights: Tile for many rows, where panels are unpacked once for all of
// them; Row for few, where a word of weights is multiplied as soon as it is read.
template <Int8Instruction kInstruction>
struct DotsForInt8 {
  using Tile = Int16Dot<0>;
  using Row = RawByteDot;
};

// The same for 4-bit and 5-bit codes, where weight = code - kCodeZeroPoint. Int16Dot subtracts the
// zero point from each weight when it unpacks for many rows, and from the accumulator for few.
template <int kCodeZeroPoint, Int8Instruction kInstruction>
struct DotsForNibbles {
  using Tile = Int16Dot<0>;
  using Row = Int16Dot<kCodeZeroPoint>;
};

#if TINYVLM_INT8_DOT4
template <>
struct DotsForInt8<Int8Instruction::kDot4> {
#if TINYVLM_RELAXED_SIMD
  using Tile = SplitDot4;
  using Row = SplitRowDot4;
#else
  using Tile = Int8Dot4<128>;
  using Row = Tile;
#endif
};

template <int kCodeZeroPoint>
struct DotsForNibbles<kCodeZeroPoint, Int8Instruction::kDot4> {
  using Tile = Int8Dot4<kCodeZeroPoint>;
  using Row = Tile;
};
#endif

#if TINYVLM_INT8_DOT2
template <int kCodeZeroPoint>
struct DotsForNibbles<kCodeZeroPoint, Int8Instruction::kDot2> {
  using Tile = Int8Dot2<kCodeZeroPoint>;
  using Row = Tile;
};
#endif

// The packed block of a type: kGroups groups of four bytes per output after its scales, kBlockBytes
// in all, and its Dots.
template <DType kType>
struct PackedType;

template <>
struct PackedType<DType::kQ8_0> {
  static constexpr size_t kGroups = 8, kBlockBytes = kBlockBytesQ8;
  template <Int8Instruction kInstruction>
  using Dots = DotsForInt8<kInstruction>;
};

template <int kCodeZeroPoint, size_t kBytes>
struct PackedNibbles {
  static constexpr size_t kGroups = 4, kBlockBytes = kBytes;
  template <Int8Instruction kInstruction>
  using Dots = DotsForNibbles<kCodeZeroPoint, kInstruction>;
};

template <>
struct PackedType<DType::kQ4_0> : PackedNibbles<8, kBlockBytesQ4> {};

template <>
struct PackedType<DType::kQ5_0> : PackedNibbles<16, kBlockBytesQ5> {};

// The Dot for many rows, and the Dot for few.
template <DType kType, Int8Instruction kInstruction>
using TileDot = typename PackedType<kType>::template Dots<kInstruction>::Tile;
template <DType kType, Int8Instruction kInstruction>
using RowDot = typename PackedType<kType>::template Dots<kInstruction>::Row;

// The fifth bits of a Q5_0 block: bit e of an output's word belongs to element e. Zero for other
// types.
template <DType kType>
HWY_INLINE hn::Vec<PanelI32> LoadFifthBits(const uint8_t* block, size_t v) {
  if constexpr (kType == DType::kQ5_0) return LoadWord(block + kScaleBytes, 0, v);
  return hn::Zero(PanelI32());
}

// Moves bits 0..3 of each word to bit 4 of bytes 0..3. The multiplication makes four shifted
// copies, which do not overlap.
HWY_INLINE hn::Vec<PanelI32> SpreadFifthBits(hn::Vec<PanelI32> bits) {
  const PanelI32 d;
  return hn::And(
      hn::Mul(hn::And(bits, hn::Set(d, 15)), hn::Set(d, 1 << 4 | 1 << 11 | 1 << 18 | 1 << 25)),
      hn::Set(d, 0x10101010));
}

// Calls use(step, words) for each step in group q of a packed block, for vector v of the panel: one
// step for int8 weights, two for nibbles, and twice as many for int16 pairs (even and odd bytes).
// `words` hold the weights plus Dot::kZeroPoint. `fifth` comes from LoadFifthBits and is shifted
// along, so q must run 0, 1, 2, ...
template <DType kType, class Dot, class Use>
HWY_INLINE void ForEachStepOfGroup(const uint8_t* HWY_RESTRICT block, size_t q, size_t v,
                                   hn::Vec<PanelI32>& fifth, const Use& use) {
  const PanelI32 d;
  constexpr int kCodeZeroPoint = kType == DType::kQ5_0 ? 16 : 8;
  // Four codes (0..15 or 0..31) in the bytes of each lane -> words.
  const auto use_codes = [&](size_t step, hn::Vec<PanelI32> codes) TINYVLM_LAMBDA {
    if constexpr (Dot::kInt16Activations) {
      const hn::Repartition<uint16_t, PanelI32> du;
      const auto off =
          hn::Set(PanelI16(), static_cast<int16_t>(Dot::kZeroPoint == 0 ? kCodeZeroPoint : 0));
      use(step,
          hn::BitCast(
              d, hn::Sub(hn::BitCast(PanelI16(), hn::And(codes, hn::Set(d, 0x00ff00ff))), off)));
      use(8 + step,
          hn::BitCast(
              d, hn::Sub(hn::BitCast(PanelI16(), hn::ShiftRight<8>(hn::BitCast(du, codes))), off)));
    } else if constexpr (Dot::kZeroPoint == 0) {
      use(step, hn::BitCast(d, hn::Sub(hn::BitCast(PanelI8(), codes),
                                       hn::Set(PanelI8(), static_cast<int8_t>(kCodeZeroPoint)))));
    } else {
      use(step, codes);
    }
  };
  if constexpr (kType == DType::kQ8_0) {
    const auto raw = LoadGroup(block, q, v);
    if constexpr (std::is_same_v<Dot, RawByteDot>) {
      const auto shifted = hn::Xor(raw, hn::Set(d, 0x00800080));
      use(q, shifted);
      use(8 + q, hn::BitCast(d, OddPair(shifted)));
    } else if constexpr (Dot::kInt16Activations) {
      use(q, hn::BitCast(d, EvenPair(raw)));
      use(8 + q, hn::BitCast(d, OddPair(raw)));
    } else {
      const auto shifted = Dot::FromInt8(raw);
      if constexpr (Dot::kPasses == 2) {
        use(q, UpperSevenBits(shifted));
        use(8 + q, LowestBit(shifted));
      } else {
        use(q, shifted);
      }
    }
  } else {
    constexpr size_t kNibbles = kType == DType::kQ5_0 ? kScaleBytes + 4 * kPanelRows : kScaleBytes;
    const auto raw = LoadWord(block + kNibbles, q, v), mask = hn::Set(d, 0x0f0f0f0f);
    // Low nibbles are elements 0..15, high nibbles 16..31.
    auto low = hn::And(raw, mask), high = hn::And(hn::ShiftRight<4>(raw), mask);
    if constexpr (kType == DType::kQ5_0) {
      low = hn::Or(low, SpreadFifthBits(fifth));
      high = hn::Or(high, SpreadFifthBits(hn::ShiftRight<16>(fifth)));
      fifth = hn::ShiftRight<4>(fifth);
    }
    use_codes(q, low);
    use_codes(4 + q, high);
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
