#include "probe_loops.h"

#include "base/rounding.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "probe_loops.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/gemm_f32-inl.h"  // after highway.h
#include "kernels/gemm_i8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Places that a turn of the instructions' loops reads: copies of accumulators that a compiler makes
// once per turn cost little then. Odd turns read others than even ones, so that the products cannot
// be taken out of the loop.
inline constexpr size_t kPlaces = 8;

// Length of the rows in the first-level cache: with Q8_0 a panel of 15 kB.
inline constexpr size_t kRowK = 896;
inline constexpr size_t kRowBytes = QuantizedRows::Bytes(1, kRowK);
inline constexpr size_t kMaxStripRowsBytes = AlignUp(sizeof(StripRowsI8));

// MultiplyTile without its broadcasts: the rows' factors stay in registers.
static HWY_NOINLINE void AddProductsF32(size_t turns, const float* HWY_RESTRICT operands,
                                        float* HWY_RESTRICT results) {
  const TileF32 d;
  hn::Vec<TileF32> acc[kTileRows][kTileVectors], x[kTileRows];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kTileRows; ++r) {
    x[r] = hn::LoadU(d, operands + r * kTileLanes);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) acc[r][v] = hn::Zero(d);
  }
  for (size_t turn = 0; turn < turns; ++turn) {
    const float* const from = operands + turn % 2 * kPlaces * kPanelRows;
    HWY_UNROLL(2)
    for (size_t place = 0; place < kPlaces; ++place) {
      HWY_UNROLL(16)
      for (size_t v = 0; v < kTileVectors; ++v) {
        const auto w = hn::LoadU(d, from + place * kPanelRows + v * kTileLanes);
        HWY_UNROLL(16)
        for (size_t r = 0; r < kTileRows; ++r) acc[r][v] = hn::MulAdd(x[r], w, acc[r][v]);
      }
    }
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v)
      hn::StoreU(acc[r][v], d, results + r * kPanelRows + v * kTileLanes);
  }
}

// MultiplyTileI8 without its broadcasts and scales.
template <class Dot>
HWY_NOINLINE void AddProductsI8(size_t turns, const uint8_t* HWY_RESTRICT operands,
                                float* HWY_RESTRICT results) {
  const PanelI32 di;
  typename Dot::Accumulator sums[kTileRowsI8][kTileVectorsI8];
  hn::Vec<PanelI32> x[kTileRowsI8];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kTileRowsI8; ++r) {
    x[r] = LoadWord(operands, r, 0);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectorsI8; ++v) sums[r][v] = Dot::Initial(hn::Zero(di));
  }
  for (size_t turn = 0; turn < turns; ++turn) {
    const uint8_t* const from = operands + turn % 2 * kPlaces * kStepBytes;
    ForEachIndex<kPlaces>([&](size_t place) TINYVLM_LAMBDA {
      HWY_UNROLL(16)
      for (size_t v = 0; v < kTileVectorsI8; ++v) {
        const auto w = LoadWord(from, place, v);
        HWY_UNROLL(16)
        for (size_t r = 0; r < kTileRowsI8; ++r) Dot::Accumulate(w, x[r], sums[r][v]);
      }
    });
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < kTileRowsI8; ++r) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectorsI8; ++v) {
      hn::StoreU(hn::BitCast(TileF32(), Dot::Total(sums[r][v])), TileF32(),
                 results + r * kPanelRows + v * kTileLanes);
    }
  }
}

// The tile of one strip with all operands in the first-level cache.
template <DType kType, class Dot>
uint64_t RunTileI8(size_t turns, const uint8_t* operands, float* results) {
  const auto& rows = *reinterpret_cast<const StripRowsI8*>(operands);
  const uint8_t* const from = operands + kMaxStripRowsBytes;
  const PanelPointers panel = kReadsPacked<kType, Dot>
                                  ? PanelPointers{from + kScaleBytes, from}
                                  : PanelPointers{from, from + kStripSteps * kStepBytes};
  for (size_t turn = 0; turn < turns; ++turn) {
    MultiplyPanelI8<Dot, WeightsOfTile<kType, Dot>, kTileRowsI8, false>(
        rows, QuantizedRows(), 0, 0, kStripBlocks<Dot>, panel, results, kPanelRows);
  }
  return uint64_t{turns} * kTileRowsI8 * kPanelRows * kStripBlocks<Dot> * 32;
}

template <DType kType, class Dot>
uint64_t RunRowI8(size_t turns, const uint8_t* operands, float* results) {
  // a view of what may be written; it is read only
  uint8_t* const row = const_cast<uint8_t*>(operands);
  const QuantizedRows a = QuantizedRows::At(row, 1, kRowK);
  for (size_t turn = 0; turn < turns; ++turn) {
    MultiplyRowI8<kType, Dot>(a, 0, reinterpret_cast<const int32_t*>(operands),
                              reinterpret_cast<const int32_t*>(operands), operands + kRowBytes,
                              results);
  }
  return uint64_t{turns} * kPanelRows * kRowK;
}

