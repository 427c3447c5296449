// The commands of the command line. Each takes the arguments after its name, prints its results on
// stdout and everything else on stderr.
#ifndef TINYVLM_CLI_COMMANDS_H_
#define TINYVLM_CLI_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "image/image.h"

namespace tinyvlm {

using Arguments = std::vector<std::string>;

Status RunAsk(const Arguments& arguments);
Status RunBench(const Arguments& arguments);
Status RunConvert(const Arguments& arguments);
Status RunFidelity(const Arguments& arguments);
Status RunInspect(const Arguments& arguments);
Status RunTrace(const Arguments& arguments);

// An encoded image of more bytes than this is rejected before it is read.
inline constexpr uint64_t kMaxImageFileBytes = uint64_t{1} << 30;

// Reads and decodes a PNG or JPEG; `exact` as in DecodeImage. Adds the milliseconds of decoding to
// decode_ms, where it is not null. Errors name the path.
Result<Image> DecodeImageFile(const std::string& path, bool exact, double* decode_ms = nullptr);

}  // namespace tinyvlm

#endif  // TINYVLM_CLI_COMMANDS_H_
