#include "base/option.h"

#include <cfloat>
#include <cinttypes>

namespace tinyvlm {

Status CheckOption(const NumberOption& option, float value) {
  if (value >= option.min && value <= option.max) return Status();  // false for NaN
  const double min = static_cast<double>(option.min), max = static_cast<double>(option.max),
               found = static_cast<double>(value);
  if (option.max == FLT_MAX) {
    return Error(ErrorCode::kInvalidArgument, "%s: a number of %g or more wanted, %g found",
                 option.key, min, found);
  }
  return Error(ErrorCode::kInvalidArgument, "%s: a number from %g to %g wanted, %g found",
               option.key, min, max, found);
}

Status IntegerOutOfRange(const IntegerOption& option, double found) {
  return Error(ErrorCode::kInvalidArgument,
               "%s: a whole number from %" PRIu64 " to %" PRIu64 " wanted, %.17g found", option.key,
               option.min, option.max, found);
}

}  // namespace tinyvlm
