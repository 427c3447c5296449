// The configuration of a Qwen2 decoder, read from a model file's metadata and checked. Llama's
// differs in two ways: biases are optional, and its files order the rows of q and k differently.
#ifndef TINYVLM_BACKEND_DECODER_CONFIG_H_
#define TINYVLM_BACKEND_DECODER_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "formats/gguf.h"

namespace tinyvlm {

// Bounds far above any decoder in use; they keep later products of sizes small.
inline constexpr uint32_t kMaxDecoderWidth = 65536, kMaxDecoderLayers = 512,
                          kMaxDecoderHeads = 1024, kMaxDecoderFfn = 262144,
                          kMaxDecoderVocabulary = 4'000'000, kMaxDecoderPositions = 16'777'216;

struct DecoderConfig {
  size_t width = 0;  // hidden size
  size_t layers = 0;
  size_t heads = 0;
  size_t kv_heads = 0;
  size_t head_dim = 0;  // width / heads
  size_t ffn = 0;
  size_t vocabulary = 0;  // rows of the embedding
  size_t max_positions = 0;
  double rope_theta = 1e6;
  float rms_epsilon = 1e-6f;
  bool qkv_bias = true;  // q, k and v must have biases; else they may
  // the file's rows of q and k are ordered for pairs (2i, 2i + 1), ours for (i, i + head_dim / 2)
  bool interleaved_rope = false;
};

// Reads the `qwen2.*` keys, or the `llama.*` keys where that is the architecture (llama.cpp's
// names); the vocabulary is the number of rows of token_embd.weight. Errors name the key:
// kInvalidFile and kNotFound as for any file, kUnsupported for unknown keys and for keys that ask
// for another computation than plain Qwen2's or Llama's (scaled RoPE, sliding windows, mixtures of
// experts, ...).
Result<DecoderConfig> ReadDecoderConfig(const GgufFile& file, const std::string& architecture);

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_DECODER_CONFIG_H_
