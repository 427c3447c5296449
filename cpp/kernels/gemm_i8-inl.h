// Lane code of GemmI8 (gemm.h). Included once per target, after hwy/highway.h. What a target
// multiplies how: block_products-inl.h.
#if defined(TINYVLM_KERNELS_GEMM_I8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_GEMM_I8_INL_H_
#undef TINYVLM_KERNELS_GEMM_I8_INL_H_
#else
#define TINYVLM_KERNELS_GEMM_I8_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "hwy/highway.h"
#include "kernels/block_products-inl.h"
#include "kernels/gemm.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "kernels/relaxed_dots.h"
#include "kernels/unpack_panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// From this many rows on a panel is worth unpacking once for all of them.
inline constexpr size_t kMinPanelRowsI8 = 4;

// Unpacked part of a group of panels: 4 panels of 4 kB (8 blocks of bytes, or 4 of pairs), which
// stay in the first-level cache while all rows pass.
inline constexpr size_t kStripSteps = 64;
inline constexpr size_t kGroupPanels = 4;
inline constexpr size_t kMaxStripBlocks = 8;

template <class Products>
inline constexpr size_t kStripBlocks = kStripSteps / Products::kSteps;

// A register tile: rows by vectors of outputs. With 16 registers 8 sums, their weights, a broadcast
// and a product; on Arm without sdot, where there is no multiply-add of pairs, every sum takes two.
inline constexpr bool kManyRegisters = kTileLanes == 16 || HWY_TARGET_IS_NEON;
inline constexpr size_t kTileRowsI8 = kTileLanes == 16                                        ? 12
                                      : HWY_TARGET_IS_NEON && kTargetDots != ByteDots::kQuads ? 2
                                                                                              : 4;
inline constexpr size_t kTileVectorsI8 =
    kManyRegisters ? kTileVectors : std::min<size_t>(kTileVectors, 2);

// Where code size counts, two rows that are left over are taken one by one.
inline constexpr bool kHasTileOfTwo = kTileRowsI8 > 2 && HWY_TARGET != HWY_WASM;

// Results stay in registers over a strip where there is room for them beside the sums.
inline constexpr bool kKeepsResults = kTileLanes == 16;

// Rows of activations in a strip as a tile reads them: at distances that the compiler knows, so
// that one pointer reaches all.
struct StripRowsI8 {
  int32_t words[kTileRowsI8][kStripSteps];
  int32_t starts[kTileRowsI8][kMaxStripBlocks];  // Products::StartWords
  // of the high bytes, where a block needs them multiplied
  int32_t high_starts[kTileRowsI8][kMaxStripBlocks];
  float scales[kTileRowsI8][kMaxStripBlocks];
};

// The caller's scratch, cut up.
class ScratchI8 {
 public:
  explicit ScratchI8(uint8_t* memory) : memory_(memory) {}

  static size_t Bytes(size_t k) {
    return kTail + PackScratchBytes(DType::kQ8_0, k) + (k / 2 + k / 32) * sizeof(int32_t);
  }

  // One panel of the group: [block][step][kStepBytes], and its scales [block][16 rows].
  uint8_t* weights(size_t panel) const { return memory_ + panel * kStripSteps * kStepBytes; }
  float* scales(size_t panel) const {
    return reinterpret_cast<float*>(memory_ + kScales) + panel * kMaxStripBlocks * kPanelRows;
  }
  StripRowsI8* rows() const { return reinterpret_cast<StripRowsI8*>(memory_ + kRows); }
  // [kTileRowsI8][16]: results of a panel with fewer than 16 columns.
  float* tile() const { return reinterpret_cast<float*>(memory_ + kTile); }
  // The last panel, packed.
  uint8_t* tail() const { return memory_ + kTail; }
  // Expanded activations of one row, and what its blocks start with.
  int32_t* row_words(size_t k) const {
    return reinterpret_cast<int32_t*>(memory_ + kTail + PackScratchBytes(DType::kQ8_0, k));
  }
  int32_t* row_starts(size_t k) const { return row_words(k) + k / 2; }

