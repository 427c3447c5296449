// The integer products of a block of 32 activations with 32 weights of 16 outputs, one output per lane of 32 bits: what differs between targets in GemmI8.
// Included once per target, after hwy/highway.h.
//
// A kind of products has
//   kSteps      steps that a block takes; a step multiplies one word of activations (32 bits) with kStepBytes bytes of weights, one word per output
//   kBias       what the weights in those words are larger by than the weights meant
//   kExpands    whether activations are expanded to pairs of 16 bits first (ExpandBlock), with which a wide block is like any other; else their words are
//               four consecutive low bytes each, and a wide block's high bytes are multiplied in a second go
//   StartWords  what a block's sum starts with, a word that is the same for all outputs: minus kBias times the block's activations (its sums, quantize.h)
//   Sum         what is added up; Start, Add and Total work on it. Total is exact: nothing saturates on any machine.
//
//   PairProducts  16 by 16 bits, two of them added to 32: pmaddwd, i32x4.dot_i16x8_s, smlal. The words of a block are its even bytes, then its odd ones
//                 (shifts alone make them); 32 products of 16 by 8 bits stay below 2^27, so wide blocks take no more than others.
//   ByteProducts  unsigned bytes of weights by signed ones of activations, four of them added to 32 bits: vpdpbusd. On Arm both are signed: sdot.
//   ShortProducts weights of 4 or 5 bits as 0..15 or 0..31 by signed bytes, two of them added to 16 bits, where a whole block is added up: pmaddubsw, wasm's
//                 i16x8.relaxed_dot_i8x16_i7x16. A lane starts with -8 or -16 times the 16 activations that it will meet, so that it ends in
//                 -32512..32512 (16 * 127 * 16); 16-bit additions may wrap on the way. 8-bit weights have too many bits for that: taking the sign out
//                 first (psignb, pmaddubsw, pmaddwd, paddd) needs three instructions on the two multiplying ports of Zen 3 for what two pmaddwd do.
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
#include "kernels/quantize.h"
#include "kernels/relaxed-inl.h"
#include "kernels/unpack_panel-inl.h"

// Which targets have the instructions (the smaller a target's number, the more it has).
#undef TINYVLM_BYTE_PRODUCTS
#undef TINYVLM_SHORT_PRODUCTS
#if (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL) || (HWY_ARCH_ARM && HWY_TARGET == HWY_NEON_BF16)
#define TINYVLM_BYTE_PRODUCTS 1
#else
#define TINYVLM_BYTE_PRODUCTS 0
#endif
#if !TINYVLM_BYTE_PRODUCTS && (TINYVLM_RELAXED_SIMD || (HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3))
#define TINYVLM_SHORT_PRODUCTS 1
#else
#define TINYVLM_SHORT_PRODUCTS 0
#endif

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using PanelI8 = hn::Repartition<int8_t, PanelI32>;

inline constexpr size_t kStepBytes = 4 * kPanelRows;

// Both sums of a block, times -bias.
template <int kBias, class D>
HWY_INLINE hn::Vec<D> MinusBiased(D d, hn::Vec<D> block_sums) {
  if constexpr (kBias == 0) return hn::Zero(d);
  const hn::Repartition<int16_t, D> d16;
  return hn::WidenMulPairwiseAdd(d, hn::BitCast(d16, block_sums), hn::Set(d16, static_cast<int16_t>(-kBias)));
}

template <int kBias_>
struct PairProducts {
  static constexpr size_t kSteps = 16;
  static constexpr int kBias = kBias_;
  static constexpr bool kExpands = true;
  static constexpr bool kNarrowOnly = false;
  struct Sum {
    // Not left to the compiler: GCC would not compile them for the target.
    HWY_INLINE Sum() : even(hn::Zero(PanelI32())), odd(even) {}
#if HWY_TARGET_IS_NEON
    HWY_INLINE explicit Sum(hn::Vec<PanelI32> start) : even(hn::OddEven(hn::Zero(PanelI32()), start)), odd(even) {}
#else
    HWY_INLINE explicit Sum(hn::Vec<PanelI32> start) : even(start), odd(hn::Zero(PanelI32())) {}
#endif
    hn::Vec<PanelI32> even, odd;  // `odd` is used on Arm only, where Total adds neighbouring lanes
  };

  template <class D>
  static HWY_INLINE hn::Vec<D> StartWords(D d, hn::Vec<D> block_sums) {
    return MinusBiased<kBias>(d, block_sums);
  }
  static HWY_INLINE Sum Start(hn::Vec<PanelI32> word) { return kBias == 0 ? Sum() : Sum(word); }
  static HWY_INLINE void Add(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations, Sum& sum) {
    sum.even = hn::ReorderWidenMulAccumulate(PanelI32(), hn::BitCast(PanelI16(), weights), hn::BitCast(PanelI16(), activations), sum.even, sum.odd);
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) { return hn::RearrangeToOddPlusEven(sum.even, sum.odd); }
};

