// Lane code of attention.h. Included once per target, after hwy/highway.h.
#if defined(TINYVLM_KERNELS_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TINYVLM_KERNELS_ATTENTION_INL_H_
#undef TINYVLM_KERNELS_ATTENTION_INL_H_
#else
#define TINYVLM_KERNELS_ATTENTION_INL_H_
#endif

#include <algorithm>
#include <cstddef>

#include "hwy/highway.h"
#include "kernels/gemm_tile-inl.h"
#include "kernels/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Rows that pass over the keys and values together, and keys that stay in the first-level cache while they do.
inline constexpr size_t kAttentionGroup = 12;
inline constexpr size_t kKeyBlock = 64;

// Scores of a group: rows of whole vectors.
HWY_INLINE size_t ScoreStride(size_t keys) { return (keys + 15) / 16 * 16; }

// Sums of the lanes of s[0..lanes), in order, as one vector: neighbours are added until each vector is one lane.
HWY_INLINE hn::Vec<TileF32> ReduceEach(hn::Vec<TileF32> (&s)[kTileLanes]) {
  const TileF32 d;
  HWY_UNROLL(4)
  for (size_t n = kTileLanes / 2; n != 0; n /= 2) {
    HWY_UNROLL(8)
    for (size_t i = 0; i < n; ++i) s[i] = hn::Add(hn::ConcatEven(d, s[2 * i + 1], s[2 * i]), hn::ConcatOdd(d, s[2 * i + 1], s[2 * i]));
  }
  return s[0];
}

// scores[0..count) = scale * q . k for one row of q and `count` >= 1 keys; writes whole vectors. The lanes run over the head, so that a single row (a
// decode step) reads each key once and in order, and any number of rows gives the same bits.
static HWY_NOINLINE HWY_MAYBE_UNUSED void ScoreKeys(const float* HWY_RESTRICT q, const float* HWY_RESTRICT k, size_t k_stride, size_t count, size_t head_dim,
                                             float scale, float* HWY_RESTRICT scores) {
  const TileF32 d;
  const auto factor = hn::Set(d, scale);
  for (size_t j = 0; j < count; j += kTileLanes) {
    const float* key[kTileLanes];
    hn::Vec<TileF32> s[kTileLanes];
    HWY_UNROLL(16)
    for (size_t t = 0; t < kTileLanes; ++t) {
      key[t] = k + std::min(j + t, count - 1) * k_stride;  // beyond the end the last one again; its score is not read
      s[t] = hn::Zero(d);
    }
    size_t i = 0;
    for (; i + kTileLanes <= head_dim; i += kTileLanes) {
      const auto x = hn::LoadU(d, q + i);
      HWY_UNROLL(16)
      for (size_t t = 0; t < kTileLanes; ++t) s[t] = hn::MulAdd(x, hn::LoadU(d, key[t] + i), s[t]);
    }
    if (i < head_dim) {
      const auto x = hn::LoadN(d, q + i, head_dim - i);
      HWY_UNROLL(16)
      for (size_t t = 0; t < kTileLanes; ++t) s[t] = hn::MulAdd(x, hn::LoadN(d, key[t] + i, head_dim - i), s[t]);
    }
    hn::StoreU(hn::Mul(factor, ReduceEach(s)), d, scores + j);
  }
}

// out[0..n) *= factor.
HWY_INLINE void ScaleRow(float* out, size_t n, float factor) {
  for (size_t i = 0; i < n; ++i) out[i] *= factor;
}

HWY_INLINE void AttentionTileImpl(const float* q, size_t q_stride, size_t rows, const float* k, size_t k_stride, const float* v, size_t v_stride, size_t keys,
                                  bool causal, size_t head_dim, float scale, float* out, size_t out_stride, float* scores) {
  const size_t step = causal ? 1 : 0;
  for (size_t r0 = 0; r0 < rows; r0 += kAttentionGroup, q += kAttentionGroup * q_stride, out += kAttentionGroup * out_stride) {
    const size_t count = std::min(kAttentionGroup, rows - r0);
    const size_t common = keys + step * r0;  // what every row of the group sees; row r sees step * r more
    const size_t most = common + step * (count - 1), stride = ScoreStride(most);
    for (size_t j = 0; j < most; j += kKeyBlock) {
      for (size_t r = 0; r < count; ++r) {
        const size_t seen = common + step * r;
        if (j < seen) ScoreKeys(q + r * q_stride, k + j * k_stride, k_stride, std::min(kKeyBlock, seen - j), head_dim, scale, scores + r * stride + j);
      }
    }
    float sums[kAttentionGroup];
    for (size_t r = 0; r < count; ++r) {
      sums[r] = SoftmaxNumerators(scores + r * stride, common + step * r);
      std::fill_n(out + r * out_stride, head_dim, 0.0f);
    }
    for (size_t n = 0; n < head_dim; n += kTileColumns) {
      const size_t columns = std::min(kTileColumns, head_dim - n);
      MultiplyRowsByPanel(scores, stride, count, common, v + n, v_stride, out + n, out_stride, columns);
      for (size_t r = 1; r < count && causal; ++r) {
        MultiplyRowsByPanel(scores + r * stride + common, stride, 1, r, v + common * v_stride + n, v_stride, out + r * out_stride + n, out_stride, columns);
      }
    }
    for (size_t r = 0; r < count; ++r) ScaleRow(out + r * out_stride, head_dim, 1.0f / sums[r]);
  }
}

}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
