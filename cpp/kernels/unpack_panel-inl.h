// Parts of packed panels (pack.h) as f32 or as pairs of i16: what gemm_f32 and gemm_i8 multiply. Included once per target, after hwy/highway.h.
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
using PanelBytes = hn::Repartition<uint8_t, PanelI32>;

inline constexpr size_t kScaleBytes = 2 * kPanelRows;                // in front of a quantised block
inline constexpr size_t kBlockBytesQ8 = kScaleBytes + 32 * kPanelRows;
inline constexpr size_t kBlockBytesQ4 = kScaleBytes + 16 * kPanelRows;

// The scales of rows v * kTileLanes and following of a quantised block.
HWY_INLINE hn::Vec<TileF32> LoadScales(const uint8_t* block, size_t v) {
  const TileF32 d;
  const hn::Rebind<hwy::float16_t, TileF32> dh;
  return hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(block) + v * kTileLanes));
}

// Group q of 4 bytes of rows v * kTileLanes and following: one row per 32-bit lane.
HWY_INLINE hn::Vec<PanelI32> LoadGroup(const uint8_t* block, size_t q, size_t v) {
  return hn::BitCast(PanelI32(), hn::LoadU(PanelBytes(), block + kScaleBytes + (q * kPanelRows + v * kTileLanes) * 4));
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
static HWY_NOINLINE HWY_MAYBE_UNUSED void DequantizePanelQ8(const uint8_t* panel, size_t blocks, float* HWY_RESTRICT out) {
  const TileF32 d;
  for (size_t b = 0; b < blocks; ++b, panel += kBlockBytesQ8, out += 32 * kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) {
      const auto scale = LoadScales(panel, v);
      for (size_t q = 0; q < 8; ++q) {
        const auto raw = LoadGroup(panel, q, v);
        float* const to = out + 4 * q * kPanelRows + v * kTileLanes;
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(d, hn::ShiftRight<24>(hn::ShiftLeft<24>(raw)))), d, to);
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(d, hn::ShiftRight<24>(hn::ShiftLeft<16>(raw)))), d, to + kPanelRows);
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(d, hn::ShiftRight<24>(hn::ShiftLeft<8>(raw)))), d, to + 2 * kPanelRows);
        hn::StoreU(hn::Mul(scale, hn::ConvertTo(d, hn::ShiftRight<24>(raw))), d, to + 3 * kPanelRows);
      }
    }
  }
}

// One nibble of each row, the lowest four bits of `shifted`, times the scale.
HWY_INLINE void StoreNibble(hn::Vec<PanelI32> shifted, hn::Vec<TileF32> scale, float* HWY_RESTRICT to) {
  const PanelI32 di;
  const auto q = hn::Sub(hn::And(shifted, hn::Set(di, 15)), hn::Set(di, 8));
  hn::StoreU(hn::Mul(scale, hn::ConvertTo(TileF32(), q)), TileF32(), to);
}

// Blocks of Q4_0 -> f32 [blocks * 32][16].
static HWY_NOINLINE HWY_MAYBE_UNUSED void DequantizePanelQ4(const uint8_t* panel, size_t blocks, float* HWY_RESTRICT out) {
  for (size_t b = 0; b < blocks; ++b, panel += kBlockBytesQ4, out += 32 * kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) {
      const auto scale = LoadScales(panel, v);
      for (size_t q = 0; q < 4; ++q) {
        const auto raw = LoadGroup(panel, q, v);
        float* const low = out + 4 * q * kPanelRows + v * kTileLanes;  // low nibbles: elements 4q + i, high ones: 16 + 4q + i
        float* const high = low + 16 * kPanelRows;
        StoreNibble(raw, scale, low);
        StoreNibble(hn::ShiftRight<4>(raw), scale, high);
        StoreNibble(hn::ShiftRight<8>(raw), scale, low + kPanelRows);
        StoreNibble(hn::ShiftRight<12>(raw), scale, high + kPanelRows);
        StoreNibble(hn::ShiftRight<16>(raw), scale, low + 2 * kPanelRows);
        StoreNibble(hn::ShiftRight<20>(raw), scale, high + 2 * kPanelRows);
        StoreNibble(hn::ShiftRight<24>(raw), scale, low + 3 * kPanelRows);
        StoreNibble(hn::ShiftRight<28>(raw), scale, high + 3 * kPanelRows);
      }
    }
  }
}

