#include "probe_loops.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "probe_loops.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/gemm_f32-inl.h"  // after highway.h
#include "kernels/gemm_i8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Places that a turn of the instructions' loops reads: copies of accumulators that a compiler makes once per turn cost little then. Odd turns read others than
// even ones, so that the products cannot be taken out of the loop.
inline constexpr size_t kPlaces = 8;

// MultiplyTile without its broadcasts: the rows' factors stay in registers.
static HWY_NOINLINE void AddProductsF32(size_t turns, const float* HWY_RESTRICT operands, float* HWY_RESTRICT results) {
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
    for (size_t v = 0; v < kTileVectors; ++v) hn::StoreU(acc[r][v], d, results + r * kPanelRows + v * kTileLanes);
  }
}

// MultiplyTileI8 without its broadcasts and scales.
static HWY_NOINLINE void AddProductsI8(size_t turns, const int16_t* HWY_RESTRICT operands, float* HWY_RESTRICT results) {
  const PanelI16 d16;
  const PanelI32 di;
  hn::Vec<PanelI32> sum0[kTileRowsI8][kTileVectors], sum1[kTileRowsI8][kTileVectors];  // sum1 is used on Arm only
  hn::Vec<PanelI16> x[kTileRowsI8];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kTileRowsI8; ++r) {
    x[r] = hn::LoadU(d16, operands + r * 2 * kTileLanes);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) sum0[r][v] = sum1[r][v] = hn::Zero(di);
  }
  for (size_t turn = 0; turn < turns; ++turn) {
    const int16_t* const from = operands + turn % 2 * kPlaces * 2 * kPanelRows;
    HWY_UNROLL(2)  // of more GCC spills products
    for (size_t place = 0; place < kPlaces; ++place) {
      HWY_UNROLL(16)
      for (size_t v = 0; v < kTileVectors; ++v) {
        const auto w = hn::LoadU(d16, from + place * 2 * kPanelRows + v * 2 * kTileLanes);
        HWY_UNROLL(16)
        for (size_t r = 0; r < kTileRowsI8; ++r) sum0[r][v] = hn::ReorderWidenMulAccumulate(di, w, x[r], sum0[r][v], sum1[r][v]);
      }
    }
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < kTileRowsI8; ++r) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) {
      const auto sum = hn::RearrangeToOddPlusEven(sum0[r][v], sum1[r][v]);
      hn::StoreU(hn::BitCast(TileF32(), sum), TileF32(), results + r * kPanelRows + v * kTileLanes);
    }
  }
}

// Length of the rows in the first-level cache: with Q8_0 a panel of 15 kB.
inline constexpr size_t kRowK = 896;

uint64_t RunProbeLoop(ProbeLoop loop, size_t turns, const uint8_t* operands, float* results) {
  const float* const floats = reinterpret_cast<const float*>(operands);
  const int32_t* const words = reinterpret_cast<const int32_t*>(operands);
  const int16_t* const halves = reinterpret_cast<const int16_t*>(operands);
  constexpr size_t kPanelAt = 4096;  // bytes in front of the weights of the i8 loops
  static_assert((2 * kPlaces * kPanelRows + kTileRows * kTileLanes) * sizeof(float) <= kProbeOperandBytes);
  static_assert(kStripF32 * (kPanelRows + kTileRows) * sizeof(float) <= kProbeOperandBytes);
  static_assert(kPanelAt + kRowK / 32 * kBlockBytesQ8 <= kProbeOperandBytes && kTileRows <= 16);
  switch (loop) {
    case ProbeLoop::kF32Instructions:
      AddProductsF32(turns, floats, results);
      return uint64_t{turns} * kPlaces * kTileRows * kPanelRows;
    case ProbeLoop::kI8Instructions:
      AddProductsI8(turns, halves, results);
      return uint64_t{turns} * kPlaces * kTileRowsI8 * 2 * kPanelRows;
    case ProbeLoop::kF32Tile:
      for (size_t turn = 0; turn < turns; ++turn) {
        MultiplyTile<kTileRows>(floats, kStripF32, kStripF32, floats + kTileRows * kStripF32, kPanelRows, results, kPanelRows);
      }
      return uint64_t{turns} * kTileRows * kPanelRows * kStripF32;
    case ProbeLoop::kI8Tile:
      for (size_t turn = 0; turn < turns; ++turn) {
        MultiplyTileI8<kTileRowsI8>(words, kStripBlocks * kBlockPairs, floats, kStripBlocks, kStripBlocks, halves + kPanelAt / 2, floats, results, kPanelRows);
      }
      return uint64_t{turns} * kTileRowsI8 * kPanelRows * kStripBlocks * 32;
    case ProbeLoop::kF32Row:
      for (size_t turn = 0; turn < turns; ++turn) MultiplyTile<1>(floats, kStripF32, kStripF32, floats + kStripF32, kPanelRows, results, kPanelRows);
      return uint64_t{turns} * kPanelRows * kStripF32;
    case ProbeLoop::kQ8Row:
      for (size_t turn = 0; turn < turns; ++turn) MultiplyRowQ8(words, floats, kRowK / 32, operands + kPanelAt, results);
      return uint64_t{turns} * kPanelRows * kRowK;
    case ProbeLoop::kQ4Row:
      for (size_t turn = 0; turn < turns; ++turn) MultiplyRowQ4(words, floats, words, kRowK / 32, operands + kPanelAt, results);
      return uint64_t{turns} * kPanelRows * kRowK;
  }
  return 0;
}

uint32_t ReadMemory(const uint8_t* from, size_t bytes) {
  const PanelI32 d;
  constexpr size_t kUnroll = 8, kBytes = kTileLanes * 4;
  hn::Vec<PanelI32> sums[kUnroll];
  HWY_UNROLL(8)
  for (size_t i = 0; i < kUnroll; ++i) sums[i] = hn::Zero(d);
  for (size_t at = 0; at < bytes; at += kUnroll * kBytes) {
    HWY_UNROLL(8)
    for (size_t i = 0; i < kUnroll; ++i) sums[i] = hn::Add(sums[i], hn::LoadU(d, reinterpret_cast<const int32_t*>(from + at + i * kBytes)));
  }
  for (size_t i = 1; i < kUnroll; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  return static_cast<uint32_t>(hn::ReduceSum(d, sums[0]));
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(RunProbeLoop);
uint64_t RunProbeLoop(ProbeLoop loop, size_t turns, const uint8_t* operands, float* results) {
  return HWY_DYNAMIC_DISPATCH(RunProbeLoop)(loop, turns, operands, results);
}
HWY_EXPORT(ReadMemory);
uint32_t ReadMemory(const uint8_t* from, size_t bytes) { return HWY_DYNAMIC_DISPATCH(ReadMemory)(from, bytes); }
}  // namespace tinyvlm
#endif
