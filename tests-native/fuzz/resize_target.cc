// The resizer as a stream: any size, any orientation, both modes. An image that arrives turned is
// resized as the same image upright.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <vector>

#include "fuzz/fuzz.h"
#include "image/exif.h"
#include "image/preprocess.h"
#include "image/square_resizer.h"

using namespace tinyvlm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  FuzzedDataProvider input(data, size);
  const int orientation = input.ConsumeIntegralInRange(1, 8);
  const ResizeMode mode = input.ConsumeBool() ? ResizeMode::kPad : ResizeMode::kCrop;
  const size_t side = input.ConsumeIntegralInRange<size_t>(1, 96);
  size_t width = input.ConsumeIntegralInRange<size_t>(1, 3000);
  size_t height = input.ConsumeIntegralInRange<size_t>(1, 3000);
  while (width * height > 60'000) (width > height ? width : height) /= 2;
  const uint8_t fill = input.ConsumeIntegral<uint8_t>();
  const std::vector<uint8_t> some = input.ConsumeRemainingBytes<uint8_t>();

  Result<Image> image = Image::Allocate(width, height);
  MustHold(image.ok(), "a small image is possible");
  for (size_t i = 0; i < width * height * 3; ++i)
    image->Row(0)[i] = some.empty() ? fill : some[i * 31 % some.size()];

  std::vector<uint8_t> streamed(side * side * 3, 1), upright(side * side * 3, 2);
  SquareResizer resizer(mode, side, streamed.data());
  MustHold(resizer.Begin(width, height, orientation).ok(), "an image within the limits is begun");
  for (size_t y = 0; y < height; ++y) {
    const std::vector<uint8_t> row(image->Row(y), image->Row(y) + width * 3);
    MustHold(resizer.Row(row.data()).ok(), "a row is taken");
  }
  const Result<Image> turned = Orient(std::move(*image), orientation);
  MustHold(turned.ok(), "an image can be turned");
  MustHold(ResizeToSquare(turned->view(), mode, false, side, upright.data()).ok(),
           "an image in memory is resized");
  MustHold(streamed == upright, "a turned stream is resized as the upright image");
  if (some.empty() && mode == ResizeMode::kCrop) {
    for (const uint8_t value : upright) MustHold(value == fill, "an image of one colour keeps it");
  }
  return 0;
}
