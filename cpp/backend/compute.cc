#include "backend/compute.h"

namespace tinyvlm {

Result<Compute> ParseCompute(std::string_view word) {
  if (word == "fast") return Compute::kFast;
  if (word == "f32") return Compute::kF32;
  return Error(ErrorCode::kInvalidArgument, "compute: \"fast\" or \"f32\" wanted, \"%.*s\" found",
               static_cast<int>(word.size()), word.data());
}

}  // namespace tinyvlm
