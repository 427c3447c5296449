#include "image/resize_filter.h"

#include <algorithm>
#include <cmath>
#include <utility>

// Also where no build option says so (Package.swift): see CMakeLists.txt.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

namespace tinyvlm {

namespace {

constexpr double kSupport = 2.0;  // of the filter, in units of the larger pixel

double Bicubic(double t) {
  constexpr double a = -0.5;
  t = std::abs(t);
  if (t < 1.0) return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
  if (t < 2.0) return (((t - 5.0) * t + 8.0) * t - 4.0) * a;
  return 0.0;
}

// Counts pixels and outputs from the other end: the same sums of products.
void Mirror(size_t content, ResizeFilter& filter) {
  const size_t needed = filter.end - filter.begin, side = filter.spans.size();
  const auto row = [&](size_t i) { return filter.weights.data() + i * filter.stride; };
  for (size_t i = 0; i < side; ++i) {
    InputSpan& span = filter.spans[i];
    if (span.count == 0) continue;
    span.begin = needed - span.begin - span.count;
    if (!filter.identity) std::reverse(row(i), row(i) + span.count);
  }
  std::reverse(filter.spans.begin(), filter.spans.end());
  for (size_t i = 0; i < side / 2 && !filter.identity; ++i)
    std::swap_ranges(row(i), row(i) + filter.stride, row(side - 1 - i));
  filter.begin = content - filter.end;
  filter.end = filter.begin + needed;
  filter.first = side - std::exchange(filter.last, side - filter.first);
  filter.mirrored = true;
}

}  // namespace

ResizeAxis ResizeAxis::Pad(size_t content, size_t longest, size_t side) {
  return {longest, side, (longest - content) / 2, content, 0};
}

// As transformers' image processor: the longer edge is rounded down, the crop begins at half the
// surplus, rounded down, too.
ResizeAxis ResizeAxis::Crop(size_t content, size_t shortest, size_t side) {
  const uint64_t out = static_cast<uint64_t>(static_cast<double>(uint64_t{side} * content) /
                                             static_cast<double>(shortest));
  return {content, out, 0, content, (out - side) / 2};
}

// Pillow's precompute_coeffs and normalize_coeffs_8bpc as spec §4.2 gives them: weights are
// normalised over the whole window, bars included.
Result<ResizeFilter> ResizeFilter::Make(const ResizeAxis& axis, size_t side, bool mirrored) {
  ResizeFilter filter;
  filter.identity = axis.in == axis.out;
  filter.spans.resize(side);
  const double scale = static_cast<double>(axis.in) / static_cast<double>(axis.out);
  const double filter_scale = std::max(scale, 1.0), support = kSupport * filter_scale,
               inverse = 1.0 / filter_scale;
  AlignedBuffer<double> window;
  filter.stride = 1;
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
  if (mirrored) Mirror(axis.content, filter);
  return filter;
}

}  // namespace tinyvlm
