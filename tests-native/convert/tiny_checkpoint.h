// Checkpoint folders of a few kilobytes that tests alter before they write them.
#ifndef TINYVLM_TESTS_CONVERT_TINY_CHECKPOINT_H_
#define TINYVLM_TESTS_CONVERT_TINY_CHECKPOINT_H_

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/half.h"
#include "catch_amalgamated.hpp"
#include "checkpoint_tensors.h"
#include "convert/convert.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "temp_folder.h"
#include "tensor/quant.h"

namespace tinyvlm {

inline void WriteText(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Tensors and a config, written as a folder.
struct CheckpointFiles : CheckpointTensors {
  CheckpointFiles() = default;
  explicit CheckpointFiles(CheckpointTensors from) : CheckpointTensors(std::move(from)) {}

  // Replaces the only occurrence of `from` in config.json.
  void Edit(const std::string& from, const std::string& to) {
    const size_t at = config.find(from);
    INFO(from);
    REQUIRE(at != std::string::npos);
    REQUIRE(config.find(from, at + 1) == std::string::npos);
    config.replace(at, from.size(), to);
  }

  // Writes config.json and the weights, as one file or as several with an index.
  void Write(const TempFolder& folder) const {
    WriteText(folder.File("config.json"), config);
    static const int64_t kTracked = 1000;
    std::vector<std::vector<SafetensorsOutput>> files(shards);
    if (!tracked.empty()) files[0].push_back({tracked, SafetensorsType::kI64, {}, &kTracked});
    std::vector<std::vector<uint16_t>> halves;
    std::string map;
    size_t count = 0;
    for (const auto& [name, tensor] : tensors) {
      const size_t shard = count++ % shards;
      map += Format("%s\"%s\": \"%s\"", map.empty() ? "" : ", ", name.c_str(),
                    ShardName(shard).c_str());
      if (type == SafetensorsType::kF32) {
        files[shard].push_back({name, type, tensor.shape, tensor.values.data()});
        continue;
      }
      std::vector<uint16_t>& half = halves.emplace_back();
      for (const float value : tensor.values)
        half.push_back(type == SafetensorsType::kF16 ? F32ToF16(value) : F32ToBF16(value));
      files[shard].push_back({name, type, tensor.shape, half.data()});
    }
    for (size_t shard = 0; shard < shards; ++shard) {
      REQUIRE(WriteSafetensors(folder.File(shards == 1 ? "model.safetensors" : ShardName(shard)),
                               files[shard])
                  .ok());
    }
    if (shards > 1)
      WriteText(folder.File("model.safetensors.index.json"), "{\"weight_map\": {" + map + "}}");
  }

  std::string ShardName(size_t shard) const {
    return Format("model-%05zu-of-%05zu.safetensors", shard + 1, shards);
  }

  SafetensorsType type = SafetensorsType::kF32;
  size_t shards = 1;
};

struct TinyCheckpoint : CheckpointFiles {
  TinyCheckpoint() : CheckpointFiles(TinyCheckpointTensors()) {}
};

// A model file in memory.
struct LoadedModel {
  std::vector<uint8_t> bytes;
  GgufFile file;

  // All values of a tensor as f32.
  std::vector<float> Values(const std::string& name) const {
    const TensorInfo* const info = file.Find(name);
    INFO(name);
    REQUIRE(info != nullptr);
    std::vector<float> values(static_cast<size_t>(*ElementCount(info->shape)));
    DequantizeRow(info->type, bytes.data() + file.data_offset + info->offset, values.size(),
                  values.data());
    return values;
  }
};

// Reads a model file and checks all of its hashes.
inline LoadedModel LoadModelFile(const std::string& path) {
  LoadedModel model;
  const Result<RandomAccessFile> file = RandomAccessFile::Open(path);
  REQUIRE(file.ok());
  model.bytes.resize(static_cast<size_t>(file->size()));
  REQUIRE(file->ReadAt(0, model.bytes.data(), model.bytes.size()).ok());
  Result<GgufParse> parse = ParseGgufHeader(model.bytes);
  INFO(parse.status().message());
  REQUIRE(parse.ok());
  REQUIRE(parse->file.has_value());
  model.file = std::move(*parse->file);
  REQUIRE(model.file.data_offset + model.file.data_bytes == model.bytes.size());
  REQUIRE(VerifyHeaderHash(model.file,
                           {model.bytes.data(), static_cast<size_t>(model.file.data_offset)})
              .ok());
  REQUIRE(model.file.chunk_size == 1048576);
  for (uint64_t begin = 0; begin < model.file.data_bytes; begin += model.file.chunk_size) {
    Sha256 sha;
    sha.Update(model.bytes.data() + model.file.data_offset + begin,
               static_cast<size_t>(std::min(model.file.chunk_size, model.file.data_bytes - begin)));
    REQUIRE(sha.Finish() == ChunkHash(model.file, begin / model.file.chunk_size));
  }
  return model;
}

// Converts the files in `folder` to model.gguf there, ids only.
inline Status ConvertFiles(const CheckpointFiles& checkpoint, const TempFolder& folder,
                           DType type = DType::kF32) {
  checkpoint.Write(folder);
  ConvertOptions options;
  options.checkpoint = folder.File(".");
  options.output = folder.File("model.gguf");
  options.type = type;
  options.tokenizer = false;
  return Convert(options, {});
}

inline LoadedModel Converted(const CheckpointFiles& checkpoint, DType type = DType::kF32) {
  const TempFolder folder;
  const Status status = ConvertFiles(checkpoint, folder, type);
  INFO(status.message());
  REQUIRE(status.ok());
  return LoadModelFile(folder.File("model.gguf"));
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONVERT_TINY_CHECKPOINT_H_
