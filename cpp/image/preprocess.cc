#include "image/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "image/resample.h"

namespace tinyvlm {

namespace {

constexpr double kSupport = 2.0;  // of the filter, in units of the larger pixel
constexpr size_t kMaxSide = 16384;

// One axis of the resize. Lengths are those of the padded image, of which only `content` pixels
// from `offset` on exist; the rest is black. Of `out` outputs only first..first+side are computed.
struct Axis {
  size_t in = 0;
  uint64_t out = 0;  // of a strip that is cropped more than an array could hold
  size_t offset = 0;
  size_t content = 0;
  uint64_t first = 0;
};

Axis PadAxis(size_t content, size_t longest, size_t side) {
  return {longest, side, (longest - content) / 2, content, 0};
}

// As transformers' image processor: the longer edge is rounded down, the crop begins at half the
// surplus, rounded down, too.
Axis CropAxis(size_t content, size_t shortest, size_t side) {
  const uint64_t out = static_cast<uint64_t>(static_cast<double>(uint64_t{side} * content) /
                                             static_cast<double>(shortest));
  return {content, out, 0, content, (out - side) / 2};
}

double Bicubic(double t) {
  constexpr double a = -0.5;
  t = std::abs(t);
  if (t < 1.0) return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
  if (t < 2.0) return (((t - 5.0) * t + 8.0) * t - 4.0) * a;
  return 0.0;
}

// How one axis is resized; pixels are counted in the content.
struct Filter {
  bool identity = false;           // the length does not change: Pillow omits the pass
  std::vector<InputSpan> spans;    // [side]; from `begin` on
  AlignedBuffer<int32_t> weights;  // [side][stride]; none where identity
  size_t stride = 0;
  size_t first = 0, last = 0;  // outputs that depend on the content
  size_t begin = 0, end = 0;   // pixels of the content that are needed

  const int32_t* Weights(size_t i) const { return weights.data() + i * stride; }
};

// Pillow's precompute_coeffs and normalize_coeffs_8bpc as spec §4.2 gives them: weights are
// normalised over the whole window, bars included.
Result<Filter> MakeFilter(const Axis& axis, size_t side) {
  Filter filter;
  filter.identity = axis.in == axis.out;
  filter.spans.resize(side);
  const double scale = static_cast<double>(axis.in) / static_cast<double>(axis.out);
  const double filter_scale = std::max(scale, 1.0), support = kSupport * filter_scale,
               inverse = 1.0 / filter_scale;
  AlignedBuffer<double> window;
  if (!filter.identity) {
    const size_t most = static_cast<size_t>(std::ceil(support)) * 2 + 1;
    filter.stride = std::min(most, axis.content);
    TVLM_ASSIGN_OR_RETURN(window, AlignedBuffer<double>::Allocate(most, "resize filter"));
    TVLM_ASSIGN_OR_RETURN(filter.weights, AlignedBuffer<int32_t>::Allocate(
                                              uint64_t{side} * filter.stride, "resize filter"));
  }
  filter.first = side;
  filter.begin = axis.content;
  for (size_t i = 0; i < side; ++i) {
    const uint64_t x = axis.first + i;
    size_t low = static_cast<size_t>(x), high = low + 1;
    if (!filter.identity) {
      const double centre = (static_cast<double>(x) + 0.5) * scale;
      // Truncated, as by Pillow; not negative. NOLINTBEGIN(bugprone-incorrect-roundings)
      low = static_cast<size_t>(std::max(0.0, centre - support + 0.5));
      high = std::min(axis.in, static_cast<size_t>(centre + support + 0.5));
      // NOLINTEND(bugprone-incorrect-roundings)
      double sum = 0;
      for (size_t p = low; p < high; ++p) {
        window[p - low] = Bicubic((static_cast<double>(p) - centre + 0.5) * inverse);
        sum += window[p - low];
      }
      for (size_t p = low; p < high; ++p) window[p - low] /= sum;
    }
    const size_t from = std::max(low, axis.offset), to = std::min(high, axis.offset + axis.content);
    if (from >= to) continue;
    filter.spans[i] = {from - axis.offset, to - from};
    for (size_t p = from; p < to && !filter.identity; ++p) {
      const double scaled = window[p - low] * (1 << kWeightBits);
      filter.weights[i * filter.stride + p - from] =
          static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    }
    filter.first = std::min(filter.first, i);
    filter.last = i + 1;
    filter.begin = std::min(filter.begin, from - axis.offset);
    filter.end = std::max(filter.end, to - axis.offset);
  }
  for (InputSpan& span : filter.spans) span.begin -= span.count == 0 ? 0 : filter.begin;
  return filter;
}

// The image's rows as RGB.
class RgbRows {
 public:
  static Result<RgbRows> Create(const ImageView& image, bool exact) {
    RgbRows rows(image, exact);
    if (image.channels == 4) {
      TVLM_ASSIGN_OR_RETURN(
          rows.buffer_, AlignedBuffer<uint8_t>::Allocate(uint64_t{3} * image.width, "image row"));
    }
    return rows;
  }

