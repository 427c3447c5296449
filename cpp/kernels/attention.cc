#include "kernels/attention.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/attention-inl.h"  // after highway.h
HWY_BEFORE_NAMESPACE();
namespace tinyvlm::HWY_NAMESPACE {
void AttentionTile(const float* q, size_t q_stride, size_t rows, const float* k, size_t k_stride, const float* v, size_t v_stride, size_t keys, bool causal,
                   size_t head_dim, float scale, float* out, size_t out_stride, float* scratch) {
  AttentionTileImpl(q, q_stride, rows, k, k_stride, v, v_stride, keys, causal, head_dim, scale, out, out_stride, scratch);
}
size_t AttentionScratchFloats(size_t rows, size_t keys) { return std::min(rows, kAttentionGroup) * ScoreStride(keys); }
}  // namespace tinyvlm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE
namespace tinyvlm {
HWY_EXPORT(AttentionTile);
void AttentionTile(const float* q, size_t q_stride, size_t rows, const float* k, size_t k_stride, const float* v, size_t v_stride, size_t keys, bool causal,
                   size_t head_dim, float scale, float* out, size_t out_stride, float* scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionTile)(q, q_stride, rows, k, k_stride, v, v_stride, keys, causal, head_dim, scale, out, out_stride, scratch);
}
HWY_EXPORT(AttentionScratchFloats);
size_t AttentionScratchFloats(size_t rows, size_t keys, size_t /*head_dim*/) { return HWY_DYNAMIC_DISPATCH(AttentionScratchFloats)(rows, keys); }
}  // namespace tinyvlm
#endif
