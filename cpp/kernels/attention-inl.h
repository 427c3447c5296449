// SIMD code of attention.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_ATTENTION_INL_H_
#undef TINYVLM_KERNELS_ATTENTION_INL_H_
#else
#define TINYVLM_KERNELS_ATTENTION_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <limits>

#include "hwy/highway.h"
#include "kernels/attention.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

static_assert(kKeyPanel == kTileColumns);

// Rows that read keys and values together: one or more tiles of gemm_tile-inl.h.
inline constexpr size_t kAttentionGroup = 12;

// Keys that a group of rows processes at a time: their scores (12 kB) stay in the L1 cache. Whole
// panels.
inline constexpr size_t kAttentionKeys = 256;

// Floats of the scores of a group.
HWY_INLINE size_t ScoreStride(size_t keys) {
  return std::min((keys + kKeyPanel - 1) / kKeyPanel * kKeyPanel, kAttentionKeys);
}

#if HWY_TARGET != HWY_SCALAR  // has vectors of one lane
// to[i * kKeyPanel + 0..4) = component i of four keys, for i < n, a multiple of 4.
HWY_INLINE void TransposeFourKeys(const float* HWY_RESTRICT k, size_t k_stride, size_t n,
                                  float* HWY_RESTRICT to) {
  const hn::FixedTag<float, 4> d;
  const hn::RepartitionToWide<hn::RebindToUnsigned<decltype(d)>> d64;
  for (size_t i = 0; i < n; i += 4, to += 4 * kKeyPanel) {
    const auto a = hn::LoadU(d, k + i), b = hn::LoadU(d, k + k_stride + i),
               c = hn::LoadU(d, k + 2 * k_stride + i), e = hn::LoadU(d, k + 3 * k_stride + i);
    const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d, a, b)),
               ab1 = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
    const auto ce0 = hn::BitCast(d64, hn::InterleaveLower(d, c, e)),
               ce1 = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, ab0, ce0)), d, to);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, ab0, ce0)), d, to + kKeyPanel);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, ab1, ce1)), d, to + 2 * kKeyPanel);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, ab1, ce1)), d, to + 3 * kKeyPanel);
  }
}
#endif

HWY_INLINE void PackKeysImpl(const float* k, size_t k_stride, size_t first, size_t count,
                             size_t head_dim, float* panels) {
  for (size_t j = first; j < first + count;) {
    float* const to = panels + j / kKeyPanel * kKeyPanel * head_dim + j % kKeyPanel;
    const float* const key = k + (j - first) * k_stride;
    size_t keys = 1, i = 0;
#if HWY_TARGET != HWY_SCALAR
    if (j % 4 == 0 && j + 4 <= first + count) {
      keys = 4;
      i = head_dim / 4 * 4;
      TransposeFourKeys(key, k_stride, i, to);
    }
#endif
    for (; i < head_dim; ++i) {
      for (size_t t = 0; t < keys; ++t) to[i * kKeyPanel + t] = key[t * k_stride + i];
    }
    j += keys;
  }
}

// out[0..n) *= factor.
HWY_INLINE void ScaleRow(float* out, size_t n, float factor) {
  for (size_t i = 0; i < n; ++i) out[i] *= factor;
}

HWY_INLINE void AttentionTileImpl(const float* q, size_t q_stride, size_t rows, const float* k,
                                  const float* v, size_t v_stride, size_t keys, bool causal,
                                  size_t head_dim, float scale, float* out, size_t out_stride,
                                  float* scratch) {
  const size_t step = causal ? 1 : 0;
  float* const scaled = scratch;  // the group's rows of q times scale, contiguous
  float* const scores = scratch + std::min(rows, kAttentionGroup) * head_dim;
  for (size_t r0 = 0; r0 < rows; r0 += kAttentionGroup, q += kAttentionGroup * q_stride,
              out += kAttentionGroup * out_stride) {
    const size_t count = std::min(kAttentionGroup, rows - r0);
    // keys of the group's first row; row r has step * r more
    const size_t first = keys + step * r0;
    const size_t most = first + step * (count - 1), stride = ScoreStride(most);
    for (size_t r = 0; r < count; ++r) {
      for (size_t i = 0; i < head_dim; ++i) scaled[r * head_dim + i] = scale * q[r * q_stride + i];
    }
    // A running softmax: the largest score so far, and the sums relative to exp of it. How a row's
    // keys are split depends on their number only.
    float maxima[kAttentionGroup], sums[kAttentionGroup];
    for (size_t r = 0; r < count; ++r) {
      maxima[r] = -std::numeric_limits<float>::infinity();
      sums[r] = 0.0f;
      std::fill_n(out + r * out_stride, head_dim, 0.0f);
    }
    for (size_t k0 = 0; k0 < most; k0 += kAttentionKeys) {
      const size_t end = std::min(k0 + kAttentionKeys, most);
      std::fill_n(scores, count * stride, 0.0f);
      for (size_t j = k0; j < end; j += kKeyPanel) {
        MultiplyRowsByPanel(scaled, head_dim, count, head_dim, k + j * head_dim, kKeyPanel,
                            scores + (j - k0), stride, kKeyPanel);
      }
      for (size_t r = 0; r < count; ++r) {
        float* const row = scores + r * stride;
        const size_t seen = std::clamp(first + step * r, k0, end) - k0;
        if (seen != 0) {
          const float before = maxima[r];
          const float sum = SoftmaxNumerators(row, seen, &maxima[r]);
          if (k0 != 0 && maxima[r] != before) {
            const float factor = ExpOfOne(before - maxima[r]);
            sums[r] *= factor;
            ScaleRow(out + r * out_stride, head_dim, factor);
          }
          sums[r] += sum;
        }
        // so that all rows of the group can pass over the same values: adding 0 changes nothing
        std::fill(row + seen, row + (end - k0), 0.0f);
      }
      for (size_t n = 0; n < head_dim; n += kTileColumns) {
        MultiplyRowsByPanel(scores, stride, count, end - k0, v + k0 * v_stride + n, v_stride,
                            out + n, out_stride, std::min(kTileColumns, head_dim - n));
      }
    }
    for (size_t r = 0; r < count; ++r) ScaleRow(out + r * out_stride, head_dim, 1.0f / sums[r]);
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