// Bytes of weights as they are, for one row, where making two pairs of four bytes costs nearly as much as multiplying them. A word is taken for two numbers
// of 16 bits, 256 * odd byte + even byte, the even one being 128 too large (one exclusive or) so that it has no sign. Multiplied by the even activations
// this is 256 * odd weight * even activation too much, so the odd weights are multiplied by odd activation - 256 * even activation: that has 16 bits
// unless the block is wide. Sums stay below 2^28.
struct RawPairProducts : PairProducts<128> {
  static constexpr bool kNarrowOnly = true;
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

  template <class D>
  static HWY_INLINE hn::Vec<D> StartWords(D d, hn::Vec<D> block_sums) {
    return MinusBiased<kBias>(d, block_sums);
  }
  static HWY_INLINE Sum Start(hn::Vec<PanelI32> word) { return kBias == 0 ? hn::Zero(PanelI32()) : word; }
  static HWY_INLINE void Add(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations, Sum& sum) {
    using Weights = std::conditional_t<kSignedWeights, PanelI8, PanelBytes>;
    sum = hn::SumOfMulQuadAccumulate(PanelI32(), hn::BitCast(Weights(), weights), hn::BitCast(PanelI8(), activations), sum);
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) { return sum; }
};

#elif TINYVLM_SHORT_PRODUCTS

template <int kBias_>
struct ShortProducts {
  static constexpr size_t kSteps = 8;
  static constexpr int kBias = kBias_;
  static constexpr bool kExpands = false;
  using Sum = hn::Vec<PanelI16>;

  template <class D>
  static HWY_INLINE hn::Vec<D> StartWords(D d, hn::Vec<D> block_sums) {
    const hn::Repartition<int16_t, D> d16;  // a lane's own activations only
    return hn::BitCast(d, hn::Mul(hn::BitCast(d16, block_sums), hn::Set(d16, static_cast<int16_t>(-kBias))));
  }
  static HWY_INLINE Sum Start(hn::Vec<PanelI32> word) { return hn::BitCast(PanelI16(), word); }
  static HWY_INLINE void Add(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations, Sum& sum) {
    sum = hn::Add(sum, DotU7I8(hn::BitCast(PanelBytes(), weights), hn::BitCast(PanelI8(), activations)));
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) { return AddPairs(sum); }
};

#endif

// How weights of a type are multiplied: when panels are unpacked for many rows (Products), and when they are read for one row only (RowProducts, where of the
// nibbles of pairs 8 is taken off the sum and not off each of them).
template <DType kType>
struct OfType;

template <>
struct OfType<DType::kQ8_0> {
  static constexpr size_t kGroups = 8, kBlockBytes = kBlockBytesQ8;  // groups of four bytes of an output in a packed block
#if TINYVLM_BYTE_PRODUCTS
  using Products = ByteProducts<128>;
  using RowProducts = Products;
#else
  using Products = PairProducts<0>;
  using RowProducts = RawPairProducts;
#endif
};

template <int kMiddle, size_t kBytes>
struct OfNibbles {
  static constexpr size_t kGroups = 4, kBlockBytes = kBytes;
#if TINYVLM_BYTE_PRODUCTS
  using Products = ByteProducts<kMiddle>;
  using RowProducts = Products;
#elif TINYVLM_SHORT_PRODUCTS
  using Products = ShortProducts<kMiddle>;
  using RowProducts = Products;
#else
  using Products = PairProducts<0>;
  using RowProducts = PairProducts<kMiddle>;
#endif
};

template <>
struct OfType<DType::kQ4_0> : OfNibbles<8, kBlockBytesQ4> {};

template <>
struct OfType<DType::kQ5_0> : OfNibbles<16, kBlockBytesQ5> {};

// What of a block is read before its groups: the fifth bits of Q5_0, that of element e being bit e of an output's word.
template <DType kType>
HWY_INLINE hn::Vec<PanelI32> LoadFifthBits(const uint8_t* block, size_t v) {
  if constexpr (kType == DType::kQ5_0) return LoadWord(block + kScaleBytes, 0, v);
  return hn::Zero(PanelI32());
}

// Bits 0..3 of each word as bit 4 of its four bytes. The four shifted copies of the product do not overlap.
HWY_INLINE hn::Vec<PanelI32> SpreadFifthBits(hn::Vec<PanelI32> bits) {
  const PanelI32 d;
  return hn::And(hn::Mul(hn::And(bits, hn::Set(d, 15)), hn::Set(d, 1 << 4 | 1 << 11 | 1 << 18 | 1 << 25)), hn::Set(d, 0x10101010));
}

