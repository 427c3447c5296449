#include "image/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "image/exif.h"
#include "image/square_resizer.h"
#include "image_files.h"
#include "kernels/for_each_target.h"
#include "shared_data.h"

namespace tinyvlm {
namespace {

// ---- the definition, in plain loops (spec §4.2) -------------------------------

struct PlainImage {
  size_t width = 0, height = 0;
  std::vector<uint8_t> rgb;
  ImageView view() const { return {rgb.data(), width, height, 3, width * 3}; }
};

double Kernel(double t) {
  t = std::abs(t);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * -0.5 : 0;
}

// One pass: `lines` lines of `in` pixels that lie `step` bytes apart become lines of `out` pixels.
std::vector<uint8_t> Pass(const std::vector<uint8_t>& from, size_t lines, size_t line_step,
                          size_t in, size_t step, size_t out, size_t out_line_step,
                          size_t out_step) {
  std::vector<uint8_t> to(lines * out * 3);
  const double scale = static_cast<double>(in) / static_cast<double>(out),
               filter_scale = std::max(scale, 1.0), support = 2 * filter_scale;
  for (size_t x = 0; x < out; ++x) {
    const double centre = (static_cast<double>(x) + 0.5) * scale;
    const size_t low = static_cast<size_t>(std::max(0.0, std::trunc(centre - support + 0.5)));
    const size_t high = std::min(in, static_cast<size_t>(centre + support + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (size_t i = low; i < high; ++i)
      sum += weights.emplace_back(
          Kernel((static_cast<double>(i) - centre + 0.5) * (1 / filter_scale)));
    for (size_t line = 0; line < lines; ++line) {
      for (size_t c = 0; c < 3; ++c) {
        int64_t total = 1 << 21;
        for (size_t i = low; i < high; ++i)
          total += std::llround(weights[i - low] / sum * (1 << 22)) *
                   from[line * line_step + i * step + c];
        to[line * out_line_step + x * out_step + c] =
            static_cast<uint8_t>(std::clamp<int64_t>(total >> 22, 0, 255));
      }
    }
  }
  return to;
}

PlainImage Resize(PlainImage image, size_t width, size_t height) {
  if (width != image.width) {
    image.rgb = Pass(image.rgb, image.height, image.width * 3, image.width, 3, width, width * 3, 3);
    image.width = width;
  }
  if (height != image.height) {
    image.rgb =
        Pass(image.rgb, image.width, 3, image.height, image.width * 3, height, 3, image.width * 3);
    image.height = height;
  }
  return image;
}

PlainImage PadToSquare(const PlainImage& image) {
  const size_t side = std::max(image.width, image.height), left = (side - image.width) / 2,
               top = (side - image.height) / 2;
  PlainImage square{side, side, std::vector<uint8_t>(side * side * 3)};
  for (size_t y = 0; y < image.height; ++y) {
    std::copy_n(image.rgb.data() + y * image.width * 3, image.width * 3,
                square.rgb.data() + ((y + top) * side + left) * 3);
  }
  return square;
}

std::vector<uint8_t> Reference(const PlainImage& image, ResizeMode mode, size_t side) {
  if (mode == ResizeMode::kPad) return Resize(PadToSquare(image), side, side).rgb;
  const bool tall = image.width <= image.height;
  const size_t width = tall ? side : side * image.width / image.height,
               height = tall ? side * image.height / image.width : side;
  const PlainImage large = Resize(image, width, height);
  std::vector<uint8_t> middle;
  for (size_t y = 0; y < side; ++y) {
    const uint8_t* row =
        large.rgb.data() + ((y + (height - side) / 2) * width + (width - side) / 2) * 3;
    middle.insert(middle.end(), row, row + side * 3);
  }
  return middle;
}

PlainImage RandomImage(size_t width, size_t height, uint32_t seed) {
  std::mt19937 random(seed);
  PlainImage image{width, height, std::vector<uint8_t>(width * height * 3)};
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random() >> 24);
  return image;
}

std::vector<uint8_t> Square(const ImageView& image, ResizeMode mode, bool exact, size_t side) {
  std::vector<uint8_t> out(side * side * 3, 77);
  const Status status = ResizeToSquare(image, mode, exact, side, out.data());
  INFO(status.message());
  REQUIRE(status.ok());
  return out;
}

// ---- tests ------------------------------------------------------------------

TEST_CASE("Both resize modes equal the plain definition for all kinds of sizes on every target",
          "[image][preprocess]") {
  const std::pair<size_t, size_t> sizes[] = {{1, 1},   {2, 1},   {1, 3},    {16, 16}, {17, 16},
                                             {15, 33}, {48, 31}, {49, 50},  {100, 7}, {7, 100},
                                             {1, 300}, {300, 1}, {131, 64}, {64, 97}};
  uint32_t seed = 1;
  for (const auto& [width, height] : sizes) {
    const PlainImage image = RandomImage(width, height, seed++);
    for (const size_t side : {1, 5, 16, 31, 64}) {
      for (const ResizeMode mode : {ResizeMode::kPad, ResizeMode::kCrop}) {
        INFO(width << "x" << height << " to " << side
                   << (mode == ResizeMode::kPad ? " padded" : " cropped"));
        const std::vector<uint8_t> wanted = Reference(image, mode, side);
        if (side ==
            (mode == ResizeMode::kPad ? std::max(width, height) : std::min(width, height))) {
          // nothing is resized: no kernel is called
          CHECK(Square(image.view(), mode, false, side) == wanted);
        } else {
          ForEachTarget([&] { CHECK(Square(image.view(), mode, false, side) == wanted); });
        }
      }
    }
  }
}

TEST_CASE("Rows and columns of large images are resized in groups that meet without a seam",
          "[image][preprocess]") {
  // More pixels than are interleaved at a time; more rows than an output depends on, many times.
  const std::pair<size_t, size_t> sizes[] = {{2500, 40}, {40, 2500}, {3000, 1700}};
  uint32_t seed = 100;
  for (const auto& [width, height] : sizes) {
    const PlainImage image = RandomImage(width, height, seed++);
    for (const size_t side : {3, 64, 200}) {
      for (const ResizeMode mode : {ResizeMode::kPad, ResizeMode::kCrop}) {
        INFO(width << "x" << height << " to " << side
                   << (mode == ResizeMode::kPad ? " padded" : " cropped"));
        CHECK(Square(image.view(), mode, false, side) == Reference(image, mode, side));
      }
    }
  }

  // Rows so long that fewer are computed at a time. The bars of this one would be 24 GB: its rows
  // are resized before it is padded, as those of the bars stay black.
  constexpr size_t kWidth = 90000, kHeight = 21, kSide = 64;
  const PlainImage strip = RandomImage(kWidth, kHeight, seed);
  const PlainImage narrow = Resize(strip, kSide, kHeight);
  PlainImage padded{kSide, kWidth, std::vector<uint8_t>(kSide * kWidth * 3)};
  std::copy(narrow.rgb.begin(), narrow.rgb.end(),
            padded.rgb.begin() + ptrdiff_t{(kWidth - kHeight) / 2} * kSide * 3);
  CHECK(Square(strip.view(), ResizeMode::kPad, false, kSide) == Resize(padded, kSide, kSide).rgb);
}

TEST_CASE("Turning an image while its rows are resized gives what turning it first gives",
          "[image][preprocess][exif]") {
  const std::pair<size_t, size_t> sizes[] = {{1, 1},   {1, 40},  {40, 1},   {16, 16},
                                             {33, 20}, {20, 33}, {64, 31},  {31, 64},
                                             {300, 7}, {7, 300}, {1500, 90}};
  uint32_t seed = 200;
  for (const auto& [width, height] : sizes) {
    const PlainImage stored = RandomImage(width, height, seed++);
    for (int orientation = 1; orientation <= 8; ++orientation) {
      Result<Image> copy = Image::Allocate(width, height);
      REQUIRE(copy.ok());
      std::copy(stored.rgb.begin(), stored.rgb.end(), copy->Row(0));
      const Result<Image> turned = Orient(std::move(copy).value(), orientation);
      REQUIRE(turned.ok());
      for (const size_t side : {1, 16, 31, 64}) {
        for (const ResizeMode mode : {ResizeMode::kPad, ResizeMode::kCrop}) {
          INFO(width << "x" << height << " turned by " << orientation << " to " << side
                     << (mode == ResizeMode::kPad ? " padded" : " cropped"));
          std::vector<uint8_t> out(side * side * 3, 77);
          SquareResizer resizer(mode, side, out.data());
          REQUIRE(resizer.Begin(width, height, orientation).ok());
          for (size_t y = 0; y < height; ++y) REQUIRE(resizer.Row(stored.view().Row(y)).ok());
          CHECK(out == Square(turned->view(), mode, false, side));
        }
      }
    }
  }
}

TEST_CASE("Sums over many long rows are those of rows that are held, on every target",
          "[image][preprocess][exif]") {
  // Turned images whose output rows depend on 2 MB of rows and more.
  const std::pair<size_t, size_t> sizes[] = {{1000, 3000}, {3001, 1000}};
  for (const auto& size : sizes) {
    const size_t width = size.first, height = size.second;  // Clang 14 captures no bindings
    const PlainImage stored = RandomImage(width, height, 250);
    for (const int orientation : {5, 6, 7, 8}) {
      Result<Image> copy = Image::Allocate(width, height);
      REQUIRE(copy.ok());
      std::copy(stored.rgb.begin(), stored.rgb.end(), copy->Row(0));
      const Result<Image> turned = Orient(std::move(copy).value(), orientation);
      REQUIRE(turned.ok());
      for (const size_t side : {3, 16}) {
        INFO(width << "x" << height << " turned by " << orientation << " to " << side);
        const std::vector<uint8_t> wanted = Square(turned->view(), ResizeMode::kPad, false, side);
        ForEachTarget([&] {
          std::vector<uint8_t> out(side * side * 3, 77);
          SquareResizer resizer(ResizeMode::kPad, side, out.data());
          REQUIRE(resizer.Begin(width, height, orientation).ok());
          for (size_t y = 0; y < height; ++y) REQUIRE(resizer.Row(stored.view().Row(y)).ok());
          CHECK(out == wanted);
        });
      }
    }
  }
}

TEST_CASE("Rows that are fetched strip by strip give what rows in memory give",
          "[image][preprocess]") {
  // Several strips, the last one shorter.
  constexpr size_t kWidth = 1000, kHeight = 1300, kSide = 50;
  std::vector<uint8_t> pixels = RandomImage(kWidth, kHeight * 4 / 3 + 1, 300).rgb;
  for (const size_t channels : {3, 4}) {
    for (const bool exact : {false, true}) {
      const size_t row = kWidth * channels;
      size_t next = 0;
      const auto read = [&](size_t first, size_t count, uint8_t* to) {
        CHECK(first == next);
        CHECK(count * row <= size_t{2} << 20);
        std::copy_n(pixels.data() + first * row, count * row, to);
        next += count;
        return Status();
      };
      std::vector<uint8_t> out(kSide * kSide * 3);
      SquareResizer resizer(ResizeMode::kPad, kSide, out.data());
      REQUIRE(SendRows(kWidth, kHeight, channels, read, exact, resizer).ok());
      CHECK(next == kHeight);
      CHECK(out == Square({pixels.data(), kWidth, kHeight, channels, row}, ResizeMode::kPad, exact,
                          kSide));
    }
  }
  // What the reader says ends it.
  std::vector<uint8_t> out(kSide * kSide * 3);
  SquareResizer resizer(ResizeMode::kPad, kSide, out.data());
  size_t calls = 0;
  const auto fail = [&](size_t, size_t, uint8_t*) -> Status {
    ++calls;
    return Error(ErrorCode::kIo, "no more");
  };
  CHECK(SendRows(kWidth, kHeight, 3, fail, false, resizer).message() == "no more");
  CHECK(calls == 1);
}

// Compares every entry of the manifest in `goldens`; its sources' paths are relative to `sources`.
void CheckGoldens(const std::filesystem::path& goldens, const std::filesystem::path& sources) {
  const Json manifest = ReadJson(goldens / "manifest.json");
  const Json::Array& entries = *manifest.Find("entries")->array();
  REQUIRE_FALSE(entries.empty());
  for (const Json& entry : entries) {
    const std::string source = *entry.GetString("source"), kind = *entry.GetString("kind");
    const size_t side = static_cast<size_t>(*entry.GetInt("size", 1, 4096));
    INFO(source << " " << kind << " " << side);
    const bool exact = kind != "crop-hf";
    const Image image = DecodeFile(sources / source, exact);
    const std::vector<uint8_t> out =
        Square(image.view(), kind == "pad" ? ResizeMode::kPad : ResizeMode::kCrop, exact, side);
    CHECK(Sha256Hex(out) == *entry.GetString("sha256"));
    if (const std::string* file = entry.Find("file")->string())
      CHECK(out == Pixels(DecodeFile(goldens / *file, true)));
  }
  std::printf("preprocess goldens: %zu results byte-equal\n", entries.size());
}

TEST_CASE("Preprocessing gives the bytes of the goldens", "[image][preprocess][golden]") {
  const auto goldens = GoldenPath("preprocess");
  CheckGoldens(goldens, goldens);
}

TEST_CASE("Preprocessing of public test images gives the bytes of the goldens",
          "[image][preprocess][golden]") {
  const auto goldens = SharedPath("goldens/preprocess");
  CheckGoldens(goldens, SharedPath("data"));
}

TEST_CASE("Padding and bicubic give Pillow's bytes", "[image][preprocess]") {
  const auto folder = SharedPath("data/images/pillow-resize");
  size_t compared = 0;
  const Json index = ReadJson(folder / "index.json");
  for (const Json& entry : *index.array()) {
    const auto side = entry.Find("size")->uint64();
    if (!side) continue;  // a size that is not square: nothing here makes those
    const std::string out = *entry.GetString("out");
    INFO(out);
    const Image source = DecodeFile(folder / ".." / ".." / *entry.GetString("src"), true),
                wanted = DecodeFile(folder / out, true);
    CHECK(Square(source.view(), ResizeMode::kPad, true, static_cast<size_t>(*side)) ==
          Pixels(wanted));
    ++compared;
  }
  std::printf("pillow-resize: %zu results byte-equal\n", compared);
  CHECK(compared >= 9);
}

TEST_CASE(
    "Alpha is composited on white before resizing, or dropped in exact mode; rows may have gaps",
    "[image][preprocess]") {
  const PlainImage color = RandomImage(23, 14, 5), other = RandomImage(23, 14, 6);
  PlainImage white = color;
  const size_t stride = 23 * 4 + 9;
  std::vector<uint8_t> rgba(14 * stride, 0xee);
  for (size_t y = 0; y < 14; ++y) {
    for (size_t x = 0; x < 23; ++x) {
      const size_t i = (y * 23 + x) * 3;
      const uint32_t alpha = other.rgb[i];
      for (size_t c = 0; c < 3; ++c) {
        rgba[y * stride + x * 4 + c] = color.rgb[i + c];
        white.rgb[i + c] = static_cast<uint8_t>(std::lround(
            (color.rgb[i + c] * static_cast<double>(alpha) + 255.0 * (255 - alpha)) / 255.0));
      }
      rgba[y * stride + x * 4 + 3] = static_cast<uint8_t>(alpha);
    }
  }
  const ImageView view{rgba.data(), 23, 14, 4, stride};
  CHECK(Square(view, ResizeMode::kPad, true, 16) == Reference(color, ResizeMode::kPad, 16));
  CHECK(Square(view, ResizeMode::kPad, false, 16) == Reference(white, ResizeMode::kPad, 16));
  CHECK(Square(view, ResizeMode::kCrop, false, 14) == Reference(white, ResizeMode::kCrop, 14));
}

TEST_CASE("Long strips and large images cost what their pixels cost", "[image][preprocess]") {
  // Padded first, the short ones would be 1.2 GB and the long ones 3 TB.
  constexpr size_t kSide = 1024;
  const std::pair<size_t, size_t> sizes[] = {{1, 20000}, {20000, 1}, {1, 1000000}, {1000000, 1}};
  for (const auto& [width, height] : sizes) {
    INFO(width << "x" << height);
    const PlainImage image{width, height, std::vector<uint8_t>(width * height * 3, 255)};
    const std::vector<uint8_t> out = Square(image.view(), ResizeMode::kPad, true, kSide);
    // A white line much less wide than a pixel, in the middle of black.
    const double share = static_cast<double>(kSide) / static_cast<double>(std::max(width, height));
    const bool wide = width > height;
    const auto pixel = [&](size_t along, size_t across) {
      return wide ? out[(across * kSide + along) * 3] : out[(along * kSide + across) * 3];
    };
    CHECK(pixel(500, 500) == 0);
    CHECK(std::abs(pixel(500, 511) + pixel(500, 512) - 255 * 1.125 * share) <= 1);
    CHECK(Square(image.view(), ResizeMode::kCrop, true, kSide) ==
          std::vector<uint8_t>(kSide * kSide * 3, 255));
  }
}

TEST_CASE("Impossible images and sizes are refused", "[image][preprocess]") {
  std::vector<uint8_t> pixels(64), out(3 * 64 * 64);
  const auto code = [&](ImageView view, size_t side) {
    return ResizeToSquare(view, ResizeMode::kPad, false, side, out.data()).code();
  };
  CHECK(code({pixels.data(), 2, 2, 3, 6}, 64) == ErrorCode::kOk);
  CHECK(code({pixels.data(), 2, 2, 3, 6}, 0) == ErrorCode::kInvalidArgument);
  CHECK(code({pixels.data(), 2, 2, 3, 6}, 1000000) == ErrorCode::kInvalidArgument);
  CHECK(code({pixels.data(), 2, 2, 3, 5}, 64) == ErrorCode::kInvalidArgument);
  CHECK(code({pixels.data(), 2, 2, 2, 6}, 64) == ErrorCode::kInvalidArgument);
  CHECK(code({nullptr, 2, 2, 3, 6}, 64) == ErrorCode::kInvalidArgument);
  CHECK(code({pixels.data(), 0, 2, 3, 6}, 64) == ErrorCode::kInvalidImage);
  CHECK(code({pixels.data(), 2, 0, 3, 6}, 64) == ErrorCode::kInvalidImage);
  CHECK(code({pixels.data(), 16385, 16384, 3, 16385 * 3}, 64) == ErrorCode::kInvalidImage);
  CHECK(code({pixels.data(), 1000001, 1, 3, 1000001 * 3}, 64) == ErrorCode::kInvalidImage);
}

TEST_CASE("Pixels become k/255 exactly, and are normalised", "[image][preprocess]") {
  std::vector<uint8_t> pixels;
  for (int v = 0; v < 256; ++v)
    pixels.insert(pixels.end(), {static_cast<uint8_t>(v), static_cast<uint8_t>(255 - v), 7});
  std::vector<float> plain(pixels.size()), scaled(pixels.size());
  NormalizePixels(pixels.data(), 256, {0, 0, 0}, {1, 1, 1}, plain.data());
  NormalizePixels(pixels.data(), 256, {0.5f, 0.25f, 0}, {0.5f, 0.3f, 2}, scaled.data());
  for (size_t i = 0; i < pixels.size(); ++i) {
    CHECK(plain[i] == static_cast<float>(pixels[i] * (1.0 / 255.0)));
    const float mean[] = {0.5f, 0.25f, 0}, deviation[] = {0.5f, 0.3f, 2};
    CHECK(scaled[i] == (plain[i] - mean[i % 3]) / deviation[i % 3]);
  }
}

}  // namespace
}  // namespace tinyvlm
