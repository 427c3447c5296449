// The integer products of a block of 32 activations with 32 weights of 16 outputs, one output per lane of 32 bits: what differs between targets in GemmI8.
// Included once per target, after hwy/highway.h.
//
// A kind of products has
//   kSteps      steps that a block takes; a step multiplies one word of activations (32 bits) with kStepBytes bytes of weights, one word per output
//   kBias       what the weights in those words are larger by than the weights meant
//   kExpands    whether activations are expanded to pairs of 16 bits first (ExpandBlock), with which a wide block is like any other; else their words are
//               four consecutive low bytes each, and a wide block's high bytes are multiplied in a second go
//   Sum         what is added up; Start, Add and Total work on it. Total is exact: nothing saturates on any machine.
//
//   PairProducts  16 by 16 bits, two of them added to 32: pmaddwd, i32x4.dot_i16x8_s, smlal. The words of a block are its even bytes, then its odd ones
//                 (shifts alone make them); 32 products of 16 by 8 bits stay below 2^27, so wide blocks take no more than others.
//   ByteProducts  unsigned bytes of weights by signed ones of activations, four of them added to 32 bits: vpdpbusd. On Arm both are signed: sdot.
//   NibbleProducts  weights of 4 bits as 0..15 by signed bytes, two of them added to 16 bits, where a whole block is added up: pmaddubsw, wasm's
//                 i16x8.relaxed_dot_i8x16_i7x16. A lane starts with -8 times the activations that it will meet, so that it ends between -16256 and 16256;
//                 16-bit additions may wrap on the way. 8-bit weights have too many bits for that: taking the sign out first (psignb, pmaddubsw, pmaddwd,
//                 paddd) needs three instructions on the two multiplying ports of Zen 3 for what two pmaddwd do.
#if defined(TINYVLM_KERNELS_BLOCK_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_BLOCK_PRODUCTS_INL_H_
#undef TINYVLM_KERNELS_BLOCK_PRODUCTS_INL_H_
#else
#define TINYVLM_KERNELS_BLOCK_PRODUCTS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/pack.h"
#include "kernels/relaxed-inl.h"
#include "kernels/unpack_panel-inl.h"

// Which targets have the instructions (the smaller a target's number, the more it has).
#undef TINYVLM_BYTE_PRODUCTS
#undef TINYVLM_NIBBLE_PRODUCTS
#if (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL) || (HWY_ARCH_ARM && HWY_TARGET == HWY_NEON_BF16)
#define TINYVLM_BYTE_PRODUCTS 1
#else
#define TINYVLM_BYTE_PRODUCTS 0
#endif
#if !TINYVLM_BYTE_PRODUCTS && (TINYVLM_RELAXED_SIMD || (HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3))
#define TINYVLM_NIBBLE_PRODUCTS 1
#else
#define TINYVLM_NIBBLE_PRODUCTS 0
#endif

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using PanelI8 = hn::Repartition<int8_t, PanelI32>;

inline constexpr size_t kStepBytes = 4 * kPanelRows;

// The words of step `step` of rows v * kTileLanes and following; `weights` is the first row's step 0.
HWY_INLINE hn::Vec<PanelI32> LoadStep(const uint8_t* weights, size_t step, size_t v) { return LoadWord(weights, step, v); }

// The sums of a block (quantize.h), times -bias, in every lane.
template <int kBias>
HWY_INLINE hn::Vec<PanelI32> MinusBiased(hn::Vec<PanelI32> block_sums) {
  return hn::WidenMulPairwiseAdd(PanelI32(), hn::BitCast(PanelI16(), block_sums), hn::Set(PanelI16(), static_cast<int16_t>(-kBias)));
}

template <int kBias_>
struct PairProducts {
  static constexpr size_t kSteps = 16;
  static constexpr int kBias = kBias_;
  static constexpr bool kExpands = true;
  struct Sum {
    hn::Vec<PanelI32> even, odd;  // `odd` is used on Arm only
  };

  static HWY_INLINE Sum Start(hn::Vec<PanelI32> block_sums) {
    return {kBias == 0 ? hn::Zero(PanelI32()) : MinusBiased<kBias>(block_sums), hn::Zero(PanelI32())};
  }
  static HWY_INLINE void Add(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations, Sum& sum) {
    sum.even = hn::ReorderWidenMulAccumulate(PanelI32(), hn::BitCast(PanelI16(), weights), hn::BitCast(PanelI16(), activations), sum.even, sum.odd);
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) { return hn::RearrangeToOddPlusEven(sum.even, sum.odd); }
};

#if TINYVLM_BYTE_PRODUCTS

#if HWY_ARCH_X86
inline constexpr bool kSignedWeights = false;
#else
inline constexpr bool kSignedWeights = true;
#endif

template <int kBias_>
struct ByteProducts {
  static constexpr size_t kSteps = 8;
  static constexpr int kBias = kSignedWeights ? 0 : kBias_;
  static constexpr bool kExpands = false;
  using Sum = hn::Vec<PanelI32>;

  static HWY_INLINE Sum Start(hn::Vec<PanelI32> block_sums) {
    if constexpr (kSignedWeights) return hn::Zero(PanelI32());
    return MinusBiased<kBias_>(block_sums);
  }
  static HWY_INLINE void Add(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations, Sum& sum) {
    using Weights = std::conditional_t<kSignedWeights, PanelI8, PanelBytes>;
    sum = hn::SumOfMulQuadAccumulate(PanelI32(), hn::BitCast(Weights(), weights), hn::BitCast(PanelI8(), activations), sum);
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) { return sum; }
};