template <Int8Instruction kInstruction>
uint64_t RunProbeLoopWith(ProbeLoop loop, size_t turns, const uint8_t* operands, float* results) {
  using Bytes = PackedType<DType::kQ8_0>::Dots<kInstruction>;
  using Nibbles = PackedType<DType::kQ4_0>::Dots<kInstruction>;
  const float* const floats = reinterpret_cast<const float*>(operands);
  static_assert((2 * kPlaces * kPanelRows + kTileRows * kTileLanes) * sizeof(float) <=
                kProbeOperandBytes);
  static_assert(kStripF32 * (kPanelRows + kTileRows) * sizeof(float) <= kProbeOperandBytes);
  static_assert(kMaxStripRowsBytes + kMaxStripBlocks * kBlockBytesQ8 <= kProbeOperandBytes);
  static_assert(kMaxStripRowsBytes + kStripSteps * kStepBytes +
                    kMaxStripBlocks * kPanelRows * sizeof(float) <=
                kProbeOperandBytes);
  static_assert(kRowBytes + kRowK / 32 * kBlockBytesQ8 <= kProbeOperandBytes &&
                2 * kRowK <= kProbeOperandBytes && kTileRows <= 16 && kTileRowsI8 <= 16);
  switch (loop) {
    case ProbeLoop::kF32Instructions:
      AddProductsF32(turns, floats, results);
      return uint64_t{turns} * kPlaces * kTileRows * kPanelRows;
    case ProbeLoop::kQ8Instructions:
      AddProductsI8<typename Bytes::Tile>(turns, operands, results);
      return uint64_t{turns} * kPlaces * kTileRowsI8 * kTileVectorsI8 * kTileLanes * 32 /
             Bytes::Tile::kSteps;
    case ProbeLoop::kQ4Instructions:
      AddProductsI8<typename Nibbles::Tile>(turns, operands, results);
      return uint64_t{turns} * kPlaces * kTileRowsI8 * kTileVectorsI8 * kTileLanes * 32 /
             Nibbles::Tile::kSteps;
    case ProbeLoop::kF32Tile:
      for (size_t turn = 0; turn < turns; ++turn) {
        MultiplyTile<kTileRows>(floats, kStripF32, kStripF32, floats + kTileRows * kStripF32,
                                kPanelRows, results, kPanelRows);
      }
      return uint64_t{turns} * kTileRows * kPanelRows * kStripF32;
    case ProbeLoop::kQ8Tile:
      return RunTileI8<DType::kQ8_0, typename Bytes::Tile>(turns, operands, results);
    case ProbeLoop::kQ4Tile:
      return RunTileI8<DType::kQ4_0, typename Nibbles::Tile>(turns, operands, results);
    case ProbeLoop::kF32Row:
      for (size_t turn = 0; turn < turns; ++turn)
        MultiplyTile<1>(floats, kStripF32, kStripF32, floats + kStripF32, kPanelRows, results,
                        kPanelRows);
      return uint64_t{turns} * kPanelRows * kStripF32;
    case ProbeLoop::kQ8Row:
      return RunRowI8<DType::kQ8_0, typename Bytes::Row>(turns, operands, results);
    case ProbeLoop::kQ4Row:
      return RunRowI8<DType::kQ4_0, typename Nibbles::Row>(turns, operands, results);
  }
  return 0;
}

uint64_t RunProbeLoop(ProbeLoop loop, size_t turns, const uint8_t* operands, float* results,
                      RelaxedDot relaxed_dot) {
  return WithInt8Instruction(relaxed_dot, [&](auto instruction) TINYVLM_LAMBDA {
    return RunProbeLoopWith<decltype(instruction)::value>(loop, turns, operands, results);
  });
}

uint32_t ReadMemory(const uint8_t* from, size_t bytes) {
  const PanelI32 d;
  constexpr size_t kUnroll = 8, kBytes = kTileLanes * 4;
  hn::Vec<PanelI32> sums[kUnroll];
  HWY_UNROLL(8)
  for (size_t i = 0; i < kUnroll; ++i) sums[i] = hn::Zero(d);
  for (size_t at = 0; at < bytes; at += kUnroll * kBytes) {
    HWY_UNROLL(8)
    for (size_t i = 0; i < kUnroll; ++i)
      sums[i] =
          hn::Add(sums[i], hn::LoadU(d, reinterpret_cast<const int32_t*>(from + at + i * kBytes)));
  }
  for (size_t i = 1; i < kUnroll; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  return static_cast<uint32_t>(hn::ReduceSum(d, sums[0]));
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(RunProbeLoop);
uint64_t RunProbeLoop(ProbeLoop loop, size_t turns, const uint8_t* operands, float* results,
                      RelaxedDot relaxed_dot) {
  return HWY_DYNAMIC_DISPATCH(RunProbeLoop)(loop, turns, operands, results, relaxed_dot);
}
HWY_EXPORT(ReadMemory);
uint32_t ReadMemory(const uint8_t* from, size_t bytes) {
  return HWY_DYNAMIC_DISPATCH(ReadMemory)(from, bytes);
}
}  // namespace tinyvlm
#endif
