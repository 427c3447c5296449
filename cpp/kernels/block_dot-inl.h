// The dot product of a block of 32 quantised activations with 32 quantised weights, for 16 outputs
// at once: the one part of GemmI8 that differs between targets. Each 32-bit SIMD lane accumulates
// one output. Included once per target, after hwy/highway.h.
//
// There are six ways to compute it, each a class (a "Dot"):
//
//   Dot           weights x activations -> accumulator    instruction
//   Int16Dot      int16 x int16, 2 products -> int32      pmaddwd, i32x4.dot_i16x8_s, smlal
//   RawByteDot    the same, on int8 weights in place      the same
//   Int8Dot2      uint7 x int8, 2 products -> int16       pmaddubsw, i16x8.relaxed_dot_i8x16_i7x16
//   Int8Dot4      uint8 x int8, 4 products -> int32       vpdpbusd, sdot (int8 x int8),
//                                                         i32x4.relaxed_dot_i8x16_i7x16_add (uint7)
//   SplitDot4     int8 weights as 7 bits and 1 bit,       i32x4.relaxed_dot_i8x16_i7x16_add, twice
//                 each as in Int8Dot4
//   SplitRowDot4  the same, splitting while it multiplies
//
// Which one is used (block_weights-inl.h), for many rows / for few rows:
//
//   target                       Q8_0                       Q4_0 and Q5_0
//   AVX-512 VNNI, Arm dotprod    Int8Dot4                   Int8Dot4
//   relaxed wasm, dot of 4       SplitDot4 / SplitRowDot4   Int8Dot4
//   relaxed wasm, dot of 2       Int16Dot / RawByteDot      Int8Dot2
//   SSE4, AVX2                   Int16Dot / RawByteDot      Int8Dot2
//   SSE2, NEON, wasm, scalar     Int16Dot / RawByteDot      Int16Dot
//
// Arm's i8mm is used as dotprod is, except that many rows are multiplied in pairs, by smmla
// (MultiplyBlockByPairs, gemm_i8_tile-inl.h), which reads the same words.
//
// Q8_0 has no Int8Dot2: its weights have too many bits. Taking their sign out first (psignb,
// pmaddubsw, pmaddwd, paddd) needs three instructions on the two multiplying ports of Zen 3, where
// two pmaddwd do the same.
//
// A worked example: one output, the first 4 of a block's 32 elements, Q8_0 with Int8Dot4 on
// AVX-512. vpdpbusd multiplies unsigned by signed bytes, so weights are read as weight + 128 (zero
// point 128), and the accumulator starts at -128 times the sum of the activations:
//
//   weights           -3     5   100  -128     as unsigned bytes: 125 133 228 0
//   activations       10   -20   127     1     low_sums: 10 - 20 = -10, 127 + 1 = 128
//   initial accumulator          -128 * (-10 + 128)                       = -15104
//   vpdpbusd                     125*10 + 133*-20 + 228*127 + 0*1         =  27546
//   total                        27546 - 15104                            =  12442
//   the wanted sum               -3*10 + 5*-20 + 100*127 - 128*1          =  12442
//
// An outlier block (quantize.h) has int16 activations, low + 255 * high: 1000 is -20 + 255 * 4. An
// Int8Dot* multiplies low and high bytes separately, total = total(low) + 255 * total(high);
// Int16Dot multiplies the int16 values themselves.
//
// A Dot has
//   kSteps             steps of a block; a step multiplies one 32-bit word of activations (the same
//                      for all outputs) by kStepBytes bytes of weights (one word per output)
//   kWords             words of activations in a block
//   kPasses            2 if weights are split into two parts: all words are multiplied by the first
//                      parts, then comes Double(accumulator), then all words are multiplied by the
//                      second parts; else 1
//   kZeroPoint         words of weights hold weight + kZeroPoint
//   kInt16Activations  true: words are pairs of int16 (ExpandBlock), and outlier blocks are like
//                      others; false: words are four consecutive low bytes, or high bytes
//   kInt8BlocksOnly    of Dots with kInt16Activations: true if it cannot multiply outlier blocks
//   Accumulator        Initial(word) makes it, Accumulate adds one step, Total gives the sum, which
//                      is exact: nothing saturates on any machine
//   InitialWords       block sums of activations (QuantizedRows::low_sums) -> words for Initial:
//                      minus kZeroPoint times the sum of the activations
//   FromInt8           of Dots without kInt16Activations that multiply Q8_0: four int8 weights -> a
//                      word
#if defined(TINYVLM_KERNELS_BLOCK_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_BLOCK_DOT_INL_H_
#undef TINYVLM_KERNELS_BLOCK_DOT_INL_H_
#else
#define TINYVLM_KERNELS_BLOCK_DOT_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "kernels/relaxed-inl.h"
#include "kernels/unpack_panel-inl.h"

