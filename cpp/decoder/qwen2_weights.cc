#include "decoder/qwen2_weights.h"

namespace tinyvlm {

Result<Qwen2Weights> Qwen2Weights::Bind(const DecoderConfig& config, const DecoderTensors& tensors,
                                        WeightStore& store) {
  Qwen2Weights weights;
  const size_t width = config.width, interleaved = config.interleaved_rope ? config.head_dim : 0;
  store.TakeBoundEnd();
  TVLM_ASSIGN_OR_RETURN(weights.embedding,
                        store.BindMatrix(tensors.embedding->name, config.vocabulary, width));
  weights.embedding_needs = store.TakeBoundEnd();
  for (const DecoderLayerTensors& from : tensors.layers) {
    Qwen2LayerWeights layer;
    TVLM_ASSIGN_OR_RETURN(layer.attention_norm, BindVector(store, from.attention_norm));
    TVLM_ASSIGN_OR_RETURN(layer.q, BindLinear(store, from.q, interleaved));
    TVLM_ASSIGN_OR_RETURN(layer.k, BindLinear(store, from.k, interleaved));
    TVLM_ASSIGN_OR_RETURN(layer.v, BindLinear(store, from.v));
    TVLM_ASSIGN_OR_RETURN(layer.attention_out, BindLinear(store, from.attention_out));
    TVLM_ASSIGN_OR_RETURN(layer.ffn_norm, BindVector(store, from.ffn_norm));
    TVLM_ASSIGN_OR_RETURN(layer.gate, BindLinear(store, from.gate));
    TVLM_ASSIGN_OR_RETURN(layer.up, BindLinear(store, from.up));
    TVLM_ASSIGN_OR_RETURN(layer.down, BindLinear(store, from.down));
    layer.needs = store.TakeBoundEnd();
    weights.layers.push_back(layer);
  }
  TVLM_ASSIGN_OR_RETURN(weights.output_norm, BindVector(store, tensors.output_norm));
  TVLM_ASSIGN_OR_RETURN(weights.head, BindLinear(store, tensors.head));
  weights.head_needs = store.TakeBoundEnd();
  return weights;
}

}  // namespace tinyvlm