 private:
  static constexpr size_t kScales = kGroupPanels * kStripSteps * kStepBytes;
  static constexpr size_t kRows =
      kScales + kGroupPanels * kMaxStripBlocks * kPanelRows * sizeof(float);
  static constexpr size_t kTile = kRows + (sizeof(StripRowsI8) + 63) / 64 * 64;
  static constexpr size_t kTail = kTile + kTileRowsI8 * kPanelRows * sizeof(float);

  uint8_t* memory_;
};

// The words of a block's low bytes, or of its high ones.
HWY_INLINE const int32_t* ByteWords(const int8_t* bytes, size_t k, size_t row, size_t block) {
  return reinterpret_cast<const int32_t*>(bytes + row * k + block * 32);
}

// What a block with these sums starts with, in every lane.
template <class Products>
HWY_INLINE hn::Vec<PanelI32> StartOf(int32_t block_sums) {
  return Products::StartWords(PanelI32(), hn::Set(PanelI32(), block_sums));
}

HWY_INLINE hn::Vec<PanelI32> TimesWideStep(hn::Vec<PanelI32> sums) {
  return hn::Mul(sums, hn::Set(PanelI32(), kWideStep));
}

// result + (scale of the activations * scales of the weights) * total: the one way in which a
// block's integers become part of a result.
HWY_INLINE hn::Vec<TileF32> AddScaled(float scale, hn::Vec<TileF32> weight_scales,
                                      hn::Vec<PanelI32> total, hn::Vec<TileF32> result) {
  const TileF32 df;
  return MultiplyAdd(hn::Mul(hn::Set(df, scale), weight_scales), hn::ConvertTo(df, total), result);
}

// Where a tile reads the weights of a strip of one panel: a block's words, kStepBytes a step, and
// its scales.
struct PanelPlace {
  const uint8_t* words;
  const uint8_t* scales;
};

// How it reads them: unpacked ones, words [block][step][kStepBytes] and scales [block][16] in f32;
struct UnpackedWeights {
  template <class Products>
  static constexpr size_t kWordsOfBlock = Products::kSteps * kStepBytes;
  static constexpr size_t kScalesOfBlock = kPanelRows * sizeof(float), kScaleBytes = sizeof(float);

  template <class Products>
  static HWY_INLINE hn::Vec<PanelI32> Load(const uint8_t* HWY_RESTRICT words, size_t v) {
    return LoadWord(words, 0, v);
  }
  static HWY_INLINE hn::Vec<TileF32> Scales(const uint8_t* HWY_RESTRICT scales, size_t v) {
    return hn::LoadU(TileF32(), reinterpret_cast<const float*>(scales) + v * kTileLanes);
  }
};

// packed Q8_0 as it lies in memory.
struct PackedBytes {
  template <class Products>
  static constexpr size_t kWordsOfBlock = kBlockBytesQ8;
  static constexpr size_t kScalesOfBlock = kBlockBytesQ8, kScaleBytes = sizeof(uint16_t);

  template <class Products>
  static HWY_INLINE hn::Vec<PanelI32> Load(const uint8_t* HWY_RESTRICT words, size_t v) {
    return Products::OfSignedBytes(LoadWord(words, 0, v));
  }
  static HWY_INLINE hn::Vec<TileF32> Scales(const uint8_t* HWY_RESTRICT scales, size_t v) {
    return LoadScales(scales, v);
  }
};

// Whether Products takes packed weights as they are, so that nothing has to be unpacked.
template <DType kType, class Products>
inline constexpr bool kReadsPacked =
    kType == DType::kQ8_0 && !Products::kExpands && Products::kPasses == 1;

template <DType kType, class Products>
using WeightsOfTile =
    std::conditional_t<kReadsPacked<kType, Products>, PackedBytes, UnpackedWeights>;