// Which int8 dot-product instructions the target has: sums of four products, sums of two. The
// smaller the number of a Highway target, the more instructions it has.
#undef TINYVLM_INT8_DOT4
#undef TINYVLM_INT8_DOT2
#ifndef TINYVLM_ARM_INT8
#define TINYVLM_ARM_INT8 0  // gemm_i8_arm-inl.h
#endif
#if TINYVLM_RELAXED_SIMD || TINYVLM_ARM_INT8 || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL)
#define TINYVLM_INT8_DOT4 1
#else
#define TINYVLM_INT8_DOT4 0
#endif
#if TINYVLM_RELAXED_SIMD || (!TINYVLM_INT8_DOT4 && HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3)
#define TINYVLM_INT8_DOT2 1
#else
#define TINYVLM_INT8_DOT2 0
#endif

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using PanelI8 = hn::Repartition<int8_t, PanelI32>;

// Bytes of weights that a step reads: one word for each of 16 outputs.
inline constexpr size_t kStepBytes = 4 * kPanelRows;

// The int8 dot-product instruction: none, sums of two products, sums of four. A target has one of
// them, except relaxed wasm, which has both (relaxed_dots.h).
enum class Int8Instruction { kNone, kDot2, kDot4 };
inline constexpr Int8Instruction kTargetInstruction = TINYVLM_INT8_DOT2   ? Int8Instruction::kDot2
                                                      : TINYVLM_INT8_DOT4 ? Int8Instruction::kDot4
                                                                          : Int8Instruction::kNone;

// -kZeroPoint times the sum of a block's activations, whose two partial sums are the int16 halves
// of a lane of `block_sums`.
template <int kZeroPoint, class D>
HWY_INLINE hn::Vec<D> MinusZeroPoint(D d, hn::Vec<D> block_sums) {
  if constexpr (kZeroPoint == 0) return hn::Zero(d);
  const hn::Repartition<int16_t, D> d16;
  return hn::WidenMulPairwiseAdd(d, hn::BitCast(d16, block_sums),
                                 hn::Set(d16, static_cast<int16_t>(-kZeroPoint)));
}

// The upper seven bits, or the lowest bit, of each byte.
HWY_INLINE hn::Vec<PanelI32> UpperSevenBits(hn::Vec<PanelI32> v) {
  return hn::And(hn::ShiftRight<1>(v), hn::Set(PanelI32(), 0x7f7f7f7f));
}
HWY_INLINE hn::Vec<PanelI32> LowestBit(hn::Vec<PanelI32> v) {
  return hn::And(v, hn::Set(PanelI32(), 0x01010101));
}

