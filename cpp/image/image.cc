#include "image/image.h"

#include <cinttypes>

namespace tinyvlm {

Status CheckImageSize(uint64_t width, uint64_t height) {
  if (width == 0 || height == 0) {
    return Error(ErrorCode::kInvalidImage,
                 "image: at least 1x1 pixels wanted, %" PRIu64 "x%" PRIu64 " found", width, height);
  }
  if (width > kMaxImageSide || height > kMaxImageSide || width * height > kMaxImagePixels) {
    return Error(ErrorCode::kInvalidImage,
                 "image: at most 268 megapixels and %" PRIu64 " pixels on a side wanted, %" PRIu64
                 "x%" PRIu64 " found; make it smaller first",
                 kMaxImageSide, width, height);
  }
  return Status();
}

Result<Image> Image::Allocate(uint64_t width, uint64_t height) {
  TVLM_RETURN_IF_ERROR(CheckImageSize(width, height));
  Image image;
  TVLM_ASSIGN_OR_RETURN(image.pixels_,
                        AlignedBuffer<uint8_t>::Allocate(width * height * 3, "image"));
  image.width_ = static_cast<size_t>(width);
  image.height_ = static_cast<size_t>(height);
  return image;
}

}  // namespace tinyvlm
