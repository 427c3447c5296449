// The integer products of a block of 32 activations with 32 weights of 16 outputs, one output per
// lane of 32 bits: what differs between targets in GemmI8. Included once per target, after
// hwy/highway.h.
//
// A kind of products has
//   kSteps      steps that a block takes; a step multiplies one word of activations (32 bits) with
//               kStepBytes bytes of weights, one word per output
//   kWords      words of activations in a block: as many as steps, or half of them where each meets
//               two parts of its weights (kPasses 2), one pass after the
//               other and the sums doubled in between (Double)
//   kBias       what the weights in those words are larger by than the weights meant
//   kExpands    whether activations are expanded to pairs of 16 bits first (ExpandBlock), with
//               which a wide block is like any other; else their words are
//               four consecutive low bytes each, and a wide block's high bytes are multiplied in a
//               second go
//   StartWords  what a block's sum starts with, a word that is the same for all outputs: minus
//               kBias times the block's activations (its sums, quantize.h)
//   Sum         what is added up; Start, Add and Total work on it. Total is exact: nothing
//               saturates on any machine.
//
//   PairProducts  16 by 16 bits, two of them added to 32: pmaddwd, i32x4.dot_i16x8_s, smlal. The
//                 words of a block are its even bytes, then its odd ones
//                 (shifts alone make them); 32 products of 16 by 8 bits stay below 2^27, so wide
//                 blocks take no more than others.
//   QuadProducts  unsigned bytes of weights by signed ones of activations, four of them added to 32
//                 bits: vpdpbusd. On Arm both are signed: sdot. wasm's
//                 i32x4.relaxed_dot_i8x16_i7x16_add is one of the two where the machine has it
//                 (relaxed_dots.h), but may be given seven bits of weights only.
//   SplitProducts weights of 8 bits as seven and one, each for a wasm dot as above.
//   ShortProducts weights of 4 or 5 bits as 0..15 or 0..31 by signed bytes, two of them added to 16
//   bits, where a whole block is added up: pmaddubsw, wasm's
//                 i16x8.relaxed_dot_i8x16_i7x16. A lane starts with -8 or -16 times the 16
//                 activations that it will meet, so that it ends in
//                 -32512..32512 (16 * 127 * 16); 16-bit additions may wrap on the way. 8-bit
//                 weights have too many bits for that: taking the sign out
//                 first (psignb, pmaddubsw, pmaddwd, paddd) needs three instructions on the two
//                 multiplying ports of Zen 3 for what two pmaddwd do.
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

// Which dots of bytes a target has (the smaller a target's number, the more it has): sums of four
// products, sums of two.
#undef TINYVLM_QUAD_DOTS
#undef TINYVLM_PAIR_DOTS
#if TINYVLM_RELAXED_SIMD || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL) || \
    (HWY_ARCH_ARM && HWY_TARGET == HWY_NEON_BF16)
#define TINYVLM_QUAD_DOTS 1
#else
#define TINYVLM_QUAD_DOTS 0
#endif
#if TINYVLM_RELAXED_SIMD || (!TINYVLM_QUAD_DOTS && HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3)
#define TINYVLM_PAIR_DOTS 1
#else
#define TINYVLM_PAIR_DOTS 0
#endif

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using PanelI8 = hn::Repartition<int8_t, PanelI32>;

inline constexpr size_t kStepBytes = 4 * kPanelRows;

// Which dots of bytes products are made of. A target has one kind; relaxed wasm has two, of which
// the machine decides (relaxed_dots.h).
enum class ByteDots { kNone, kPairs, kQuads };
inline constexpr ByteDots kTargetDots = TINYVLM_PAIR_DOTS   ? ByteDots::kPairs
                                        : TINYVLM_QUAD_DOTS ? ByteDots::kQuads
                                                            : ByteDots::kNone;

// Both sums of a block, times -bias.
template <int kBias, class D>
HWY_INLINE hn::Vec<D> MinusBiased(D d, hn::Vec<D> block_sums) {
  if constexpr (kBias == 0) return hn::Zero(d);
  const hn::Repartition<int16_t, D> d16;
  return hn::WidenMulPairwiseAdd(d, hn::BitCast(d16, block_sums),
                                 hn::Set(d16, static_cast<int16_t>(-kBias)));
}

