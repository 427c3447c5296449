// The tower's and the projector's weights, in the form that the CPU kernels read.
#ifndef TINYVLM_VISION_FASTVITHD_WEIGHTS_H_
#define TINYVLM_VISION_FASTVITHD_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "backend/model_description.h"
#include "base/status.h"
#include "weights/linear.h"
#include "weights/weight_store.h"

namespace tinyvlm {

// A k x k convolution: weights [k*k*cin/groups][cout], bias [cout].
struct ConvWeights {
  const float* weights = nullptr;
  const float* bias = nullptr;
};

// ConvFFN: depthwise 7x7 (BatchNorm folded) -> 1x1 up -> GELU -> 1x1 down.
struct ConvFfnWeights {
  ConvWeights depthwise;
  Linear up, down;
};

struct FastVitHdBlockWeights {
  ConvWeights mixer;                   // RepMixerBlock: depthwise 3x3
  const float* norm_weight = nullptr;  // AttentionBlock from here
  const float* norm_bias = nullptr;
  Linear qkv, attention_out;
  const float* attention_scale = nullptr;  // layer scale of the attention branch
  ConvFfnWeights ffn;
  const float* ffn_scale = nullptr;  // layer scale of the ConvFFN branch
  uint64_t needs = 0;                // data bytes that must have arrived
};

struct FastVitHdStageWeights {
  ConvWeights down_depthwise;  // stages after the first: 7x7 stride 2, then 1x1
  Linear down_pointwise;
  uint64_t down_needs = 0;
  ConvWeights cpe;  // attention stages: 7x7, identity folded in
  uint64_t cpe_needs = 0;
  std::vector<FastVitHdBlockWeights> blocks;
};

struct FastVitHdWeights {
  ConvWeights stem0, stem1;
  Linear stem2;
  uint64_t stem_needs = 0;
  std::vector<FastVitHdStageWeights> stages;
  ConvWeights final_depthwise;
  Linear se_down, se_up;
  uint64_t final_needs = 0;
  Linear projector0, projector2;
  uint64_t projector_needs = 0;

  // Binds `tensors`, which belong to the store's file. Errors name the tensor.
  static Result<FastVitHdWeights> Bind(const VisionTensors& tensors, WeightStore& store);
};

}  // namespace tinyvlm

#endif  // TINYVLM_VISION_FASTVITHD_WEIGHTS_H_
