// Image files as people have them: what browsers and libjpeg draw over is drawn, with a warning.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "image/jpeg.h"
#include "image_files.h"
#include "shared_data.h"

namespace tinyvlm {
namespace {

std::filesystem::path Input(const std::string& name) { return SharedPath("data/inputs") / name; }

// An image that is answered, with the beginning of each of its warnings.
struct Told {
  const char* name;
  std::vector<std::string> warnings;
  bool strict;     // whether strict decoding takes it
  bool inspected;  // whether looking at the file finds it whole
};

const Told kTold[] = {
    {"jpg-no-eoi.jpg",
     {"JPEG: the file ends without its end marker; it is cut off (at byte 73504)"},
     false,
     false},
    {"jpg-cut5.jpg",
     {"JPEG: the file ends without its end marker", "JPEG: the image data ends in block"},
     false,
     false},
    {"jpg-rst-wrong.jpg", {"JPEG: the restart marker d5 is missing"}, false, false},
    {"jpg-rst-removed.jpg",
     {"JPEG: the restart marker d5 is missing", "JPEG: the image data ends in block"},
     false,
     false},
    {"jpg-trailing.jpg", {"JPEG: 108 bytes follow the end of the image"}, true, true},
    {"jpg-cmyk.jpg", {}, true, true},
    {"png-badcrc-tEXt.png", {"PNG: the tEXt chunk at byte"}, false, true},
    {"png-badcrc-gAMA.png", {"PNG: the gAMA chunk at byte"}, false, true},
    {"png-badcrc-iCCP.png", {"PNG: the iCCP chunk at byte"}, false, true},
    {"png-trailing.png", {"PNG: "}, true, true},
    {"png-gray16.png", {}, true, true},
    {"png-la16.png", {}, true, true},
    {"png-rgb16-trns.png", {}, true, true},
    {"png-pal-trns.png", {}, true, true},
};

TEST_CASE(
    "What image viewers draw over is answered with a warning, and refused where none is taken",
    "[image][decode]") {
  for (const Told& input : kTold) {
    INFO(input.name);
    const std::vector<uint8_t> bytes = ReadBytes(Input(input.name));
    std::vector<std::string> warnings;
    const Result<Image> image = DecodeImage(bytes, false, &warnings);
    INFO(image.status().message());
    REQUIRE(image.ok());
    REQUIRE(warnings.size() == input.warnings.size());
    for (size_t i = 0; i < warnings.size(); ++i)
      CHECK_THAT(warnings[i], Catch::Matchers::StartsWith(input.warnings[i]));
    const Result<Image> strict = DecodeImage(bytes, false);
    CHECK(strict.status().code() == (input.strict ? ErrorCode::kOk : ErrorCode::kInvalidImage));

    const Result<ImageFileReport> report = InspectImage(ByteSource(bytes), false);
    REQUIRE(report.ok());
    CHECK(std::string(report->format) == (input.name[0] == 'p' ? "PNG" : "JPEG"));
    CHECK(report->whole == input.inspected);
    if (report->whole) CHECK(report->warnings == warnings);
    const bool png_refused = input.name[0] == 'p' && !input.strict;
    const Result<ImageFileReport> strictly = InspectImage(ByteSource(bytes), true);
    CHECK(strictly.ok() == !png_refused);
    if (strictly.ok()) CHECK(strictly->warnings.empty());
  }
  const std::vector<uint8_t> refused = ReadBytes(Input("png-badcrc-IDAT.png"));
  std::vector<std::string> warnings;
  CHECK_THAT(DecodeImage(refused, false, &warnings).status().message(),
             Catch::Matchers::StartsWith("PNG: the IDAT chunk at byte"));
  CHECK_FALSE(InspectImage(ByteSource(refused), false).ok());
}

TEST_CASE("Other formats are recognised", "[image][decode]") {
  const std::map<std::string, std::string> formats = {{"webp.webp", "WebP"}, {"gif.gif", "GIF"},
                                                      {"bmp.bmp", "BMP"},    {"tiff.tif", "TIFF"},
                                                      {"avif.avif", "AVIF"}, {"svg.svg", "SVG"}};
  for (const auto& [name, format] : formats) {
    INFO(name);
    const std::vector<uint8_t> bytes = ReadBytes(Input(name));
    const Result<ImageFileReport> report = InspectImage(ByteSource(bytes), true);
    REQUIRE(report.ok());
    CHECK(report->format == format);
    CHECK(report->whole);
    CHECK_THAT(DecodeImage(bytes, false).status().message(),
               Catch::Matchers::ContainsSubstring(" " + format + " image"));
  }
}

TEST_CASE("Of a damaged JPEG the pixels are those of libjpeg-turbo", "[image][decode][jpeg]") {
  for (const char* name : {"jpg-no-eoi", "jpg-cut5", "jpg-rst-wrong", "jpg-rst-removed"}) {
    INFO(name);
    std::vector<std::string> warnings;
    const Result<Image> image =
        DecodeImage(ReadBytes(Input(std::string(name) + ".jpg")), true, &warnings);
    REQUIRE(image.ok());
    const Image expected = DecodeFile(Input(std::string(name) + ".expected.png"), true);
    REQUIRE(image->width() == expected.width());
    REQUIRE(image->height() == expected.height());
    int largest = 0;
    size_t different = 0;
    for (size_t i = 0; i < image->width() * image->height() * 3; ++i) {
      const int difference = std::abs(image->Row(0)[i] - expected.Row(0)[i]);
      largest = std::max(largest, difference);
      different += difference != 0;
    }
    CHECK(largest == 0);
    CHECK(different == 0);
  }
}

TEST_CASE("A restart marker behind the last interval does no harm", "[image][decode][jpeg]") {
  std::vector<uint8_t> jpeg =
      ReadBytes(SharedPath("data/images/jpeg-decoder/reftest/images/restarts.jpg"));
  const Result<ImageFileReport> before = InspectImage(ByteSource(jpeg), false);
  REQUIRE(before.ok());
  CHECK(before->whole);
  const std::vector<uint8_t> pixels = Pixels(*DecodeImage(jpeg, false));
  uint8_t last = 0;
  for (size_t i = 0; i + 1 < jpeg.size(); ++i) {
    if (jpeg[i] == 0xff && (jpeg[i + 1] & 0xf8) == 0xd0) last = jpeg[i + 1];
  }
  REQUIRE(last != 0);
  REQUIRE(jpeg.back() == 0xd9);
  const uint8_t next = static_cast<uint8_t>(0xd0 | (last + 1) % 8);
  jpeg.insert(jpeg.end() - 2, {0xff, next});
  const Result<ImageFileReport> after = InspectImage(ByteSource(jpeg), false);
  REQUIRE(after.ok());
  CHECK(after->whole);
  const Result<Image> image = DecodeImage(jpeg, false);
  REQUIRE(image.ok());
  CHECK(Pixels(*image) == pixels);
}

// A gray progressive JPEG of which only the first block of the first scan is there; the others of
// its `scans` scans have no data at all. Restarts are promised behind every block.
std::vector<uint8_t> EmptyScans(uint16_t side, size_t scans) {
  std::vector<uint8_t> jpeg = {0xff, 0xd8, 0xff, 0xdb, 0, 67, 0};
  jpeg.insert(jpeg.end(), 64, 1);
  const uint8_t high = static_cast<uint8_t>(side >> 8), low = static_cast<uint8_t>(side & 0xff);
  jpeg.insert(jpeg.end(), {0xff, 0xc2, 0, 11, 8, high, low, high, low, 1, 1, 0x11, 0});
  jpeg.insert(jpeg.end(), {0xff, 0xdd, 0, 4, 0, 1});
  const auto scan = [&](int first, int planes) {
    jpeg.insert(jpeg.end(), {0xff, 0xda, 0, 8, 1, 1, 0, static_cast<uint8_t>(first),
                             static_cast<uint8_t>(first), static_cast<uint8_t>(planes)});
  };
  scan(0, 13);
  jpeg.push_back(0x3f);  // a DC difference of 0, then ones
  for (size_t i = 1; i < scans; ++i) {
    const int coefficient = static_cast<int>((i - 1) / 14) + 1;
    const int plane = 13 - static_cast<int>((i - 1) % 14);
    scan(coefficient, plane == 13 ? 13 : (plane + 1) << 4 | plane);
  }
  jpeg.insert(jpeg.end(), {0xff, 0xd9});
  // As many bytes as such an image must have at least.
  jpeg.insert(jpeg.end(), size_t{side} * side / 512 + 1, 0);
  return jpeg;
}

TEST_CASE("Scans without data cost next to nothing, however many they are",
          "[image][decode][jpeg]") {
  struct Counter final : RowSink {
    size_t rows = 0;
    Status Begin(size_t, size_t, int) override { return Status(); }
    Status Row(const uint8_t*) override {
      ++rows;
      return Status();
    }
  };
  const auto seconds = [](const std::vector<uint8_t>& jpeg) {
    Counter sink;
    std::vector<std::string> warnings;
    const std::clock_t begin = std::clock();
    const Status status = DecodeJpeg(ByteSource(jpeg), false, sink, &warnings);
    INFO(status.message());
    CHECK(status.ok());
    CHECK(sink.rows == 2048);
    CHECK(warnings.size() == 3);
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  };
  const double one = seconds(EmptyScans(2048, 1)), many = seconds(EmptyScans(2048, 1 + 63 * 14));
  // 882 scans of 65,536 blocks with a restart each would take a hundred times as long.
  CHECK(many < 10 * one + 0.5);
}

}  // namespace
}  // namespace tinyvlm