  // Pixels from column `begin` on, up to `end`; valid until the next call.
  const uint8_t* Row(size_t y, size_t begin, size_t end) {
    const uint8_t* from = image_.Row(y) + begin * image_.channels;
    if (image_.channels == 3) return from;
    uint8_t* to = buffer_.data();
    for (size_t x = begin; x < end; ++x, from += 4, to += 3) {
      const uint32_t alpha = exact_ ? 255 : from[3];
      for (size_t c = 0; c < 3; ++c) to[c] = OverWhite(from[c], alpha);
    }
    return buffer_.data();
  }

 private:
  RgbRows(const ImageView& image, bool exact) : image_(image), exact_(exact) {}
  ImageView image_;
  bool exact_;
  AlignedBuffer<uint8_t> buffer_;
};

// Copies `count` RGB pixels from addresses from_step bytes apart to addresses to_step bytes apart.
void CopyPixels(const uint8_t* from, size_t from_step, size_t count, uint8_t* to, size_t to_step) {
  for (size_t i = 0; i < count; ++i, from += from_step, to += to_step) {
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
  }
}

// Horizontal pass over rows begin..end of the content: out[end - begin][out_stride], the outputs
// first..last of the filter.
Status ResizeRows(RgbRows& source, const Filter& filter, size_t begin, size_t end, uint8_t* out,
                  size_t out_stride) {
  if (filter.identity) {
    for (size_t y = begin; y < end; ++y) {
      std::memcpy(out + (y - begin) * out_stride, source.Row(y, filter.begin, filter.end),
                  (filter.end - filter.begin) * 3);
    }
    return Status();
  }
  // Sixteen rows at a time, interleaved by pixel: each SIMD lane computes one row, with the same
  // weights for all.
  constexpr size_t kRows = kResampleLanes / 3;
  const size_t width = filter.end - filter.begin, outputs = filter.last - filter.first;
  TVLM_ASSIGN_OR_RETURN(
      AlignedBuffer<uint8_t> columns,
      AlignedBuffer<uint8_t>::Allocate(uint64_t{width} * kResampleLanes, "resize columns"));
  TVLM_ASSIGN_OR_RETURN(
      AlignedBuffer<uint8_t> resized,
      AlignedBuffer<uint8_t>::Allocate(uint64_t{outputs} * kResampleLanes, "resize columns"));
  std::fill_n(columns.data(), columns.size(), uint8_t{0});
  for (size_t y = begin; y < end; y += kRows) {
    const size_t rows = std::min(kRows, end - y);
    for (size_t r = 0; r < rows; ++r) {
      CopyPixels(source.Row(y + r, filter.begin, filter.end), 3, width, columns.data() + r * 3,
                 kResampleLanes);
    }
    ResampleColumns(columns.data(), filter.spans.data() + filter.first,
                    filter.Weights(filter.first), filter.stride, outputs, resized.data());
    for (size_t r = 0; r < rows; ++r) {
      CopyPixels(resized.data() + r * 3, kResampleLanes, outputs,
                 out + (y - begin + r) * out_stride, 3);
    }
  }
  return Status();
}

}  // namespace

Result<ResizeMode> ParseResizeMode(std::string_view word) {
  if (word == "pad") return ResizeMode::kPad;
  if (word == "crop") return ResizeMode::kCrop;
  return Error(ErrorCode::kInvalidArgument, "resize: \"pad\" or \"crop\" wanted, \"%.*s\" found",
               static_cast<int>(word.size()), word.data());
}

Status ResizeToSquare(const ImageView& image, ResizeMode mode, bool exact, size_t side,
                      uint8_t* out) {
  if (side == 0 || side > kMaxSide)
    return Error(ErrorCode::kInvalidArgument, "image size: 1..%zu wanted, %zu found", kMaxSide,
                 side);
  if (image.channels != 3 && image.channels != 4)
    return Error(ErrorCode::kInvalidArgument, "image: 3 or 4 channels wanted, %zu found",
                 image.channels);
  TVLM_RETURN_IF_ERROR(CheckImageSize(image.width, image.height));
  if (image.pixels == nullptr || image.stride < image.width * image.channels) {
    return Error(ErrorCode::kInvalidArgument, "image: rows of at least %zu bytes wanted, %zu found",
                 image.width * image.channels, image.stride);
  }
  const size_t longest = std::max(image.width, image.height),
               shortest = std::min(image.width, image.height);
  const bool pad = mode == ResizeMode::kPad;
  const Axis across =
      pad ? PadAxis(image.width, longest, side) : CropAxis(image.width, shortest, side);
  const Axis down =
      pad ? PadAxis(image.height, longest, side) : CropAxis(image.height, shortest, side);
  TVLM_ASSIGN_OR_RETURN(const Filter horizontal, MakeFilter(across, side));
  TVLM_ASSIGN_OR_RETURN(const Filter vertical, MakeFilter(down, side));
  TVLM_ASSIGN_OR_RETURN(RgbRows source, RgbRows::Create(image, exact));

  // The image between the passes: the rows that the second pass reads, and the columns that depend
  // on the content, in whole groups of lanes.
  const size_t columns = horizontal.last - horizontal.first, rows = vertical.end - vertical.begin;
  const size_t row_bytes = (columns * 3 + kResampleLanes - 1) / kResampleLanes * kResampleLanes;
  TVLM_ASSIGN_OR_RETURN(
      AlignedBuffer<uint8_t> middle,
      AlignedBuffer<uint8_t>::Allocate(uint64_t{rows} * row_bytes, "resized rows"));
  TVLM_ASSIGN_OR_RETURN(AlignedBuffer<uint8_t> row,
                        AlignedBuffer<uint8_t>::Allocate(row_bytes, "resized rows"));
  std::fill_n(middle.data(), middle.size(), uint8_t{0});
  TVLM_RETURN_IF_ERROR(
      ResizeRows(source, horizontal, vertical.begin, vertical.end, middle.data(), row_bytes));

  std::fill_n(out, side * side * 3, uint8_t{0});
  for (size_t i = vertical.first; i < vertical.last; ++i) {
    const InputSpan& span = vertical.spans[i];
    const uint8_t* from = middle.data() + span.begin * row_bytes;
    if (!vertical.identity) {
      ResampleRows(from, row_bytes, vertical.Weights(i), span.count, row_bytes, row.data());
      from = row.data();
    }
    std::memcpy(out + (i * side + horizontal.first) * 3, from, columns * 3);
  }
  return Status();
}

void NormalizePixels(const uint8_t* pixels, size_t count, const std::array<float, 3>& mean,
                     const std::array<float, 3>& std, float* out) {
  float table[3][256];
  for (size_t c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v)
      table[c][v] = (static_cast<float>(v * (1.0 / 255.0)) - mean[c]) / std[c];
  }
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < 3; ++c) out[3 * i + c] = table[c][pixels[3 * i + c]];
  }
}

}  // namespace tinyvlm
