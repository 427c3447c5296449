// SIMD code of depthwise_conv.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_DEPTHWISE_CONV_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_DEPTHWISE_CONV_INL_H_
#undef TINYVLM_KERNELS_DEPTHWISE_CONV_INL_H_
#else
#define TINYVLM_KERNELS_DEPTHWISE_CONV_INL_H_
#endif

#include <algorithm>
#include <cstddef>

#include "hwy/highway.h"
#include "kernels/depthwise_conv.h"
#include "kernels/relaxed-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DepthwiseF32 = hn::CappedTag<float, 16>;
using DepthwiseVec = hn::Vec<DepthwiseF32>;
inline constexpr size_t kDepthwiseLanes = hn::MaxLanes(DepthwiseF32());

// Neighbouring output pixels that are computed together: an input column is loaded once for all
// pixels that need it, and 8 accumulators hide the latency of an addition (with 4: 1.4 times the
// time in wasm, 1.6 times with a fused multiply-add).
inline constexpr size_t kTilePixels = 8;

// Vectors of channels that are computed together where there are 32 registers: 8 accumulators just
// cover the latency of two multiply-adds per cycle, 16 do better (95 and 110 GMAC/s on AVX-512).
inline constexpr size_t kDepthwiseVectors = kDepthwiseLanes == 16 || HWY_TARGET_IS_NEON ? 2 : 1;

// Weights of a kernel row that stay in registers while its columns are processed. With 16 registers
// and no fused multiply-add, or with V8's register allocation, 8 accumulators, an input and a
// product leave no room for all 7 weights: the columns of 4 taps are processed first, then those
// of 3.
inline constexpr size_t kHeldTaps = kDepthwiseLanes >= 8 || HWY_TARGET_IS_NEON ? 7 : 4;

// Channels per sweep over the pixels: with one cache line instead of four the prefetchers do not
// keep up (11 instead of 17 GMAC/s at 768 channels). Their weights (12.5 kB) are first copied to
// contiguous memory: in the map they are `cout` floats apart from tap to tap, and with a round
// number of channels all 49 would fall into a few sets of the L1 cache.
inline constexpr size_t kSweepChannels = 64;
inline constexpr size_t kMaxCopiedTaps = 7 * 7;

// The operands of a run of output pixels on one row; channels start at the output channel of the
// call.
struct DepthwiseRun {
  // channel of column `x` of the first kernel row in range; x may lie outside the map
  const float* in;
  size_t row_stride;  // floats from one input row to the next
  size_t cin;
  size_t cout;
  ptrdiff_t x;  // input column of the first pixel's first tap
  size_t w;
  const float* weights;  // of the first kernel row in range
  size_t tap_stride;     // floats from one tap's weights to the next
  size_t kernel_rows;    // kernel rows in range
  const float* bias;
  float* out;
};

// The input of kDepthwiseLanes output channels, or of half as many input channels twice each.
template <size_t kMultiplier>
HWY_INLINE DepthwiseVec LoadInput(const float* in) {
  const DepthwiseF32 d;
#if HWY_TARGET != HWY_SCALAR  // one lane: two outputs never share a vector
  if constexpr (kMultiplier == 2) {
    const hn::Half<DepthwiseF32> half;
    const auto once = hn::ZeroExtendVector(d, hn::LoadU(half, in));
    return hn::InterleaveWholeLower(d, once, once);
  }
#endif
  return hn::LoadU(d, in);
}

// kInside: the tile is complete, and every column that it needs is inside the map. (Tiles compiled
// for each number of columns outside gain nothing with 7x7, and a seventh with 3x3 on maps of 32
// pixels.)
template <size_t kKernel, size_t kStride, size_t kMultiplier, bool kInside>
struct DepthwiseTile {
  // Adds input column i of a kernel row to every pixel that reads it by a tap in [kFirst, kFirst +
  // kTaps), then continues with column i + 1. Unrolled by the compiler, so that the weight for each
  // accumulator is a compile-time constant.
  template <size_t kFirst, size_t kTaps, size_t kVectors, size_t i>
  static HWY_INLINE void AddColumns(const DepthwiseRun& run, const float* row,
                                    const DepthwiseVec (&w)[kTaps][kVectors],
                                    DepthwiseVec (&sum)[kTilePixels][kVectors]) {
    if constexpr (i < kFirst + kTaps + kStride * (kTilePixels - 1)) {
      if (kInside || static_cast<size_t>(run.x + static_cast<ptrdiff_t>(i)) < run.w) {
        HWY_UNROLL(2)
        for (size_t u = 0; u < kVectors; ++u) {
          const auto v = LoadInput<kMultiplier>(row + static_cast<ptrdiff_t>(i * run.cin) +
                                                u * kDepthwiseLanes / kMultiplier);
          HWY_UNROLL(8)
          for (size_t p = 0; p < kTilePixels; ++p) {
            if (i >= kStride * p + kFirst && i - kStride * p < kFirst + kTaps)
              sum[p][u] = MultiplyAdd(v, w[i - kStride * p - kFirst][u], sum[p][u]);
          }
        }
      }
      AddColumns<kFirst, kTaps, kVectors, i + 1>(run, row, w, sum);
    }
  }

