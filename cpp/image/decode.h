// Encoded images -> rows of RGB.
#ifndef TINYVLM_IMAGE_DECODE_H_
#define TINYVLM_IMAGE_DECODE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "image/byte_source.h"
#include "image/image.h"
#include "image/row_sink.h"

namespace tinyvlm {

// Decodes a PNG or a JPEG, recognised by its first bytes, into `sink`. `exact`: as the reference
// implementation (alpha dropped, EXIF ignored, 16-bit gray clipped); otherwise as image viewers
// show it: with EXIF's orientation, transparency composited on white, 16-bit samples scaled.
// Defects that image viewers draw over (png.h, jpeg.h) are told in `warnings`, a few sentences at
// most; where that is null, they are errors. Errors: kInvalidImage with the byte for damaged,
// truncated and too large images, and with the name of the format for other formats; kOutOfMemory;
// those of source and sink.
Status DecodeImage(const ByteSource& source, bool exact, RowSink& sink,
                   std::vector<std::string>* warnings = nullptr);

// An image file as it looks without decoding it.
struct ImageFileReport {
  const char* format = "";  // "PNG", "JPEG", "WebP" ...; "": unknown
  // False where image data is missing or out of step, so that each decoder draws something else.
  bool whole = true;
  std::vector<std::string> warnings;  // those of DecodeImage that need no decoding
};

// Looks at an image file for a caller who has a decoder of his own. Errors: those of the source;
// kInvalidImage for an empty file and for a PNG whose chunks are damaged, which decoders draw in
// part (`strict`: also those that are not needed). What is wrong otherwise is that decoder's to
// find.
Result<ImageFileReport> InspectImage(const ByteSource& source, bool strict);

// The same from memory into memory, the orientation applied.
Result<Image> DecodeImage(std::span<const uint8_t> bytes, bool exact,
                          std::vector<std::string>* warnings = nullptr);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_DECODE_H_
