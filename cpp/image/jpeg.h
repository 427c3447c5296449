// JPEG bytes -> rows of RGB.
#ifndef TINYVLM_IMAGE_JPEG_H_
#define TINYVLM_IMAGE_JPEG_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

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
// CMYK becomes RGB as in Pillow. The sink is given EXIF's orientation unless `exact`.
//
// Defects that libjpeg and browsers draw over (a missing end marker, data that ends early or is
// invalid, restart markers out of step) are drawn as libjpeg does and told in `warnings`, a
// sentence for each kind; where that is null, they are errors. Of a progressive image that is cut
// off, planes that are missing are not smoothed over. Bytes behind the end are no error; those that
// no header tells of are told.
//
// Memory: an MCU row where the image has one scan; else a band of `band_bytes`, at least an MCU
// row, which is decoded from all scans in turn, each going on where it was left. Errors:
// kInvalidImage with the byte, kOutOfMemory, those of source and sink.
Status DecodeJpeg(const ByteSource& source, bool exact, RowSink& sink,
                  std::vector<std::string>* warnings = nullptr, size_t band_bytes = kJpegBandBytes);

// Reads the headers and markers of a JPEG, not its image data. False where the data ends early or
// its restart markers are out of step, so that each decoder draws something else; the warnings are
// those that need no decoding. Errors: as of DecodeJpeg.
Result<bool> InspectJpeg(const ByteSource& source, std::vector<std::string>& warnings);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_JPEG_H_
