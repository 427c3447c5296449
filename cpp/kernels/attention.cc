#include "kernels/attention.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/attention-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void PackKeys(const float* k, size_t k_stride, size_t first, size_t count, size_t head_dim,
              float* panels) {
  PackKeysImpl(k, k_stride, first, count, head_dim, panels);
}
void AttentionTile(const float* q, size_t q_stride, size_t rows, const float* key_panels,
                   const float* v, size_t v_stride, size_t keys, bool causal, size_t head_dim,
                   float scale, float* out, size_t out_stride, float* scratch) {
  AttentionTileImpl(q, q_stride, rows, key_panels, v, v_stride, keys, causal, head_dim, scale, out,
                    out_stride, scratch);
}
size_t AttentionScratchFloats(size_t rows, size_t keys, size_t head_dim) {
  return std::min(rows, kAttentionGroup) * (head_dim + ScoreStride(keys));
}
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(PackKeys);
void PackKeys(const float* k, size_t k_stride, size_t first, size_t count, size_t head_dim,
              float* panels) {
  HWY_DYNAMIC_DISPATCH(PackKeys)(k, k_stride, first, count, head_dim, panels);
}
HWY_EXPORT(AttentionTile);
void AttentionTile(const float* q, size_t q_stride, size_t rows, const float* key_panels,
                   const float* v, size_t v_stride, size_t keys, bool causal, size_t head_dim,
                   float scale, float* out, size_t out_stride, float* scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionTile)(q, q_stride, rows, key_panels, v, v_stride, keys, causal,
                                      head_dim, scale, out, out_stride, scratch);
}
HWY_EXPORT(AttentionScratchFloats);
size_t AttentionScratchFloats(size_t rows, size_t keys, size_t head_dim) {
  return HWY_DYNAMIC_DISPATCH(AttentionScratchFloats)(rows, keys, head_dim);
}
}  // namespace tinyvlm
#endif
