// PNG bytes -> rows of RGB.
#ifndef TINYVLM_IMAGE_PNG_H_
#define TINYVLM_IMAGE_PNG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "image/byte_source.h"
#include "image/row_sink.h"

namespace tinyvlm {

inline constexpr uint8_t kPngSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

// Decodes a PNG of any colour type, depth and interlacing; `source` begins with kPngSignature.
// Every chunk's CRC is checked. `exact` (spec §4.1, what Pillow's convert("RGB") does): alpha and
// tRNS dropped, eXIf ignored, 16-bit gray clipped at 255, other 16-bit samples keep their high
// byte. Otherwise transparency is composited on white, the sink is given eXIf's orientation and all
// 16-bit samples keep their high byte. Gamma and colour profiles are ignored in both.
//
// A chunk that is not needed to show the image (its type begins with a lower-case letter) is left
// out where its CRC is wrong, and `warnings` tells of it; where that is null, it is an error. So is
// transparency (tRNS) a second time or behind the image data, where viewers do not apply it. Bytes
// behind the end are no error; `warnings` tells of them.
//
// Memory: a few rows; interlaced images are inflated from seven places at once. Errors:
// kInvalidImage with chunk and byte, kOutOfMemory, those of source and sink.
Status DecodePng(const ByteSource& source, bool exact, RowSink& sink,
                 std::vector<std::string>* warnings = nullptr);

// Checks the chunks of a PNG without reading what is in them. `warnings` and errors: as of
// DecodePng.
Status InspectPng(const ByteSource& source, std::vector<std::string>* warnings);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_PNG_H_
