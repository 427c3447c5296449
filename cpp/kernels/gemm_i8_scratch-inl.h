// What both paths of GemmI8 (gemm_i8_tile-inl.h, gemm_i8_row-inl.h) share: tile sizes, the layout
// of the caller's scratch memory, and how the integer total of a block is scaled and added.
// Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_GEMM_I8_SCRATCH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_GEMM_I8_SCRATCH_INL_H_
#undef TINYVLM_KERNELS_GEMM_I8_SCRATCH_INL_H_
#else
#define TINYVLM_KERNELS_GEMM_I8_SCRATCH_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/rounding.h"
#include "hwy/highway.h"
#include "kernels/block_dot-inl.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "kernels/relaxed-inl.h"
#include "kernels/unpack_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// With this many rows of activations or more, unpacking a panel once for all of them pays off.
inline constexpr size_t kMinRowsToUnpack = 4;

// A strip is the part of a panel that is unpacked at a time: 64 steps, 4 kB. The strips of a group
// of 4 panels stay in the L1 cache while all rows of activations are multiplied by them.
inline constexpr size_t kStripSteps = 64;
inline constexpr size_t kGroupPanels = 4;
inline constexpr size_t kMaxStripBlocks = 8;

// Blocks in a strip: 8, or 4 where a block takes 16 steps.
template <class Dot>
inline constexpr size_t kStripBlocks = kStripSteps / Dot::kSteps;

// A register tile: rows of activations by vectors of outputs. 16 registers hold 8 accumulators, two
// vectors of weights, a broadcast activation word and a product. On Arm without sdot each
// accumulator takes two registers (Int16Dot::Accumulator). With i8mm many rows are better than many
// outputs: weights are rearranged for each tile, activations are not.
inline constexpr bool kMatrixProducts = TINYVLM_ARM_INT8 == 2;
inline constexpr bool kManyRegisters = kTileLanes == 16 || HWY_TARGET_IS_NEON;
inline constexpr bool kTwoRegisterAccumulators =
    HWY_TARGET_IS_NEON && kTargetInstruction != Int8Instruction::kDot4;
inline constexpr size_t kTileRowsI8 = kTileLanes == 16           ? 12
                                      : kTwoRegisterAccumulators ? 2
                                      : kMatrixProducts          ? 8
                                                                 : 4;
inline constexpr size_t kTileVectorsI8 =
    kManyRegisters && !kMatrixProducts ? kTileVectors : std::min<size_t>(kTileVectors, 2);

// In wasm, where code size counts, two remaining rows are computed one by one.
inline constexpr bool kHasTileOfTwo = kTileRowsI8 > 2 && HWY_TARGET != HWY_WASM;

// Whether f32 results stay in registers during a strip: 32 registers hold them and the
// accumulators.
inline constexpr bool kKeepsResults = kTileLanes == 16;

// The activations of one strip as a tile reads them. Row strides are compile-time constants, so
// that one pointer reaches all rows.
struct StripRowsI8 {
  int32_t words[kTileRowsI8][kStripSteps];        // [row][block * Dot::kWords + word]
  int32_t initial[kTileRowsI8][kMaxStripBlocks];  // Dot::InitialWords of the low bytes
  // Dot::InitialWords of the high bytes; only for outlier blocks of an int8 Dot.
  int32_t high_initial[kTileRowsI8][kMaxStripBlocks];
  float scales[kTileRowsI8][kMaxStripBlocks];
};

// The parts of the caller's scratch memory.
class ScratchI8 {
 public:
  explicit ScratchI8(uint8_t* memory) : memory_(memory) {}

  // Bytes for rows of k values.
  static size_t Bytes(size_t k) {
    return kTail + PackScratchBytes(DType::kQ8_0, k) + (k / 2 + k / 32) * sizeof(int32_t);
  }

