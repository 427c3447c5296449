// A checkpoint folder -> one model file.
#ifndef TINYVLM_CONVERT_CONVERT_H_
#define TINYVLM_CONVERT_CONVERT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "convert/checkpoint_source.h"
#include "convert/conversion_options.h"

namespace tinyvlm {

// `name` is not read: the checkpoint is called by its path.
struct ConvertOptions : ConversionOptions {
  std::string checkpoint;  // FastVLM folder with config.json and safetensors
  std::string output;      // the .gguf to write
  // Gets a sentence for each thing that is odd about the checkpoint but can be converted (a second
  // set of weights that is not used, duplicates), before any weights are; may be empty.
  std::function<void(const std::string& warning)> warn;
};

// Bytes of the data section written so far, and in all.
using ConvertProgress = std::function<void(uint64_t done, uint64_t total)>;

// Converts. Either the whole file is there afterwards, or the error says what was wanted and what
// was found and no file is. Memory stays small: tensors stream through in ranges of rows.
// `progress` may be empty.
Status Convert(const ConvertOptions& options, const ConvertProgress& progress);

// The files of a folder, and its folders with a "/" behind their names, for a conversion.
// kNotFound or kIo where it cannot be listed.
Result<std::vector<CheckpointFile>> ListCheckpointFolder(const std::string& folder);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CONVERT_H_
