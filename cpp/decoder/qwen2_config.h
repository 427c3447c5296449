// The numbers that describe a Qwen2 decoder, read from a model file's metadata and checked.
#ifndef TINYVLM_DECODER_QWEN2_CONFIG_H_
#define TINYVLM_DECODER_QWEN2_CONFIG_H_

#include <cstddef>

#include "base/status.h"
#include "formats/gguf.h"

namespace tinyvlm {

struct Qwen2Config {
  size_t width = 0;        // hidden size
  size_t layers = 0;
  size_t heads = 0;
  size_t kv_heads = 0;
  size_t head_dim = 0;     // width / heads
  size_t ffn = 0;
  size_t vocabulary = 0;   // rows of the embedding
  size_t max_positions = 0;
  double rope_theta = 1e6;
  float rms_epsilon = 1e-6f;
};

// Reads the `qwen2.*` keys (llama.cpp's names); the vocabulary is the number of rows of token_embd.weight.
Result<Qwen2Config> ReadQwen2Config(const GgufFile& file);

}  // namespace tinyvlm

#endif  // TINYVLM_DECODER_QWEN2_CONFIG_H_
