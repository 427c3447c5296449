// JPEG files taken apart into segments, changed, and put together with right lengths.
#ifndef TINYVLM_TESTS_FUZZ_JPEG_EDIT_H_
#define TINYVLM_TESTS_FUZZ_JPEG_EDIT_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/dice.h"
#include "fuzz/fuzz.h"

namespace tinyvlm {

struct JpegSegment {
  uint8_t marker = 0;
  bool has_length = true;
  std::string content;  // without its length
  std::string coded;    // the entropy-coded data behind it, up to the next marker
};

inline std::vector<JpegSegment> ReadJpeg(std::string_view file) {
  std::vector<JpegSegment> segments;
  const auto byte = [&file](size_t at) { return static_cast<uint8_t>(file[at]); };
  for (size_t at = 0; at + 1 < file.size() && byte(at) == 0xff;) {
    JpegSegment segment;
    segment.marker = byte(at + 1);
    at += 2;
    segment.has_length = segment.marker != 0xd8 && segment.marker != 0xd9 &&
                         (segment.marker & 0xf8) != 0xd0 && segment.marker != 0x01;
    if (segment.has_length) {
      if (at + 2 > file.size()) break;
      const size_t length = size_t{byte(at)} << 8 | byte(at + 1);
      if (length < 2 || length > file.size() - at) break;
      segment.content = file.substr(at + 2, length - 2);
      at += length;
    }
    size_t end = at;
    while (end < file.size() && !(byte(end) == 0xff && end + 1 < file.size() && byte(end + 1) != 0))
      ++end;
    segment.coded = file.substr(at, end - at);
    at = end;
    segments.push_back(std::move(segment));
  }
  return segments;
}

inline std::string WriteJpeg(const std::vector<JpegSegment>& segments) {
  std::string out;
  for (const JpegSegment& segment : segments) {
    out.push_back('\xff');
    out.push_back(static_cast<char>(segment.marker));
    if (segment.has_length) {
      const size_t length = std::min<size_t>(segment.content.size(), 65533) + 2;
      out.push_back(static_cast<char>(length >> 8));
      out.push_back(static_cast<char>(length));
      out += segment.content.substr(0, length - 2);
    }
    out += segment.coded;
  }
  return out;
}

// The mutator of targets whose input is a JPEG.
inline size_t MutateJpeg(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  Dice dice(seed);
  std::vector<JpegSegment> segments = ReadJpeg(TextOf({data, size}));
  if (segments.empty() || dice.OneIn(8)) return LLVMFuzzerMutate(data, size, max_size);
  const size_t room = std::min<size_t>(max_size - size, 64);
  static constexpr uint8_t kMarkers[] = {0xc0, 0xc1, 0xc2, 0xc4, 0xd0, 0xd7, 0xd8, 0xd9,
                                         0xda, 0xdb, 0xdd, 0xe0, 0xe1, 0xee, 0xfe, 0xc9};
  const size_t at = dice.Roll(segments.size());
  JpegSegment& segment = segments[at];
  switch (dice.Roll(12)) {
    case 0:
      segments.erase(segments.begin() + static_cast<ptrdiff_t>(at));
      break;
    case 1:
      segments.insert(segments.begin() + static_cast<ptrdiff_t>(at), JpegSegment(segment));
      break;
    case 2:
      std::swap(segment, segments[dice.Roll(segments.size())]);
      break;
    case 3:
      segment.marker = kMarkers[dice.Roll(std::size(kMarkers))];
      break;
    case 4:
    case 5:
    case 6:
      dice.Mutate(&segment.coded, room);
      break;
    case 7:
    case 8:
      // A small number in the frame or the scan: sizes, samplings, tables, spectral selection.
      if (!segment.content.empty())
        segment.content[dice.Roll(segment.content.size())] =
            static_cast<char>(dice.OneIn(2) ? dice.Roll(5) : dice.Roll(64) + 1);
      break;
    case 9: {  // restarts behind every few units
      JpegSegment restarts;
      restarts.marker = 0xdd;
      restarts.content = {'\0', static_cast<char>(dice.Roll(9))};
      segments.insert(segments.begin() + static_cast<ptrdiff_t>(at), restarts);
      break;
    }
    default:
      dice.Mutate(&segment.content, room);
  }
  const std::string file = WriteJpeg(segments);
  if (file.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(file.begin(), file.end(), data);
  return file.size();
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FUZZ_JPEG_EDIT_H_
