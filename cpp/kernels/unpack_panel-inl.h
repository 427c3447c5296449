// Packed panels (pack.h) -> f32, for GemmF32, and the loads of packed words that
// block_weights-inl.h shares. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_UNPACK_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_UNPACK_PANEL_INL_H_
#undef TINYVLM_KERNELS_UNPACK_PANEL_INL_H_
#else
#define TINYVLM_KERNELS_UNPACK_PANEL_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/pack.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using PanelI32 = hn::RebindToSigned<TileF32>;
using PanelI16 = hn::Repartition<int16_t, PanelI32>;
using PanelU8 = hn::Repartition<uint8_t, PanelI32>;

// Scales of a packed block (16 outputs), and whole packed blocks, in bytes.
inline constexpr size_t kScaleBytes = 2 * kPanelRows;
inline constexpr size_t kBlockBytesQ8 = kScaleBytes + 32 * kPanelRows;
inline constexpr size_t kBlockBytesQ4 = kScaleBytes + 16 * kPanelRows;
inline constexpr size_t kBlockBytesQ5 =
    kScaleBytes + 20 * kPanelRows;  // 4 bytes of fifth bits, then 16 of nibbles

// The f16 numbers (scales, minima) of rows v * kTileLanes and following; `halves` is the first
// row's.
HWY_INLINE hn::Vec<TileF32> LoadScales(const uint8_t* halves, size_t v) {
  const TileF32 d;
#if HWY_TARGET == HWY_WASM
  // wasm has no instruction for it, and Highway's conversion takes twice as many as this one.
  // Subnormal halves: set the exponent to 2^-14, which adds a leading one, and subtract 2^-14.
  // Infinities and NaNs become numbers from 65536 on, as in Highway.
  const PanelI32 di;
  const hn::Rebind<int16_t, TileF32> d16;
  const auto raw =
      hn::PromoteTo(di, hn::LoadU(d16, reinterpret_cast<const int16_t*>(halves) + v * kTileLanes));
  const auto magnitude = hn::And(hn::ShiftLeft<13>(raw), hn::Set(di, 0x0fffe000));
  const auto smallest = hn::Set(di, 113 << 23);
  const auto normal = hn::Add(magnitude, hn::Set(di, 112 << 23));
  const auto subnormal = hn::BitCast(
      di, hn::Sub(hn::BitCast(d, hn::Add(magnitude, smallest)), hn::BitCast(d, smallest)));
  const auto value = hn::IfThenElse(hn::Lt(magnitude, hn::Set(di, 1 << 23)), subnormal, normal);
  return hn::BitCast(d,
                     hn::Or(value, hn::And(raw, hn::Set(di, static_cast<int32_t>(0x80000000u)))));
#else
  const hn::Rebind<hwy::float16_t, TileF32> dh;
  return hn::PromoteTo(
      d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(halves) + v * kTileLanes));
#endif
}

// Group q of 4 bytes of rows v * kTileLanes and following: one row per 32-bit lane. `groups` is the
// first row's group 0.
HWY_INLINE hn::Vec<PanelI32> LoadWord(const uint8_t* groups, size_t q, size_t v) {
  return hn::BitCast(PanelI32(),
                     hn::LoadU(PanelU8(), groups + (q * kPanelRows + v * kTileLanes) * 4));
}

// The same for a block with one scale per output in front (Q8_0, Q4_0).
HWY_INLINE hn::Vec<PanelI32> LoadGroup(const uint8_t* block, size_t q, size_t v) {
  return LoadWord(block + kScaleBytes, q, v);
}

// 16-bit floats (T is float16_t or bfloat16_t) of `count` consecutive k -> f32 [count][16].
template <class T>
HWY_NOINLINE void WidenPanel(const uint8_t* panel, size_t count, float* HWY_RESTRICT out) {
  const TileF32 d;
  const hn::Rebind<T, TileF32> d16;
  for (size_t i = 0; i < count * kPanelRows; i += kTileLanes) {
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(d16, reinterpret_cast<const T*>(panel) + i)), d, out + i);
  }
}