// Four bytes of a row are two pairs of i16: the even ones (0, 2) and the odd ones (1, 3), which shifts alone give. Activations are paired the same
// way (quantize.h).
HWY_INLINE hn::Vec<PanelI16> EvenPair(hn::Vec<PanelI32> raw) { return hn::ShiftRight<8>(hn::ShiftLeft<8>(hn::BitCast(PanelI16(), raw))); }
HWY_INLINE hn::Vec<PanelI16> OddPair(hn::Vec<PanelI32> raw) { return hn::ShiftRight<8>(hn::BitCast(PanelI16(), raw)); }

// Nibbles of 4 bytes as pairs, 0..15: kShift 0 even low, 4 even high, 8 odd low, 12 odd high.
template <int kShift>
HWY_INLINE hn::Vec<PanelI16> NibblePair(hn::Vec<PanelI32> raw) {
  const hn::RebindToUnsigned<PanelI16> du;
  return hn::And(hn::BitCast(PanelI16(), hn::ShiftRight<kShift>(hn::BitCast(du, raw))), hn::Set(PanelI16(), int16_t{15}));
}

// From the even pairs of an unpacked block to its odd ones.
inline constexpr size_t kOddPairs = 8 * 2 * kPanelRows;

// Blocks of Q8_0 -> pairs, per block [even, odd][8 groups][16 rows][2], and the scales [blocks][16].
static HWY_NOINLINE HWY_MAYBE_UNUSED void PairPanelQ8(const uint8_t* panel, size_t blocks, int16_t* HWY_RESTRICT pairs, float* HWY_RESTRICT scales) {
  const PanelI16 d;
  for (size_t b = 0; b < blocks; ++b, panel += kBlockBytesQ8, scales += kPanelRows, pairs += 32 * kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) hn::StoreU(LoadScales(panel, v), TileF32(), scales + v * kTileLanes);
    for (size_t q = 0; q < 8; ++q) {
      for (size_t v = 0; v < kTileVectors; ++v) {
        const auto raw = LoadGroup(panel, q, v);
        int16_t* const even = pairs + q * 2 * kPanelRows + v * 2 * kTileLanes;
        hn::StoreU(EvenPair(raw), d, even);
        hn::StoreU(OddPair(raw), d, even + kOddPairs);
      }
    }
  }
}

// The same for Q4_0.
static HWY_NOINLINE HWY_MAYBE_UNUSED void PairPanelQ4(const uint8_t* panel, size_t blocks, int16_t* HWY_RESTRICT pairs, float* HWY_RESTRICT scales) {
  const PanelI16 d;
  const auto eight = hn::Set(d, int16_t{8});
  for (size_t b = 0; b < blocks; ++b, panel += kBlockBytesQ4, scales += kPanelRows, pairs += 32 * kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) hn::StoreU(LoadScales(panel, v), TileF32(), scales + v * kTileLanes);
    for (size_t q = 0; q < 4; ++q) {
      for (size_t v = 0; v < kTileVectors; ++v) {
        const auto raw = LoadGroup(panel, q, v);
        int16_t* const even = pairs + q * 2 * kPanelRows + v * 2 * kTileLanes;
        constexpr size_t kHigh = 4 * 2 * kPanelRows;  // high nibbles are elements 16 and following: groups 4 and following
        hn::StoreU(hn::Sub(NibblePair<0>(raw), eight), d, even);
        hn::StoreU(hn::Sub(NibblePair<4>(raw), eight), d, even + kHigh);
        hn::StoreU(hn::Sub(NibblePair<8>(raw), eight), d, even + kOddPairs);
        hn::StoreU(hn::Sub(NibblePair<12>(raw), eight), d, even + kOddPairs + kHigh);
      }
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
