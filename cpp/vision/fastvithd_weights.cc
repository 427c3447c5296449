#include "vision/fastvithd_weights.h"

namespace tinyvlm {

namespace {

Result<ConvWeights> BindConv(WeightStore& store, const std::string& name, size_t cout,
                             size_t cin_per_group, size_t size) {
  ConvWeights conv;
  TVLM_ASSIGN_OR_RETURN(conv.weights,
                        store.BindKernel(name + ".weight", cout, cin_per_group, size));
  TVLM_ASSIGN_OR_RETURN(conv.bias, store.BindVector(name + ".bias", cout));
  return conv;
}

Result<FastVitHdBlockWeights> BindBlock(WeightStore& store, const std::string& name,
                                        const FastVitHdConfig::Stage& stage) {
  const size_t c = stage.channels;
  FastVitHdBlockWeights block;
  if (stage.attention) {
    TVLM_ASSIGN_OR_RETURN(block.norm_weight, store.BindVector(name + "ln.weight", c));
    TVLM_ASSIGN_OR_RETURN(block.norm_bias, store.BindVector(name + "ln.bias", c));
    TVLM_ASSIGN_OR_RETURN(block.qkv, BindLinear(store, name + "attn_qkv", 3 * c, c, Bias::kNone));
    TVLM_ASSIGN_OR_RETURN(block.attention_out,
                          BindLinear(store, name + "attn_out", c, c, Bias::kRequired));
    TVLM_ASSIGN_OR_RETURN(block.attention_scale, store.BindVector(name + "ls1", c));
    TVLM_ASSIGN_OR_RETURN(block.ffn_scale, store.BindVector(name + "ls2", c));
  } else {
    TVLM_ASSIGN_OR_RETURN(block.mixer, BindConv(store, name + "mix", c, 1, 3));
    TVLM_ASSIGN_OR_RETURN(block.ffn_scale, store.BindVector(name + "ls", c));
  }
  TVLM_ASSIGN_OR_RETURN(block.ffn.depthwise, BindConv(store, name + "ffn_dw", c, 1, 7));
  TVLM_ASSIGN_OR_RETURN(block.ffn.up,
                        BindLinear(store, name + "ffn_up", stage.hidden, c, Bias::kRequired));
  TVLM_ASSIGN_OR_RETURN(block.ffn.down,
                        BindLinear(store, name + "ffn_down", c, stage.hidden, Bias::kRequired));
  block.needs = store.TakeBoundEnd();
  return block;
}

}  // namespace

Result<FastVitHdWeights> FastVitHdWeights::Bind(const FastVitHdConfig& config, WeightStore& store) {
  FastVitHdWeights weights;
  const size_t c0 = config.stages.front().channels;
  store.TakeBoundEnd();
  TVLM_ASSIGN_OR_RETURN(weights.stem0, BindConv(store, "v.stem.0", c0, 3, 3));
  TVLM_ASSIGN_OR_RETURN(weights.stem1, BindConv(store, "v.stem.1", c0, 1, 3));
  TVLM_ASSIGN_OR_RETURN(weights.stem2, BindLinear(store, "v.stem.2", c0, c0, Bias::kRequired));
  weights.stem_needs = store.TakeBoundEnd();

  for (size_t s = 0; s < config.stages.size(); ++s) {
    const FastVitHdConfig::Stage& stage = config.stages[s];
    const std::string prefix = Format("v.stage.%zu.", s);
    FastVitHdStageWeights bound;
    if (s > 0) {
      TVLM_ASSIGN_OR_RETURN(bound.down_depthwise,
                            BindConv(store, prefix + "down.dw", stage.channels, 1, 7));
      TVLM_ASSIGN_OR_RETURN(
          bound.down_pointwise,
          BindLinear(store, prefix + "down.pw", stage.channels, stage.channels, Bias::kRequired));
      bound.down_needs = store.TakeBoundEnd();
    }
    if (stage.attention) {
      TVLM_ASSIGN_OR_RETURN(bound.cpe, BindConv(store, prefix + "cpe", stage.channels, 1, 7));
      bound.cpe_needs = store.TakeBoundEnd();
    }
    for (size_t b = 0; b < stage.depth; ++b) {
      TVLM_ASSIGN_OR_RETURN(FastVitHdBlockWeights block,
                            BindBlock(store, Format("%sblk.%zu.", prefix.c_str(), b), stage));
      bound.blocks.push_back(block);
    }
    weights.stages.push_back(std::move(bound));
  }

  TVLM_ASSIGN_OR_RETURN(weights.final_depthwise,
                        BindConv(store, "v.final.dw", config.feature_dim, 1, 3));
  TVLM_ASSIGN_OR_RETURN(weights.se_down, BindLinear(store, "v.final.se.down", config.se_dim,
                                                    config.feature_dim, Bias::kRequired));
  TVLM_ASSIGN_OR_RETURN(weights.se_up, BindLinear(store, "v.final.se.up", config.feature_dim,
                                                  config.se_dim, Bias::kRequired));
  weights.final_needs = store.TakeBoundEnd();

  TVLM_ASSIGN_OR_RETURN(weights.projector0, BindLinear(store, "mm.0", config.text_dim,
                                                       config.feature_dim, Bias::kRequired));
  TVLM_ASSIGN_OR_RETURN(weights.projector2, BindLinear(store, "mm.2", config.text_dim,
                                                       config.text_dim, Bias::kRequired));
  weights.projector_needs = store.TakeBoundEnd();
  return weights;
}

}  // namespace tinyvlm