// Calls body(i) for i below kCount. Unrolled whatever the compiler thinks of it: of a loop GCC
// copies every sum once per turn. But not in wasm, whose compilers know nothing of registers: they
// would move the loads of all turns to the front and V8 put what they brought on the stack.
template <size_t kCount, class Body>
HWY_INLINE void ForEachOf(const Body& body) {
#if HWY_TARGET == HWY_WASM
#pragma clang loop unroll(disable)
  for (size_t i = 0; i < kCount; ++i) body(i);
#else
  [&]<size_t... i>(std::index_sequence<i...>)
      TINYVLM_LAMBDA { (body(i), ...); }(std::make_index_sequence<kCount>());
#endif
}

// One pass of a block's products with the words at x, for vector v of the weights alone: what few
// blocks need.
template <class Products, class Weights>
HWY_INLINE void AddWords(const uint8_t* HWY_RESTRICT weights, size_t v,
                         const int32_t* HWY_RESTRICT x, typename Products::Sum& sum) {
#ifdef __clang__
#pragma clang loop unroll(disable)
#endif
  for (size_t i = 0; i < Products::kWords; ++i, weights += kStepBytes) {
    Products::Add(Weights::template Load<Products>(weights, v), hn::Set(PanelI32(), x[i]), sum);
  }
}

// c[r][0..kVectors vectors) += sum over the blocks of scale * scale * (integer sum), for kRows
// rows. kWide: some block may be wide; `a`, `row` and `block` say where the strip was taken from.
template <class Products, class Weights, size_t kRows, size_t kVectors, bool kWide>
HWY_NOINLINE void MultiplyTileI8(const StripRowsI8& rows, const QuantizedRows& a, size_t row,
                                 size_t block, size_t blocks, const uint8_t* HWY_RESTRICT weights,
                                 const uint8_t* HWY_RESTRICT scales, float* HWY_RESTRICT c,
                                 size_t ldc) {
  const TileF32 df;
  const PanelI32 di;
  constexpr size_t kWordsOfBlock = Weights::template kWordsOfBlock<Products>;
  const int32_t* HWY_RESTRICT words = rows.words[0];
  hn::Vec<TileF32> kept[kKeepsResults ? kRows : 1];
  if constexpr (kKeepsResults) {
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) kept[r] = hn::LoadU(df, c + r * ldc);
  }
  for (size_t b = 0; b < blocks; ++b, weights += kWordsOfBlock, scales += Weights::kScalesOfBlock,
              words += Products::kWords) {
    typename Products::Sum sums[kRows][kVectors];
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) {
      const auto start = Products::Start(hn::Set(di, rows.starts[r][b]));
      HWY_UNROLL(16)
      for (size_t v = 0; v < kVectors; ++v) sums[r][v] = start;
    }
    const int32_t* x_at = words;
    const uint8_t* w_at = weights;
    const auto step = [&](size_t) TINYVLM_LAMBDA {
      hn::Vec<PanelI32> w[kVectors];
      HWY_UNROLL(16)
      for (size_t v = 0; v < kVectors; ++v) w[v] = Weights::template Load<Products>(w_at, v);
      HWY_UNROLL(16)
      for (size_t r = 0; r < kRows; ++r) {
        const auto x = hn::Set(di, x_at[r * kStripSteps]);
        HWY_UNROLL(16)
        for (size_t v = 0; v < kVectors; ++v) Products::Add(w[v], x, sums[r][v]);
      }
      w_at += kStepBytes;
      ++x_at;
    };
    ForEachOf<Products::kWords>(step);
    if constexpr (Products::kPasses == 2) {
      HWY_UNROLL(16)
      for (size_t r = 0; r < kRows; ++r) {
        HWY_UNROLL(16)
        for (size_t v = 0; v < kVectors; ++v) sums[r][v] = Products::Double(sums[r][v]);
      }
      x_at = words;
      ForEachOf<Products::kWords>(step);
    }
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) {
      const float scale = rows.scales[r][b];
      HWY_UNROLL(16)
      for (size_t v = 0; v < kVectors; ++v) {
        auto total = Products::Total(sums[r][v]);
        if constexpr (kWide) {
          if (a.IsWide(row + r, block + b)) {
            const int32_t* const high = ByteWords(a.high, a.k, row + r, block + b);
            auto sum = Products::Start(hn::Set(di, rows.high_starts[r][b]));
            AddWords<Products, Weights>(weights, v, high, sum);
            if constexpr (Products::kPasses == 2) {
              sum = Products::Double(sum);
              AddWords<Products, Weights>(weights + Products::kWords * kStepBytes, v, high, sum);
            }
            total = hn::Add(total, TimesWideStep(Products::Total(sum)));
          }
        }
        const auto weight_scales = Weights::Scales(scales, v);
        if constexpr (kKeepsResults) {
          kept[r] = AddScaled(scale, weight_scales, total, kept[r]);
        } else {
          float* const to = c + r * ldc + v * kTileLanes;
          hn::StoreU(AddScaled(scale, weight_scales, total, hn::LoadU(df, to)), df, to);
        }
      }
    }
  }
  if constexpr (kKeepsResults) {
    HWY_UNROLL(16)
    for (size_t r = 0; r < kRows; ++r) hn::StoreU(kept[r], df, c + r * ldc);
  }
}

