// softmax(scale * q k^T) v for some rows of one head.
#ifndef TINYVLM_KERNELS_ATTENTION_H_
#define TINYVLM_KERNELS_ATTENTION_H_

#include <cstddef>

namespace tinyvlm {

// Keys of one head are stored in panels of 16: component i of key j is panels[j / 16 * 16 *
// head_dim + i * 16 + j % 16], so that 16 scores are computed in whole vectors.
inline constexpr size_t kKeyPanel = 16;

// Floats in the panels of `keys` keys. Unused places of the last panel may hold anything.
inline size_t KeyPanelFloats(size_t keys, size_t head_dim) {
  return (keys + kKeyPanel - 1) / kKeyPanel * kKeyPanel * head_dim;
}

// Copies `count` rows of k (k_stride apart) into the panels as keys first, first + 1, ...; writes
// no others.
void PackKeys(const float* k, size_t k_stride, size_t first, size_t count, size_t head_dim,
              float* panels);

// Row r of q (rows q_stride apart, head_dim values each) attends to the first `keys` keys (in
// panels) and rows of v, or, if causal, to the first keys + r: `keys` is the number of keys of the
// first row, its own included, and at least 1. Results go to out, rows out_stride apart. A row's
// result depends on neither the other rows nor `rows`, so a decode step equals the same row of a
// long prompt, and query heads that share keys may be the rows of one call. `scratch` holds
// AttentionScratchFloats, aligned to 64 bytes; beyond 256 keys it does not grow with them.
void AttentionTile(const float* q, size_t q_stride, size_t rows, const float* key_panels,
                   const float* v, size_t v_stride, size_t keys, bool causal, size_t head_dim,
                   float scale, float* out, size_t out_stride, float* scratch);

// Floats of scratch for tiles of up to `rows` rows that attend to at most `keys` keys each.
size_t AttentionScratchFloats(size_t rows, size_t keys, size_t head_dim);

namespace reference {
// Here k holds plain rows, k_stride apart, not panels.
void AttentionTile(const float* q, size_t q_stride, size_t rows, const float* k, size_t k_stride,
                   const float* v, size_t v_stride, size_t keys, bool causal, size_t head_dim,
                   float scale, float* out, size_t out_stride);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_ATTENTION_H_
