// A checkpoint folder -> one model file, tensor by tensor.
#ifndef TINYVLM_CONVERT_CONVERT_H_
#define TINYVLM_CONVERT_CONVERT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tensor/dtype.h"
#include "text/chat_template.h"
#include "weights/packing.h"

namespace tinyvlm {

// Types are kF32, kF16, kBF16, kQ8_0 or kQ4_0; docs/model-file.md says which tensors they apply to.
struct ConvertOptions {
  std::string checkpoint;     // FastVLM folder with config.json and safetensors
  std::string output;         // the .gguf to write
  DType type = DType::kQ8_0;  // of the decoder's matrices
  // of the tower's and the projector's; default: as `type`, but kQ8_0 for kQ4_0
  std::optional<DType> vision_type;
  std::optional<DType> embedding_type;  // of the embedding and the head; the same default
  // side of the square image, a multiple of 64; 0: what the checkpoint says
  uint32_t image_size = 0;
  std::string resize;     // "pad" or "crop"; empty: what the checkpoint says
  bool tokenizer = true;  // false: ids only, no tokenizer is looked for
  // of the prompts; none: as the checkpoint's chat template says
  std::optional<ChatStyle> chat_style;
  // the order of the weights in the file; values and answers are the same in either
  Packing packing = Packing::kNone;
  // Gets a sentence for each thing that is odd about the checkpoint but can be converted (a second
  // set of weights that is not used, duplicates), before any weights are; may be empty.
  std::function<void(const std::string& warning)> warn;
};

// The type that a word of the command line names ("f32", "f16", "bf16", "q8_0", "q5_0", "q4_0").
Result<DType> ParseConvertType(std::string_view word);

// Bytes of the data section written so far, and in all.
using ConvertProgress = std::function<void(uint64_t done, uint64_t total)>;

// Converts. Either the whole file is there afterwards, or the error says what was wanted and what
// was found and no file is. Memory stays small: tensors stream through in ranges of rows.
// `progress` may be empty.
Status Convert(const ConvertOptions& options, const ConvertProgress& progress);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CONVERT_H_