// A panel, a tile's vectors at a time.
template <class Products, class Weights, size_t kRows, bool kWide>
HWY_INLINE void MultiplyPanelI8(const StripRowsI8& rows, const QuantizedRows& a, size_t row,
                                size_t block, size_t blocks, const PanelPlace& panel, float* c,
                                size_t ldc) {
  for (size_t v = 0; v < kTileVectors; v += kTileVectorsI8) {
    MultiplyTileI8<Products, Weights, kRows, kTileVectorsI8, kWide>(
        rows, a, row, block, blocks, panel.words + v * kTileLanes * 4,
        panel.scales + v * kTileLanes * Weights::kScaleBytes, c + v * kTileLanes, ldc);
  }
}

// What the high bytes of those of `blocks` blocks start with that need them multiplied.
template <class Products>
HWY_NOINLINE void GatherHighStarts(const QuantizedRows& a, size_t at, size_t blocks,
                                   int32_t* high_starts) {
  for (size_t b = 0; b < blocks; ++b) {
    if (a.wide[at + b] != 0) high_starts[b] = hn::GetLane(StartOf<Products>(a.high_sums[at + b]));
  }
}

// Copies one row of a strip: kBlocks blocks. Returns whether a block needs its high bytes
// multiplied.
template <class Products, size_t kBlocks>
HWY_INLINE bool GatherBlocks(const QuantizedRows& a, size_t at, int32_t* HWY_RESTRICT words,
                             int32_t* HWY_RESTRICT starts, int32_t* HWY_RESTRICT high_starts,
                             float* HWY_RESTRICT scales) {
  const hn::CappedTag<int32_t, kBlocks> d;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<int32_t, kBlocks>());
  for (size_t b = 0; b < kBlocks; b += kLanes)
    hn::StoreU(Products::StartWords(d, hn::LoadU(d, a.low_sums + at + b)), d, starts + b);
  std::memcpy(scales, a.scales + at, kBlocks * sizeof(float));
  uint64_t wide = 0;
  if constexpr (Products::kExpands) {
#ifdef __clang__
#pragma clang loop unroll(disable)
#endif
    for (size_t b = 0; b < kBlocks; ++b) {
      ExpandBlock(a.low + (at + b) * 32, a.wide[at + b] != 0 ? a.high + (at + b) * 32 : nullptr,
                  words + b * Products::kWords);
    }
  } else {
    std::memcpy(words, a.low + at * 32, kBlocks * 32);
    std::memcpy(&wide, a.wide + at, kBlocks);
    if (HWY_UNLIKELY(wide != 0)) GatherHighStarts<Products>(a, at, kBlocks, high_starts);
  }
  return wide != 0;
}

