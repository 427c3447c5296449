// From a decoded image to the input of the vision tower.
#ifndef TINYVLM_IMAGE_PREPROCESS_H_
#define TINYVLM_IMAGE_PREPROCESS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/status.h"
#include "image/image.h"
#include "image/row_sink.h"
#include "image/square_resizer.h"

namespace tinyvlm {

// "pad" or "crop"; an error names the word found.
Result<ResizeMode> ParseResizeMode(std::string_view word);

// Puts an image that is in memory into a sink. An alpha channel is composited on white, or dropped
// if `exact`. Errors: kInvalidArgument (channels, stride), kInvalidImage (size), kOutOfMemory,
// those of the sink.
Status SendRows(const ImageView& image, bool exact, RowSink& sink);

// The same, with rows that are fetched a strip at a time.
//
// `read` writes rows first..first+count, without gaps, `channels` bytes a pixel. It is called from
// the top to the bottom, once for each row.
using ReadRows = std::function<Status(size_t first, size_t count, uint8_t* to)>;
Status SendRows(size_t width, size_t height, size_t channels, const ReadRows& read, bool exact,
                RowSink& sink);

// Resizes an image of any size to out[side, side, 3], as SquareResizer does. Errors: those of
// SendRows and SquareResizer.
Status ResizeToSquare(const ImageView& image, ResizeMode mode, bool exact, size_t side,
                      uint8_t* out);

// `count` RGB pixels to floats: (v/255 - mean) / std, where v/255 is v times 1/255 rounded to f32.
// out[count, 3].
void NormalizePixels(const uint8_t* pixels, size_t count, const std::array<float, 3>& mean,
                     const std::array<float, 3>& std, float* out);

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_PREPROCESS_H_
