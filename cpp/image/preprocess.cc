#include "image/preprocess.h"

#include <algorithm>

#include "base/aligned.h"

namespace tinyvlm {

namespace {

// Rows that are fetched take up to this many bytes at a time: few calls, and little memory.
constexpr size_t kStripBytes = size_t{2} << 20;

Status CheckChannels(size_t channels) {
  if (channels == 3 || channels == 4) return Status();
  return Error(ErrorCode::kInvalidArgument, "image: 3 or 4 channels wanted, %zu found", channels);
}

// Hands rows of 3 or 4 channels to a sink.
class RgbRows {
 public:
  static Result<RgbRows> Create(size_t width, size_t channels, bool exact, RowSink& sink) {
    RgbRows rows(width, exact, sink);
    if (channels == 4) {
      TVLM_ASSIGN_OR_RETURN(rows.rgb_,
                            AlignedBuffer<uint8_t>::Allocate(uint64_t{3} * width, "image row"));
    }
    return rows;
  }

  Status Send(const uint8_t* from) {
    if (rgb_.size() == 0) return sink_->Row(from);
    uint8_t* to = rgb_.data();
    for (size_t x = 0; x < width_; ++x, from += 4, to += 3) {
      const uint32_t alpha = exact_ ? 255 : from[3];
      for (size_t c = 0; c < 3; ++c) to[c] = OverWhite(from[c], alpha);
    }
    return sink_->Row(rgb_.data());
  }

 private:
  RgbRows(size_t width, bool exact, RowSink& sink) : width_(width), exact_(exact), sink_(&sink) {}
  size_t width_;
  bool exact_;
  RowSink* sink_;
  AlignedBuffer<uint8_t> rgb_;  // none where the rows are RGB
};

}  // namespace

Result<ResizeMode> ParseResizeMode(std::string_view word) {
  if (word == "pad") return ResizeMode::kPad;
  if (word == "crop") return ResizeMode::kCrop;
  return Error(ErrorCode::kInvalidArgument, "resize: \"pad\" or \"crop\" wanted, \"%.*s\" found",
               static_cast<int>(word.size()), word.data());
}

Status SendRows(const ImageView& image, bool exact, RowSink& sink) {
  TVLM_RETURN_IF_ERROR(CheckChannels(image.channels));
  TVLM_RETURN_IF_ERROR(CheckImageSize(image.width, image.height));
  if (image.pixels == nullptr || image.stride < image.width * image.channels) {
    return Error(ErrorCode::kInvalidArgument, "image: rows of at least %zu bytes wanted, %zu found",
                 image.width * image.channels, image.stride);
  }
  TVLM_RETURN_IF_ERROR(sink.Begin(image.width, image.height, 1));
  TVLM_ASSIGN_OR_RETURN(RgbRows rows, RgbRows::Create(image.width, image.channels, exact, sink));
  for (size_t y = 0; y < image.height; ++y) TVLM_RETURN_IF_ERROR(rows.Send(image.Row(y)));
  return Status();
}

Status SendRows(size_t width, size_t height, size_t channels, const ReadRows& read, bool exact,
                RowSink& sink) {
  TVLM_RETURN_IF_ERROR(CheckChannels(channels));
  TVLM_RETURN_IF_ERROR(CheckImageSize(width, height));
  TVLM_RETURN_IF_ERROR(sink.Begin(width, height, 1));
  TVLM_ASSIGN_OR_RETURN(RgbRows rows, RgbRows::Create(width, channels, exact, sink));
  const size_t row_bytes = width * channels,
               at_a_time = std::clamp<size_t>(kStripBytes / row_bytes, 1, height);
  TVLM_ASSIGN_OR_RETURN(
      AlignedBuffer<uint8_t> strip,
      AlignedBuffer<uint8_t>::Allocate(uint64_t{at_a_time} * row_bytes, "image's rows"));
  for (size_t y = 0; y < height; y += at_a_time) {
    const size_t count = std::min(at_a_time, height - y);
    TVLM_RETURN_IF_ERROR(read(y, count, strip.data()));
    for (size_t i = 0; i < count; ++i)
      TVLM_RETURN_IF_ERROR(rows.Send(strip.data() + i * row_bytes));
  }
  return Status();
}

Status ResizeToSquare(const ImageView& image, ResizeMode mode, bool exact, size_t side,
                      uint8_t* out) {
  SquareResizer resizer(mode, side, out);
  return SendRows(image, exact, resizer);
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
