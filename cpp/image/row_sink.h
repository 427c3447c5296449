// Where decoders put an image: row by row, so that it is nowhere in memory as a whole.
#ifndef TINYVLM_IMAGE_ROW_SINK_H_
#define TINYVLM_IMAGE_ROW_SINK_H_

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/status.h"

namespace tinyvlm {

// Receives an image.
class RowSink {
 public:
  virtual ~RowSink() = default;

  // Called once, before the first row, with the size of the image as it is stored, which is within
  // the limits of image.h. `orientation` is EXIF's (1..8, exif.h): how the rows are to be turned.
  virtual Status Begin(size_t width, size_t height, int orientation) = 0;

  // The next row, from the top: [width][3] R, G, B. Valid during the call. After the last of
  // `height` rows the image is whole, unless the source still finds it to be damaged.
  virtual Status Row(const uint8_t* rgb) = 0;
};

// Puts an image into a sink.
using RowSource = std::function<Status(RowSink& sink)>;

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_ROW_SINK_H_
