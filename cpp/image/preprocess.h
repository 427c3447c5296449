// From a decoded image to what the vision tower reads. Byte-exact with Pillow's bicubic filter
// (spec §4).
#ifndef TINYVLM_IMAGE_PREPROCESS_H_
#define TINYVLM_IMAGE_PREPROCESS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "image/image.h"

namespace tinyvlm {

// How an image that is not square becomes one.
enum class ResizeMode {
  // black bars at both ends of the short axis, an odd row or column more at the bottom or right
  // (Apple's predict.py)
  kPad,
  kCrop,  // the shortest edge is brought to size and the middle is cut out (transformers)
};

// "pad" or "crop"; an error names the word found.
Result<ResizeMode> ParseResizeMode(std::string_view word);

// Brings an image of any size to out[side, side, 3]. The bars are never made: time and memory go
// with the image's own pixels and side². An alpha channel is composited on white, or dropped where
// `exact`. Errors: invalid_argument (channels, stride, side), invalid_image (size), out_of_memory.
Status ResizeToSquare(const ImageView& image, ResizeMode mode, bool exact, size_t side,
                      uint8_t* out);

// `count` RGB pixels to floats: (v/255 - mean) / std, where v/255 is v times 1/255 rounded to f32.
// out[count, 3].
void NormalizePixels(const uint8_t* pixels, size_t count, const std::array<float, 3>& mean,
                     const std::array<float, 3>& std, float* out);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_PREPROCESS_H_
