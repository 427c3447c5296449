#include "vision/fastvithd_weights.h"

namespace tinyvlm {

namespace {

Result<ConvWeights> BindConv(WeightStore& store, const ConvTensors& tensors) {
  ConvWeights conv;
  const Shape& shape = tensors.weights->shape;
  TVLM_ASSIGN_OR_RETURN(conv.weights,
                        store.BindKernel(tensors.weights->name, shape[0], shape[1], shape[2]));
  TVLM_ASSIGN_OR_RETURN(conv.bias, BindVector(store, tensors.bias));
  return conv;
}

Result<FastVitHdBlockWeights> BindBlock(WeightStore& store, const VisionBlockTensors& tensors) {
  FastVitHdBlockWeights block;
  if (tensors.norm_weight != nullptr) {
    TVLM_ASSIGN_OR_RETURN(block.norm_weight, BindVector(store, tensors.norm_weight));
    TVLM_ASSIGN_OR_RETURN(block.norm_bias, BindVector(store, tensors.norm_bias));
    TVLM_ASSIGN_OR_RETURN(block.qkv, BindLinear(store, tensors.qkv));
    TVLM_ASSIGN_OR_RETURN(block.attention_out, BindLinear(store, tensors.attention_out));
    TVLM_ASSIGN_OR_RETURN(block.attention_scale, BindVector(store, tensors.attention_scale));
  } else {
    TVLM_ASSIGN_OR_RETURN(block.mixer, BindConv(store, tensors.mixer));
  }
  TVLM_ASSIGN_OR_RETURN(block.ffn_scale, BindVector(store, tensors.ffn_scale));
  TVLM_ASSIGN_OR_RETURN(block.ffn.depthwise, BindConv(store, tensors.ffn_depthwise));
  TVLM_ASSIGN_OR_RETURN(block.ffn.up, BindLinear(store, tensors.ffn_up));
  TVLM_ASSIGN_OR_RETURN(block.ffn.down, BindLinear(store, tensors.ffn_down));
  block.needs = store.TakeBoundEnd();
  return block;
}

}  // namespace

Result<FastVitHdWeights> FastVitHdWeights::Bind(const VisionTensors& tensors, WeightStore& store) {
  FastVitHdWeights weights;
  store.TakeBoundEnd();
  TVLM_ASSIGN_OR_RETURN(weights.stem0, BindConv(store, tensors.stem0));
  TVLM_ASSIGN_OR_RETURN(weights.stem1, BindConv(store, tensors.stem1));
  TVLM_ASSIGN_OR_RETURN(weights.stem2, BindLinear(store, tensors.stem2));
  weights.stem_needs = store.TakeBoundEnd();

  for (const VisionStageTensors& stage : tensors.stages) {
    FastVitHdStageWeights bound;
    if (stage.down_pointwise.weights != nullptr) {
      TVLM_ASSIGN_OR_RETURN(bound.down_depthwise, BindConv(store, stage.down_depthwise));
      TVLM_ASSIGN_OR_RETURN(bound.down_pointwise, BindLinear(store, stage.down_pointwise));
      bound.down_needs = store.TakeBoundEnd();
    }
    if (stage.cpe.weights != nullptr) {
      TVLM_ASSIGN_OR_RETURN(bound.cpe, BindConv(store, stage.cpe));
      bound.cpe_needs = store.TakeBoundEnd();
    }
    for (const VisionBlockTensors& from : stage.blocks) {
      TVLM_ASSIGN_OR_RETURN(FastVitHdBlockWeights block, BindBlock(store, from));
      bound.blocks.push_back(block);
    }
    weights.stages.push_back(std::move(bound));
  }

  TVLM_ASSIGN_OR_RETURN(weights.final_depthwise, BindConv(store, tensors.final_depthwise));
  TVLM_ASSIGN_OR_RETURN(weights.se_down, BindLinear(store, tensors.se_down));
  TVLM_ASSIGN_OR_RETURN(weights.se_up, BindLinear(store, tensors.se_up));
  weights.final_needs = store.TakeBoundEnd();

  TVLM_ASSIGN_OR_RETURN(weights.projector0, BindLinear(store, tensors.projector0));
  TVLM_ASSIGN_OR_RETURN(weights.projector2, BindLinear(store, tensors.projector2));
  weights.projector_needs = store.TakeBoundEnd();
  return weights;
}

}  // namespace tinyvlm