// int16 weights by int16 activations. The words of a block are its even bytes, then its odd ones,
// which shifts alone extract. 32 products of 16 by 8 bits stay below 2^27, so outlier blocks need
// nothing special.
template <int kZeroPoint_>
struct Int16Dot {
  static constexpr size_t kSteps = 16, kWords = 16, kPasses = 1;
  static constexpr int kZeroPoint = kZeroPoint_;
  static constexpr bool kInt16Activations = true;
  static constexpr bool kInt8BlocksOnly = false;
  struct Accumulator {
    // Written out: GCC would not compile implicit constructors for the target.
    HWY_INLINE Accumulator() : even(hn::Zero(PanelI32())), odd(even) {}
#if HWY_TARGET_IS_NEON
    HWY_INLINE explicit Accumulator(hn::Vec<PanelI32> start)
        : even(hn::OddEven(hn::Zero(PanelI32()), start)), odd(even) {}
#else
    HWY_INLINE explicit Accumulator(hn::Vec<PanelI32> start)
        : even(start), odd(hn::Zero(PanelI32())) {}
#endif
    // `odd` is used on Arm only, where smlal and smlal2 fill one accumulator each and Total adds
    // neighbouring lanes.
    hn::Vec<PanelI32> even, odd;
  };

  template <class D>
  static HWY_INLINE hn::Vec<D> InitialWords(D d, hn::Vec<D> block_sums) {
    return MinusZeroPoint<kZeroPoint>(d, block_sums);
  }
  static HWY_INLINE Accumulator Initial(hn::Vec<PanelI32> word) {
    return kZeroPoint == 0 ? Accumulator() : Accumulator(word);
  }
  static HWY_INLINE void Accumulate(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations,
                                    Accumulator& sum) {
    sum.even =
        hn::ReorderWidenMulAccumulate(PanelI32(), hn::BitCast(PanelI16(), weights),
                                      hn::BitCast(PanelI16(), activations), sum.even, sum.odd);
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Accumulator& sum) {
    return hn::RearrangeToOddPlusEven(sum.even, sum.odd);
  }
};

// Int8 weights in place, for one row, where splitting each word into two pairs costs nearly as much
// as multiplying it. A word is read as two int16 numbers, each 256 * odd byte + even byte, the even
// byte with zero point 128 (one exclusive or), so that it has no sign. Multiplied by the even
// activations, that is 256 * odd weight * even activation too much; therefore the odd weights are
// multiplied by odd activation - 256 * even activation, which fits in int16 except in outlier
// blocks. Sums stay below 2^28.
struct RawByteDot : Int16Dot<128> {
  static constexpr bool kInt8BlocksOnly = true;
};

#if TINYVLM_INT8_DOT4

// Four products of 8 bits per lane and instruction. x86 and relaxed wasm: unsigned weights (in wasm
// of seven bits only) by signed activations. Arm: both are signed, so weights need no zero point.
template <int kZeroPoint_>
struct Int8Dot4 {
  static constexpr size_t kSteps = 8, kWords = 8, kPasses = 1;
  static constexpr int kZeroPoint = TINYVLM_ARM_INT8 ? 0 : kZeroPoint_;
  static constexpr bool kInt16Activations = false;
  using Accumulator = hn::Vec<PanelI32>;

  template <class D>
  static HWY_INLINE hn::Vec<D> InitialWords(D d, hn::Vec<D> block_sums) {
    return MinusZeroPoint<kZeroPoint>(d, block_sums);
  }
  // A word of four int8 weights -> the bytes that Accumulate reads.
  static HWY_INLINE hn::Vec<PanelI32> FromInt8(hn::Vec<PanelI32> weights) {
    return kZeroPoint == 0
               ? weights
               : hn::Xor(weights, hn::Set(PanelI32(), static_cast<int32_t>(0x80808080u)));
  }
  static HWY_INLINE Accumulator Initial(hn::Vec<PanelI32> word) {
    return kZeroPoint == 0 ? hn::Zero(PanelI32()) : word;
  }
  static HWY_INLINE void Accumulate(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations,
                                    Accumulator& sum) {
#if TINYVLM_RELAXED_SIMD
    sum = AddDotU7I8(hn::BitCast(PanelU8(), weights), hn::BitCast(PanelI8(), activations), sum);
#elif TINYVLM_ARM_INT8
    sum = Accumulator(vdotq_s32(sum.raw, hn::BitCast(PanelI8(), weights).raw,
                                hn::BitCast(PanelI8(), activations).raw));
#else
    sum = hn::SumOfMulQuadAccumulate(PanelI32(), hn::BitCast(PanelU8(), weights),
                                     hn::BitCast(PanelI8(), activations), sum);
#endif
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Accumulator& sum) { return sum; }
};

