#include "image/square_resizer.h"

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "base/rounding.h"
#include "image/exif.h"
#include "image/image.h"
#include "image/resample.h"

namespace tinyvlm {

namespace {

constexpr size_t kMaxSide = 16384;

// As many pixels fit beside each other in a group of SIMD lanes.
constexpr size_t kRowsAtATime = kResampleLanes / 3;

// The rows of very long ones are computed fewer at a time, so that they take no more than this.
constexpr size_t kMaxCollectedBytes = size_t{4} << 20;

// Where a filter's rows take more, sums are held instead, if they take less.
constexpr uint64_t kMaxHeldBytes = uint64_t{2} << 20;

// Pixels that are interleaved at a time: 48 kB, which stay in the second cache level.
constexpr size_t kGroupPixels = 1024;

size_t MostInputs(const ResizeFilter& filter) {
  size_t most = 0;
  for (const InputSpan& span : filter.spans) most = std::max(most, span.count);
  return most;
}

// The most outputs that depend on one and the same input.
size_t MostOutputs(const ResizeFilter& filter) {
  size_t most = 0;
  for (size_t first = filter.first, last = first; first < filter.last; ++first) {
    const InputSpan& span = filter.spans[first];
    while (last < filter.last && filter.spans[last].begin < span.begin + span.count) ++last;
    most = std::max(most, last - first);
  }
  return most;
}

// Copies `count` RGB pixels from addresses from_step bytes apart to addresses to_step bytes apart.
void CopyPixels(const uint8_t* from, ptrdiff_t from_step, size_t count, uint8_t* to,
                ptrdiff_t to_step) {
  for (size_t i = 0; i < count; ++i, from += from_step, to += to_step) {
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
  }
}

// Copies the pixels of the outputs first..last of a filter to where they belong, `step` pixels from
// one place to the next.
void PutPixels(const uint8_t* pixels, const ResizeFilter& filter, size_t step, uint8_t* out) {
  const ptrdiff_t to_step = static_cast<ptrdiff_t>(step) * 3;
  CopyPixels(pixels, 3, filter.last - filter.first, out + filter.Place(filter.first) * step * 3,
             filter.mirrored ? -to_step : to_step);
}

}  // namespace

// ---- rows -> columns ----------------------------------------------------------

Status RowFilter::Create(const ResizeFilter& filter, size_t bytes) {
  filter_ = &filter;
  bytes_ = bytes;
  stride_ = CeilDiv(bytes, kResampleLanes) * kResampleLanes;
  // Rows that are needed no more are removed when the buffer is full: room for half as many again
  // makes that rare.
  const size_t most = MostInputs(filter), outputs = MostOutputs(filter);
  capacity_ = most + most / 2 + 1;
  const uint64_t held = uint64_t{capacity_} * stride_,
                 sums = uint64_t{outputs} * stride_ * sizeof(int32_t);
  if (!filter.identity && held > kMaxHeldBytes && sums < held) {
    capacity_ = 1;
    sums_at_once_ = outputs;
    TVLM_ASSIGN_OR_RETURN(
        sums_, AlignedBuffer<int32_t>::Allocate(uint64_t{outputs} * stride_, "image's rows"));
  }
  TVLM_ASSIGN_OR_RETURN(
      rows_, AlignedBuffer<uint8_t>::Allocate(uint64_t{capacity_} * stride_, "image's rows"));
  TVLM_ASSIGN_OR_RETURN(out_, AlignedBuffer<uint8_t>::Allocate(stride_, "image's rows"));
  std::fill_n(rows_.data(), rows_.size(), uint8_t{0});  // the lanes behind a row's end
  next_ = filter.first;
  return Status();
}

void RowFilter::Add(const uint8_t* row) {
  if (next_ == filter_->last) return;
  if (sums_at_once_ != 0) {
    std::memcpy(rows_.data(), row, bytes_);
    const size_t y = added_++;
    for (size_t i = next_; i < filter_->last && filter_->spans[i].begin <= y; ++i) {
      const InputSpan& span = filter_->spans[i];
      if (y >= span.begin + span.count) continue;
      if (y == span.begin) std::fill_n(Sums(i), stride_, kResampleStart);
      AddWeightedRow(rows_.data(), filter_->Weights(i)[y - span.begin], stride_, Sums(i));
    }
    return;
  }
  if (added_ - begin_ == capacity_) {
    const size_t needed = std::min(filter_->spans[next_].begin, added_);
    std::memmove(rows_.data(), rows_.data() + (needed - begin_) * stride_,
                 (added_ - needed) * stride_);
    begin_ = needed;
  }
  std::memcpy(rows_.data() + (added_++ - begin_) * stride_, row, bytes_);
}

const uint8_t* RowFilter::Take(size_t* place) {
  if (next_ == filter_->last) return nullptr;
  const InputSpan& span = filter_->spans[next_];
  if (span.begin + span.count > added_) return nullptr;
  *place = filter_->Place(next_);
  if (sums_at_once_ != 0) {
    RoundSums(Sums(next_++), stride_, out_.data());
    return out_.data();
  }
  const uint8_t* const from = rows_.data() + (span.begin - begin_) * stride_;
  if (!filter_->identity)
    ResampleRows(from, stride_, filter_->Weights(next_), span.count, stride_, out_.data());
  ++next_;
  return filter_->identity ? from : out_.data();
}

// ---- columns -> rows ----------------------------------------------------------

Status ColumnFilter::Create(const ResizeFilter& filter) {
  filter_ = &filter;
  row_bytes_ = (filter.end - filter.begin) * 3;
  const size_t outputs = filter.last - filter.first;
  out_bytes_ = outputs * 3;
  capacity_ =
      filter.identity ? 1 : std::clamp<size_t>(kMaxCollectedBytes / row_bytes_, 1, kRowsAtATime);
  TVLM_ASSIGN_OR_RETURN(
      out_, AlignedBuffer<uint8_t>::Allocate(uint64_t{capacity_} * out_bytes_, "image's columns"));
  if (filter.identity) return Status();
  // Pixels at the edge of a group are interleaved for the next one, too: few beside the rest.
  group_pixels_ =
      std::min(filter.end - filter.begin, std::max(kGroupPixels, 4 * MostInputs(filter)));
  TVLM_ASSIGN_OR_RETURN(
      rows_, AlignedBuffer<uint8_t>::Allocate(uint64_t{capacity_} * row_bytes_, "image's columns"));
  TVLM_ASSIGN_OR_RETURN(columns_, AlignedBuffer<uint8_t>::Allocate(
                                      uint64_t{group_pixels_} * kResampleLanes, "image's columns"));
  TVLM_ASSIGN_OR_RETURN(resized_, AlignedBuffer<uint8_t>::Allocate(
                                      uint64_t{outputs} * kResampleLanes, "image's columns"));
  std::fill_n(columns_.data(), columns_.size(),
              uint8_t{0});  // the lanes of rows that are not there
  spans_.reserve(outputs);
  return Status();
}

void ColumnFilter::Add(const uint8_t* row) {
  uint8_t* const to = filter_->identity ? out_.data() : rows_.data() + collected_ * row_bytes_;
  std::memcpy(to, row, row_bytes_);
  ++collected_;
}

size_t ColumnFilter::Compute(bool all) {
  const size_t count = collected_;
  if (count < capacity_ && !all) return 0;
  collected_ = 0;
  if (filter_->identity || count == 0) return count;
  for (size_t first = filter_->first; first < filter_->last;) {
    const size_t begin = filter_->spans[first].begin;
    size_t last = first, end = begin;
    spans_.clear();
    for (; last < filter_->last; ++last) {
      const InputSpan& span = filter_->spans[last];
      if (span.begin + span.count - begin > group_pixels_) break;
      spans_.push_back({span.begin - begin, span.count});
      end = span.begin + span.count;
    }
    for (size_t row = 0; row < count; ++row) {
      CopyPixels(rows_.data() + row * row_bytes_ + begin * 3, 3, end - begin,
                 columns_.data() + row * 3, kResampleLanes);
    }
    ResampleColumns(columns_.data(), spans_.data(), filter_->Weights(first), filter_->stride,
                    last - first, resized_.data());
    for (size_t row = 0; row < count; ++row) {
      CopyPixels(resized_.data() + row * 3, kResampleLanes, last - first,
                 out_.data() + row * out_bytes_ + (first - filter_->first) * 3, 3);
    }
    first = last;
  }
  return count;
}

// ---- both ---------------------------------------------------------------------

Status SquareResizer::Begin(size_t width, size_t height, int orientation) {
  if (side_ == 0 || side_ > kMaxSide)
    return Error(ErrorCode::kInvalidArgument, "image size: 1..%zu wanted, %zu found", kMaxSide,
                 side_);
  TVLM_RETURN_IF_ERROR(CheckImageSize(width, height));
  const size_t longest = std::max(width, height), shortest = std::min(width, height);
  const auto axis = [&](size_t content) {
    return mode_ == ResizeMode::kPad ? ResizeAxis::Pad(content, longest, side_)
                                     : ResizeAxis::Crop(content, shortest, side_);
  };
  const Turn turn = TurnOf(orientation);
  exchanged_ = turn.exchanges;
  TVLM_ASSIGN_OR_RETURN(across_, ResizeFilter::Make(axis(width), side_, turn.from_right));
  TVLM_ASSIGN_OR_RETURN(down_, ResizeFilter::Make(axis(height), side_, turn.from_bottom));
  const size_t pixels = exchanged_ ? across_.end - across_.begin : across_.last - across_.first;
  TVLM_RETURN_IF_ERROR(rows_.Create(down_, pixels * 3));
  TVLM_RETURN_IF_ERROR(columns_.Create(across_));
  std::fill_n(out_, side_ * side_ * 3, uint8_t{0});
  return Status();
}

Status SquareResizer::Row(const uint8_t* rgb) {
  const size_t y = arrived_++;
  if (y < down_.begin || y >= down_.end) return Status();
  const double start = NowMs();
  const uint8_t* const pixels = rgb + across_.begin * 3;
  const bool last = y + 1 == down_.end;
  size_t place = 0;
  if (exchanged_) {
    rows_.Add(pixels);
    while (const uint8_t* const row = rows_.Take(&place)) {
      columns_.Add(row);
      PutColumns(false);
    }
    if (last) PutColumns(true);
  } else {
    columns_.Add(pixels);
    const size_t computed = columns_.Compute(last);
    for (size_t i = 0; i < computed; ++i) {
      rows_.Add(columns_.Row(i));
      while (const uint8_t* const row = rows_.Take(&place))
        PutPixels(row, across_, 1, out_ + place * side_ * 3);
    }
  }
  spent_ms_ += NowMs() - start;
  return Status();
}

void SquareResizer::PutColumns(bool all) {
  const size_t computed = columns_.Compute(all);
  for (size_t i = 0; i < computed; ++i) {
    const size_t x = down_.Place(down_.first + put_++);
    PutPixels(columns_.Row(i), across_, side_, out_ + x * 3);
  }
}

}  // namespace tinyvlm
