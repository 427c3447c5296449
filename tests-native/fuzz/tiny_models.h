// Whole models of a few kilobytes, made here: first inputs of the targets that load models.
#ifndef TINYVLM_TESTS_FUZZ_TINY_MODELS_H_
#define TINYVLM_TESTS_FUZZ_TINY_MODELS_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "formats/gguf_writer.h"
#include "fuzz/fuzz.h"
#include "tensor/quant.h"
#include "text/bpe_tokenizer.h"
#include "text/piece_type.h"

namespace tinyvlm {

enum class TinyTokenizer { kBytes, kPieces, kNone };

struct TinyModelOptions {
  std::string architecture = "fastvlm";  // or "qwen2", "llama"
  DType matrices = DType::kF32;
  DType down = DType::kF32;  // of ffn_down, whose rows have 256 values
  TinyTokenizer tokenizer = TinyTokenizer::kBytes;
  bool panels = false;  // says that matrices are in panels
};

// A model's file. Its weights are random: what it answers means nothing.
class TinyModel {
 public:
  explicit TinyModel(const TinyModelOptions& options) : options_(options) {
    AddKeys();
    AddTokenizer();
    if (options_.architecture == "fastvlm") AddTower();
    AddDecoder();
  }

  std::vector<uint8_t> Write() {
    header_.LayOut();
    std::vector<uint8_t> data(static_cast<size_t>(header_.data_bytes()));
    for (const TensorInfo& tensor : header_.tensors()) Fill(tensor, data.data() + tensor.offset);
    for (uint64_t chunk = 0; chunk < header_.chunks(); ++chunk) {
      const size_t begin = static_cast<size_t>(chunk) * kGgufChunkBytes;
      Sha256 sha;
      sha.Update(data.data() + begin, std::min<size_t>(kGgufChunkBytes, data.size() - begin));
      header_.SetChunkHash(chunk, sha.Finish());
    }
    const std::span<const uint8_t> head = header_.FinishHeader();
    std::vector<uint8_t> file(head.begin(), head.end());
    file.insert(file.end(), data.begin(), data.end());
    return file;
  }

 private:
  static constexpr uint64_t kWidth = 32, kFfn = 256, kKv = 16;

  void AddKeys() {
    const bool vision = options_.architecture == "fastvlm";
    const std::string prefix = vision ? "qwen2." : options_.architecture + ".";
    header_.AddString("general.architecture", options_.architecture);
    header_.AddString("general.name", "tiny");
    if (options_.panels) header_.AddString("tinyvlm.packing", "panel16");
    header_.AddU32(prefix + "block_count", 1);
    header_.AddU32(prefix + "context_length", 512);
    header_.AddU32(prefix + "embedding_length", kWidth);
    header_.AddU32(prefix + "feed_forward_length", kFfn);
    header_.AddU32(prefix + "attention.head_count", 2);
    header_.AddU32(prefix + "attention.head_count_kv", 1);
    header_.AddF32(prefix + "attention.layer_norm_rms_epsilon", 1e-6f);
    header_.AddF32(prefix + "rope.freq_base", 10000.0f);
    if (!vision) return;
    const int32_t depths[] = {1, 1}, dims[] = {8, 8}, attention[] = {1};
    const float ratios[] = {2, 2}, mean[] = {0, 0, 0}, deviation[] = {1, 1, 1};
    header_.AddU32("fastvlm.vision.image_size", 64);
    header_.AddI32Array("fastvlm.vision.depths", depths);
    header_.AddI32Array("fastvlm.vision.dims", dims);
    header_.AddF32Array("fastvlm.vision.mlp_ratios", ratios);
    header_.AddU32("fastvlm.vision.head_dim", 8);
    header_.AddI32Array("fastvlm.vision.attn_stages", attention);
    header_.AddU32("fastvlm.vision.se_dim", 4);
    header_.AddString("fastvlm.vision.resize_mode", "pad");
    header_.AddF32Array("fastvlm.vision.image_mean", mean);
    header_.AddF32Array("fastvlm.vision.image_std", deviation);
    header_.AddI32("fastvlm.image_token_id", -1);
  }

