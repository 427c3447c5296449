#include "decoder/qwen2_weights.h"

#include <algorithm>

namespace tinyvlm {

Result<Qwen2Weights> Qwen2Weights::Bind(const Qwen2Config& config, WeightStore& store) {
  Qwen2Weights weights;
  const size_t width = config.width, kv = config.kv_heads * config.head_dim,
               interleaved = config.interleaved_rope ? config.head_dim : 0;
  const Bias qkv_bias = config.qkv_bias ? Bias::kRequired : Bias::kOptional;
  store.TakeBoundEnd();
  TVLM_ASSIGN_OR_RETURN(weights.embedding,
                        store.BindMatrix("token_embd.weight", config.vocabulary, width));
  weights.embedding_needs = store.TakeBoundEnd();
  for (size_t n = 0; n < config.layers; ++n) {
    const std::string prefix = Format("blk.%zu.", n);
    Qwen2LayerWeights layer;
    TVLM_ASSIGN_OR_RETURN(layer.attention_norm,
                          store.BindVector(prefix + "attn_norm.weight", width));
    TVLM_ASSIGN_OR_RETURN(
        layer.q, BindLinear(store, prefix + "attn_q", width, width, qkv_bias, interleaved));
    TVLM_ASSIGN_OR_RETURN(layer.k,
                          BindLinear(store, prefix + "attn_k", kv, width, qkv_bias, interleaved));
    TVLM_ASSIGN_OR_RETURN(layer.v, BindLinear(store, prefix + "attn_v", kv, width, qkv_bias));
    TVLM_ASSIGN_OR_RETURN(layer.attention_out,
                          BindLinear(store, prefix + "attn_output", width, width, Bias::kNone));
    TVLM_ASSIGN_OR_RETURN(layer.ffn_norm, store.BindVector(prefix + "ffn_norm.weight", width));
    TVLM_ASSIGN_OR_RETURN(layer.gate,
                          BindLinear(store, prefix + "ffn_gate", config.ffn, width, Bias::kNone));
    TVLM_ASSIGN_OR_RETURN(layer.up,
                          BindLinear(store, prefix + "ffn_up", config.ffn, width, Bias::kNone));
    TVLM_ASSIGN_OR_RETURN(layer.down,
                          BindLinear(store, prefix + "ffn_down", width, config.ffn, Bias::kNone));
    layer.needs = store.TakeBoundEnd();
    weights.layers.push_back(layer);
  }
  TVLM_ASSIGN_OR_RETURN(weights.output_norm, store.BindVector("output_norm.weight", width));
  if (store.Has("output.weight")) {
    TVLM_ASSIGN_OR_RETURN(weights.head,
                          BindLinear(store, "output", config.vocabulary, width, Bias::kNone));
  } else {
    weights.head.weights = weights.embedding;
  }
  weights.head_needs = std::max(store.TakeBoundEnd(), weights.embedding_needs);
  return weights;
}

}  // namespace tinyvlm