  template <size_t kFirst, size_t kVectors>
  static HWY_INLINE void AddTaps(const DepthwiseRun& run, const float* row, const float* weights,
                                 DepthwiseVec (&sum)[kTilePixels][kVectors]) {
    if constexpr (kFirst < kKernel) {
      // With two outputs per input, loading an input takes three instructions: loading weights from
      // memory is cheaper than loading inputs twice.
      constexpr size_t kTaps = kMultiplier == 2 ? kKernel : HWY_MIN(kHeldTaps, kKernel - kFirst);
      DepthwiseVec w[kTaps][kVectors];
      HWY_UNROLL(8)
      for (size_t kx = 0; kx < kTaps; ++kx) {
        HWY_UNROLL(2)
        for (size_t u = 0; u < kVectors; ++u)
          w[kx][u] = hn::LoadU(DepthwiseF32(),
                               weights + (kFirst + kx) * kSweepChannels + u * kDepthwiseLanes);
      }
      AddColumns<kFirst, kTaps, kVectors, kFirst>(run, row, w, sum);
      AddTaps<kFirst + kTaps, kVectors>(run, row, weights, sum);
    }
  }

  // kVectors vectors of channels from channel c of the run on.
  template <size_t kVectors>
  static HWY_INLINE void ComputeVectors(const DepthwiseRun& run, size_t pixels, size_t c) {
    const DepthwiseF32 d;
    DepthwiseVec sum[kTilePixels][kVectors];
    HWY_UNROLL(8)
    for (size_t p = 0; p < kTilePixels; ++p) {
      HWY_UNROLL(2)
      for (size_t u = 0; u < kVectors; ++u)
        sum[p][u] = hn::LoadU(d, run.bias + c + u * kDepthwiseLanes);
    }
    const float* row = run.in + c / kMultiplier;
    const float* weights = run.weights + c;
    for (size_t ky = 0; ky < run.kernel_rows;
         ++ky, row += run.row_stride, weights += kKernel * kSweepChannels)
      AddTaps<0, kVectors>(run, row, weights, sum);
    float* const out = run.out + c;
    HWY_UNROLL(8)
    for (size_t p = 0; p < kTilePixels; ++p) {
      HWY_UNROLL(2)
      for (size_t u = 0; u < kVectors; ++u) {
        if (kInside || p < pixels)
          hn::StoreU(sum[p][u], d, out + p * run.cout + u * kDepthwiseLanes);
      }
    }
  }

  // `pixels` <= kTilePixels neighbouring pixels, `vectors` vectors of channels.
  static HWY_NOINLINE void Compute(const DepthwiseRun& run, size_t pixels, size_t vectors) {
    size_t u = 0;
    for (; u + kDepthwiseVectors <= vectors; u += kDepthwiseVectors)
      ComputeVectors<kDepthwiseVectors>(run, pixels, u * kDepthwiseLanes);
    if constexpr (kDepthwiseVectors > 1) {
      for (; u < vectors; ++u) ComputeVectors<1>(run, pixels, u * kDepthwiseLanes);
    }
  }
};

// Whole vectors of channels of one tile, for the shapes of the tower; weights are the copied ones.
// Returns false for other shapes.
HWY_INLINE bool ComputeKnownTile(const DepthwiseShape& shape, const DepthwiseRun& run,
                                 size_t pixels, size_t vectors) {
  const bool inside =
      pixels == kTilePixels && run.x >= 0 &&
      static_cast<size_t>(run.x) + shape.kernel + shape.stride * (kTilePixels - 1) <= run.w;
#define TVLM_DEPTHWISE(kernel_size, stride_size, multiplier_size)                           \
  if (shape.kernel == kernel_size && shape.stride == stride_size &&                         \
      shape.multiplier == multiplier_size) {                                                \
    if (inside) {                                                                           \
      DepthwiseTile<kernel_size, stride_size, multiplier_size, true>::Compute(run, pixels,  \
                                                                              vectors);     \
    } else {                                                                                \
      DepthwiseTile<kernel_size, stride_size, multiplier_size, false>::Compute(run, pixels, \
                                                                               vectors);    \
    }                                                                                       \
    return true;                                                                            \
  }
  TVLM_DEPTHWISE(3, 1, 1)  // mixer
  TVLM_DEPTHWISE(3, 2, 1)  // stem
  TVLM_DEPTHWISE(7, 1, 1)  // ConvFFN, positional encoding
  TVLM_DEPTHWISE(7, 2, 2)  // downsampler
#undef TVLM_DEPTHWISE
  // The final convolution: one small map, for which a kInside variant is not worth its code.
  if (shape.kernel == 3 && shape.stride == 1 && shape.multiplier == 2) {
    DepthwiseTile<3, 1, 2, false>::Compute(run, pixels, vectors);
    return true;
  }
  return false;
}