  void AddTokenizer() {
    std::vector<std::string> tokens, merges;
    std::vector<int32_t> types;
    std::vector<float> scores;
    const auto add = [&](std::string token, int32_t type) {
      tokens.push_back(std::move(token));
      types.push_back(type);
      scores.push_back(-static_cast<float>(tokens.size()));
    };
    const bool pieces = options_.tokenizer == TinyTokenizer::kPieces;
    if (pieces) {
      add("<unk>", kUnknownPiece);
      add("<s>", kControlPiece);
      add("</s>", kControlPiece);
      for (int byte = 0; byte < 256; ++byte) add(Format("<0x%02X>", byte), kBytePiece);
      for (const char* piece : {"\xe2\x96\x81", "a", "b", "ab",
                                "\xe2\x96\x81"
                                "a"})
        add(piece, kNormalPiece);
    } else {
      for (int byte = 0; byte < 256; ++byte) {
        std::string mapped;
        AppendMappedCharacters(std::string(1, static_cast<char>(byte)), &mapped);
        add(mapped, kNormalPiece);
      }
      for (const auto& [left, right] :
           {std::pair<const char*, const char*>{"a", "b"}, {"ab", "c"}, {"\xc4\xa0", "a"}}) {
        merges.push_back(std::string(left) + " " + right);
        add(std::string(left) + right, kNormalPiece);
      }
      for (const char* control : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"})
        add(control, kControlPiece);
    }
    vocabulary_ = tokens.size();
    if (options_.tokenizer == TinyTokenizer::kNone) return;
    header_.AddString("tokenizer.ggml.model", pieces ? "llama" : "gpt2");
    if (!pieces) header_.AddString("tokenizer.ggml.pre", "qwen2");
    header_.AddStringArray("tokenizer.ggml.tokens", tokens);
    header_.AddI32Array("tokenizer.ggml.token_type", types);
    if (pieces) {
      header_.AddF32Array("tokenizer.ggml.scores", scores);
      header_.AddU32("tokenizer.ggml.bos_token_id", 1);
      header_.AddU32("tokenizer.ggml.eos_token_id", 2);
    } else {
      header_.AddStringArray("tokenizer.ggml.merges", merges);
    }
    const int32_t stop[] = {static_cast<int32_t>(tokens.size()) - 1};
    if (options_.architecture == "fastvlm") {
      header_.AddString("fastvlm.chat_style", pieces ? "plain" : "qwen_2");
      header_.AddI32Array("tinyvlm.stop_ids", stop);
    }
  }

  void Add(const std::string& name, Shape shape, DType type = DType::kF32) {
    const Status status = header_.AddTensor(name, type, std::move(shape));
    MustHold(status.ok(), "a tiny model's tensors are possible");
  }
  void AddMatrix(const std::string& name, uint64_t rows, uint64_t columns, bool bias) {
    DType type = columns % 256 == 0 ? options_.down : options_.matrices;
    if (columns % GetDTypeInfo(type).block_elements != 0) type = DType::kF32;
    Add(name + ".weight", {rows, columns}, type);
    if (bias) Add(name + ".bias", {rows});
  }
  void AddConvolution(const std::string& name, uint64_t out, uint64_t in, uint64_t side) {
    Add(name + ".weight", {out, in, side, side});
    Add(name + ".bias", {out});
  }

  void AddTower() {
    constexpr uint64_t kChannels = 8, kHidden = 16;
    AddConvolution("v.stem.0", kChannels, 3, 3);
    AddConvolution("v.stem.1", kChannels, 1, 3);
    AddMatrix("v.stem.2", kChannels, kChannels, true);
    for (const bool attention : {false, true}) {
      const std::string stage = attention ? "v.stage.1." : "v.stage.0.", block = stage + "blk.0.";
      if (attention) {
        AddConvolution(stage + "down.dw", kChannels, 1, 7);
        AddMatrix(stage + "down.pw", kChannels, kChannels, true);
        AddConvolution(stage + "cpe", kChannels, 1, 7);
        Add(block + "ln.weight", {kChannels});
        Add(block + "ln.bias", {kChannels});
        AddMatrix(block + "attn_qkv", 3 * kChannels, kChannels, false);
        AddMatrix(block + "attn_out", kChannels, kChannels, true);
        Add(block + "ls1", {kChannels});
        Add(block + "ls2", {kChannels});
      } else {
        AddConvolution(block + "mix", kChannels, 1, 3);
        Add(block + "ls", {kChannels});
      }
      AddConvolution(block + "ffn_dw", kChannels, 1, 7);
      AddMatrix(block + "ffn_up", kHidden, kChannels, true);
      AddMatrix(block + "ffn_down", kChannels, kHidden, true);
    }
    AddConvolution("v.final.dw", 2 * kChannels, 1, 3);
    AddMatrix("v.final.se.down", 4, 2 * kChannels, true);
    AddMatrix("v.final.se.up", 2 * kChannels, 4, true);
    AddMatrix("mm.0", kWidth, 2 * kChannels, true);
    AddMatrix("mm.2", kWidth, kWidth, true);
  }

  void AddDecoder() {
    const bool bias = options_.architecture != "llama";
    AddMatrix("token_embd", vocabulary_, kWidth, false);
    Add("blk.0.attn_norm.weight", {kWidth});
    AddMatrix("blk.0.attn_q", kWidth, kWidth, bias);
    AddMatrix("blk.0.attn_k", kKv, kWidth, bias);
    AddMatrix("blk.0.attn_v", kKv, kWidth, bias);
    AddMatrix("blk.0.attn_output", kWidth, kWidth, false);
    Add("blk.0.ffn_norm.weight", {kWidth});
    AddMatrix("blk.0.ffn_gate", kFfn, kWidth, false);
    AddMatrix("blk.0.ffn_up", kFfn, kWidth, false);
    AddMatrix("blk.0.ffn_down", kWidth, kFfn, false);
    Add("output_norm.weight", {kWidth});
  }

  void Fill(const TensorInfo& tensor, uint8_t* to) {
    const size_t columns = static_cast<size_t>(tensor.shape.back()),
                 rows = static_cast<size_t>(*ElementCount(tensor.shape)) / columns;
    const DTypeInfo& type = GetDTypeInfo(tensor.type);
    const size_t row_bytes = columns / type.block_elements * type.block_bytes;
    std::vector<float> row(columns);
    for (size_t r = 0; r < rows; ++r) {
      for (float& value : row)
        value = static_cast<float>(random_() % 2001) * 1e-4f - 0.1f + (rows == 1 ? 1.0f : 0.0f);
      if (CanQuantize(tensor.type)) {
        QuantizeRow(tensor.type, row.data(), columns, to + r * row_bytes);
      }  // else zeros, which every type has
    }
  }

  const TinyModelOptions options_;
  GgufHeaderWriter header_;
  size_t vocabulary_ = 0;
  std::mt19937 random_{7};
};

// One of each kind: {name, file}.
inline std::vector<std::pair<std::string, std::vector<uint8_t>>> TinyModels() {
  using enum DType;
  const std::pair<const char*, TinyModelOptions> kinds[] = {
      {"fastvlm-f32", {}},
      {"fastvlm-q8_0", {.matrices = kQ8_0, .down = kQ4_0}},
      {"fastvlm-panels", {.matrices = kQ4_0, .down = kQ5_0, .panels = true}},
      {"fastvlm-pieces", {.matrices = kF16, .tokenizer = TinyTokenizer::kPieces}},
      {"fastvlm-ids", {.matrices = kBF16, .tokenizer = TinyTokenizer::kNone}},
      {"qwen2-q4_k", {.architecture = "qwen2", .matrices = kQ5_0, .down = kQ4_K}},
      {"qwen2-q6_k", {.architecture = "qwen2", .matrices = kQ5_1, .down = kQ6_K}},
      {"llama-q5_k",
       {.architecture = "llama",
        .matrices = kQ4_1,
        .down = kQ5_K,
        .tokenizer = TinyTokenizer::kPieces}}};
  std::vector<std::pair<std::string, std::vector<uint8_t>>> models;
  for (const auto& [name, options] : kinds) models.emplace_back(name, TinyModel(options).Write());
  return models;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FUZZ_TINY_MODELS_H_
