// The weights of the bicubic resize, as Pillow has them.
#ifndef TINYVLM_IMAGE_RESIZE_FILTER_H_
#define TINYVLM_IMAGE_RESIZE_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned.h"
#include "base/status.h"
#include "image/resample.h"

namespace tinyvlm {

// One axis of the resize. Lengths are those of the padded image, of which only `content` pixels
// from `offset` on exist; the rest is black. Of `out` outputs only first..first+side are computed.
struct ResizeAxis {
  size_t in = 0;
  uint64_t out = 0;  // of a strip that is cropped more than an array could hold
  size_t offset = 0;
  size_t content = 0;
  uint64_t first = 0;

  // The axis of `content` pixels of an image that becomes a square of `side`: padded, where
  // `longest` is its longer edge; cropped, where `shortest` is its shorter one.
  static ResizeAxis Pad(size_t content, size_t longest, size_t side);
  static ResizeAxis Crop(size_t content, size_t shortest, size_t side);
};

// How one axis is resized. Outputs and pixels are counted in the direction in which pixels arrive.
struct ResizeFilter {
  bool identity = false;           // the length does not change: Pillow omits the pass
  bool mirrored = false;           // output i belongs at side-1-i
  std::vector<InputSpan> spans;    // [side]; from `begin` on
  AlignedBuffer<int32_t> weights;  // [side][stride]; none where identity
  size_t stride = 0;               // most pixels that an output depends on; 1 where identity
  size_t first = 0, last = 0;      // outputs that depend on the content
  size_t begin = 0, end = 0;       // pixels of the content that are needed

  const int32_t* Weights(size_t i) const { return weights.data() + i * stride; }

  // Where output i belongs.
  size_t Place(size_t i) const { return mirrored ? spans.size() - 1 - i : i; }

  // The filter of `side` outputs. `mirrored`: the content's pixels arrive last first.
  static Result<ResizeFilter> Make(const ResizeAxis& axis, size_t side, bool mirrored);
};

}  // namespace tinyvlm

#endif  // TINYVLM_IMAGE_RESIZE_FILTER_H_
