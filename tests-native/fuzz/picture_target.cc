// What an image file is, by its first bytes; EXIF's orientation; turning an image upright.
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/image_sinks.h"
#include "image/decode.h"
#include "image/exif.h"

using namespace tinyvlm;

namespace {

void TurnIt(int orientation, size_t width, size_t height, std::span<const uint8_t> bytes) {
  Result<Image> image = Image::Allocate(width, height);
  MustHold(image.ok(), "a small image is possible");
  for (size_t i = 0; i < width * height * 3; ++i)
    image->Row(0)[i] = bytes.empty() ? 0 : bytes[i % bytes.size()];
  const std::vector<uint8_t> before(image->Row(0), image->Row(0) + width * height * 3);
  const Turn turn = TurnOf(orientation);
  const Result<Image> turned = Orient(std::move(*image), orientation);
  MustHold(turned.ok(), "an image can be turned");
  MustHold(turned->width() == (turn.exchanges ? height : width), "sides are exchanged");
  for (size_t y = 0; y < turned->height(); ++y) {
    for (size_t x = 0; x < turned->width(); ++x) {
      const size_t u = turn.exchanges ? y : x, v = turn.exchanges ? x : y;
      const size_t from_x = turn.from_right ? width - 1 - u : u,
                   from_y = turn.from_bottom ? height - 1 - v : v;
      for (size_t c = 0; c < 3; ++c)
        MustHold(turned->Row(y)[3 * x + c] == before[3 * (from_y * width + from_x) + c],
                 "every pixel is where its orientation puts it");
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  const ExactCopy copy({data, size});
  const int orientation = ReadOrientation(copy.bytes());
  MustHold(orientation >= 1 && orientation <= 8, "an orientation is 1 to 8");
  if (size > 0) TurnIt(orientation, 1 + data[0] % 70, 1 + data[size - 1] % 70, copy.bytes());

  const Decoded decoded =
      DecodeBothWays({data, size}, [](const ByteSource& source, RowSink& sink, auto* warnings) {
        return DecodeImage(source, false, sink, warnings);
      });
  for (const bool strict : {false, true}) {
    const Result<ImageFileReport> report = InspectImage(ByteSource(copy.bytes()), strict);
    MustBeTold(report.status());
    if (decoded.status.ok() && !strict) {
      MustHold(report.ok(), "what can be decoded can be looked at");
      MustHold(report->format[0] != '\0', "what can be decoded has a name");
    }
  }
  return 0;
}