// Of every byte, as a byte.
HWY_INLINE hn::Vec<PanelI32> UpperSevenBits(hn::Vec<PanelI32> v) {
  return hn::And(hn::ShiftRight<1>(v), hn::Set(PanelI32(), 0x7f7f7f7f));
}
HWY_INLINE hn::Vec<PanelI32> LowestBit(hn::Vec<PanelI32> v) {
  return hn::And(v, hn::Set(PanelI32(), 0x01010101));
}

template <int kBias_>
struct PairProducts {
  static constexpr size_t kSteps = 16, kWords = 16, kPasses = 1;
  static constexpr int kBias = kBias_;
  static constexpr bool kExpands = true;
  static constexpr bool kNarrowOnly = false;
  struct Sum {
    // Not left to the compiler: GCC would not compile them for the target.
    HWY_INLINE Sum() : even(hn::Zero(PanelI32())), odd(even) {}
#if HWY_TARGET_IS_NEON
    HWY_INLINE explicit Sum(hn::Vec<PanelI32> start)
        : even(hn::OddEven(hn::Zero(PanelI32()), start)), odd(even) {}
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
    sum.even =
        hn::ReorderWidenMulAccumulate(PanelI32(), hn::BitCast(PanelI16(), weights),
                                      hn::BitCast(PanelI16(), activations), sum.even, sum.odd);
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) {
    return hn::RearrangeToOddPlusEven(sum.even, sum.odd);
  }
};

// Bytes of weights as they are, for one row, where making two pairs of four bytes costs nearly as
// much as multiplying them. A word is taken for two numbers of 16 bits, 256 * odd byte + even byte,
// the even one being 128 too large (one exclusive or) so that it has no sign. Multiplied by the
// even activations this is 256 * odd weight * even activation too much, so the odd weights are
// multiplied by odd activation - 256 * even activation: that has 16 bits unless the block is wide.
// Sums stay below 2^28.
struct RawPairProducts : PairProducts<128> {
  static constexpr bool kNarrowOnly = true;
};

#if TINYVLM_QUAD_DOTS

#if HWY_ARCH_ARM
inline constexpr bool kSignedWeights = true;
#else
inline constexpr bool kSignedWeights = false;
#endif

template <int kBias_>
struct QuadProducts {
  static constexpr size_t kSteps = 8, kWords = 8, kPasses = 1;
  static constexpr int kBias = kSignedWeights ? 0 : kBias_;
  static constexpr bool kExpands = false;
  using Sum = hn::Vec<PanelI32>;

  template <class D>
  static HWY_INLINE hn::Vec<D> StartWords(D d, hn::Vec<D> block_sums) {
    return MinusBiased<kBias>(d, block_sums);
  }
  // Words as they are wanted of words of four signed weights.
  static HWY_INLINE hn::Vec<PanelI32> OfSignedBytes(hn::Vec<PanelI32> weights) {
    return kBias == 0 ? weights
                      : hn::Xor(weights, hn::Set(PanelI32(), static_cast<int32_t>(0x80808080u)));
  }
  static HWY_INLINE Sum Start(hn::Vec<PanelI32> word) {
    return kBias == 0 ? hn::Zero(PanelI32()) : word;
  }
  static HWY_INLINE void Add(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations, Sum& sum) {
#if TINYVLM_RELAXED_SIMD
    sum = AddDotU7I8(hn::BitCast(PanelBytes(), weights), hn::BitCast(PanelI8(), activations), sum);
#else
    using Weights = std::conditional_t<kSignedWeights, PanelI8, PanelBytes>;
    sum = hn::SumOfMulQuadAccumulate(PanelI32(), hn::BitCast(Weights(), weights),
                                     hn::BitCast(PanelI8(), activations), sum);
#endif
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) { return sum; }
};

#endif

#if TINYVLM_RELAXED_SIMD

// Words are the upper seven bits of weight + 128 in the first pass and its lowest bit in the
// second.
struct SplitProducts : QuadProducts<64> {
  static constexpr size_t kSteps = 16, kPasses = 2;
  static HWY_INLINE Sum Double(Sum sum) { return hn::Add(sum, sum); }
};

// The same for one row, which reads every word of weights once: words are weight + 128.
struct SplitRowProducts {
  static constexpr size_t kSteps = 8, kWords = 8, kPasses = 1;
  static constexpr int kBias = 128;
  static constexpr bool kExpands = false;
  struct Sum {
    hn::Vec<PanelI32> upper, lowest;
  };

