// Images that are nowhere in memory as a whole: files that are read in pieces, scans that are
// decoded in bands, passes that are inflated side by side. What comes out is what came out of the
// whole.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "image/byte_source.h"
#include "image/jpeg.h"
#include "image/png.h"
#include "image/png_crc.h"
#include "image_files.h"
#include "lodepng.h"
#include "shared_data.h"

namespace tinyvlm {
namespace {

// The rows of an image, as they are stored.
struct Rows final : RowSink {
  size_t width = 0, height = 0;
  int orientation = 0;
  std::vector<uint8_t> rgb;

  Status Begin(size_t w, size_t h, int turn) override {
    CHECK(orientation == 0);
    width = w;
    height = h;
    orientation = turn;
    return Status();
  }
  Status Row(const uint8_t* row) override {
    rgb.insert(rgb.end(), row, row + width * 3);
    return Status();
  }
};

// A file that must be read within its bounds, and a little at a time.
ByteSource InPieces(const std::vector<uint8_t>& bytes) {
  return ByteSource(bytes.size(), [&bytes](size_t offset, uint8_t* to, size_t count) {
    REQUIRE(count > 0);
    REQUIRE(offset + count <= bytes.size());
    REQUIRE(count < size_t{1} << 20);
    std::copy_n(bytes.data() + offset, count, to);
    return Status();
  });
}

std::vector<std::filesystem::path> AllImages() {
  std::vector<std::filesystem::path> files;
  for (const char* extension : {".png", ".jpg"}) {
    const auto found = FilesIn(SharedPath("data/images"), extension);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

TEST_CASE("A file that is read in pieces has the rows, or the error, of one in memory",
          "[image][decode]") {
  size_t good = 0, bad = 0;
  for (const auto& path : AllImages()) {
    INFO(path.string());
    const std::vector<uint8_t> bytes = ReadBytes(path);
    for (const bool exact : {false, true}) {
      Rows whole, pieces;
      const Status wanted = DecodeImage(ByteSource(bytes), exact, whole),
                   found = DecodeImage(InPieces(bytes), exact, pieces);
      CHECK(found.code() == wanted.code());
      CHECK(found.message() == wanted.message());
      CHECK(pieces.rgb == whole.rgb);
      CHECK(pieces.orientation == whole.orientation);
      (wanted.ok() ? good : bad) += 1;
    }
  }
  CHECK(good > 600);
  CHECK(bad > 30);
}

TEST_CASE("An error of the source ends the decoding wherever it occurs", "[image][decode]") {
  const auto suite = SharedPath("data/images");
  for (const char* name : {"pngsuite/png/basi3p04.png", "pngsuite/png/basn2c08.png",
                           "jpeg-decoder/reftest/images/mozilla/jpg-progressive.jpg",
                           "jpeg-decoder/reftest/images/restarts.jpg"}) {
    INFO(name);
    const std::vector<uint8_t> bytes = ReadBytes(suite / name);
    size_t reads = 0;
    for (size_t failing = 0;; ++failing) {
      reads = 0;
      const ByteSource source(bytes.size(),
                              [&](size_t offset, uint8_t* to, size_t count) -> Status {
                                if (reads++ == failing)
                                  return Error(ErrorCode::kIo, "the cable is cut");
                                std::copy_n(bytes.data() + offset, count, to);
                                return Status();
                              });
      Rows rows;
      const Status status = DecodeImage(source, false, rows);
      if (reads <= failing) {
        CHECK(status.ok());
        break;
      }
      CHECK(status.message() == "the cable is cut");
      CHECK(reads == failing + 1);
    }
    CHECK(reads > 2);
  }
}

TEST_CASE("A window gives what is asked for, to the end of the file", "[image][decode]") {
  std::vector<uint8_t> bytes(1000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  const ByteSource pieces = InPieces(bytes), memory(bytes);
  std::mt19937 random(1);
  for (const ByteSource* source : {&pieces, &memory}) {
    ByteWindow window(*source, 64);
    for (int i = 0; i < 1000; ++i) {
      const size_t offset = random() % 1001, least = random() % 300;
      const auto seen = window.At(offset, least);
      REQUIRE(seen.ok());
      CHECK(seen->size() >= std::min(least, bytes.size() - offset));
      REQUIRE(offset + seen->size() <= bytes.size());
      CHECK(std::equal(seen->begin(), seen->end(), bytes.begin() + static_cast<ptrdiff_t>(offset)));
    }
  }
}

TEST_CASE("The height of the bands does not show in an image of several scans",
          "[image][decode][jpeg]") {
  size_t images = 0;
  for (const auto& path : FilesIn(SharedPath("data/images"), ".jpg")) {
    INFO(path.string());
    const std::vector<uint8_t> bytes = ReadBytes(path);
    if (bytes.size() < 3 || std::memcmp(bytes.data(), kJpegSignature, 3) != 0) continue;
    Rows whole, row_by_row, few;
    const Status wanted = DecodeJpeg(ByteSource(bytes), true, whole, nullptr, size_t{1} << 30);
    const Status one = DecodeJpeg(InPieces(bytes), true, row_by_row, nullptr, 0),
                 some = DecodeJpeg(ByteSource(bytes), true, few, nullptr, 60000);
    CHECK(one.code() == wanted.code());
    CHECK(some.code() == wanted.code());
    if (!wanted.ok()) continue;
    CHECK(row_by_row.rgb == whole.rgb);
    CHECK(few.rgb == whole.rgb);
    ++images;
  }
  std::printf("JPEG in bands: %zu images equal\n", images);
  CHECK(images > 60);
}

// ---- PNG ---------------------------------------------------------------------

// An image of random samples that begin alike in neighbouring pixels, as lodepng stores it.
std::vector<uint8_t> EncodePng(const std::vector<uint8_t>& samples, unsigned width, unsigned height,
                               LodePNGColorType type, unsigned depth, bool interlaced) {
  LodePNGState state;
  lodepng_state_init(&state);
  state.encoder.auto_convert = 0;
  state.encoder.filter_palette_zero = 0;
  state.info_png.interlace_method = interlaced ? 1 : 0;
  for (LodePNGColorMode* mode : {&state.info_raw, &state.info_png.color}) {
    mode->colortype = type;
    mode->bitdepth = depth;
    for (unsigned i = 0; type == LCT_PALETTE && i < 1u << depth; ++i) {
      lodepng_palette_add(mode, static_cast<uint8_t>(i * 37), static_cast<uint8_t>(255 - i),
                          static_cast<uint8_t>(i * 5), static_cast<uint8_t>(i % 3 == 0 ? 80 : 255));
    }
  }
  uint8_t* file = nullptr;
  size_t size = 0;
  const unsigned error = lodepng_encode(&file, &size, samples.data(), width, height, &state);
  INFO(lodepng_error_text(error));
  REQUIRE(error == 0);
  const std::vector<uint8_t> bytes(file, file + size);
  std::free(file);
  lodepng_state_cleanup(&state);
  return bytes;
}

std::vector<uint8_t> RandomSamples(unsigned width, unsigned height, LodePNGColorType type,
                                   unsigned depth, std::mt19937& random) {
  const LodePNGColorMode mode = lodepng_color_mode_make(type, depth);
  std::vector<uint8_t> samples(lodepng_get_raw_size(width, height, &mode));
  for (size_t i = 0; i < samples.size(); ++i)
    samples[i] = static_cast<uint8_t>(i / 3 + random() % (i % 5 == 0 ? 256 : 8));
  return samples;
}

Rows DecodePngRows(const std::vector<uint8_t>& file, bool exact) {
  Rows rows;
  const Status status = DecodePng(InPieces(file), exact, rows);
  INFO(status.message());
  REQUIRE(status.ok());
  return rows;
}

constexpr std::pair<LodePNGColorType, unsigned> kColors[] = {
    {LCT_GREY, 1},    {LCT_GREY, 2},       {LCT_GREY, 4},        {LCT_GREY, 8},    {LCT_GREY, 16},
    {LCT_RGB, 8},     {LCT_RGB, 16},       {LCT_PALETTE, 1},     {LCT_PALETTE, 2}, {LCT_PALETTE, 4},
    {LCT_PALETTE, 8}, {LCT_GREY_ALPHA, 8}, {LCT_GREY_ALPHA, 16}, {LCT_RGBA, 8},    {LCT_RGBA, 16}};

TEST_CASE(
    "PNGs of every colour type and size have the pixels that lodepng reads, interlaced or not",
    "[image][decode][png]") {
  std::mt19937 random(2);
  for (const auto& [type, depth] : kColors) {
    for (unsigned i = 0; i < 40; ++i) {
      const unsigned width = i < 20 ? 1 + i % 5 : 1 + random() % 70,
                     height = i < 20 ? 1 + i / 5 : 1 + random() % 70;
      INFO("colour type " << type << ", " << depth << " bits, " << width << "x" << height);
      const auto samples = RandomSamples(width, height, type, depth, random);
      const auto plain = EncodePng(samples, width, height, type, depth, false),
                 interlaced = EncodePng(samples, width, height, type, depth, true);
      for (const bool exact : {false, true})
        CHECK(DecodePngRows(interlaced, exact).rgb == DecodePngRows(plain, exact).rgb);
      if (depth == 16) continue;  // lodepng clips nothing
      uint8_t* rgba = nullptr;
      unsigned w = 0, h = 0;
      REQUIRE(lodepng_decode32(&rgba, &w, &h, plain.data(), plain.size()) == 0);
      const Rows rows = DecodePngRows(plain, true);
      REQUIRE((w == rows.width && h == rows.height));
      size_t wrong = 0;
      for (size_t p = 0; p < size_t{w} * h * 3; ++p)
        wrong += rows.rgb[p] != rgba[p / 3 * 4 + p % 3];
      CHECK(wrong == 0);
      std::free(rgba);
    }
  }
}

void AppendChunk(const char* type, std::span<const uint8_t> content, std::vector<uint8_t>& png) {
  const auto number = [&](uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
      png.push_back(static_cast<uint8_t>(value >> shift));
  };
  number(static_cast<uint32_t>(content.size()));
  const size_t start = png.size();
  png.insert(png.end(), type, type + 4);
  png.insert(png.end(), content.begin(), content.end());
  number(lodepng_crc32(png.data() + start, png.size() - start));
}

// The same PNG with its image data in chunks of random sizes, empty ones and others among them.
std::vector<uint8_t> Rechunked(const std::vector<uint8_t>& png, std::mt19937& random) {
  std::vector<uint8_t> data, out(png.begin(), png.begin() + 33);
  for (size_t at = 33; at < png.size();) {
    const size_t length = lodepng_chunk_length(png.data() + at);
    const std::string type(png.begin() + static_cast<ptrdiff_t>(at) + 4,
                           png.begin() + static_cast<ptrdiff_t>(at) + 8);
    const std::span<const uint8_t> content(png.data() + at + 8, length);
    if (type == "IDAT") data.insert(data.end(), content.begin(), content.end());
    if (type != "IDAT" && type != "IEND") AppendChunk(type.c_str(), content, out);
    at += 12 + length;
  }
  for (size_t at = 0; at < data.size();) {
    const size_t size =
        std::min<size_t>(random() % 3 == 0 ? random() % 3 : random() % 90000, data.size() - at);
    AppendChunk("IDAT", std::span(data).subspan(at, size), out);
    if (random() % 4 == 0) AppendChunk("tEXt", {}, out);
    at += size;
  }
  AppendChunk("IEND", {}, out);
  return out;
}

TEST_CASE("A large PNG may be cut into any chunks", "[image][decode][png]") {
  std::mt19937 random(3);
  for (const bool interlaced : {false, true}) {
    const auto samples = RandomSamples(700, 450, LCT_RGBA, 8, random);
    const auto png = EncodePng(samples, 700, 450, LCT_RGBA, 8, interlaced);
    REQUIRE(png.size() > 200000);
    const Rows wanted = DecodePngRows(png, false);
    for (int i = 0; i < 6; ++i)
      CHECK(DecodePngRows(Rechunked(png, random), false).rgb == wanted.rgb);
  }
}

TEST_CASE("Image data of a PNG that is too short, too long or damaged is noticed in every pass",
          "[image][decode][png]") {
  std::mt19937 random(4);
  const auto samples = RandomSamples(60, 60, LCT_RGB, 8, random);
  for (const bool interlaced : {false, true}) {
    const auto png = EncodePng(samples, 60, 60, LCT_RGB, 8, interlaced);
    REQUIRE(std::memcmp(png.data() + 37, "IDAT", 4) == 0);
    const size_t length = lodepng_chunk_length(png.data() + 33);
    const std::vector<uint8_t> data(png.begin() + 41,
                                    png.begin() + 41 + static_cast<ptrdiff_t>(length));
    const auto decode = [&](const std::vector<uint8_t>& changed) {
      std::vector<uint8_t> file(png.begin(), png.begin() + 33);
      AppendChunk("IDAT", changed, file);
      AppendChunk("IEND", {}, file);
      Rows rows;
      const Status status = DecodePng(InPieces(file), false, rows);
      if (!status.ok()) CHECK(status.code() == ErrorCode::kInvalidImage);
      return status.ok();
    };
    CHECK(decode(data));
    for (size_t cut = 0; cut < data.size(); cut += 1 + cut / 50)
      CHECK_FALSE(decode({data.begin(), data.begin() + static_cast<ptrdiff_t>(cut)}));
    std::vector<uint8_t> longer = data;
    longer.push_back(0);
    CHECK_FALSE(decode(longer));
    for (size_t i = 0; i < data.size(); i += 7) {
      std::vector<uint8_t> changed = data;
      changed[i] ^= static_cast<uint8_t>(1 << random() % 8);
      // Of the header the bits that say how hard it was to compress change nothing; zlib's own
      // check finds them.
      CHECK_FALSE(decode(changed));
    }
  }
}

TEST_CASE("A PNG's chunk types and methods are checked", "[image][decode][png]") {
  std::mt19937 random(5);
  const auto png =
      EncodePng(RandomSamples(2, 2, LCT_PALETTE, 2, random), 2, 2, LCT_PALETTE, 2, false);
  const auto without_palette =
      EncodePng(RandomSamples(2, 2, LCT_GREY, 2, random), 2, 2, LCT_GREY, 2, false);
  const auto message = [](const std::vector<uint8_t>& file) {
    Rows rows;
    return DecodePng(ByteSource(file), false, rows).message();
  };
  const auto with_chunk = [&](const std::vector<uint8_t>& file, const char* type,
                              const std::vector<uint8_t>& content) {
    std::vector<uint8_t> changed(file.begin(), file.begin() + 33);
    AppendChunk(type, content, changed);
    changed.insert(changed.end(), file.begin() + 33, file.end());
    return message(changed);
  };
  const auto with_header = [&](size_t at, uint8_t value) {
    std::vector<uint8_t> header(png.begin() + 16, png.begin() + 29),
        changed(png.begin(), png.begin() + 8);
    header[at] = value;
    AppendChunk("IHDR", header, changed);
    changed.insert(changed.end(), png.begin() + 33, png.end());
    return message(changed);
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK(message(png).empty());
  CHECK_THAT(with_chunk(png, "text", {}),
             ContainsSubstring("a chunk type wanted, text found at byte 33"));
  CHECK_THAT(with_chunk(png, "tE1t", {}), ContainsSubstring("a chunk type wanted, tE1t"));
  CHECK_THAT(with_chunk(png, "HEAD", {}), ContainsSubstring("HEAD at byte 33 is needed"));
  CHECK(with_chunk(png, "heAd", {}).empty());
  CHECK_THAT(with_chunk(png, "IHDR", {}), ContainsSubstring("IHDR at byte 33 is needed"));
  CHECK_THAT(with_chunk(png, "PLTE", {}), ContainsSubstring("1..256 colours wanted, 0 found"));
  CHECK_THAT(with_chunk(png, "PLTE", {1, 2}),
             ContainsSubstring("3 bytes a colour wanted, 2 bytes"));
  CHECK_THAT(with_chunk(png, "PLTE", std::vector<uint8_t>(3 * 300)),
             ContainsSubstring("1..256 colours wanted, 300 found"));
  CHECK_THAT(with_chunk(png, "tRNS", {1, 2, 3, 4, 5}),
             ContainsSubstring("(tRNS) of at most 0 bytes wanted, 5 found"));
  CHECK_THAT(with_chunk(without_palette, "tRNS", {1}),
             ContainsSubstring("(tRNS) of 2 bytes wanted, 1 found"));
  CHECK_THAT(with_header(8, 3), ContainsSubstring("colour type 3 and 3 bits found"));
  CHECK_THAT(with_header(9, 5), ContainsSubstring("colour type 5 and 2 bits found"));
  CHECK_THAT(with_header(9, 2), ContainsSubstring("colour type 2 and 2 bits found"));
  CHECK_THAT(with_header(10, 1), ContainsSubstring("compression method 0 wanted, 1 found"));
  CHECK_THAT(with_header(11, 1), ContainsSubstring("filter method 0 wanted, 1 found"));
  CHECK_THAT(with_header(12, 2), ContainsSubstring("interlace method 0 or 1 wanted, 2 found"));
  std::vector<uint8_t> indexed(without_palette.begin() + 16, without_palette.begin() + 29),
      file(without_palette.begin(), without_palette.begin() + 8);
  indexed[9] = 3;
  AppendChunk("IHDR", indexed, file);
  file.insert(file.end(), without_palette.begin() + 33, without_palette.end());
  CHECK_THAT(message(file), ContainsSubstring("no PLTE chunk found"));
}

TEST_CASE("The CRC of PNG is that of lodepng for every length", "[image][decode][png]") {
  std::mt19937 random(6);
  std::vector<uint8_t> bytes(100);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  const PngCrc crc;
  for (size_t size = 0; size <= bytes.size(); ++size) {
    CHECK(~crc.Update(PngCrc::kStart, std::span(bytes).first(size)) ==
          lodepng_crc32(bytes.data(), size));
    const size_t half = size / 3;
    CHECK(~crc.Update(crc.Update(PngCrc::kStart, std::span(bytes).first(half)),
                      std::span(bytes).subspan(half, size - half)) ==
          lodepng_crc32(bytes.data(), size));
  }
}

}  // namespace
}  // namespace tinyvlm