// Calls use(step, words) for the steps that come out of group q of a packed block, vector v of the panel: 1, of nibbles 2; of pairs twice as many, the even
// ones and the odd ones. `fifth` comes from LoadFifthBits; groups are asked for in their order. Words are the weights plus Products::kBias.
template <DType kType, class Products, class Use>
HWY_INLINE void ForEachStepOfGroup(const uint8_t* HWY_RESTRICT block, size_t q, size_t v, hn::Vec<PanelI32>& fifth, const Use& use) {
  const PanelI32 d;
  constexpr int kMiddle = kType == DType::kQ5_0 ? 16 : 8;
  // Bytes of codes, 0..15 or 0..31, to words.
  const auto each = [&](size_t step, hn::Vec<PanelI32> codes) TINYVLM_LAMBDA {
    if constexpr (Products::kExpands) {
      const hn::Repartition<uint16_t, PanelI32> du;
      const auto off = hn::Set(PanelI16(), static_cast<int16_t>(Products::kBias == 0 ? kMiddle : 0));
      use(step, hn::BitCast(d, hn::Sub(hn::BitCast(PanelI16(), hn::And(codes, hn::Set(d, 0x00ff00ff))), off)));
      use(8 + step, hn::BitCast(d, hn::Sub(hn::BitCast(PanelI16(), hn::ShiftRight<8>(hn::BitCast(du, codes))), off)));
    } else if constexpr (Products::kBias == 0) {
      use(step, hn::BitCast(d, hn::Sub(hn::BitCast(PanelI8(), codes), hn::Set(PanelI8(), static_cast<int8_t>(kMiddle)))));
    } else {
      use(step, codes);
    }
  };
  if constexpr (kType == DType::kQ8_0) {
    const auto raw = LoadGroup(block, q, v);
    if constexpr (std::is_same_v<Products, RawPairProducts>) {
      const auto biased = hn::Xor(raw, hn::Set(d, 0x00800080));
      use(q, biased);
      use(8 + q, hn::BitCast(d, OddPair(biased)));
    } else if constexpr (Products::kExpands) {
      use(q, hn::BitCast(d, EvenPair(raw)));
      use(8 + q, hn::BitCast(d, OddPair(raw)));
    } else {
      use(q, Products::kBias == 128 ? hn::Xor(raw, hn::Set(d, static_cast<int32_t>(0x80808080u))) : raw);
    }
  } else {
    constexpr size_t kNibbles = kType == DType::kQ5_0 ? kScaleBytes + 4 * kPanelRows : kScaleBytes;
    const auto raw = LoadWord(block + kNibbles, q, v), mask = hn::Set(d, 0x0f0f0f0f);
    auto low = hn::And(raw, mask), high = hn::And(hn::ShiftRight<4>(raw), mask);  // high nibbles are elements 16 and following
    if constexpr (kType == DType::kQ5_0) {
      low = hn::Or(low, SpreadFifthBits(fifth));
      high = hn::Or(high, SpreadFifthBits(hn::ShiftRight<16>(fifth)));
      fifth = hn::ShiftRight<4>(fifth);
    }
    each(q, low);
    each(4 + q, high);
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
      const auto step = hn::Set(d16, static_cast<int16_t>(kWideStep));
      even = hn::Add(even, hn::Mul(hn::ShiftRight<8>(hn::ShiftLeft<8>(upper)), step));
      odd = hn::Add(odd, hn::Mul(hn::ShiftRight<8>(upper), step));
    }
    hn::StoreU(hn::BitCast(d, even), d, words + i);
    hn::StoreU(hn::BitCast(d, odd), d, words + 8 + i);
  }
}

// The words of a narrow block as RawPairProducts reads them, and what its sum starts with: -128 times the even activations.
HWY_INLINE void ExpandRawBlock(const int8_t* HWY_RESTRICT low, int32_t* HWY_RESTRICT words, int32_t* HWY_RESTRICT start) {
  const hn::CappedTag<int32_t, 8> d;
  const hn::Repartition<int16_t, decltype(d)> d16;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<int32_t, 8>());
  ExpandBlock(low, nullptr, words);
  auto sum = hn::Zero(d);
  for (size_t i = 0; i < 8; i += kLanes) {
    const auto even = hn::BitCast(d16, hn::LoadU(d, words + i)), odd = hn::BitCast(d16, hn::LoadU(d, words + 8 + i));
    hn::StoreU(hn::BitCast(d, hn::Sub(odd, hn::ShiftLeft<8>(even))), d, words + 8 + i);
    sum = hn::Add(sum, hn::WidenMulPairwiseAdd(d, even, hn::Set(d16, int16_t{-128})));
  }
  *start = hn::ReduceSum(d, sum);
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
