// A planned checkpoint -> the header of its model file: keys, and tensors with their types.
#ifndef TINYVLM_CONVERT_MODEL_HEADER_H_
#define TINYVLM_CONVERT_MODEL_HEADER_H_

#include "base/status.h"
#include "convert/checkpoint.h"
#include "convert/checkpoint_tokenizer.h"
#include "convert/conversion_options.h"
#include "formats/gguf_writer.h"
#include "tensor/dtype.h"

namespace tinyvlm {

// The type that a tensor's values are rounded to (docs/model-file.md).
DType ValueType(const PlannedTensor& tensor, const ConversionOptions& options);

// Adds all keys. `tokenizer` is null for a model of ids only.
void AddModelKeys(const Checkpoint& checkpoint, const ConversionOptions& options,
                  const CheckpointTokenizer* tokenizer, GgufHeaderWriter* header);

// Adds a tensor; an error that names it where its rows cannot be stored.
Status AddModelTensor(const PlannedTensor& tensor, const ConversionOptions& options,
                      GgufHeaderWriter* header);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_MODEL_HEADER_H_