  static HWY_INLINE hn::Vec<PanelI32> OfSignedBytes(hn::Vec<PanelI32> weights) {
    return QuadProducts<64>::OfSignedBytes(weights);
  }

  template <class D>
  static HWY_INLINE hn::Vec<D> StartWords(D d, hn::Vec<D> block_sums) {
    return MinusBiased<64>(d, block_sums);
  }
  static HWY_INLINE Sum Start(hn::Vec<PanelI32> word) { return Sum{word, hn::Zero(PanelI32())}; }
  static HWY_INLINE void Add(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations, Sum& sum) {
    QuadProducts<64>::Add(UpperSevenBits(weights), activations, sum.upper);
    QuadProducts<64>::Add(LowestBit(weights), activations, sum.lowest);
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) {
    return hn::Add(hn::Add(sum.upper, sum.upper), sum.lowest);
  }
};

#endif

#if TINYVLM_PAIR_DOTS

template <int kBias_>
struct ShortProducts {
  static constexpr size_t kSteps = 8, kWords = 8, kPasses = 1;
  static constexpr int kBias = kBias_;
  static constexpr bool kExpands = false;
  using Sum = hn::Vec<PanelI16>;

  template <class D>
  static HWY_INLINE hn::Vec<D> StartWords(D d, hn::Vec<D> block_sums) {
    const hn::Repartition<int16_t, D> d16;  // a lane's own activations only
    return hn::BitCast(
        d, hn::Mul(hn::BitCast(d16, block_sums), hn::Set(d16, static_cast<int16_t>(-kBias))));
  }
  static HWY_INLINE Sum Start(hn::Vec<PanelI32> word) { return hn::BitCast(PanelI16(), word); }
  static HWY_INLINE void Add(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations, Sum& sum) {
    sum = hn::Add(sum,
                  DotU7I8(hn::BitCast(PanelBytes(), weights), hn::BitCast(PanelI8(), activations)));
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Sum& sum) { return AddPairs(sum); }
};

#endif

// How weights are multiplied: when panels are unpacked for many rows (Products), and when they are
// read for one row only (RowProducts, where of the nibbles of pairs 8 is taken off the sum and not
// off each of them).
template <ByteDots kDots>
struct ProductsOfBytes {
  using Products = PairProducts<0>;
  using RowProducts = RawPairProducts;
};

template <int kMiddle, ByteDots kDots>
struct ProductsOfNibbles {
  using Products = PairProducts<0>;
  using RowProducts = PairProducts<kMiddle>;
};

#if TINYVLM_QUAD_DOTS
template <>
struct ProductsOfBytes<ByteDots::kQuads> {
#if TINYVLM_RELAXED_SIMD
  using Products = SplitProducts;
  using RowProducts = SplitRowProducts;
#else
  using Products = QuadProducts<128>;
  using RowProducts = Products;
#endif
};

template <int kMiddle>
struct ProductsOfNibbles<kMiddle, ByteDots::kQuads> {
  using Products = QuadProducts<kMiddle>;
  using RowProducts = Products;
};
#endif

#if TINYVLM_PAIR_DOTS
template <int kMiddle>
struct ProductsOfNibbles<kMiddle, ByteDots::kPairs> {
  using Products = ShortProducts<kMiddle>;
  using RowProducts = Products;
};
#endif

// What a type of weights is made of.
template <DType kType>
struct OfType;

template <>
struct OfType<DType::kQ8_0> {
  // groups of four bytes of an output in a packed block
  static constexpr size_t kGroups = 8, kBlockBytes = kBlockBytesQ8;
  template <ByteDots kDots>
  using With = ProductsOfBytes<kDots>;
};

template <int kMiddle, size_t kBytes>
struct OfNibbles {
  static constexpr size_t kGroups = 4, kBlockBytes = kBytes;
  template <ByteDots kDots>
  using With = ProductsOfNibbles<kMiddle, kDots>;
};

template <>
struct OfType<DType::kQ4_0> : OfNibbles<8, kBlockBytesQ4> {};

template <>
struct OfType<DType::kQ5_0> : OfNibbles<16, kBlockBytesQ5> {};

template <DType kType, ByteDots kDots>
using ProductsOf = typename OfType<kType>::template With<kDots>::Products;
template <DType kType, ByteDots kDots>
using RowProductsOf = typename OfType<kType>::template With<kDots>::RowProducts;

