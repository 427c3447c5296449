#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "image/decode.h"

namespace tinyvlm {

Result<Image> DecodeImageFile(const std::string& path, bool exact, double* decode_ms) {
  TVLM_ASSIGN_OR_RETURN(const std::string bytes, ReadTextFile(path, kMaxImageFileBytes));
  const double start = NowMs();
  Result<Image> image =
      DecodeImage({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, exact);
  if (!image.ok()) return Status(image.status().code(), path + ": " + image.status().message());
  if (decode_ms != nullptr) *decode_ms += NowMs() - start;
  return image;
}

}  // namespace tinyvlm