  // The unpacked strip of one panel of the group: [block][step][kStepBytes].
  uint8_t* weights(size_t panel) const { return memory_ + panel * kStripSteps * kStepBytes; }
  // Its scales: [block][16].
  float* scales(size_t panel) const {
    return reinterpret_cast<float*>(memory_ + kScales) + panel * kMaxStripBlocks * kPanelRows;
  }
  // The activations of the current strip.
  StripRowsI8* rows() const { return reinterpret_cast<StripRowsI8*>(memory_ + kRows); }
  // [kTileRowsI8][16]: results of a partial panel (fewer than 16 columns).
  float* tile() const { return reinterpret_cast<float*>(memory_ + kTile); }
  // The last, partial panel, packed (PackTail).
  uint8_t* tail() const { return memory_ + kTail; }
  // One row of activations as int16 pairs (ExpandRow).
  int32_t* row_words(size_t k) const {
    return reinterpret_cast<int32_t*>(memory_ + kTail + PackScratchBytes(DType::kQ8_0, k));
  }
  // The initial accumulator of each of its blocks.
  int32_t* row_initial(size_t k) const { return row_words(k) + k / 2; }

 private:
  static constexpr size_t kScales = kGroupPanels * kStripSteps * kStepBytes;
  static constexpr size_t kRows =
      kScales + kGroupPanels * kMaxStripBlocks * kPanelRows * sizeof(float);
  static constexpr size_t kTile = kRows + AlignUp(sizeof(StripRowsI8));
  static constexpr size_t kTail = kTile + kTileRowsI8 * kPanelRows * sizeof(float);

  uint8_t* memory_;
};

// Calls body(i) for each i < kCount. Always unrolled: in a loop GCC copies every accumulator once
// per iteration. Except in wasm, where compilers do not know the number of registers: unrolled, the
// loads of all iterations move to the front and V8 spills what they loaded to the stack.
template <size_t kCount, class Body>
HWY_INLINE void ForEachIndex(const Body& body) {
#if HWY_TARGET == HWY_WASM
#pragma clang loop unroll(disable)
  for (size_t i = 0; i < kCount; ++i) body(i);
#else
  [&]<size_t... i>(std::index_sequence<i...>)
      TINYVLM_LAMBDA { (body(i), ...); }(std::make_index_sequence<kCount>());
#endif
}

// Copies the columns of a partial panel between C and ScratchI8::tile.
static HWY_NOINLINE HWY_MAYBE_UNUSED void CopyColumns(const float* from, size_t from_stride,
                                                      size_t rows, size_t columns, float* to,
                                                      size_t to_stride) {
  for (size_t r = 0; r < rows; ++r)
    std::copy_n(from + r * from_stride, columns, to + r * to_stride);
}

// result + (scale of the activations * scales of the weights) * total. Both paths add a block to a
// result by this function only, in order of the blocks, so that they give the same bits.
HWY_INLINE hn::Vec<TileF32> AddScaled(float scale, hn::Vec<TileF32> weight_scales,
                                      hn::Vec<PanelI32> total, hn::Vec<TileF32> result) {
  const TileF32 df;
  return MultiplyAdd(hn::Mul(hn::Set(df, scale), weight_scales), hn::ConvertTo(df, total), result);
}

// The low bytes (or the high bytes) of one block of a row, as words of four.
HWY_INLINE const int32_t* ByteWords(const int8_t* bytes, size_t k, size_t row, size_t block) {
  return reinterpret_cast<const int32_t*>(bytes + row * k + block * 32);
}

// The initial accumulator of a block whose activation sums (QuantizedRows::low_sums) are
// `block_sums`, in every lane.
template <class Dot>
HWY_INLINE hn::Vec<PanelI32> InitialAccumulator(int32_t block_sums) {
  return Dot::InitialWords(PanelI32(), hn::Set(PanelI32(), block_sums));
}

// Totals of high bytes -> their share in the total of an outlier block.
HWY_INLINE hn::Vec<PanelI32> TimesHighStep(hn::Vec<PanelI32> sums) {
  return hn::Mul(sums, hn::Set(PanelI32(), kHighStep));
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