// Fills `strip` from `count` rows; says whether any of their blocks needs its high bytes
// multiplied. Copies have sizes that the compiler knows: of others each is a call, which in wasm
// takes as long as a tile. Not inlined: it would stand there once for every number of rows.
template <class Products>
HWY_NOINLINE bool GatherStrip(const QuantizedRows& a, size_t row, size_t count, size_t block,
                              size_t blocks, StripRowsI8* HWY_RESTRICT strip) {
  bool wide = false;
  for (size_t r = 0; r < count; ++r) {
    const size_t at = (row + r) * (a.k / 32) + block;
    if (blocks == kStripBlocks<Products>) {
      wide |= GatherBlocks<Products, kStripBlocks<Products>>(
          a, at, strip->words[r], strip->starts[r], strip->high_starts[r], strip->scales[r]);
    } else {
      for (size_t b = 0; b < blocks; ++b) {
        wide |= GatherBlocks<Products, 1>(a, at + b, strip->words[r] + b * Products::kWords,
                                          strip->starts[r] + b, strip->high_starts[r] + b,
                                          strip->scales[r] + b);
      }
    }
  }
  return wide;
}

// The columns of a panel that has fewer than 16.
static HWY_NOINLINE HWY_MAYBE_UNUSED void CopyColumns(const float* from, size_t from_stride,
                                                      size_t rows, size_t columns, float* to,
                                                      size_t to_stride) {
  for (size_t r = 0; r < rows; ++r)
    std::copy_n(from + r * from_stride, columns, to + r * to_stride);
}

// `blocks` blocks of kRows rows, from `row` and `block` on, against a group of panels. c points to
// the first row and the group's first column.
template <class Products, class Weights, size_t kRows>
HWY_INLINE void MultiplyGroupI8(const QuantizedRows& a, size_t row, size_t block, size_t blocks,
                                const PanelPlace (&panels)[kGroupPanels], const ScratchI8& scratch,
                                float* c, size_t ldc, size_t columns) {
  StripRowsI8& rows = *scratch.rows();
  const bool wide = GatherStrip<Products>(a, row, kRows, block, blocks, &rows);
  for (size_t n = 0, p = 0; n < columns; n += kPanelRows, ++p) {
    const bool narrow_panel = columns - n < kPanelRows;
    float* const to = narrow_panel ? scratch.tile() : c + n;
    const size_t to_stride = narrow_panel ? kPanelRows : ldc;
    if (narrow_panel) CopyColumns(c + n, ldc, kRows, columns - n, to, kPanelRows);
    if (wide) {  // never so of expanded words
      MultiplyPanelI8<Products, Weights, kRows, !Products::kExpands>(rows, a, row, block, blocks,
                                                                     panels[p], to, to_stride);
    } else {
      MultiplyPanelI8<Products, Weights, kRows, false>(rows, a, row, block, blocks, panels[p], to,
                                                       to_stride);
    }
    if (narrow_panel) CopyColumns(to, kPanelRows, kRows, columns - n, c + n, ldc);
  }
}

// `blocks` blocks of a packed panel -> [block][step][kStepBytes], and the scales [block][16].
template <DType kType, class Products>
HWY_NOINLINE void UnpackStrip(const uint8_t* HWY_RESTRICT panel, size_t blocks,
                              uint8_t* HWY_RESTRICT weights, float* HWY_RESTRICT scales) {
  for (size_t b = 0; b < blocks; ++b, panel += OfType<kType>::kBlockBytes,
              weights += Products::kSteps * kStepBytes, scales += kPanelRows) {
    for (size_t v = 0; v < kTileVectors; ++v) {
      hn::StoreU(LoadScales(panel, v), TileF32(), scales + v * kTileLanes);
      auto fifth = LoadFifthBits<kType>(panel, v);
      ForEachOf<OfType<kType>::kGroups>([&](size_t q) TINYVLM_LAMBDA {
        ForEachStepOfGroup<kType, Products>(
            panel, q, v, fifth, [&](size_t step, hn::Vec<PanelI32> words) TINYVLM_LAMBDA {
              hn::StoreU(hn::BitCast(PanelBytes(), words), PanelBytes(),
                         weights + step * kStepBytes + v * kTileLanes * 4);
            });
      });
    }
  }
}

