// Images in memory: 8-bit RGB or RGBA, rows top to bottom.
#ifndef TINYVLM_IMAGE_IMAGE_H_
#define TINYVLM_IMAGE_IMAGE_H_

#include <cstddef>
#include <cstdint>

#include "base/aligned.h"
#include "base/status.h"

namespace tinyvlm {

// Limits of image sizes; larger images are rejected before anything is allocated.
inline constexpr uint64_t kMaxImagePixels = uint64_t{1} << 28;  // 268 megapixels
inline constexpr uint64_t kMaxImageSide = 1'000'000;

// Borrowed pixels.
struct ImageView {
  const uint8_t* pixels = nullptr;
  size_t width = 0;     // in pixels
  size_t height = 0;    // in pixels
  size_t channels = 3;  // 3: R, G, B; 4: R, G, B, A, not premultiplied
  size_t stride = 0;    // bytes from one row to the next

  const uint8_t* Row(size_t y) const { return pixels + y * stride; }
};

// Owned 8-bit RGB, rows without gaps: [height][width][3]. Movable, not copyable.
class Image {
 public:
  // Pixels are not initialised. Errors: kInvalidImage outside the limits above, kOutOfMemory.
  static Result<Image> Allocate(uint64_t width, uint64_t height);

  size_t width() const { return width_; }
  size_t height() const { return height_; }
  uint8_t* Row(size_t y) { return pixels_.data() + y * width_ * 3; }
  const uint8_t* Row(size_t y) const { return pixels_.data() + y * width_ * 3; }
  ImageView view() const { return ImageView{pixels_.data(), width_, height_, 3, width_ * 3}; }

 private:
  AlignedBuffer<uint8_t> pixels_;
  size_t width_ = 0;
  size_t height_ = 0;
};

// kInvalidImage if a side is 0 or the image is larger than the limits above.
Status CheckImageSize(uint64_t width, uint64_t height);

// Composites a colour value with this alpha on white, rounded to nearest, as Pillow's
// alpha_composite does for an opaque background.
inline uint8_t OverWhite(uint32_t value, uint32_t alpha) {
  return static_cast<uint8_t>((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_IMAGE_H_