// Blocks of Q8_0 -> f32 [blocks * 32][16].
static HWY_NOINLINE HWY_MAYBE_UNUSED void DequantizePanelQ8(const uint8_t* panel, size_t blocks,
                                                            float* HWY_RESTRICT out) {
  const TileF32 d;
  for (size_t b = 0; b < blocks; ++b, panel += kBlockBytesQ8, out += 32 * kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) {
      const auto scale = LoadScales(panel, v);
      for (size_t q = 0; q < 8; ++q) {
        const auto raw = LoadGroup(panel, q, v);
        float* const to = out + 4 * q * kPanelRows + v * kTileLanes;
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(d, hn::ShiftRight<24>(hn::ShiftLeft<24>(raw)))), d,
                   to);
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(d, hn::ShiftRight<24>(hn::ShiftLeft<16>(raw)))), d,
                   to + kPanelRows);
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(d, hn::ShiftRight<24>(hn::ShiftLeft<8>(raw)))), d,
                   to + 2 * kPanelRows);
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(d, hn::ShiftRight<24>(raw))), d,
                   to + 3 * kPanelRows);
      }
    }
  }
}

// Shifts each lane so that bit kBit comes to bit 4, and masks it: the upper bits of a code whose
// lower four bits are a nibble.
template <int kBit>
HWY_INLINE hn::Vec<PanelI32> UpperBits(hn::Vec<PanelI32> bits, int mask) {
  const auto wanted = hn::Set(PanelI32(), mask);
  if constexpr (kBit < 4) {
    return hn::And(hn::ShiftLeft<4 - kBit>(bits), wanted);
  } else {
    return hn::And(hn::ShiftRight<kBit - 4>(bits), wanted);
  }
}

// Nibble kNibble of each lane, 0..15.
template <int kNibble>
HWY_INLINE hn::Vec<PanelI32> Nibble(hn::Vec<PanelI32> raw) {
  return hn::And(hn::ShiftRight<4 * kNibble>(raw), hn::Set(PanelI32(), 15));
}

// How codes become values: scale * (code - kCodeZeroPoint), or scale * code + base where kBase.
// kFifth: codes have a fifth bit; that of byte i's low nibble is bit kFifthStep * i of a word, that
// of its high nibble kFifthHigh further up.
template <bool kFifth_, int kFifthStep_, int kFifthHigh_, int kCodeZeroPoint_, bool kBase_>
struct NibbleCodes {
  static constexpr bool kFifth = kFifth_, kBase = kBase_;
  static constexpr int kFifthStep = kFifthStep_, kFifthHigh = kFifthHigh_,
                       kCodeZeroPoint = kCodeZeroPoint_;
};

// Writes the values of one code per lane to `to`. Scale and code have so few bits that every
// product is exact: values equal those of tensor/quant bit for bit, with and without fused
// multiply-adds.
template <class Codes>
HWY_INLINE void StoreCode(hn::Vec<PanelI32> code, hn::Vec<TileF32> scale, hn::Vec<TileF32> base,
                          float* HWY_RESTRICT to) {
  const TileF32 d;
  if constexpr (Codes::kCodeZeroPoint != 0)
    code = hn::Sub(code, hn::Set(PanelI32(), Codes::kCodeZeroPoint));
  const auto x = hn::ConvertTo(d, code);
  if constexpr (Codes::kBase) {
    hn::StoreU(hn::MulAdd(scale, x, base), d, to);
  } else {
    hn::StoreU(hn::Mul(scale, x), d, to);
  }
}

// Scale and base of a run of 16 or more codes, one output per lane.
struct Affine {
  hn::Vec<TileF32> scale, base;
};

// Byte kByte of each lane: the value of its low nibble to `low`, of its high nibble to `high`.
template <class Codes, int kByte>
HWY_INLINE void StoreNibbles(hn::Vec<PanelI32> raw, hn::Vec<PanelI32> fifth, const Affine& of_low,
                             const Affine& of_high, float* HWY_RESTRICT low,
                             float* HWY_RESTRICT high) {
  auto code_low = Nibble<2 * kByte>(raw), code_high = Nibble<2 * kByte + 1>(raw);
  if constexpr (Codes::kFifth) {
    code_low = hn::Or(code_low, UpperBits<Codes::kFifthStep * kByte>(fifth, 16));
    code_high =
        hn::Or(code_high, UpperBits<Codes::kFifthStep * kByte + Codes::kFifthHigh>(fifth, 16));
  }
  StoreCode<Codes>(code_low, of_low.scale, of_low.base, low + kByte * kPanelRows);
  StoreCode<Codes>(code_high, of_high.scale, of_high.base, high + kByte * kPanelRows);
}

// The four bytes of each lane: values of four consecutive k each to `low` and `high`.
template <class Codes>
HWY_INLINE void StoreWord(hn::Vec<PanelI32> raw, hn::Vec<PanelI32> fifth, const Affine& of_low,
                          const Affine& of_high, float* HWY_RESTRICT low,
                          float* HWY_RESTRICT high) {
  StoreNibbles<Codes, 0>(raw, fifth, of_low, of_high, low, high);
  StoreNibbles<Codes, 1>(raw, fifth, of_low, of_high, low, high);
  StoreNibbles<Codes, 2>(raw, fifth, of_low, of_high, low, high);
  StoreNibbles<Codes, 3>(raw, fifth, of_low, of_high, low, high);
}

