// Lane code of depthwise_conv.h. Included once per target, after hwy/highway.h.
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

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DepthwiseF32 = hn::CappedTag<float, 16>;
using DepthwiseVec = hn::Vec<DepthwiseF32>;
inline constexpr size_t kDepthwiseLanes = hn::MaxLanes(DepthwiseF32());

// Neighbouring output pixels that are computed together: an input column is loaded once for all that it touches. 8 sums hide the latency of the
// multiply-add on AVX2 (18 against 12 GMAC/s with 4); without a fused one, 4 sums, the 7 weights of a kernel row and a product fill the 16 registers.
inline constexpr size_t kTilePixels = kDepthwiseLanes >= 8 ? 8 : 4;

// Channels that a sweep over the pixels takes: with one cache line instead of four the prefetchers do not keep up (11 against 17 GMAC/s at 768 channels).
// Their weights (12.5 kB) are copied next to each other first: from tap to tap they lie `cout` apart, and with a round number of channels all 49 would
// fall into a few sets of the first-level cache.
inline constexpr size_t kSweepChannels = 64;
inline constexpr size_t kMaxCopiedTaps = 7 * 7;

// What a run of output pixels on one row reads and writes; channels start at the output channel of the call.
struct DepthwiseRun {
  const float* in;        // channel of column `x` of the first kernel row in range; x may lie outside the map
  size_t row_stride;      // floats from one input row to the next
  size_t cin;
  size_t cout;
  ptrdiff_t x;            // input column of the first pixel's first tap
  size_t w;
  const float* weights;   // of the first kernel row in range
  size_t tap_stride;      // floats from one tap's weights to the next
  size_t kernel_rows;     // kernel rows in range
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

// Adds input column i of a kernel row to every pixel that it touches, then goes on to column i + 1. Unrolled by the compiler: which weight meets which
// sum is then known.
template <size_t kKernel, size_t kStride, size_t kMultiplier, bool kInside, size_t i>
HWY_INLINE void AddColumns(const DepthwiseRun& run, const float* row, const DepthwiseVec (&w)[kKernel], DepthwiseVec (&sum)[kTilePixels]) {
  constexpr size_t kColumns = kKernel + kStride * (kTilePixels - 1);
  if constexpr (i < kColumns) {
    if (kInside || static_cast<size_t>(run.x + static_cast<ptrdiff_t>(i)) < run.w) {
      const auto v = LoadInput<kMultiplier>(row + static_cast<ptrdiff_t>(i * run.cin));
      HWY_UNROLL(8)
      for (size_t p = 0; p < kTilePixels; ++p) {
        if (i >= kStride * p && i - kStride * p < kKernel) sum[p] = hn::MulAdd(v, w[i - kStride * p], sum[p]);
      }
    }
    AddColumns<kKernel, kStride, kMultiplier, kInside, i + 1>(run, row, w, sum);
  }
}

// `pixels` <= kTilePixels neighbouring pixels, one vector of channels. kInside: every column that the whole tile touches lies in the map.
template <size_t kKernel, size_t kStride, size_t kMultiplier, bool kInside>
HWY_NOINLINE void DepthwiseTile(const DepthwiseRun& run, size_t pixels) {
  const DepthwiseF32 d;
  DepthwiseVec sum[kTilePixels];
  HWY_UNROLL(8)
  for (size_t p = 0; p < kTilePixels; ++p) sum[p] = hn::LoadU(d, run.bias);
  for (size_t ky = 0; ky < run.kernel_rows; ++ky) {
    DepthwiseVec w[kKernel];
    HWY_UNROLL(8)
    for (size_t kx = 0; kx < kKernel; ++kx) w[kx] = hn::LoadU(d, run.weights + (ky * kKernel + kx) * kSweepChannels);
    AddColumns<kKernel, kStride, kMultiplier, kInside, 0>(run, run.in + ky * run.row_stride, w, sum);
  }
  HWY_UNROLL(8)
  for (size_t p = 0; p < kTilePixels; ++p) {
    if (kInside || p < pixels) hn::StoreU(sum[p], d, run.out + p * run.cout);
  }
}

// One vector of channels of one tile, by the shapes that the tower has; weights are copied ones. False for any other shape.
HWY_INLINE bool DepthwiseKnownTile(const DepthwiseShape& shape, const DepthwiseRun& run, size_t pixels) {
  const bool inside = pixels == kTilePixels && run.x >= 0 && static_cast<size_t>(run.x) + shape.kernel + shape.stride * (kTilePixels - 1) <= run.w;
#define TVLM_DEPTHWISE(kernel_size, stride_size, multiplier_size)                                                      \
  if (shape.kernel == kernel_size && shape.stride == stride_size && shape.multiplier == multiplier_size) {            \
    if (inside) {                                                                                                      \
      DepthwiseTile<kernel_size, stride_size, multiplier_size, true>(run, pixels);                                     \
    } else {                                                                                                           \
      DepthwiseTile<kernel_size, stride_size, multiplier_size, false>(run, pixels);                                    \
    }                                                                                                                  \
    return true;                                                                                                       \
  }
  TVLM_DEPTHWISE(3, 1, 1)  // mixer
  TVLM_DEPTHWISE(3, 2, 1)  // stem
  TVLM_DEPTHWISE(7, 1, 1)  // ConvFFN, positional encoding
  TVLM_DEPTHWISE(7, 2, 2)  // downsampler
  TVLM_DEPTHWISE(3, 1, 2)  // final
#undef TVLM_DEPTHWISE
  return false;
}

// Any shape and up to a vector of channels, one pixel. `o` is the first output channel: run.in then points to channel 0 of its pixel.
static HWY_NOINLINE HWY_MAYBE_UNUSED void DepthwisePixel(const DepthwiseShape& shape, const DepthwiseRun& run, size_t o, size_t channels) {
  const DepthwiseF32 d;
  HWY_ALIGN float v[kDepthwiseLanes] = {};
  auto sum = hn::LoadN(d, run.bias, channels);
  for (size_t ky = 0; ky < run.kernel_rows; ++ky) {
    for (size_t kx = 0; kx < shape.kernel; ++kx) {
      if (static_cast<size_t>(run.x + static_cast<ptrdiff_t>(kx)) >= run.w) continue;
      const float* const pixel = run.in + ky * run.row_stride + kx * run.cin;
      for (size_t c = 0; c < channels; ++c) v[c] = pixel[(o + c) / shape.multiplier];
      sum = hn::MulAdd(hn::Load(d, v), hn::LoadN(d, run.weights + (ky * shape.kernel + kx) * run.tap_stride, channels), sum);
    }
  }
  hn::StoreN(sum, d, run.out, channels);
}

HWY_INLINE void DepthwiseConvImpl(const DepthwiseShape& shape, const float* in, const float* weights, const float* bias, size_t p0, size_t p1, float* out) {
  const size_t out_w = (shape.w + shape.stride - 1) / shape.stride, cout = shape.cin * shape.multiplier, pad = (shape.kernel - 1) / 2;
  const size_t row_stride = shape.w * shape.cin, taps = shape.kernel * shape.kernel;
  HWY_ALIGN float copied[kMaxCopiedTaps * kSweepChannels];
  for (size_t sweep = 0; sweep < cout; sweep += kSweepChannels) {
    const size_t sweep_channels = std::min(kSweepChannels, cout - sweep);
    const float* sweep_weights = weights + sweep;
    DepthwiseRun run;
    run.row_stride = row_stride, run.cin = shape.cin, run.cout = cout, run.w = shape.w, run.tap_stride = cout;
    if (taps <= kMaxCopiedTaps) {
      for (size_t t = 0; t < taps; ++t) std::copy_n(sweep_weights + t * cout, sweep_channels, copied + t * kSweepChannels);
      sweep_weights = copied;
      run.tap_stride = kSweepChannels;
    }
    for (size_t p = p0, pixels; p < p1; p += pixels) {
      const size_t y = p / out_w, x = p % out_w;
      pixels = std::min({kTilePixels, out_w - x, p1 - p});
      const size_t top = y * shape.stride;  // input row under the middle of the kernel
      const size_t ky0 = pad - std::min(pad, top), ky1 = std::min(shape.kernel, shape.h + pad - top);
      run.kernel_rows = ky1 - ky0;
      for (size_t c = 0; c < sweep_channels; c += kDepthwiseLanes) {
        const size_t o = sweep + c, channels = std::min(kDepthwiseLanes, sweep_channels - c);
        run.x = static_cast<ptrdiff_t>(x * shape.stride) - static_cast<ptrdiff_t>(pad);
        run.weights = sweep_weights + ky0 * shape.kernel * run.tap_stride + c;
        run.bias = bias + o;
        run.out = out + (p - p0) * cout + o;
        const float* const column = in + (top + ky0 - pad - shape.row_begin) * row_stride + run.x * static_cast<ptrdiff_t>(shape.cin);
        run.in = column + o / shape.multiplier;
        if (channels == kDepthwiseLanes && DepthwiseKnownTile(shape, run, pixels)) continue;
        run.in = column;
        for (size_t i = 0; i < pixels; ++i) {
          DepthwisePixel(shape, run, o, channels);
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
