// The order in which a model file holds its weights: `tinyvlm.packing` (docs/model-file.md).
#ifndef TINYVLM_WEIGHTS_PACKING_H_
#define TINYVLM_WEIGHTS_PACKING_H_

#include <string_view>

#include "base/status.h"
#include "formats/gguf.h"

namespace tinyvlm {

// The metadata key; files without it have Packing::kNone.
inline constexpr const char* kPackingKey = "tinyvlm.packing";

enum class Packing {
  // "none": rows one after the other, as every GGUF file has them. The engine packs matrices in
  // place and widens small tensors when their bytes have arrived.
  kNone,
  // "panel16": every tensor as the kernels read it. Matrices (2 dimensions) are in panels of 16
  // rows (kernels/pack.h); convolution kernels (4 dimensions) are F32 in the order
  // [ky][kx][input channel][output channel]; vectors are F32. Nothing is left to do at load, so
  // that the bytes may be read-only. Names, shapes and byte counts are those of the same tensors
  // in file order.
  kPanel16,
};

// "none" or "panel16".
const char* PackingName(Packing packing);

// The inverse of PackingName; an error that names the words known and the one found.
Result<Packing> ParsePacking(std::string_view word);

// The packing of a file. Errors: kUnsupported for a word that this engine does not know (a newer
// layout), kInvalidFile for a key that is no string and for a panel16 file whose alignment is not a
// multiple of 64.
Result<Packing> ReadPacking(const GgufFile& file);

}  // namespace tinyvlm

#endif  // TINYVLM_WEIGHTS_PACKING_H_
