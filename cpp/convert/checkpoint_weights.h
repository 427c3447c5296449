// The weights of a checkpoint, whatever tool wrote them: which of its files are used, and their
// tensors under canonical names.
#ifndef TINYVLM_CONVERT_CHECKPOINT_WEIGHTS_H_
#define TINYVLM_CONVERT_CHECKPOINT_WEIGHTS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "convert/checkpoint_source.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// Files of weights by name, each with its tensors (the header is enough) or with the reason why it
// has none.
using WeightHeaders = std::map<std::string, Result<Safetensors>>;

// A tensor that the checkpoint has twice, in one type and shape. The values are for the caller to
// compare.
struct DuplicateTensor {
  SafetensorsTensor used;
  SafetensorsTensor other;
  std::string shown;  // both for messages: "a of x.safetensors and b of y.safetensors"
};

// The weights in use.
struct CheckpointWeights {
  Safetensors tensors;             // under canonical names (convert/canonical_names.h)
  std::vector<std::string> files;  // names, by SafetensorsTensor::file
  std::vector<DuplicateTensor> duplicates;
};

// The index of a checkpoint's shards, which must be supplied where there is one; no value where
// there is none. kInvalidFile where it is damaged.
Result<std::optional<SafetensorsIndex>> ReadWeightsIndex(const CheckpointSource& source);

// The files that may hold weights, sorted: every .safetensors file at the top and what `index`
// names, as far as it is there.
std::vector<std::string> WeightFiles(const CheckpointSource& source,
                                     const std::optional<SafetensorsIndex>& index);

// Chooses among `headers`, those of WeightFiles: the shards that `index` names, else
// model.safetensors, else the one file or numbered set of shards that is a whole FastVLM. Other
// files are added where they hold parts that these lack. Sentences about files that are not used
// are appended to `warnings`. Errors: kInvalidFile that names both where two sets could be meant,
// or the same tensor has two shapes or types; kNotFound for shards; those of the headers in use.
Result<CheckpointWeights> FindCheckpointWeights(const CheckpointSource& source,
                                                const std::optional<SafetensorsIndex>& index,
                                                WeightHeaders headers,
                                                std::vector<std::string>* warnings);

// The error for a tensor that is there twice with different values.
Status DifferentValues(const DuplicateTensor& duplicate);

// The warning about tensors whose values are the same; there is at least one.
std::string DuplicatesWarning(const std::vector<DuplicateTensor>& duplicates);

// OK where the tensors show a tower, a projector and a decoder with Qwen2's biases; kNotFound names
// what is missing, and the files of other formats that may hold it.
Status CheckParts(const CheckpointSource& source, const Safetensors& weights);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_WEIGHTS_H_