#endif

#if TINYVLM_RELAXED_SIMD

// Int8 weights, of which the relaxed dot takes seven bits: the first pass multiplies the upper
// seven bits of weight + 128, the second one its lowest bit. Total = 2 * first + second.
struct SplitDot4 : Int8Dot4<64> {
  static constexpr size_t kSteps = 16, kPasses = 2;
  static HWY_INLINE Accumulator Double(Accumulator sum) { return hn::Add(sum, sum); }
};

// The same for one row, in one pass that splits words of weight + 128.
struct SplitRowDot4 {
  static constexpr size_t kSteps = 8, kWords = 8, kPasses = 1;
  static constexpr int kZeroPoint = 128;
  static constexpr bool kInt16Activations = false;
  struct Accumulator {
    hn::Vec<PanelI32> upper, lowest;
  };

  static HWY_INLINE hn::Vec<PanelI32> FromInt8(hn::Vec<PanelI32> weights) {
    return Int8Dot4<64>::FromInt8(weights);
  }

  template <class D>
  static HWY_INLINE hn::Vec<D> InitialWords(D d, hn::Vec<D> block_sums) {
    return MinusZeroPoint<64>(d, block_sums);
  }
  static HWY_INLINE Accumulator Initial(hn::Vec<PanelI32> word) {
    return Accumulator{word, hn::Zero(PanelI32())};
  }
  static HWY_INLINE void Accumulate(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations,
                                    Accumulator& sum) {
    Int8Dot4<64>::Accumulate(UpperSevenBits(weights), activations, sum.upper);
    Int8Dot4<64>::Accumulate(LowestBit(weights), activations, sum.lowest);
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Accumulator& sum) {
    return hn::Add(hn::Add(sum.upper, sum.upper), sum.lowest);
  }
};

#endif

#if TINYVLM_INT8_DOT2

// Weights of 4 or 5 bits, 0..15 or 0..31, by signed activations; all 32 products of a block are
// accumulated in int16. Each int16 lane starts at -kZeroPoint (-8 or -16) times the 16 activations
// that it meets, so that it ends in -32512..32512 (16 * 127 * 16); additions may wrap in between.
template <int kZeroPoint_>
struct Int8Dot2 {
  static constexpr size_t kSteps = 8, kWords = 8, kPasses = 1;
  static constexpr int kZeroPoint = kZeroPoint_;
  static constexpr bool kInt16Activations = false;
  using Accumulator = hn::Vec<PanelI16>;

  template <class D>
  static HWY_INLINE hn::Vec<D> InitialWords(D d, hn::Vec<D> block_sums) {
    // An int16 lane meets either elements 0 and 1 of every four or 2 and 3: so are the sums.
    const hn::Repartition<int16_t, D> d16;
    return hn::BitCast(
        d, hn::Mul(hn::BitCast(d16, block_sums), hn::Set(d16, static_cast<int16_t>(-kZeroPoint))));
  }
  static HWY_INLINE Accumulator Initial(hn::Vec<PanelI32> word) {
    return hn::BitCast(PanelI16(), word);
  }
  static HWY_INLINE void Accumulate(hn::Vec<PanelI32> weights, hn::Vec<PanelI32> activations,
                                    Accumulator& sum) {
    sum =
        hn::Add(sum, DotU7I8(hn::BitCast(PanelU8(), weights), hn::BitCast(PanelI8(), activations)));
  }
  static HWY_INLINE hn::Vec<PanelI32> Total(const Accumulator& sum) { return AddPairs(sum); }
};

#endif

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
