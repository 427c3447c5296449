// The small files of a checkpoint (configs, tokenizer) by name, held in memory, so that readers
// work on bytes that came from anywhere.
#ifndef TINYVLM_CONVERT_CHECKPOINT_SOURCE_H_
#define TINYVLM_CONVERT_CHECKPOINT_SOURCE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace tinyvlm {

// A config file longer than this is rejected.
inline constexpr uint64_t kMaxConfigBytes = uint64_t{4} << 20;

// A file of a tokenizer longer than this is rejected.
inline constexpr uint64_t kMaxTokenizerBytes = uint64_t{64} << 20;

// Where the weights are: one file, or shards that an index names.
inline constexpr const char* kWeightsName = "model.safetensors";
inline constexpr const char* kWeightsIndexName = "model.safetensors.index.json";

// A file of a checkpoint.
struct CheckpointFile {
  std::string name;    // its path inside the checkpoint, with "/": "config.json"
  uint64_t bytes = 0;  // its size
};

class CheckpointSource {
 public:
  // Files of which only name and size are known yet. `name` stands for the checkpoint in error
  // messages: a path, or the name that people know it by.
  CheckpointSource(std::string name, const std::vector<CheckpointFile>& files);

  // Files with their contents: name -> contents.
  CheckpointSource(std::string name, std::map<std::string, std::string> contents);

  // What stands for the checkpoint in error messages.
  const std::string& name() const { return name_; }

  // The same for a file of it: a path.
  std::string PathOf(const std::string& file) const { return name_ + "/" + file; }

  // Names at the top: files, and folders without "/". Sorted, each once.
  std::vector<std::string> TopNames() const;

  // True where there is a file of this name.
  bool Has(const std::string& file) const { return files_.count(file) != 0; }

  // The size of a file; no value where it is absent.
  std::optional<uint64_t> SizeOf(const std::string& file) const;

  // Hands over the contents of a file, as many bytes as its size says.
  void Supply(const std::string& file, std::string contents);

  // Whether the contents of a file are here.
  bool IsSupplied(const std::string& file) const;

  // Forgets the contents of all files.
  void DropContents();

  // The whole file. kNotFound where it is absent, kInvalidFile where it is longer than max_bytes.
  Result<std::string> Read(const std::string& file, uint64_t max_bytes) const;

  // A JSON file that holds an object; errors begin with the file's name.
  Result<Json> ReadJson(const std::string& file, uint64_t max_bytes = kMaxConfigBytes) const;

  // The same; no value where the file is absent.
  Result<std::optional<Json>> ReadOptionalJson(const std::string& file,
                                               uint64_t max_bytes = kMaxConfigBytes) const;

 private:
  struct File {
    uint64_t bytes = 0;
    std::optional<std::string> contents;  // none: not supplied yet
  };

  std::string name_;
  std::map<std::string, File> files_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_SOURCE_H_
