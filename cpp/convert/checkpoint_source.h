// The small files of a checkpoint (configs, tokenizer) by name: of a folder, or held in memory, so
// that readers work on bytes that came from anywhere.
#ifndef TINYVLM_CONVERT_CHECKPOINT_SOURCE_H_
#define TINYVLM_CONVERT_CHECKPOINT_SOURCE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/status.h"

namespace tinyvlm {

// A config file longer than this is rejected.
inline constexpr uint64_t kMaxConfigBytes = uint64_t{4} << 20;

class CheckpointSource {
 public:
  // The files of the folder at this path. Nothing is read before it is asked for.
  CheckpointSource(std::string folder) : name_(std::move(folder)) {}  // NOLINT: implicit by design

  // Files in memory: name -> contents. `name` stands for the checkpoint in error messages.
  CheckpointSource(std::string name, std::map<std::string, std::string> contents)
      : name_(std::move(name)), contents_(std::move(contents)) {}

  // The folder's path, or the name given for files in memory: for error messages.
  const std::string& name() const { return name_; }

  // True where there is a file of this name.
  bool Has(const std::string& file) const;

  // The whole file. kNotFound where it is absent, kInvalidFile where it is longer than max_bytes.
  Result<std::string> Read(const std::string& file, uint64_t max_bytes) const;

  // A JSON file that holds an object; errors begin with the file's name.
  Result<Json> ReadJson(const std::string& file, uint64_t max_bytes = kMaxConfigBytes) const;

  // The same; no value where the file is absent.
  Result<std::optional<Json>> ReadOptionalJson(const std::string& file,
                                               uint64_t max_bytes = kMaxConfigBytes) const;

 private:
  std::string name_;
  // Empty optional: files are in the folder at name_.
  std::optional<std::map<std::string, std::string>> contents_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_SOURCE_H_
