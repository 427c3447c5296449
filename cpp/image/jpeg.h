// JPEG bytes -> rows of RGB.
#ifndef TINYVLM_IMAGE_JPEG_H_
#define TINYVLM_IMAGE_JPEG_H_

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "image/byte_source.h"
#include "image/row_sink.h"

namespace tinyvlm {

inline constexpr uint8_t kJpegSignature[3] = {0xff, 0xd8, 0xff};

// Where an image has several scans, bands of as many of its MCU rows are decoded at a time as fit
// into this many bytes: few enough that changing from one scan to the next costs nothing beside
// decoding.
inline constexpr size_t kJpegBandBytes = size_t{4} << 20;

// Decodes a baseline, extended or progressive Huffman-coded JPEG of 8 bits: gray, YCbCr, RGB, CMYK
// or YCCK with any whole sampling ratios; `source` begins with kJpegSignature. The pixels are those
// of libjpeg-turbo with its default settings (accurate integer IDCT, triangle-filtered chroma), and
// CMYK becomes RGB as in Pillow. The sink is given EXIF's orientation unless `exact`. Entropy-coded
// data that ends early or is invalid is an error, never drawn.
//
// Memory: an MCU row where the image has one scan; else a band of `band_bytes`, at least an MCU
// row, which is decoded from all scans in turn, each going on where it was left. Errors:
// kInvalidImage with the byte, kOutOfMemory, those of source and sink.
Status DecodeJpeg(const ByteSource& source, bool exact, RowSink& sink,
                  size_t band_bytes = kJpegBandBytes);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_JPEG_H_