// Blocks of Q4_0, Q4_1 (kBase), Q5_0 and Q5_1 -> f32 [blocks * 32][16]. Low nibbles are elements
// 0..15 of a block, high ones 16..31; the fifth bit of element e is bit e of a word.
template <int kBits, bool kBase>
HWY_NOINLINE void DequantizePanelNibbles(const uint8_t* panel, size_t blocks,
                                         float* HWY_RESTRICT out) {
  using Codes = NibbleCodes<kBits == 5, 1, 16, kBase ? 0 : 1 << (kBits - 1), kBase>;
  constexpr size_t kFifth = kBase ? 2 * kScaleBytes : kScaleBytes;
  constexpr size_t kNibbles = kFifth + (kBits == 5 ? 4 * kPanelRows : 0);
  constexpr size_t kBytes = kNibbles + 16 * kPanelRows;
  for (size_t b = 0; b < blocks; ++b, panel += kBytes, out += 32 * kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) {
      Affine affine{LoadScales(panel, v), hn::Zero(TileF32())};
      if constexpr (kBase) affine.base = LoadScales(panel + kScaleBytes, v);
      auto fifth = hn::Zero(PanelI32());
      if constexpr (kBits == 5) fifth = LoadWord(panel + kFifth, 0, v);
      for (size_t q = 0; q < 4; ++q) {
        float* const low = out + 4 * q * kPanelRows + v * kTileLanes;
        StoreWord<Codes>(LoadWord(panel + kNibbles, q, v), fifth, affine, affine, low,
                         low + 16 * kPanelRows);
        fifth = hn::ShiftRight<4>(fifth);
      }
    }
  }
}

// Scale and minimum of sub-block j of a Q4_K or Q5_K block: 6 bits each, in the three words w of
// each row.
HWY_INLINE Affine SubBlockK(const hn::Vec<PanelI32>* w, int j, hn::Vec<TileF32> d,
                            hn::Vec<TileF32> dmin) {
  const TileF32 df;
  const PanelI32 di;
  const auto low6 = hn::Set(di, 63), low4 = hn::Set(di, 15), upper2 = hn::Set(di, 48);
  hn::Vec<PanelI32> scale, minimum;
  if (j < 4) {
    scale = hn::And(hn::ShiftRightSame(w[0], 8 * j), low6);
    minimum = hn::And(hn::ShiftRightSame(w[1], 8 * j), low6);
  } else {
    // The upper two bits are in the words of the first four sub-blocks, which use six of eight.
    const int at = 8 * (j - 4);
    scale = hn::Or(hn::And(hn::ShiftRightSame(w[2], at), low4),
                   hn::And(hn::ShiftRightSame(w[0], at + 2), upper2));
    minimum = hn::Or(hn::And(hn::ShiftRightSame(w[2], at + 4), low4),
                     hn::And(hn::ShiftRightSame(w[1], at + 2), upper2));
  }
  return {hn::Mul(d, hn::ConvertTo(df, scale)), hn::Neg(hn::Mul(dmin, hn::ConvertTo(df, minimum)))};
}

// Blocks of Q4_K and Q5_K -> f32 [blocks * 256][16]. Byte l of the 32 of pair c of sub-blocks holds
// element l of both; the fifth bit of element l of sub-block j is bit j of byte l of 32 further
// ones.
template <int kBits>
HWY_NOINLINE void DequantizePanelQ45K(const uint8_t* panel, size_t blocks,
                                      float* HWY_RESTRICT out) {
  using Codes = NibbleCodes<kBits == 5, 8, 1, 0, true>;
  constexpr size_t kFifth = 2 * kScaleBytes + 12 * kPanelRows;
  constexpr size_t kNibbles = kFifth + (kBits == 5 ? 32 * kPanelRows : 0);
  constexpr size_t kBytes = kNibbles + 128 * kPanelRows;
  for (size_t b = 0; b < blocks; ++b, panel += kBytes, out += 256 * kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) {
      const auto d = LoadScales(panel, v), dmin = LoadScales(panel + kScaleBytes, v);
      hn::Vec<PanelI32> scales[3];
      for (size_t i = 0; i < 3; ++i) scales[i] = LoadWord(panel + 2 * kScaleBytes, i, v);
      for (int c = 0; c < 4; ++c) {
        const Affine of_low = SubBlockK(scales, 2 * c, d, dmin),
                     of_high = SubBlockK(scales, 2 * c + 1, d, dmin);
        for (size_t g = 0; g < 8; ++g) {
          auto fifth = hn::Zero(PanelI32());
          if constexpr (kBits == 5)
            fifth = hn::ShiftRightSame(LoadWord(panel + kFifth, g, v), 2 * c);
          float* const low =
              out + (64 * static_cast<size_t>(c) + 4 * g) * kPanelRows + v * kTileLanes;
          StoreWord<Codes>(LoadWord(panel + kNibbles, 8 * static_cast<size_t>(c) + g, v), fifth,
                           of_low, of_high, low, low + 32 * kPanelRows);
        }
      }
    }
  }
}

