// The weights in a checkpoint folder, whatever tool wrote them: which of its files are used, and
// their tensors under canonical names.
#ifndef TINYVLM_CONVERT_CHECKPOINT_WEIGHTS_H_
#define TINYVLM_CONVERT_CHECKPOINT_WEIGHTS_H_

#include <string>
#include <vector>

#include "base/status.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// Opens the weights of `folder`: the shards that model.safetensors.index.json names, else
// model.safetensors, else the one file or numbered set of shards that is a whole FastVLM. Other
// files are added where they hold parts that these lack. Sentences about files and tensors that are
// not used are appended to `warnings`: another whole set of weights, tensors that are there twice
// with the same bytes. Errors: kInvalidFile that names both where two sets could be meant, or the
// same tensor has two values; those of Safetensors.
Result<Safetensors> OpenCheckpointWeights(const std::string& folder,
                                          std::vector<std::string>* warnings);

// OK where the tensors show a tower, a projector and a decoder with Qwen2's biases; kNotFound names
// what is missing, and the files in `folder` of other formats that may hold it.
Status CheckParts(const std::string& folder, const Safetensors& weights);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_WEIGHTS_H_
