// The decoder's weights, in the form that the CPU kernels read.
#ifndef TINYVLM_DECODER_QWEN2_WEIGHTS_H_
#define TINYVLM_DECODER_QWEN2_WEIGHTS_H_

#include <cstdint>
#include <vector>

#include "backend/model_description.h"
#include "base/status.h"
#include "weights/linear.h"
#include "weights/weight_store.h"

namespace tinyvlm {

struct Qwen2LayerWeights {
  const float* attention_norm = nullptr;
  Linear q, k, v, attention_out;
  const float* ffn_norm = nullptr;
  Linear gate, up, down;
  uint64_t needs = 0;  // data bytes that must have arrived
};

struct Qwen2Weights {
  PackedMatrix embedding{};  // [vocabulary, width]
  uint64_t embedding_needs = 0;
  std::vector<Qwen2LayerWeights> layers;
  const float* output_norm = nullptr;
  Linear head;  // the embedding where the file has no output.weight
  uint64_t head_needs = 0;

  // Binds `tensors`, which belong to the store's file. Errors name the tensor.
  static Result<Qwen2Weights> Bind(const DecoderConfig& config, const DecoderTensors& tensors,
                                   WeightStore& store);
};

}  // namespace tinyvlm

#endif  // TINYVLM_DECODER_QWEN2_WEIGHTS_H_