// The sums of a block for one row, panel packed: sums[v] += products with the words at x.
template <DType kType, class Products>
HWY_INLINE void AddRowBlock(const uint8_t* HWY_RESTRICT block, const int32_t* HWY_RESTRICT x,
                            typename Products::Sum (&sums)[kTileVectors]) {
  hn::Vec<PanelI32> fifth[kTileVectors];
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) fifth[v] = LoadFifthBits<kType>(block, v);
  ForEachOf<OfType<kType>::kGroups>([&](size_t q) TINYVLM_LAMBDA {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) {
      ForEachStepOfGroup<kType, Products>(
          block, q, v, fifth[v], [&](size_t step, hn::Vec<PanelI32> words) TINYVLM_LAMBDA {
            Products::Add(words, hn::Set(PanelI32(), x[step]), sums[v]);
          });
    }
  });
}

// What a wide block's high bytes add to its totals. Out of the way of the usual loop.
template <DType kType, class Products>
HWY_NOINLINE void AddWideRowBlock(const QuantizedRows& a, size_t row, size_t block,
                                  const uint8_t* panel, hn::Vec<PanelI32> (&totals)[kTileVectors]) {
  if constexpr (!Products::kExpands) {
    typename Products::Sum sums[kTileVectors];
    for (size_t v = 0; v < kTileVectors; ++v)
      sums[v] = Products::Start(StartOf<Products>(a.high_sums[row * (a.k / 32) + block]));
    AddRowBlock<kType, Products>(panel, ByteWords(a.high, a.k, row, block), sums);
    for (size_t v = 0; v < kTileVectors; ++v)
      totals[v] = hn::Add(totals[v], TimesWideStep(Products::Total(sums[v])));
  } else if constexpr (Products::kNarrowOnly) {  // all of it anew
    using Pairs = PairProducts<0>;
    int32_t words[Pairs::kSteps];
    ExpandBlock(a.low + row * a.k + block * 32, a.high + row * a.k + block * 32, words);
    Pairs::Sum sums[kTileVectors];
    AddRowBlock<kType, Pairs>(panel, words, sums);
    for (size_t v = 0; v < kTileVectors; ++v) totals[v] = Pairs::Total(sums[v]);
  }
}

// Row `row` against one packed panel: the same integers and the same order of blocks as
// MultiplyTileI8, so the same bits. `expanded` and `starts` are the row's (ExpandRow) where
// Products::kExpands.
template <DType kType, class Products>
HWY_NOINLINE void MultiplyRowI8(const QuantizedRows& a, size_t row,
                                const int32_t* HWY_RESTRICT expanded,
                                const int32_t* HWY_RESTRICT starts,
                                const uint8_t* HWY_RESTRICT panel, float* HWY_RESTRICT c) {
  const TileF32 df;
  const size_t blocks = a.k / 32;
  const float* HWY_RESTRICT scales = a.scales + row * blocks;
  const int32_t* HWY_RESTRICT low_sums = a.low_sums + row * blocks;
  const int32_t* HWY_RESTRICT words = Products::kExpands ? expanded : ByteWords(a.low, a.k, row, 0);
  hn::Vec<TileF32> results[kTileVectors];
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) results[v] = hn::LoadU(df, c + v * kTileLanes);
  for (size_t b = 0; b < blocks;
       ++b, panel += OfType<kType>::kBlockBytes, words += Products::kWords) {
    typename Products::Sum sums[kTileVectors];
    hn::Vec<PanelI32> totals[kTileVectors];
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) {
      sums[v] = Products::Start(Products::kExpands ? hn::Set(PanelI32(), starts[b])
                                                   : StartOf<Products>(low_sums[b]));
    }
    AddRowBlock<kType, Products>(panel, words, sums);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v) totals[v] = Products::Total(sums[v]);
    if (HWY_UNLIKELY(a.IsWide(row, b))) AddWideRowBlock<kType, Products>(a, row, b, panel, totals);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kTileVectors; ++v)
      results[v] = AddScaled(scales[b], LoadScales(panel, v), totals[v], results[v]);
  }
  HWY_UNROLL(16)
  for (size_t v = 0; v < kTileVectors; ++v) hn::StoreU(results[v], df, c + v * kTileLanes);
}

