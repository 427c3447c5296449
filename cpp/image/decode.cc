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

// The first element of a text is <svg>: before it there may be a byte order mark, white space, an
// XML declaration, comments and a document type.
bool IsSvg(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf")) head.remove_prefix(3);
  for (;;) {
    head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
    if (head.starts_with("<svg")) return true;
    const char* end = head.starts_with("<?xml")           ? "?>"
                      : head.starts_with("<!--")          ? "-->"
                      : head.starts_with("<!DOCTYPE svg") ? ">"
                                                          : nullptr;
    if (end == nullptr) return false;
    const size_t found = head.find(end);
    // A comment may be longer than what is looked at.
    if (found == std::string_view::npos) return !head.starts_with("<?xml");
    head.remove_prefix(found + std::string_view(end).size());
  }
}

// A format that is recognised but not decoded here.
struct OtherFormat {
  const char* article = nullptr;
  const char* name = "";    // "": not recognised
  const char* kind = "";    // behind the name, where it is an image
  const char* remedy = "";  // more than to convert it
};

OtherFormat RecognizeFormat(std::span<const uint8_t> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = [&](size_t offset, std::string_view text) {
    return head.size() >= offset + text.size() && head.substr(offset, text.size()) == text;
  };
  constexpr const char* kImage = " image";
  if (at(0, "RIFF") && at(8, "WEBP")) return {"a", "WebP", kImage};
  if (at(0, "GIF8")) return {"a", "GIF", kImage};
  if (at(0, "BM") && at(6, std::string_view("\0\0\0\0", 4))) return {"a", "BMP", kImage};
  if (at(4, "ftyp")) {
    if (at(8, "avif") || at(8, "avis")) return {"an", "AVIF", kImage};
    for (const std::string_view brand :
         {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"}) {
      if (at(8, brand)) return {"a", "HEIC", kImage, "; export it as JPEG"};
    }
    return {"a", "video"};
  }
  if (at(0, std::string_view("II*\0", 4)) || at(0, std::string_view("MM\0*", 4)))
    return {"a", "TIFF", kImage};
  if (at(0, "\xff\x0a") || at(0, std::string_view("\0\0\0\x0cJXL ", 8)))
    return {"a", "JPEG XL", kImage};
  if (at(0, std::string_view("\0\0\0\x0cjP  ", 8)) || at(0, "\xff\x4f\xff\x51"))
    return {"a", "JPEG 2000", kImage};
  if (at(0, std::string_view("\0\0\1\0", 4))) return {"an", "ICO", kImage};
  if (at(0, "%PDF")) return {"a", "PDF", " document"};
  if (IsSvg(head))
    return {"an", "SVG", kImage, "; draw it into a PNG first (a page draws it by itself)"};
  if (at(0, "<!DOCTYPE") || at(0, "<!doctype") || at(0, "<html")) return {"a", "web page"};
  return {};
}

// A PNG with a damaged signature: most often a transfer in text mode has changed line breaks.
bool LooksLikePng(std::span<const uint8_t> bytes) {
  if (bytes.size() < sizeof(kPngSignature)) return false;
  size_t same = 0;
  for (size_t i = 0; i < sizeof(kPngSignature); ++i) same += bytes[i] == kPngSignature[i];
  return same + 1 >= sizeof(kPngSignature) || std::memcmp(bytes.data() + 1, "PNG", 3) == 0;
}

// Bytes that are looked at to recognise a format.
constexpr size_t kHeadBytes = 256;

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

Result<std::span<const uint8_t>> ReadHead(ByteWindow& window) {
  TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, window.At(0, kHeadBytes));
  return bytes.first(std::min(bytes.size(), kHeadBytes));
}

Status NothingThere() {
  return Error(ErrorCode::kInvalidImage, "a PNG or JPEG image wanted, 0 bytes found");
}

}  // namespace

Status DecodeImage(const ByteSource& source, bool exact, RowSink& sink,
                   std::vector<std::string>* warnings) {
  ByteWindow window(source, kHeadBytes);
  TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, ReadHead(window));
  if (BeginsWith(bytes, kPngSignature)) return DecodePng(source, exact, sink, warnings);
  if (BeginsWith(bytes, kJpegSignature)) return DecodeJpeg(source, exact, sink, warnings);
  if (source.size() == 0) return NothingThere();
  if (LooksLikePng(bytes)) {
    return Error(
        ErrorCode::kInvalidImage,
        "PNG: the first 8 bytes are damaged, as by a transfer in text mode; fetch the file again");
  }
  if (const OtherFormat other = RecognizeFormat(bytes); other.article != nullptr) {
    return Error(ErrorCode::kInvalidImage, "this is %s %s%s; PNG and JPEG are decoded here%s",
                 other.article, other.name, other.kind, other.remedy);
  }
  std::string head;
  for (size_t i = 0; i < std::min<size_t>(bytes.size(), 8); ++i)
    head += Format(i == 0 ? "%02x" : " %02x", bytes[i]);
  return Error(
      ErrorCode::kInvalidImage,
      "a PNG or JPEG image wanted, %zu bytes of an unknown format found (they begin with %s)",
      source.size(), head.c_str());
}

Result<ImageFileReport> InspectImage(const ByteSource& source, bool strict) {
  if (source.size() == 0) return NothingThere();
  ByteWindow window(source, kHeadBytes);
  TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, ReadHead(window));
  ImageFileReport report;
  if (BeginsWith(bytes, kPngSignature)) {
    report.format = "PNG";
    TVLM_RETURN_IF_ERROR(InspectPng(source, strict ? nullptr : &report.warnings));
  } else if (BeginsWith(bytes, kJpegSignature)) {
    report.format = "JPEG";
    const Result<bool> whole = InspectJpeg(source, report.warnings);
    if (!whole.ok() && whole.status().code() != ErrorCode::kInvalidImage) return whole.status();
    report.whole = !whole.ok() || *whole;
    if (strict) report.warnings.clear();  // as in DecodeImage, which has none then
  } else {
    report.format = RecognizeFormat(bytes).name;
  }
  return report;
}

Result<Image> DecodeImage(std::span<const uint8_t> bytes, bool exact,
                          std::vector<std::string>* warnings) {
  Collector collector;
  TVLM_RETURN_IF_ERROR(DecodeImage(ByteSource(bytes), exact, collector, warnings));
  return collector.Take();
}

}  // namespace tinyvlm
