// Where the targets of image files put rows, and how they read files piece by piece.
#ifndef TINYVLM_TESTS_FUZZ_IMAGE_SINKS_H_
#define TINYVLM_TESTS_FUZZ_IMAGE_SINKS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "image/byte_source.h"
#include "image/image.h"
#include "image/row_sink.h"

namespace tinyvlm {

// More pixels take time that finds nothing.
inline constexpr size_t kMostPixels = size_t{1} << 18;

// Keeps an image of up to kMostPixels pixels; larger ones end with kOutOfMemory.
struct SmallSink final : RowSink {
  size_t width = 0, height = 0, rows = 0;
  int orientation = 0;
  std::vector<uint8_t> pixels;

  Status Begin(size_t image_width, size_t image_height, int turned) override {
    MustHold(width == 0, "an image begins once");
    MustHold(CheckImageSize(image_width, image_height).ok(), "an image is within the limits");
    MustHold(turned >= 1 && turned <= 8, "an orientation is 1 to 8");
    if (image_width * image_height > kMostPixels)
      return Status(ErrorCode::kOutOfMemory, "larger than the fuzz target takes");
    width = image_width;
    height = image_height;
    orientation = turned;
    return Status();
  }
  Status Row(const uint8_t* rgb) override {
    MustHold(rows < height, "no more rows than were promised");
    ++rows;
    pixels.insert(pixels.end(), rgb, rgb + width * 3);
    return Status();
  }
};

// What became of a file.
struct Decoded {
  Status status;
  std::vector<std::string> warnings;
  SmallSink sink;
};

// Decodes with `decode(source, sink, &warnings)` from memory, and once more piece by piece: nothing
// may differ.
template <typename Decode>
Decoded DecodeBothWays(std::span<const uint8_t> file, const Decode& decode) {
  const ExactCopy copy(file);
  Decoded whole, pieces;
  whole.status = decode(ByteSource(copy.bytes()), whole.sink, &whole.warnings);
  const auto read = [&file](size_t offset, uint8_t* to, size_t bytes) {
    MustHold(offset <= file.size() && bytes <= file.size() - offset, "reading stays in the file");
    std::copy_n(file.begin() + static_cast<ptrdiff_t>(offset), bytes, to);
    return Status();
  };
  pieces.status = decode(ByteSource(file.size(), read), pieces.sink, &pieces.warnings);
  MustBeTold(whole.status);
  MustHold(whole.status.code() == pieces.status.code() &&
               whole.status.message() == pieces.status.message(),
           "a file in pieces ends as the same in memory");
  MustHold(whole.warnings == pieces.warnings, "a file in pieces has the same warnings");
  MustHold(whole.sink.pixels == pieces.sink.pixels, "a file in pieces has the same pixels");
  MustHold(!whole.status.ok() || whole.sink.rows == whole.sink.height,
           "a good image has all of its rows");
  return whole;
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_FUZZ_IMAGE_SINKS_H_
