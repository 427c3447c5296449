// Encoded images -> rows of RGB.
#ifndef TINYVLM_IMAGE_DECODE_H_
#define TINYVLM_IMAGE_DECODE_H_

#include <cstdint>
#include <span>

#include "base/status.h"
#include "image/byte_source.h"
#include "image/image.h"
#include "image/row_sink.h"

namespace tinyvlm {

// Decodes a PNG or a JPEG, recognised by its first bytes, into `sink`. `exact`: as the reference
// implementation (alpha dropped, EXIF ignored, 16-bit gray clipped); otherwise as image viewers
// show it: with EXIF's orientation, transparency composited on white, 16-bit samples scaled.
// Errors: kInvalidImage with the byte for damaged, truncated and too large images, and with the
// name of the format for other formats; kOutOfMemory; those of source and sink.
Status DecodeImage(const ByteSource& source, bool exact, RowSink& sink);

// The same from memory into memory, the orientation applied.
Result<Image> DecodeImage(std::span<const uint8_t> bytes, bool exact);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_DECODE_H_
