#include "image/decode.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "image/exif.h"
#include "image/jpeg.h"
#include "image/png.h"

namespace tinyvlm {

namespace {

// The name, with its article, of a format that is recognised but not supported; else null.
const char* UnsupportedFormat(std::span<const uint8_t> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = [&](size_t offset, std::string_view text) {
    return head.size() >= offset + text.size() && head.substr(offset, text.size()) == text;
  };
  if (at(0, "RIFF") && at(8, "WEBP")) return "a WebP image";
  if (at(0, "GIF8")) return "a GIF image";
  if (at(0, "BM") && at(6, std::string_view("\0\0\0\0", 4))) return "a BMP image";
  if (at(4, "ftyp")) {
    if (at(8, "avif") || at(8, "avis")) return "an AVIF image";
    for (const std::string_view brand :
         {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"}) {
      if (at(8, brand)) return "a HEIC image";
    }
    return "a video";
  }
  if (at(0, std::string_view("II*\0", 4)) || at(0, std::string_view("MM\0*", 4)))
    return "a TIFF image";
  if (at(0, "\xff\x0a") || at(0, std::string_view("\0\0\0\x0cJXL ", 8))) return "a JPEG XL image";
  if (at(0, std::string_view("\0\0\0\x0cjP  ", 8)) || at(0, "\xff\x4f\xff\x51"))
    return "a JPEG 2000 image";
  if (at(0, std::string_view("\0\0\1\0", 4))) return "an ICO image";
  if (at(0, "%PDF")) return "a PDF document";
  if (at(0, "<svg") || (at(0, "<?xml") && head.find("<svg") != std::string_view::npos))
    return "an SVG image";
  if (at(0, "<!DOCTYPE") || at(0, "<!doctype") || at(0, "<html")) return "a web page";
  return nullptr;
}

// A PNG with a damaged signature: most often a transfer in text mode has changed line breaks.
bool LooksLikePng(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(kPngSignature)) return false;
  size_t same = 0;
  for (size_t i = 0; i < sizeof(kPngSignature); ++i) same += bytes[i] == kPngSignature[i];
  return same + 1 >= sizeof(kPngSignature) || std::memcmp(bytes.data() + 1, "PNG", 3) == 0;
}

// Keeps an image.
class Collector final : public RowSink {
 public:
  Status Begin(size_t width, size_t height, int orientation) override {
    orientation_ = orientation;
    TVLM_ASSIGN_OR_RETURN(image_, Image::Allocate(width, height));
    return Status();
  }
  Status Row(const uint8_t* rgb) override {
    std::memcpy(image_.Row(rows_++), rgb, image_.width() * 3);
    return Status();
  }
  Result<Image> Take() { return Orient(std::move(image_), orientation_); }

 private:
  Image image_;
  size_t rows_ = 0;
  int orientation_ = 1;
};

template <size_t N>
bool BeginsWith(std::span<const uint8_t> bytes, const uint8_t (&signature)[N]) {
  return bytes.size() >= N && std::memcmp(bytes.data(), signature, N) == 0;
}

}  // namespace

Status DecodeImage(const ByteSource& source, bool exact, RowSink& sink) {
  constexpr size_t kHeadBytes = 256;
  ByteWindow window(source, kHeadBytes);
  TVLM_ASSIGN_OR_RETURN(std::span<const uint8_t> bytes, window.At(0, kHeadBytes));
  bytes = bytes.first(std::min(bytes.size(), kHeadBytes));
  if (BeginsWith(bytes, kPngSignature)) return DecodePng(source, exact, sink);
  if (BeginsWith(bytes, kJpegSignature)) return DecodeJpeg(source, exact, sink);
  if (source.size() == 0)
    return Error(ErrorCode::kInvalidImage, "a PNG or JPEG image wanted, 0 bytes found");
  if (LooksLikePng(bytes)) {
    return Error(
        ErrorCode::kInvalidImage,
        "PNG: the first 8 bytes are damaged, as by a transfer in text mode; fetch the file again");
  }
  if (const char* format = UnsupportedFormat(bytes)) {
    return Error(ErrorCode::kInvalidImage, "this is %s; PNG and JPEG are decoded here", format);
  }
  std::string head;
  for (size_t i = 0; i < std::min<size_t>(bytes.size(), 8); ++i)
    head += Format(i == 0 ? "%02x" : " %02x", bytes[i]);
  return Error(
      ErrorCode::kInvalidImage,
      "a PNG or JPEG image wanted, %zu bytes of an unknown format found (they begin with %s)",
      source.size(), head.c_str());
}

Result<Image> DecodeImage(std::span<const uint8_t> bytes, bool exact) {
  Collector collector;
  TVLM_RETURN_IF_ERROR(DecodeImage(ByteSource(bytes), exact, collector));
  return collector.Take();
}

}  // namespace tinyvlm