// The words of row `row` and what its blocks start with, where Products::kExpands.
template <class Products>
HWY_INLINE void ExpandRow(const QuantizedRows& a, size_t row, int32_t* HWY_RESTRICT words,
                          int32_t* HWY_RESTRICT starts) {
  const hn::CappedTag<int32_t, 1> one;
  for (size_t b = 0; b < a.k / 32; ++b, words += Products::kWords) {
    const size_t at = row * (a.k / 32) + b;
    const bool wide = a.wide[at] != 0;
    if constexpr (Products::kNarrowOnly) {
      ExpandRawBlock(a.low + at * 32, words, starts + b);  // of a wide block it is of no use
    } else {
      ExpandBlock(a.low + at * 32, wide ? a.high + at * 32 : nullptr, words);
      const auto start = [&](int32_t sums) TINYVLM_LAMBDA {
        return hn::GetLane(Products::StartWords(one, hn::Set(one, sums)));
      };
      starts[b] = start(a.low_sums[at]) + (wide ? kWideStep * start(a.high_sums[at]) : 0);
    }
  }
}

using MultiplyRowFunction =
    decltype(&MultiplyRowI8<DType::kQ8_0, RowProductsOf<DType::kQ8_0, kTargetDots>>);

// A few rows, one after the other, against packed panels as they are: a decode step is one row.
// `multiply_row` is MultiplyRowI8 for B's type and Products.
template <class Products>
HWY_NOINLINE void MultiplyFewRowsI8(const QuantizedRows& a, size_t m, const PackedMatrix& B,
                                    float* c, size_t ldc, size_t n0, size_t n1,
                                    const ScratchI8& scratch, MultiplyRowFunction multiply_row) {
  const size_t panel_bytes = PackScratchBytes(B.type, B.k);
  if (n1 % kPanelRows != 0) PackTail(B, scratch.tail());
  int32_t* const expanded = scratch.row_words(B.k);
  int32_t* const starts = scratch.row_starts(B.k);
  for (size_t r = 0; r < m; ++r) {
    if constexpr (Products::kExpands) ExpandRow<Products>(a, r, expanded, starts);
    for (size_t n = n0; n < n1; n += kPanelRows) {
      const size_t columns = std::min(kPanelRows, n1 - n);
      const uint8_t* const panel =
          columns < kPanelRows ? scratch.tail() : B.data + n / kPanelRows * panel_bytes;
      float* const to = columns < kPanelRows ? scratch.tile() : c + r * ldc + (n - n0);
      if (columns < kPanelRows)
        CopyColumns(c + r * ldc + (n - n0), ldc, 1, columns, to, kPanelRows);
      multiply_row(a, r, expanded, starts, panel, to);
      if (columns < kPanelRows)
        CopyColumns(to, kPanelRows, 1, columns, c + r * ldc + (n - n0), ldc);
    }
  }
}