// Any shape and up to a vector of channels, one pixel. `o` is the first output channel: run.in then
// points to channel 0 of its pixel.
static HWY_NOINLINE HWY_MAYBE_UNUSED void DepthwisePixel(const DepthwiseShape& shape,
                                                         const DepthwiseRun& run, size_t o,
                                                         size_t channels) {
  const DepthwiseF32 d;
  HWY_ALIGN float v[kDepthwiseLanes] = {};
  auto sum = hn::LoadN(d, run.bias, channels);
  for (size_t ky = 0; ky < run.kernel_rows; ++ky) {
    for (size_t kx = 0; kx < shape.kernel; ++kx) {
      if (static_cast<size_t>(run.x + static_cast<ptrdiff_t>(kx)) >= run.w) continue;
      const float* const pixel = run.in + ky * run.row_stride + kx * run.cin;
      for (size_t c = 0; c < channels; ++c) v[c] = pixel[(o + c) / shape.multiplier];
      sum = MultiplyAdd(
          hn::Load(d, v),
          hn::LoadN(d, run.weights + (ky * shape.kernel + kx) * run.tap_stride, channels), sum);
    }
  }
  hn::StoreN(sum, d, run.out, channels);
}

// Up to kSweepChannels floats: for so few a call of memmove takes longer than the copy (a fifth of
// a strip of 40 pixels).
HWY_INLINE void CopyChannels(const float* HWY_RESTRICT from, size_t n, float* HWY_RESTRICT to) {
  const DepthwiseF32 d;
  size_t i = 0;
  for (; i + kDepthwiseLanes <= n; i += kDepthwiseLanes)
    hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  if (i < n) hn::StoreN(hn::LoadN(d, from + i, n - i), d, to + i, n - i);
}

HWY_INLINE void DepthwiseConvImpl(const DepthwiseShape& shape, const float* in,
                                  const float* weights, const float* bias, size_t p0, size_t p1,
                                  float* out) {
  const size_t out_w = (shape.w + shape.stride - 1) / shape.stride,
               cout = shape.cin * shape.multiplier, pad = (shape.kernel - 1) / 2;
  const size_t row_stride = shape.w * shape.cin, taps = shape.kernel * shape.kernel;
  HWY_ALIGN float copied[kMaxCopiedTaps * kSweepChannels];
  for (size_t sweep = 0; sweep < cout; sweep += kSweepChannels) {
    const size_t sweep_channels = std::min(kSweepChannels, cout - sweep);
    const float* sweep_weights = weights + sweep;
    DepthwiseRun run;
    run.row_stride = row_stride, run.cin = shape.cin, run.cout = cout, run.w = shape.w,
    run.tap_stride = cout;
    if (taps <= kMaxCopiedTaps) {
      for (size_t t = 0; t < taps; ++t)
        CopyChannels(sweep_weights + t * cout, sweep_channels, copied + t * kSweepChannels);
      sweep_weights = copied;
      run.tap_stride = kSweepChannels;
    }
    for (size_t p = p0, pixels; p < p1; p += pixels) {
      const size_t y = p / out_w, x = p % out_w;
      pixels = std::min({kTilePixels, out_w - x, p1 - p});
      const size_t top = y * shape.stride;  // input row under the middle of the kernel
      const size_t ky0 = pad - std::min(pad, top),
                   ky1 = std::min(shape.kernel, shape.h + pad - top);
      run.kernel_rows = ky1 - ky0;
      run.x = static_cast<ptrdiff_t>(x * shape.stride) - static_cast<ptrdiff_t>(pad);
      const float* const column = in + (top + ky0 - pad - shape.row_begin) * row_stride +
                                  run.x * static_cast<ptrdiff_t>(shape.cin);
      const auto set_channels = [&](size_t c) {
        run.weights = sweep_weights + ky0 * shape.kernel * run.tap_stride + c;
        run.bias = bias + sweep + c;
        run.out = out + (p - p0) * cout + sweep + c;
      };
      set_channels(0);
      run.in = column + sweep / shape.multiplier;
      const size_t vectors = sweep_channels / kDepthwiseLanes;
      size_t done = 0;
      if (vectors != 0 && ComputeKnownTile(shape, run, pixels, vectors))
        done = vectors * kDepthwiseLanes;
      const ptrdiff_t tile_x = run.x;
      for (size_t c = done; c < sweep_channels; c += kDepthwiseLanes) {
        set_channels(c);
        run.x = tile_x;
        run.in = column;
        for (size_t i = 0; i < pixels; ++i) {
          DepthwisePixel(shape, run, sweep + c, std::min(kDepthwiseLanes, sweep_channels - c));
          run.x += static_cast<ptrdiff_t>(shape.stride);
          run.in += shape.stride * shape.cin;
          run.out += cout;
        }
      }
    }
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
