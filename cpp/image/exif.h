// The orientation of an image from its EXIF data.
#ifndef TINYVLM_IMAGE_EXIF_H_
#define TINYVLM_IMAGE_EXIF_H_

#include <cstdint>
#include <span>

#include "base/status.h"
#include "image/image.h"

namespace tinyvlm {

// The orientation (1..8) in a TIFF block: the bytes after "Exif\0\0" in a JPEG's APP1 segment, or
// the content of a PNG's eXIf chunk. 1 (upright) if the block is damaged or has no orientation: an
// image is never rejected for its metadata.
int ReadOrientation(std::span<const uint8_t> tiff);

// How an image is turned upright: the source pixel of (x, y) is found by exchanging x and y, then
// counting from the other end.
struct Turn {
  bool exchanges;    // the axes
  bool from_right;   // source columns count from the right
  bool from_bottom;  // source rows count from the bottom
};
Turn TurnOf(int orientation);

// The image, rotated and mirrored according to orientation 1..8.
Result<Image> Orient(Image image, int orientation);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_EXIF_H_
