// Small text models as files of other writers hold them: any types, any order of tensors, no
// hashes, no padding behind the last tensor.
#ifndef TINYVLM_TESTS_ENGINE_TEXT_MODEL_FILE_H_
#define TINYVLM_TESTS_ENGINE_TEXT_MODEL_FILE_H_

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "formats/gguf_bytes.h"
#include "kernels/packed.h"

namespace tinyvlm {

inline constexpr size_t kWidth = 256, kHeads = 4, kKvHeads = 2, kHeadDim = kWidth / kHeads,
                        kFfn = 512, kLayers = 2, kVocabulary = 300;

struct FileTensor {
  std::string name;
  size_t rows = 1, cols = 0;  // one row: a vector
  DType type = DType::kF32;
  std::vector<uint8_t> bytes;
};

// A text model as a file of another writer has it.
struct TextModel {
  std::string architecture = "qwen2";
  std::vector<FileTensor> tensors;
  // Keys beside the necessary ones: each writes one value.
  std::vector<std::function<void(GgufBytes&)>> keys;
  bool kv_heads = true, theta = true;  // whether these keys are written
};

inline FileTensor RandomTensor(std::string name, size_t rows, size_t cols, DType type,
                               std::mt19937& random) {
  FileTensor tensor{std::move(name), rows, cols, type,
                    std::vector<uint8_t>(rows * RowBytes(type, cols))};
  constexpr float kRange = 0.1f;
  if (!CanQuantize(type)) {
    RandomBlocks(type, random, tensor.bytes, kRange);
    return tensor;
  }
  std::vector<float> values = Values(rows * cols, random(), kRange);
  if (tensor.name.ends_with("norm.weight")) {
    for (float& v : values) v += 1.0f;
  }
  for (size_t r = 0; r < rows; ++r)
    QuantizeRow(type, values.data() + r * cols, cols,
                tensor.bytes.data() + r * RowBytes(type, cols));
  return tensor;
}

// Matrices take the types in turn, norms and biases have the type `vectors`.
inline TextModel RandomModel(const std::vector<DType>& types, bool biases = true, bool tied = false,
                             DType vectors = DType::kF32) {
  std::mt19937 random(7);
  TextModel model;
  size_t turn = 0;
  const auto matrix = [&](const std::string& name, size_t n, size_t k) {
    model.tensors.push_back(
        RandomTensor(name + ".weight", n, k, types[turn++ % types.size()], random));
  };
  const auto vector = [&](const std::string& name, size_t n) {
    model.tensors.push_back(RandomTensor(name, 1, n, vectors, random));
  };
  matrix("token_embd", kVocabulary, kWidth);
  for (size_t n = 0; n < kLayers; ++n) {
    const std::string prefix = Format("blk.%zu.", n);
    vector(prefix + "attn_norm.weight", kWidth);
    for (const auto& [name, rows] : {std::pair<const char*, size_t>{"attn_q", kWidth},
                                     {"attn_k", kKvHeads * kHeadDim},
                                     {"attn_v", kKvHeads * kHeadDim}}) {
      matrix(prefix + name, rows, kWidth);
      if (biases) vector(prefix + name + ".bias", rows);
    }
    matrix(prefix + "attn_output", kWidth, kWidth);
    vector(prefix + "ffn_norm.weight", kWidth);
    matrix(prefix + "ffn_gate", kFfn, kWidth);
    matrix(prefix + "ffn_up", kFfn, kWidth);
    matrix(prefix + "ffn_down", kWidth, kFfn);
  }
  vector("output_norm.weight", kWidth);
  if (!tied) matrix("output", kVocabulary, kWidth);
  return model;
}

// The file's bytes; without the padding behind the last tensor.
inline std::vector<uint8_t> Write(const TextModel& model, uint32_t version = 3) {
  const std::string prefix = model.architecture + ".";
  GgufBytes gguf(model.tensors.size(), 7 + model.keys.size() + model.kv_heads + model.theta,
                 version);
  gguf.Key("general.architecture", GgufType::kString).String(model.architecture);
  const auto number = [&](const char* key, uint32_t value) {
    gguf.Key(prefix + key, GgufType::kU32).U32(value);
  };
  number("block_count", kLayers);
  number("context_length", 128);
  number("embedding_length", kWidth);
  number("feed_forward_length", kFfn);
  number("attention.head_count", kHeads);
  if (model.kv_heads) number("attention.head_count_kv", kKvHeads);
  gguf.Key(prefix + "attention.layer_norm_rms_epsilon", GgufType::kF32).F32(1e-5f);
  if (model.theta) gguf.Key(prefix + "rope.freq_base", GgufType::kF32).F32(10000.0f);
  for (const auto& key : model.keys) key(gguf);
  uint64_t offset = 0;
  for (const FileTensor& tensor : model.tensors) {
    std::vector<uint64_t> ne{tensor.cols};
    if (!tensor.name.ends_with("norm.weight") && !tensor.name.ends_with(".bias"))
      ne.push_back(tensor.rows);
    gguf.Tensor(tensor.name, std::move(ne), static_cast<uint32_t>(tensor.type), offset);
    offset += (tensor.bytes.size() + 31) / 32 * 32;
  }
  for (const FileTensor& tensor : model.tensors) {
    gguf.Pad();
    for (const uint8_t byte : tensor.bytes) gguf.U8(byte);
  }
  return std::move(gguf.bytes);
}

inline TextModel ToF32(TextModel model) {
  for (FileTensor& tensor : model.tensors) {
    std::vector<uint8_t> widened(tensor.rows * tensor.cols * sizeof(float));
    DequantizeRow(tensor.type, tensor.bytes.data(), tensor.rows * tensor.cols,
                  reinterpret_cast<float*>(widened.data()));
    tensor.type = DType::kF32;
    tensor.bytes = std::move(widened);
  }
  return model;
}

// The same model as llama files hold it: in each head of q and k, row i of the first half and row i
// of the second half follow each other.
inline TextModel ToLlama(TextModel model) {
  model.architecture = "llama";
  for (FileTensor& tensor : model.tensors) {
    if (tensor.name.find("attn_q.") == std::string::npos &&
        tensor.name.find("attn_k.") == std::string::npos)
      continue;
    // a bias is a column
    const size_t rows = tensor.rows == 1 ? tensor.cols : tensor.rows,
                 row_bytes = tensor.bytes.size() / rows;
    const std::vector<uint8_t> from = tensor.bytes;
    for (size_t head = 0; head < rows; head += kHeadDim) {
      for (size_t i = 0; i < kHeadDim / 2; ++i) {
        for (size_t half = 0; half < 2; ++half) {
          std::copy_n(
              from.begin() + static_cast<ptrdiff_t>((head + half * kHeadDim / 2 + i) * row_bytes),
              row_bytes,
              tensor.bytes.begin() + static_cast<ptrdiff_t>((head + 2 * i + half) * row_bytes));
        }
      }
    }
  }
  return model;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_ENGINE_TEXT_MODEL_FILE_H_