// Many rows: panels are unpacked a strip of a group at a time where they have to be, then all rows
// pass.
template <DType kType, class Products>
HWY_INLINE void MultiplyManyRowsI8(const QuantizedRows& a, size_t m, const PackedMatrix& B,
                                   float* c, size_t ldc, size_t n0, size_t n1,
                                   const ScratchI8& scratch) {
  using Weights = WeightsOfTile<kType, Products>;
  const size_t blocks = B.k / 32, panel_bytes = PackScratchBytes(B.type, B.k);
  for (size_t n = n0; n < n1; n += kGroupPanels * kPanelRows) {
    const size_t columns = std::min(kGroupPanels * kPanelRows, n1 - n);
    if (columns % kPanelRows != 0) PackTail(B, scratch.tail());
    for (size_t b0 = 0; b0 < blocks; b0 += kStripBlocks<Products>) {
      const size_t count = std::min(kStripBlocks<Products>, blocks - b0);
      PanelPlace panels[kGroupPanels];
      for (size_t p = 0; p * kPanelRows < columns; ++p) {
        const uint8_t* const panel = columns - p * kPanelRows < kPanelRows
                                         ? scratch.tail()
                                         : B.data + (n / kPanelRows + p) * panel_bytes;
        const uint8_t* const from = panel + b0 * OfType<kType>::kBlockBytes;
        if constexpr (kReadsPacked<kType, Products>) {
          panels[p] = {from + kScaleBytes, from};
        } else {
          UnpackStrip<kType, Products>(from, count, scratch.weights(p), scratch.scales(p));
          panels[p] = {scratch.weights(p), reinterpret_cast<const uint8_t*>(scratch.scales(p))};
        }
      }
      for (size_t r = 0, rows; r < m; r += rows) {
        float* const to = c + r * ldc + (n - n0);
        // Of 16 rows two tiles of 8 are better than one of 12 and one of 4, whose four sums wait
        // for each other.
        const size_t left = m - r;
        if (left >= kTileRowsI8 && (kTileRowsI8 <= 8 || left != 16)) {
          MultiplyGroupI8<Products, Weights, kTileRowsI8>(a, r, b0, count, panels, scratch, to, ldc,
                                                          columns);
          rows = kTileRowsI8;
        } else if (kTileRowsI8 > 8 && left >= 8) {
          MultiplyGroupI8<Products, Weights, std::min<size_t>(kTileRowsI8, 8)>(
              a, r, b0, count, panels, scratch, to, ldc, columns);
          rows = 8;
        } else if (kTileRowsI8 > 4 && left >= 4) {
          MultiplyGroupI8<Products, Weights, std::min<size_t>(kTileRowsI8, 4)>(
              a, r, b0, count, panels, scratch, to, ldc, columns);
          rows = 4;
        } else if (kHasTileOfTwo && left >= 2) {
          MultiplyGroupI8<Products, Weights, kHasTileOfTwo ? 2 : 1>(a, r, b0, count, panels,
                                                                    scratch, to, ldc, columns);
          rows = 2;
        } else {
          MultiplyGroupI8<Products, Weights, 1>(a, r, b0, count, panels, scratch, to, ldc, columns);
          rows = 1;
        }
      }
    }
  }
}

template <DType kType, ByteDots kDots>
HWY_INLINE void MultiplyRowsI8(const QuantizedRows& a, size_t m, const PackedMatrix& B, float* c,
                               size_t ldc, size_t n0, size_t n1, const ScratchI8& scratch) {
  if (m < kMinPanelRowsI8) {
    using Products = RowProductsOf<kType, kDots>;
    MultiplyFewRowsI8<Products>(a, m, B, c, ldc, n0, n1, scratch, &MultiplyRowI8<kType, Products>);
  } else {
    MultiplyManyRowsI8<kType, ProductsOf<kType, kDots>>(a, m, B, c, ldc, n0, n1, scratch);
  }
}

// Calls body(dots) with the kind of dots to be used, an integral constant.
template <class Body>
HWY_INLINE auto WithByteDots(const Body& body) {
#if TINYVLM_RELAXED_SIMD
  if (HasFastDotAdd()) return body(std::integral_constant<ByteDots, ByteDots::kQuads>());
#endif
  return body(std::integral_constant<ByteDots, kTargetDots>());
}

HWY_INLINE void GemmI8Impl(const QuantizedRows& a, size_t m, const PackedMatrix& B,
                           const float* bias, float* c, size_t ldc, size_t n0, size_t n1,
                           uint8_t* memory) {
  for (size_t r = 0; r < m; ++r) {
    if (bias != nullptr) {
      std::copy(bias + n0, bias + n1, c + r * ldc);
    } else {
      std::fill_n(c + r * ldc, n1 - n0, 0.0f);
    }
  }
  const ScratchI8 scratch(memory);
  WithByteDots([&](auto dots) TINYVLM_LAMBDA {
    constexpr ByteDots kDots = decltype(dots)::value;
    switch (B.type) {
      case DType::kQ4_0:
        return MultiplyRowsI8<DType::kQ4_0, kDots>(a, m, B, c, ldc, n0, n1, scratch);
      case DType::kQ5_0:
        return MultiplyRowsI8<DType::kQ5_0, kDots>(a, m, B, c, ldc, n0, n1, scratch);
      default:
        return MultiplyRowsI8<DType::kQ8_0, kDots>(a, m, B, c, ldc, n0, n1, scratch);
    }
  });
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
