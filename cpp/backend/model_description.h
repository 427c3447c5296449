// The checked description of a model file: configurations, and the tensor of each weight. A model
// is bound in two steps: names and shapes here, from the header alone, for every backend alike;
// bytes in the backend.
#ifndef TINYVLM_BACKEND_MODEL_DESCRIPTION_H_
#define TINYVLM_BACKEND_MODEL_DESCRIPTION_H_

#include <string>
#include <vector>

#include "backend/decoder_config.h"
#include "backend/vision_config.h"
#include "base/status.h"
#include "formats/gguf.h"

namespace tinyvlm {

// Tensors are borrowed from a GgufFile. Their shapes are those that the configuration asks for, and
// their types are float types or quantised ones.

// y = W x + b: weights [n, k], bias [n] or null where the layer has none.
struct LinearTensors {
  const TensorInfo* weights = nullptr;
  const TensorInfo* bias = nullptr;
};

// A k x k convolution: weights [cout, cin / groups, k, k], bias [cout].
struct ConvTensors {
  const TensorInfo* weights = nullptr;
  const TensorInfo* bias = nullptr;
};

struct DecoderLayerTensors {
  const TensorInfo* attention_norm = nullptr;  // [width]
  // [heads * head_dim, width], twice [kv_heads * head_dim, width], [width, width]
  LinearTensors q, k, v, attention_out;
  const TensorInfo* ffn_norm = nullptr;  // [width]
  LinearTensors gate, up, down;          // [ffn, width] twice, [width, ffn]
};

struct DecoderTensors {
  const TensorInfo* embedding = nullptr;  // [vocabulary, width]
  std::vector<DecoderLayerTensors> layers;
  const TensorInfo* output_norm = nullptr;  // [width]
  LinearTensors head;                       // [vocabulary, width]; the embedding where tied
};

struct VisionBlockTensors {
  ConvTensors mixer;                        // RepMixerBlock: depthwise 3x3
  const TensorInfo* norm_weight = nullptr;  // AttentionBlock from here: [channels]
  const TensorInfo* norm_bias = nullptr;
  LinearTensors qkv, attention_out;             // [3 * channels, channels], [channels, channels]
  const TensorInfo* attention_scale = nullptr;  // layer scale of the attention branch: [channels]
  // ConvFFN of both: depthwise 7x7, 1x1 up [hidden, channels], 1x1 down [channels, hidden]
  ConvTensors ffn_depthwise;
  LinearTensors ffn_up, ffn_down;
  const TensorInfo* ffn_scale = nullptr;  // layer scale of the ConvFFN branch: [channels]
};

struct VisionStageTensors {
  ConvTensors down_depthwise;  // stages after the first: 7x7 stride 2, then 1x1
  LinearTensors down_pointwise;
  ConvTensors cpe;  // attention stages: 7x7, identity folded in
  std::vector<VisionBlockTensors> blocks;
};

struct VisionTensors {
  ConvTensors stem0, stem1;  // 3x3, depthwise 3x3
  LinearTensors stem2;       // 1x1
  std::vector<VisionStageTensors> stages;
  ConvTensors final_depthwise;   // 3x3, channels doubled
  LinearTensors se_down, se_up;  // squeeze-excite
  LinearTensors projector0, projector2;
};

struct ModelDescription {
  GgufFile file;
  std::string architecture;  // "fastvlm", "qwen2" or "llama"
  VisionConfig vision;       // empty, as its tensors, where the model reads text only
  VisionTensors vision_tensors;
  DecoderConfig decoder;
  DecoderTensors decoder_tensors;

  // False for a model that reads text only: it has no tower.
  bool has_vision() const { return architecture == "fastvlm"; }
};

// Reads architecture and configurations of `file`, not yet the tensors. Errors name the key:
// kUnsupported for architectures other than fastvlm, qwen2 and llama, for variants of these that
// compute something else, and for files that hold a part of a model.
Result<ModelDescription> ReadModelDescription(GgufFile file);

// Finds the tensors that the configurations ask for. Errors name the tensor, the shape wanted and
// the one found: kNotFound, kInvalidFile; kUnsupported for a tensor that the model does not use.
Status FindTensors(ModelDescription* model);

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_MODEL_DESCRIPTION_H_
