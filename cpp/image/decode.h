// Encoded images -> RGB.
#ifndef TINYVLM_IMAGE_DECODE_H_
#define TINYVLM_IMAGE_DECODE_H_

#include <cstdint>
#include <span>

#include "base/status.h"
#include "image/image.h"

namespace tinyvlm {

// Decodes a PNG or a JPEG, recognised by its first bytes. `exact`: as the reference implementation
// (alpha dropped, EXIF ignored, 16-bit gray clipped); otherwise as image viewers show it: EXIF
// orientation applied, transparency composited on white, 16-bit samples scaled. Errors:
// kInvalidImage with the byte for damaged, truncated and too large images, and with the name of the
// format for other formats; kOutOfMemory.
Result<Image> DecodeImage(std::span<const uint8_t> bytes, bool exact);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_DECODE_H_
