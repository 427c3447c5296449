// The one thing that we read from EXIF: how the image has to be turned.
#ifndef TINYVLM_IMAGE_EXIF_H_
#define TINYVLM_IMAGE_EXIF_H_

#include <cstdint>
#include <span>

#include "base/status.h"
#include "image/image.h"

namespace tinyvlm {

// The orientation (1..8) from a TIFF block: what follows "Exif\0\0" in a JPEG's APP1 segment, or
// the content of PNG's eXIf chunk. 1, which is upright, where the block is damaged or says nothing:
// images are not refused for their metadata.
int ReadOrientation(std::span<const uint8_t> tiff);

// The image turned and mirrored as orientation 1..8 asks.
Result<Image> Orient(Image image, int orientation);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_EXIF_H_