// Byte kByte of the words of Q6_K: two of nibbles and one of upper bit pairs give elements of four
// runs of 32, whose scales are two apart.
template <int kByte>
HWY_INLINE void StoreQ6(hn::Vec<PanelI32> a, hn::Vec<PanelI32> b, hn::Vec<PanelI32> upper,
                        const hn::Vec<TileF32>* scales, float* HWY_RESTRICT to) {
  using Codes = NibbleCodes<false, 0, 0, 32, false>;
  const auto none = hn::Zero(TileF32());
  float* const out = to + kByte * kPanelRows;
  StoreCode<Codes>(hn::Or(Nibble<2 * kByte>(a), UpperBits<8 * kByte>(upper, 48)), scales[0], none,
                   out);
  StoreCode<Codes>(hn::Or(Nibble<2 * kByte>(b), UpperBits<8 * kByte + 2>(upper, 48)), scales[2],
                   none, out + 32 * kPanelRows);
  StoreCode<Codes>(hn::Or(Nibble<2 * kByte + 1>(a), UpperBits<8 * kByte + 4>(upper, 48)), scales[4],
                   none, out + 64 * kPanelRows);
  StoreCode<Codes>(hn::Or(Nibble<2 * kByte + 1>(b), UpperBits<8 * kByte + 6>(upper, 48)), scales[6],
                   none, out + 96 * kPanelRows);
}

// Blocks of Q6_K -> f32 [blocks * 256][16]: per half of 128 elements 64 bytes of nibbles and 32 of
// upper bit pairs; a signed scale for each 16 elements.
static HWY_NOINLINE HWY_MAYBE_UNUSED void DequantizePanelQ6K(const uint8_t* panel, size_t blocks,
                                                             float* HWY_RESTRICT out) {
  constexpr size_t kUpper = 128 * kPanelRows, kScales = 192 * kPanelRows, kStep = 208 * kPanelRows,
                   kBytes = 210 * kPanelRows;
  const TileF32 df;
  for (size_t b = 0; b < blocks; ++b, panel += kBytes, out += 256 * kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) {
      const auto d = LoadScales(panel + kStep, v);
      for (size_t half = 0; half < 2; ++half) {
        hn::Vec<TileF32> scales[8];
        for (size_t i = 0; i < 8; ++i) {
          const auto word = LoadWord(panel + kScales, 2 * half + i / 4, v);
          const auto scale =
              hn::ShiftRight<24>(hn::ShiftLeftSame(word, 24 - 8 * static_cast<int>(i % 4)));
          scales[i] = hn::Mul(d, hn::ConvertTo(df, scale));
        }
        for (size_t g = 0; g < 8; ++g) {
          const auto first = LoadWord(panel, 16 * half + g, v),
                     second = LoadWord(panel, 16 * half + 8 + g, v);
          const auto upper = LoadWord(panel + kUpper, 8 * half + g, v);
          float* const to = out + (128 * half + 4 * g) * kPanelRows + v * kTileLanes;
          const hn::Vec<TileF32>* const of_run = scales + g / 4;
          StoreQ6<0>(first, second, upper, of_run, to);
          StoreQ6<1>(first, second, upper, of_run, to);
          StoreQ6<2>(first, second, upper, of_run, to);
          StoreQ6<3>(first, second, upper, of_run, to);
        }
      }
    }
  }
}

// Four int8 of an output -> two pairs of int16: the even ones (0, 2) and the odd ones (1, 3), by
// shifts alone. Activations are paired the same way (ExpandBlock, block_activations-inl.h).
HWY_INLINE hn::Vec<PanelI16> EvenPair(hn::Vec<PanelI32> raw) {
  return hn::ShiftRight<8>(hn::ShiftLeft<8>(hn::BitCast(PanelI16(), raw)));
}
HWY_INLINE hn::Vec<PanelI16> OddPair(hn::Vec<PanelI32> raw) {
  return hn::ShiftRight<8>(hn::BitCast(PanelI16(), raw));
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
