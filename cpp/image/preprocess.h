// From a decoded image to the input of the vision tower. Byte-exact with Pillow's bicubic filter.
#ifndef TINYVLM_IMAGE_PREPROCESS_H_
#define TINYVLM_IMAGE_PREPROCESS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "image/image.h"

namespace tinyvlm {

// How an image that is not square becomes square.
enum class ResizeMode {
  // Black bars at both ends of the short axis; if their size is odd, the bar at the bottom or right
  // is one pixel larger (Apple's predict.py).
  kPad,
  kCrop,  // the shortest edge is resized to `side`, and the centre is cropped (transformers)
};

// "pad" or "crop"; an error names the word found.
Result<ResizeMode> ParseResizeMode(std::string_view word);

// Resizes an image of any size to out[side, side, 3]. The bars are never stored: time and memory
// grow with the image's own pixels and side². An alpha channel is composited on white, or dropped
// if `exact`. Errors: kInvalidArgument (channels, stride, side), kInvalidImage (size),
// kOutOfMemory.
Status ResizeToSquare(const ImageView& image, ResizeMode mode, bool exact, size_t side,
                      uint8_t* out);

// `count` RGB pixels to floats: (v/255 - mean) / std, where v/255 is v times 1/255 rounded to f32.
// out[count, 3].
void NormalizePixels(const uint8_t* pixels, size_t count, const std::array<float, 3>& mean,
                     const std::array<float, 3>& std, float* out);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_PREPROCESS_H_
