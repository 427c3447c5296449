// Encoded images -> RGB.
#ifndef TINYVLM_IMAGE_DECODE_H_
#define TINYVLM_IMAGE_DECODE_H_

#include <cstdint>
#include <span>

#include "base/status.h"
#include "image/image.h"

namespace tinyvlm {

// Decodes a PNG or a JPEG, told apart by their first bytes. `exact` does as the reference does
// (spec §4.1: alpha dropped, EXIF ignored, 16-bit gray clipped); otherwise an image looks as people
// see it: turned as its EXIF says, transparency composited on white, 16-bit samples scaled. Errors:
// invalid_image, with the place, for damaged, truncated and too large images, and by name for
// formats that are not decoded here; out_of_memory.
Result<Image> DecodeImage(std::span<const uint8_t> bytes, bool exact);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_DECODE_H_
