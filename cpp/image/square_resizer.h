// The resize as a stream: rows in, a small square out. Byte-exact with Pillow's bicubic filter.
#ifndef TINYVLM_IMAGE_SQUARE_RESIZER_H_
#define TINYVLM_IMAGE_SQUARE_RESIZER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned.h"
#include "base/status.h"
#include "image/resize_filter.h"
#include "image/row_sink.h"

namespace tinyvlm {

// How an image that is not square becomes square.
enum class ResizeMode {
  // Black bars at both ends of the short axis; if their size is odd, the bar at the bottom or right
  // is one pixel larger (Apple's predict.py).
  kPad,
  kCrop,  // the shortest edge is resized to `side`, and the centre is cropped (transformers)
};

// Rows -> columns: each output row is a weighted sum of consecutive input rows. Held are the rows
// that are still needed, or, where those would be too many, the sums that have been begun: the
// integers are the same in either order.
class RowFilter {
 public:
  // `bytes`: of an input row. The filter is borrowed. kOutOfMemory.
  Status Create(const ResizeFilter& filter, size_t bytes);

  // Takes an input row, those that the filter needs in order.
  void Add(const uint8_t* row);

  // The next output row that the rows so far determine, or null; `*place` is where it belongs.
  // Valid until the next call of Add or Take.
  const uint8_t* Take(size_t* place);

 private:
  int32_t* Sums(size_t output) { return sums_.data() + output % sums_at_once_ * stride_; }

  const ResizeFilter* filter_ = nullptr;
  size_t bytes_ = 0, stride_ = 0;  // of a row; from one to the next, in whole groups of lanes
  size_t capacity_ = 0;            // rows
  size_t sums_at_once_ = 0;        // outputs; 0: rows are held
  AlignedBuffer<uint8_t> rows_, out_;
  AlignedBuffer<int32_t> sums_;   // [sums_at_once_][stride_]
  size_t begin_ = 0, added_ = 0;  // number of the first row that is held; rows that have been added
  size_t next_ = 0;               // output
};

// Columns -> rows: each output pixel is a weighted sum of pixels of its row. Rows are collected and
// computed together, one in each group of SIMD lanes.
class ColumnFilter {
 public:
  // The filter is borrowed.
  Status Create(const ResizeFilter& filter);

  // Takes an input row's pixels filter.begin..filter.end.
  void Add(const uint8_t* row);

  // Computes what has been collected where that is worth it, or where `all`; the number of rows
  // that Row gives until the next Add.
  size_t Compute(bool all);

  // Outputs filter.first..filter.last of a computed row.
  const uint8_t* Row(size_t i) const { return out_.data() + i * out_bytes_; }

 private:
  const ResizeFilter* filter_ = nullptr;
  size_t row_bytes_ = 0, out_bytes_ = 0;
  size_t group_pixels_ = 0;              // most pixels that are interleaved at a time
  size_t capacity_ = 0, collected_ = 0;  // rows
  AlignedBuffer<uint8_t> rows_, columns_, resized_, out_;
  std::vector<InputSpan> spans_;  // of a group of outputs
};

// Resizes an image of any size to a square while its rows arrive. The bars are never stored: memory
// grows with the length of a row and with the number of rows that an output depends on. The result
// is that of turning the whole image upright, padding or cropping it, resizing its rows and then
// its columns.
class SquareResizer final : public RowSink {
 public:
  // Writes to out[side, side, 3], which is borrowed; `side` is checked by Begin.
  SquareResizer(ResizeMode mode, size_t side, uint8_t* out) : mode_(mode), side_(side), out_(out) {}

  // Errors: kInvalidArgument (side), kInvalidImage (size), kOutOfMemory.
  Status Begin(size_t width, size_t height, int orientation) override;
  Status Row(const uint8_t* rgb) override;

  // Milliseconds spent here so far.
  double spent_ms() const { return spent_ms_; }

 private:
  // Where axes are exchanged: brings the columns that have been computed to their places.
  void PutColumns(bool all);

  ResizeMode mode_;
  size_t side_;
  uint8_t* out_;
  // Orientations 5..8 exchange the axes: the rows that arrive are columns of the upright image.
  bool exchanged_ = false;
  ResizeFilter across_, down_;  // of the pixels in an arriving row, and of the rows
  RowFilter rows_;
  ColumnFilter columns_;
  size_t arrived_ = 0;  // rows
  size_t put_ = 0;      // columns
  double spent_ms_ = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_SQUARE_RESIZER_H_
