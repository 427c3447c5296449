// PNG bytes -> RGB.
#ifndef TINYVLM_IMAGE_PNG_H_
#define TINYVLM_IMAGE_PNG_H_

#include <cstdint>
#include <span>

#include "base/status.h"
#include "image/image.h"

namespace tinyvlm {

inline constexpr uint8_t kPngSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

// Decodes a PNG of any colour type, depth and interlacing; `bytes` begins with kPngSignature. Every
// chunk's CRC is checked. `exact` (spec §4.1, what Pillow's convert("RGB") does): alpha and tRNS
// dropped, eXIf ignored, 16-bit gray clipped at 255, other 16-bit samples keep their high byte.
// Otherwise transparency is composited on white, eXIf's orientation is honoured and all 16-bit
// samples keep their high byte. Gamma and colour profiles are ignored in both. Errors:
// kInvalidImage with chunk and byte, kOutOfMemory.
Result<Image> DecodePng(std::span<const uint8_t> bytes, bool exact);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_PNG_H_
