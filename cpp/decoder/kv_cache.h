// Keys and values of every row that a decoder has processed, f32. Values:
// [layer][kv_head][position][head_dim]; keys: [layer][kv_head] in panels (kernels/attention.h).
// What one head reads is contiguous.
#ifndef TINYVLM_DECODER_KV_CACHE_H_
#define TINYVLM_DECODER_KV_CACHE_H_

#include <cstddef>
#include <cstdint>

#include "backend/decoder_config.h"
#include "base/aligned.h"
#include "base/status.h"
#include "kernels/attention.h"

namespace tinyvlm {

class KvCache {
 public:
  static Result<KvCache> Allocate(const DecoderConfig& config, size_t context) {
    KvCache cache;
    cache.kv_heads_ = config.kv_heads;
    cache.head_dim_ = config.head_dim;
    cache.context_ = context;
    const uint64_t heads = uint64_t{config.layers} * config.kv_heads;
    TVLM_ASSIGN_OR_RETURN(cache.keys_,
                          AlignedBuffer<float>::Allocate(
                              heads * KeyPanelFloats(context, config.head_dim), "KV cache"));
    TVLM_ASSIGN_OR_RETURN(cache.values_, AlignedBuffer<float>::Allocate(
                                             heads * context * config.head_dim, "KV cache"));
    return cache;
  }

  // One head's keys in panels, and its values [context][head_dim].
  float* keys(size_t layer, size_t kv_head) {
    return keys_.data() + (layer * kv_heads_ + kv_head) * KeyPanelFloats(context_, head_dim_);
  }
  float* values(size_t layer, size_t kv_head) {
    return values_.data() + (layer * kv_heads_ + kv_head) * context_ * head_dim_;
  }
  uint64_t bytes() const { return (uint64_t{keys_.size()} + values_.size()) * sizeof(float); }

 private:
  size_t kv_heads_ = 0, head_dim_ = 0, context_ = 0;
  AlignedBuffer<float> keys_, values_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_DECODER_KV_CACHE_H_
