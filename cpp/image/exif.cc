#include "image/exif.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace tinyvlm {

int ReadOrientation(std::span<const uint8_t> tiff) {
  constexpr uint32_t kOrientationTag = 0x0112, kShortType = 3;
  constexpr size_t kEntryBytes = 12;
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 1;
  const bool little = tiff[0] == 'I';
  const auto read = [&](size_t at, size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i)
      value = value << 8 | tiff[little ? at + bytes - 1 - i : at + i];
    return value;
  };
  if (read(2, 2) != 42) return 1;
  const size_t directory = read(4, 4);
  if (directory > tiff.size() - 2) return 1;
  const size_t room = (tiff.size() - directory - 2) / kEntryBytes;
  const size_t entries = std::min<size_t>(read(directory, 2), room);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (read(entry, 2) != kOrientationTag) continue;
    const uint32_t value = read(entry + 8, 2);
    const bool valid =
        read(entry + 2, 2) == kShortType && read(entry + 4, 4) == 1 && value >= 1 && value <= 8;
    return valid ? static_cast<int>(value) : 1;
  }
  return 1;
}

Turn TurnOf(int orientation) {
  return {
      .exchanges = orientation >= 5,
      .from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8,
      .from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7,
  };
}

Result<Image> Orient(Image image, int orientation) {
  if (orientation == 1) return image;
  const auto [exchange, from_right, from_bottom] = TurnOf(orientation);
  const size_t width = exchange ? image.height() : image.width(),
               height = exchange ? image.width() : image.height();
  TVLM_ASSIGN_OR_RETURN(Image turned, Image::Allocate(width, height));
  const ptrdiff_t row_bytes = static_cast<ptrdiff_t>(image.width()) * 3;
  const ptrdiff_t along_source_x = from_right ? -3 : 3,
                  along_source_y = from_bottom ? -row_bytes : row_bytes;
  const ptrdiff_t step_x = exchange ? along_source_y : along_source_x,
                  step_y = exchange ? along_source_x : along_source_y;
  const uint8_t* origin =
      image.Row(from_bottom ? image.height() - 1 : 0) + (from_right ? row_bytes - 3 : 0);
  // Square blocks, so that the image that is accessed across rows stays in the cache.
  constexpr size_t kBlock = 32;
  for (size_t y0 = 0; y0 < height; y0 += kBlock) {
    for (size_t x0 = 0; x0 < width; x0 += kBlock) {
      const size_t x1 = std::min(width, x0 + kBlock);
      for (size_t y = y0; y < std::min(height, y0 + kBlock); ++y) {
        const uint8_t* from =
            origin + static_cast<ptrdiff_t>(y) * step_y + static_cast<ptrdiff_t>(x0) * step_x;
        uint8_t* to = turned.Row(y) + x0 * 3;
        for (size_t x = x0; x < x1; ++x, from += step_x, to += 3) {
          to[0] = from[0];
          to[1] = from[1];
          to[2] = from[2];
        }
      }
    }
  }
  return turned;
}

}  // namespace tinyvlm
