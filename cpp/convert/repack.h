// A model file -> the same model with its weights in the kernels' order.
#ifndef TINYVLM_CONVERT_REPACK_H_
#define TINYVLM_CONVERT_REPACK_H_

#include <string>

#include "base/status.h"
#include "convert/convert.h"

namespace tinyvlm {

// Writes the model file `input`, which is in file order, as the panel16 file `output`: what
// Convert with Packing::kPanel16 makes of the same checkpoint, byte for byte. Hashes of the input
// are verified first. Either the whole file is there afterwards, or the error says why not and no
// file is. Memory stays small. kUnsupported for `llama` files, whose rows the engine puts in order
// itself, and for files that are packed already.
Status Repack(const std::string& input, const std::string& output, const ConvertProgress& progress);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_REPACK_H_