using ProductsQ8 = ByteProducts<128>;
using ProductsQ4 = ByteProducts<8>;
using RowProductsQ4 = ProductsQ4;

#elif TINYVLM_NIBBLE_PRODUCTS

struct NibbleProducts {
  static constexpr size_t kSteps = 8;
  static constexpr int kBias = 8;
  static constexpr bool kExpands = false;
  using Sum = hn::Vec<PanelI16>;

  static HWY_INLINE Sum Start(hn::Vec<PanelI32> block_sums) {
    return hn::Sub(hn::Zero(PanelI16()), hn::ShiftLeft<3>(hn::BitCast(PanelI16(), block_sums)));
  }
  static HWY_INLINE void Add(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations, Sum& sum) {
    sum = hn::Add(sum, DotU7I8(hn::BitCast(PanelBytes(), weights), hn::BitCast(PanelI8(), activations)));
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) { return AddPairs(sum); }
};

using ProductsQ8 = PairProducts<0>;
using ProductsQ4 = NibbleProducts;
using RowProductsQ4 = ProductsQ4;

#else

using ProductsQ8 = PairProducts<0>;
using ProductsQ4 = PairProducts<0>;
using RowProductsQ4 = PairProducts<8>;  // nibbles that are unpacked for one row only stay 0..15

#endif

// The words of a step of Q8_0 weights, from four bytes of each output: of pairs the even ones or the odd ones.
template <class Products, bool kOdd>
HWY_INLINE hn::Vec<PanelI32> WordsQ8(hn::Vec<PanelI32> raw) {
  if constexpr (Products::kExpands) {
    return hn::BitCast(PanelI32(), kOdd ? OddPair(raw) : EvenPair(raw));
  } else if constexpr (Products::kBias == 128) {
    return hn::Xor(raw, hn::Set(PanelI32(), static_cast<int32_t>(0x80808080u)));
  } else {
    return raw;
  }
}

// The same of Q4_0 weights: of the low or the high nibbles of four bytes.
template <class Products, bool kHigh, bool kOdd>
HWY_INLINE hn::Vec<PanelI32> WordsQ4(hn::Vec<PanelI32> raw) {
  if constexpr (Products::kExpands) {
    const auto nibbles = NibblePair<(kOdd ? 8 : 0) + (kHigh ? 4 : 0)>(raw);
    return hn::BitCast(PanelI32(), Products::kBias == 8 ? nibbles : hn::Sub(nibbles, hn::Set(PanelI16(), int16_t{8})));
  } else {
    const auto nibbles = hn::And(kHigh ? hn::ShiftRight<4>(raw) : raw, hn::Set(PanelI32(), 0x0f0f0f0f));
    if constexpr (Products::kBias == 8) return nibbles;
    return hn::BitCast(PanelI32(), hn::Sub(hn::BitCast(PanelI8(), nibbles), hn::Set(PanelI8(), int8_t{8})));
  }
}

// Calls use(step, words) for every step of a block, whose four bytes of each output LoadGroup finds at `block`, vector v of the panel.
template <class Products, bool kQ4, class Use>
HWY_INLINE void ForEachStep(const uint8_t* HWY_RESTRICT block, size_t v, const Use& use) {
  HWY_UNROLL(8)
  for (size_t q = 0; q < (kQ4 ? 4 : 8); ++q) {
    const auto raw = LoadGroup(block, q, v);
    if constexpr (kQ4) {  // high nibbles are elements 16 and following
      use(q, WordsQ4<Products, false, false>(raw));
      use(4 + q, WordsQ4<Products, true, false>(raw));
      if constexpr (Products::kExpands) {
        use(8 + q, WordsQ4<Products, false, true>(raw));
        use(12 + q, WordsQ4<Products, true, true>(raw));
      }
    } else {
      use(q, WordsQ8<Products, false>(raw));
      if constexpr (Products::kExpands) use(8 + q, WordsQ8<Products, true>(raw));
    }
  }
}

// The words of one block of activations as PairProducts reads them; high is null for a narrow block.
HWY_INLINE void ExpandBlock(const int8_t* HWY_RESTRICT low, const int8_t* HWY_RESTRICT high, int32_t* HWY_RESTRICT words) {
  const hn::CappedTag<int32_t, 8> d;
  const hn::Repartition<int16_t, decltype(d)> d16;
  const hn::Repartition<int8_t, decltype(d)> d8;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<int32_t, 8>());
  for (size_t i = 0; i < 8; i += kLanes) {
    const auto raw = hn::BitCast(d16, hn::LoadU(d8, low + 4 * i));
    auto even = hn::ShiftRight<8>(hn::ShiftLeft<8>(raw)), odd = hn::ShiftRight<8>(raw);
    if (high != nullptr) {
      const auto upper = hn::BitCast(d16, hn::LoadU(d8, high + 4 * i));
      even = hn::Add(even, hn::ShiftLeft<8>(upper));
      odd = hn::Add(odd, hn::AndNot(hn::Set(d16, int16_t{255}), upper));
    }
    hn::StoreU(hn::BitCast(d, even), d, words + i);
    hn::StoreU(hn::BitCast(d, odd), d, words + 8 + i);
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