// What of a block is read before its groups: the fifth bits of Q5_0, that of element e being bit e
// of an output's word.
template <DType kType>
HWY_INLINE hn::Vec<PanelI32> LoadFifthBits(const uint8_t* block, size_t v) {
  if constexpr (kType == DType::kQ5_0) return LoadWord(block + kScaleBytes, 0, v);
  return hn::Zero(PanelI32());
}

// Bits 0..3 of each word as bit 4 of its four bytes. The four shifted copies of the product do not
// overlap.
HWY_INLINE hn::Vec<PanelI32> SpreadFifthBits(hn::Vec<PanelI32> bits) {
  const PanelI32 d;
  return hn::And(
      hn::Mul(hn::And(bits, hn::Set(d, 15)), hn::Set(d, 1 << 4 | 1 << 11 | 1 << 18 | 1 << 25)),
      hn::Set(d, 0x10101010));
}

// Calls use(step, words) for the steps that come out of group q of a packed block, vector v of the
// panel: 1, of nibbles 2; of pairs twice as many, the even ones and the odd ones. `fifth` comes
// from LoadFifthBits; groups are asked for in their order. Words are the weights plus
// Products::kBias.
template <DType kType, class Products, class Use>
HWY_INLINE void ForEachStepOfGroup(const uint8_t* HWY_RESTRICT block, size_t q, size_t v,
                                   hn::Vec<PanelI32>& fifth, const Use& use) {
  const PanelI32 d;
  constexpr int kMiddle = kType == DType::kQ5_0 ? 16 : 8;
  // Bytes of codes, 0..15 or 0..31, to words.
  const auto each = [&](size_t step, hn::Vec<PanelI32> codes) TINYVLM_LAMBDA {
    if constexpr (Products::kExpands) {
      const hn::Repartition<uint16_t, PanelI32> du;
      const auto off =
          hn::Set(PanelI16(), static_cast<int16_t>(Products::kBias == 0 ? kMiddle : 0));
      use(step,
          hn::BitCast(
              d, hn::Sub(hn::BitCast(PanelI16(), hn::And(codes, hn::Set(d, 0x00ff00ff))), off)));
      use(8 + step,
          hn::BitCast(
              d, hn::Sub(hn::BitCast(PanelI16(), hn::ShiftRight<8>(hn::BitCast(du, codes))), off)));
    } else if constexpr (Products::kBias == 0) {
      use(step, hn::BitCast(d, hn::Sub(hn::BitCast(PanelI8(), codes),
                                       hn::Set(PanelI8(), static_cast<int8_t>(kMiddle)))));
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
      const auto biased = Products::OfSignedBytes(raw);
      if constexpr (Products::kPasses == 2) {
        use(q, UpperSevenBits(biased));
        use(8 + q, LowestBit(biased));
      } else {
        use(q, biased);
      }
    }
  } else {
    constexpr size_t kNibbles = kType == DType::kQ5_0 ? kScaleBytes + 4 * kPanelRows : kScaleBytes;
    const auto raw = LoadWord(block + kNibbles, q, v), mask = hn::Set(d, 0x0f0f0f0f);
    // high nibbles are elements 16 and following
    auto low = hn::And(raw, mask), high = hn::And(hn::ShiftRight<4>(raw), mask);
    if constexpr (kType == DType::kQ5_0) {
      low = hn::Or(low, SpreadFifthBits(fifth));
      high = hn::Or(high, SpreadFifthBits(hn::ShiftRight<16>(fifth)));
      fifth = hn::ShiftRight<4>(fifth);
    }
    each(q, low);
    each(4 + q, high);
  }
}

// The words of one block of activations as PairProducts reads them; high is null for a narrow
// block.
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
      const auto step = hn::Set(d16, static_cast<int16_t>(kWideStep));
      even = hn::Add(even, hn::Mul(hn::ShiftRight<8>(hn::ShiftLeft<8>(upper)), step));
      odd = hn::Add(odd, hn::Mul(hn::ShiftRight<8>(upper), step));
    }
    hn::StoreU(hn::BitCast(d, even), d, words + i);
    hn::StoreU(hn::BitCast(d, odd), d, words + 8 + i);
  }
}

// The words of a narrow block as RawPairProducts reads them, and what its sum starts with: -128
// times the even activations.
HWY_INLINE void ExpandRawBlock(const int8_t* HWY_RESTRICT low, int32_t* HWY_RESTRICT words,
                               int32_t* HWY_RESTRICT start) {
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
  *start = hn::ReduceSum(d, sum);
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
