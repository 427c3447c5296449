// softmax(scale * q k^T) v for some rows of one head.
#ifndef TINYVLM_KERNELS_ATTENTION_H_
#define TINYVLM_KERNELS_ATTENTION_H_

#include <cstddef>

namespace tinyvlm {

// Row r of q (rows q_stride apart, head_dim values each) attends to the first `keys` rows of k and v, or, if causal, to the first keys + r: `keys`
// counts what the first row sees, itself included. Results go to out, rows out_stride apart. keys is at least 1. A row's result depends on neither the
// other rows nor `rows`, so a decode step equals the same row of a long prompt. `scratch` holds AttentionScratchFloats, aligned to 64 bytes.
void AttentionTile(const float* q, size_t q_stride, size_t rows, const float* k, size_t k_stride, const float* v, size_t v_stride, size_t keys, bool causal,
                   size_t head_dim, float scale, float* out, size_t out_stride, float* scratch);

// Floats of scratch for tiles of up to `rows` rows of which none sees more than `keys` keys.
size_t AttentionScratchFloats(size_t rows, size_t keys, size_t head_dim);

namespace reference {
void AttentionTile(const float* q, size_t q_stride, size_t rows, const float* k, size_t k_stride, const float* v, size_t v_stride, size_t keys, bool causal,
                   size_t head_dim, float scale, float* out, size_t out_stride);
}  // namespace reference

}  // namespace tinyvlm

#endif  // TINYVLM_KERNELS_ATTENTION_H_
