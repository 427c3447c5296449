// JPEG bytes -> RGB.
#ifndef TINYVLM_IMAGE_JPEG_H_
#define TINYVLM_IMAGE_JPEG_H_

#include <cstdint>
#include <span>

#include "base/status.h"
#include "image/image.h"

namespace tinyvlm {

inline constexpr uint8_t kJpegSignature[3] = {0xff, 0xd8, 0xff};

// Decodes a baseline, extended or progressive Huffman-coded JPEG of 8 bits: gray, YCbCr, RGB, CMYK
// or YCCK with any whole sampling ratios; `bytes` begins with kJpegSignature. The pixels are those
// of libjpeg-turbo with its default settings (accurate integer IDCT, triangle-filtered chroma), and
// CMYK becomes RGB as in Pillow. EXIF orientation is honoured unless `exact`. Entropy-coded data
// that ends early or is invalid is an error, never drawn. Errors: kInvalidImage with the byte,
// kOutOfMemory.
Result<Image> DecodeJpeg(std::span<const uint8_t> bytes, bool exact);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_JPEG_H_
