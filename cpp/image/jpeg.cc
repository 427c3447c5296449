#include "image/jpeg.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "base/rounding.h"
#include "image/exif.h"
#include "image/jpeg_huffman.h"
#include "image/jpeg_idct.h"

namespace tinyvlm {

namespace {

enum Marker : uint8_t {
  kSof0 = 0xc0,
  kSof1 = 0xc1,
  kSof2 = 0xc2,
  kSof15 = 0xcf,
  kDht = 0xc4,
  kJpg = 0xc8,
  kDac = 0xcc,
  kRst0 = 0xd0,
  kRst7 = 0xd7,
  kSoi = 0xd8,
  kEoi = 0xd9,
  kSos = 0xda,
  kDqt = 0xdb,
  kDri = 0xdd,
  kApp0 = 0xe0,
  kApp1 = 0xe1,
  kApp2 = 0xe2,
  kApp14 = 0xee,
  kTem = 0x01,
};

constexpr size_t kMaxComponents = 4;
constexpr size_t kBlock = 8;
constexpr size_t kBlockSamples = 64;

// Position in the block of the k-th coefficient of the file.
constexpr uint8_t kZigzag[kBlockSamples] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// The same where a run of damaged data leads out of the block: libjpeg then takes the last place.
inline size_t PositionOf(size_t k) { return kZigzag[std::min(k, kBlockSamples - 1)]; }

// The default tables of T.81, annex K.3, which motion JPEG frames omit: the number of codes of each
// length, then the symbols.
constexpr uint8_t kStandardDcCounts[2][16] = {{0, 1, 5, 1, 1, 1, 1, 1, 1},
                                              {0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}};
constexpr uint8_t kStandardDcSymbols[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
constexpr uint8_t kStandardAcCounts[2][16] = {{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125},
                                              {0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119}};
constexpr uint8_t kStandardAcSymbols[2][162] = {
    {0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61,
     0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52,
     0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25,
     0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45,
     0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64,
     0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
     0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
     0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6,
     0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3,
     0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8,
     0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa},
    {0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61,
     0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33,
     0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18,
     0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44,
     0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63,
     0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
     0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97,
     0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4,
     0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca,
     0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7,
     0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa}};

struct QuantTable {
  bool defined = false;
  uint16_t step[kBlockSamples] = {};  // natural order
};

struct Component {
  uint8_t id = 0;
  size_t h = 1, v = 1;  // sampling factors
  size_t quant_index = 0;
  size_t width = 0, height = 0;  // samples that belong to the image
  // blocks that hold them: what a scan of this component alone codes
  size_t blocks_w = 0, blocks_h = 0;
  size_t padded_w = 0;  // blocks of whole MCUs: what is stored of a row
  bool seen = false;    // a scan has coded it, and `quant` is its table from then on
  QuantTable quant;
  // progressive only: lowest bit plane coded so far per coefficient of the file's order; -1: none
  int8_t known_bits[kBlockSamples];

  // Of the band of MCU rows that is being decoded; block rows count from `first_block_row`.
  size_t first_block_row = 0;
  AlignedBuffer<uint8_t> plane;  // [1 + block rows * 8][padded_w * 8]: the row above, the band's
  // progressive only: [block rows][padded_w][64], natural order
  AlignedBuffer<int16_t> coefficients;

  size_t stride() const { return padded_w * kBlock; }
  // Row y of the samples, which lies in the band or just above it.
  uint8_t* Row(size_t y) { return plane.data() + (y + 1 - first_block_row * kBlock) * stride(); }
  uint8_t* Samples(size_t block_x, size_t block_y) {
    return Row(block_y * kBlock) + block_x * kBlock;
  }
  int16_t* Block(size_t x, size_t y) {
    return coefficients.data() + ((y - first_block_row) * padded_w + x) * kBlockSamples;
  }
};

// A component of a scan.
struct Coded {
  Component* component = nullptr;
  std::shared_ptr<const HuffmanTable> dc, ac;  // those that the scan needs
  int32_t dc_prediction = 0;
};

// A scan, and how far it has been read: bands of MCU rows are decoded one after the other, each
// from all scans, so that no more than a band need be in memory.
struct Scan {
  std::vector<Coded> components;
  size_t first = 0, last = 63;  // coefficients of the file's order
  // bit planes: the one known before (0: none) and the one known afterwards
  int high = 0, low = 0;
  size_t restart_interval = 0;  // MCUs; 0: none

  BitReader reader{nullptr, nullptr};
  size_t at = 0;  // byte of the file that the reader has arrived at
  size_t until_restart = 0;
  uint8_t restarts = 0;
  uint32_t end_of_band_run = 0;  // blocks that the last end-of-band code still covers
  bool exhausted = false;        // the data has ended: blocks are empty up to the next restart
  bool ended = false;            // no restart follows
};

// What is tolerated where the caller takes warnings. Each is told once, at its first place.
enum class Defect { kEnd, kData, kRestart, kCode, kComponent, kCount };

// The kind of an error inside entropy-coded data.
enum class Fault { kNone, kCode, kRun, kValue };

const char* FaultText(Fault fault) {
  switch (fault) {
    case Fault::kCode:
      return "bits that are no Huffman code";
    case Fault::kRun:
      return "a run that leads out of its block";
    case Fault::kValue:
      return "a coefficient that is too large";
    case Fault::kNone:
      break;
  }
  return "";
}

class JpegDecoder {
 public:
  JpegDecoder(const ByteSource& source, bool exact, std::vector<std::string>* warnings,
              size_t band_bytes)
      : exact_(exact),
        warnings_(warnings),
        band_bytes_(band_bytes),
        segments_(source, kMaxSegment),
        window_(source, kWindow) {}

  Status Decode(RowSink& sink);

  // Reads all but the image data; whether that is as the headers say.
  Result<bool> Inspect();

 private:
  // Bytes that a segment may have, its marker included, and those that are read of a scan at a
  // time.
  static constexpr size_t kMaxSegment = size_t{2} + 65535, kWindow = size_t{64} << 10;

  // Reads everything but the entropy-coded data: tables, headers and where the scans are.
  Status ReadSegments();
  // Whether bytes behind the end marker, at `end`, belong to the file: phones append further images
  // and videos.
  Result<bool> TrailerIsKnown(size_t end);
  // Whether a scan's restart markers stand in order and are as many as its header says.
  Result<bool> RestartsInStep(const Scan& scan);
  // The byte of the first marker at or after `at`, restart markers left out where `in_scan`; the
  // size of the file where there is none.
  Result<size_t> FindMarker(size_t at, bool in_scan);

  // Segments: `body` is what follows the length, `at` is the byte of the marker.
  Status ReadFrame(uint8_t marker, std::span<const uint8_t> body, size_t at);
  Status ReadQuantTables(std::span<const uint8_t> body, size_t at);
  Status ReadHuffmanTables(std::span<const uint8_t> body, size_t at);
  void ReadApplication(uint8_t marker, std::span<const uint8_t> body);
  // The error itself, or none where it is told as a warning.
  Status Tolerate(Defect defect, Status error);
  Status ReadScanHeader(std::span<const uint8_t> body, size_t at);
  Result<std::shared_ptr<const HuffmanTable>> Table(size_t kind, size_t slot, size_t at);

  // What a scan codes, and how many there are in a row and in all: its own blocks where it has one
  // component, else MCUs.
  struct Units {
    size_t width, height;
  };
  Units UnitsOf(const Scan& scan) const;
  // Decodes MCU rows begin..end of a scan, which has been read up to there.
  Status DecodeScan(Scan& scan, size_t begin, size_t end);
  // Makes the reader see at least the bytes of a block.
  Status Refill(Scan& scan, std::span<const uint8_t>& seen);
  Status SkipRestart(Scan& scan, std::span<const uint8_t>& seen);
  // A block without data.
  void EmptyBlock(Coded& coded, size_t x, size_t y) const;
  // Decode a block as libjpeg does, also where they return a fault.
  Fault DecodeBlock(Scan& scan, Coded& coded, size_t x, size_t y);
  Fault DecodeSequential(Coded& coded, BitReader& reader, uint8_t* out);
  Fault DecodeDcFirst(const Scan& scan, Coded& coded, BitReader& reader, int16_t* block);
  Fault DecodeAcFirst(Scan& scan, const Coded& coded, int16_t* block);
  Fault DecodeAcRefine(Scan& scan, const Coded& coded, int16_t* block);
  Fault DcDifference(Coded& coded, BitReader& reader);

  // Decodes all scans band by band; without a sink only to find what is damaged.
  Status DecodeBands(RowSink* sink);
  // MCU rows of a band.
  size_t BandRows() const;
  Status AllocateBand(size_t rows);
  void TransformCoefficients(size_t begin, size_t end);
  // Hands the image's rows begin..end to the sink.
  Status SendRows(size_t begin, size_t end, RowSink& sink);
  bool IsYcc() const;

  static Status Bad(size_t at, const char* format, ...) __attribute__((format(printf, 2, 3)));

  bool exact_;
  std::vector<std::string>* warnings_;  // null: what could be one is an error
  bool told_[static_cast<size_t>(Defect::kCount)] = {};
  size_t band_bytes_;
  ByteWindow segments_, window_;
  QuantTable quant_[4];
  std::shared_ptr<const HuffmanTable> huffman_[2][4];  // [DC, AC][slot]
  std::vector<Component> components_;
  std::vector<Scan> scans_;
  size_t width_ = 0, height_ = 0;
  size_t max_h_ = 1, max_v_ = 1;
  size_t mcus_w_ = 0, mcus_h_ = 0;
  bool progressive_ = false;
  size_t restart_interval_ = 0;  // MCUs; 0: none
  bool jfif_ = false;
  bool more_images_ = false;  // a segment tells of what stands behind the end marker
  int adobe_transform_ = -1;  // -1: no Adobe marker
  bool exif_ = false;
  int orientation_ = 1;

  // Of an image row: the components' at full width, and RGB.
  AlignedBuffer<uint8_t> full_rows_, rgb_;
  AlignedBuffer<uint16_t> sums_;
};

Status JpegDecoder::Bad(size_t at, const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return Error(ErrorCode::kInvalidImage, "JPEG: %s (at byte %zu)", text, at);
}

Status JpegDecoder::Decode(RowSink& sink) {
  const Status read = ReadSegments();
  if (!read.ok() && (scans_.empty() || warnings_ != nullptr)) return read;
  // Damage inside the scans comes first in the file.
  TVLM_RETURN_IF_ERROR(DecodeBands(read.ok() ? &sink : nullptr));
  return read;
}

Result<bool> JpegDecoder::Inspect() {
  TVLM_RETURN_IF_ERROR(ReadSegments());
  if (told_[static_cast<size_t>(Defect::kEnd)] || told_[static_cast<size_t>(Defect::kComponent)])
    return false;
  for (const Scan& scan : scans_) {
    TVLM_ASSIGN_OR_RETURN(const bool in_step, RestartsInStep(scan));
    if (!in_step) return false;
  }
  return true;
}

Status JpegDecoder::Tolerate(Defect defect, Status error) {
  if (warnings_ == nullptr) return error;
  bool& told = told_[static_cast<size_t>(defect)];
  if (!told) warnings_->push_back(error.message());
  told = true;
  return Status();
}

Result<size_t> JpegDecoder::FindMarker(size_t at, bool in_scan) {
  while (at + 1 < segments_.size()) {
    TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, segments_.At(at, 2));
    const uint8_t *p = bytes.data(), *const last = p + bytes.size() - 1;
    while (p < last) {
      p = static_cast<const uint8_t*>(std::memchr(p, 0xff, static_cast<size_t>(last - p)));
      if (p == nullptr) break;
      const uint8_t marker = p[1];
      const bool restart = marker >= kRst0 && marker <= kRst7;
      if (marker != 0 && marker != 0xff && !(in_scan && restart))
        return at + static_cast<size_t>(p - bytes.data());
      ++p;
    }
    at += bytes.size() - 1;
  }
  return segments_.size();
}

Status JpegDecoder::ReadSegments() {
  const size_t size = segments_.size();
  size_t at = 2;
  bool in_scan = false;
  for (;;) {
    // Unknown bytes between segments, fill bytes and stray restart markers are skipped, as every
    // decoder does.
    TVLM_ASSIGN_OR_RETURN(at, FindMarker(at, in_scan));
    in_scan = false;
    if (at >= size) {
      Status cut = Bad(size, "the file ends without its end marker; it is cut off");
      if (scans_.empty()) return cut;
      TVLM_RETURN_IF_ERROR(Tolerate(Defect::kEnd, std::move(cut)));
      break;
    }
    TVLM_ASSIGN_OR_RETURN(std::span<const uint8_t> bytes, segments_.At(at, 4));
    const uint8_t marker = bytes[1];
    if (marker == kEoi) {
      if (warnings_ == nullptr) break;
      TVLM_ASSIGN_OR_RETURN(const bool known, TrailerIsKnown(at + 2));
      if (known) break;
      warnings_->push_back(
          Bad(at + 2,
              "%zu bytes follow the end of the image, which no header tells of; they are not read",
              size - at - 2)
              .message());
      break;
    }
    if (marker == kTem || (marker >= kRst0 && marker <= kRst7)) {
      at += 2;
      continue;
    }
    if (marker == kSoi) return Bad(at, "a second image begins inside the first");
    const size_t left = size - at - 2;
    const size_t length = left < 2 ? 0 : size_t{bytes[2]} << 8 | bytes[3];
    if (length < 2 || length > left) {
      Status cut = Bad(at,
                       "the segment with marker %02x has a length of %zu, 2..%zu wanted; the file "
                       "is cut off or damaged",
                       marker, length, left);
      if (scans_.empty() || (left >= 2 && length < 2)) return cut;
      TVLM_RETURN_IF_ERROR(Tolerate(Defect::kEnd, std::move(cut)));
      break;
    }
    TVLM_ASSIGN_OR_RETURN(bytes, segments_.At(at, 2 + length));
    const std::span<const uint8_t> body = bytes.subspan(4, length - 2);
    if (marker == kDht) {
      TVLM_RETURN_IF_ERROR(ReadHuffmanTables(body, at));
    } else if (marker == kDqt) {
      TVLM_RETURN_IF_ERROR(ReadQuantTables(body, at));
    } else if (marker == kDac) {
      return Bad(at, "arithmetic coding is not decoded here; save it as an ordinary JPEG");
    } else if (marker >= kSof0 && marker <= kSof15 && marker != kJpg) {
      TVLM_RETURN_IF_ERROR(ReadFrame(marker, body, at));
    } else if (marker == kDri) {
      if (body.size() != 2)
        return Bad(at, "restart interval: 2 bytes wanted, %zu found", body.size());
      restart_interval_ = size_t{body[0]} << 8 | body[1];
    } else if (marker == kSos) {
      TVLM_RETURN_IF_ERROR(ReadScanHeader(body, at));
      scans_.back().at = at + 2 + length;
      in_scan = true;
    } else {
      ReadApplication(marker, body);
    }
    at += 2 + length;
  }
  if (components_.empty()) return Bad(at, "the file ends without an image");
  for (const Component& component : components_) {
    if (component.seen) continue;
    Status missing = Bad(at, "the file ends without data for colour component %d", component.id);
    if (scans_.empty()) return missing;
    TVLM_RETURN_IF_ERROR(Tolerate(Defect::kComponent, std::move(missing)));
  }
  return Status();
}

Status JpegDecoder::ReadFrame(uint8_t marker, std::span<const uint8_t> body, size_t at) {
  if (marker > kSof2) {
    const bool arithmetic = marker == 0xc9 || marker == 0xca || marker == 0xcb;
    const char* kind = marker == 0xc3 ? "a lossless"
                       : arithmetic   ? "an arithmetic-coded"
                                      : "a hierarchical";
    return Bad(at, "this is %s JPEG; baseline and progressive ones are decoded here", kind);
  }
  if (!components_.empty()) return Bad(at, "a second frame header");
  if (body.size() < 6)
    return Bad(at, "frame header: at least 6 bytes wanted, %zu found", body.size());
  const size_t count = body[5];
  if (body[0] != 8) return Bad(at, "8 bits a sample wanted, %d found", body[0]);
  if (count != 1 && count != 3 && count != 4)
    return Bad(at, "1, 3 or 4 colour components wanted, %zu found", count);
  if (body.size() != 6 + 3 * count)
    return Bad(at, "frame header of %zu components: %zu bytes wanted, %zu found", count,
               6 + 3 * count, body.size());
  height_ = size_t{body[1]} << 8 | body[2];
  width_ = size_t{body[3]} << 8 | body[4];
  TVLM_RETURN_IF_ERROR(CheckImageSize(width_, height_));
  progressive_ = marker == kSof2;

  std::vector<Component> components(count);
  for (size_t i = 0; i < count; ++i) {
    Component& component = components[i];
    component.id = body[6 + 3 * i];
    component.h = body[7 + 3 * i] >> 4;
    component.v = body[7 + 3 * i] & 15;
    component.quant_index = body[8 + 3 * i];
    for (size_t j = 0; j < i; ++j) {
      if (components[j].id == component.id)
        return Bad(at, "two colour components have the id %d", component.id);
    }
    if (component.h < 1 || component.h > 4 || component.v < 1 || component.v > 4) {
      return Bad(at, "sampling factors 1..4 wanted, %zux%zu found", component.h, component.v);
    }
    if (component.quant_index > 3)
      return Bad(at, "quantisation table 0..3 wanted, %zu found", component.quant_index);
    max_h_ = std::max(max_h_, component.h);
    max_v_ = std::max(max_v_, component.v);
  }
  mcus_w_ = CeilDiv(width_, kBlock * max_h_);
  mcus_h_ = CeilDiv(height_, kBlock * max_v_);
  for (Component& component : components) {
    if (max_h_ % component.h != 0 || max_v_ % component.v != 0) {
      return Bad(
          at,
          "colour component %d is sampled %zux%zu of %zux%zu; only whole ratios are decoded here",
          component.id, component.h, component.v, max_h_, max_v_);
    }
    component.width = CeilDiv(width_ * component.h, max_h_);
    component.height = CeilDiv(height_ * component.v, max_v_);
    component.blocks_w = CeilDiv(component.width, kBlock);
    component.blocks_h = CeilDiv(component.height, kBlock);
    component.padded_w = mcus_w_ * component.h;
    std::fill(std::begin(component.known_bits), std::end(component.known_bits), int8_t{-1});
    // Each block costs at least a bit, so a short file cannot claim a large image; nothing has been
    // allocated yet.
    if (uint64_t{component.blocks_w} * component.blocks_h > uint64_t{segments_.size() - at} * 8) {
      return Bad(at, "%zux%zu pixels are promised, the %zu bytes that follow are too few for that",
                 width_, height_, segments_.size() - at);
    }
  }
  components_ = std::move(components);
  return Status();
}

Status JpegDecoder::ReadQuantTables(std::span<const uint8_t> body, size_t at) {
  while (!body.empty()) {
    const bool wide = body[0] >> 4 != 0;
    const size_t index = body[0] & 15, bytes = kBlockSamples * (wide ? 2 : 1);
    if (body[0] >> 4 > 1 || index > 3)
      return Bad(at, "quantisation table: precision 0..1 and slot 0..3 wanted, %02x found",
                 body[0]);
    if (body.size() < 1 + bytes)
      return Bad(at, "quantisation table: %zu bytes wanted, %zu found", bytes, body.size() - 1);
    QuantTable& table = quant_[index];
    for (size_t k = 0; k < kBlockSamples; ++k) {
      table.step[kZigzag[k]] =
          wide ? static_cast<uint16_t>(body[1 + 2 * k] << 8 | body[2 + 2 * k]) : body[1 + k];
    }
    table.defined = true;
    body = body.subspan(1 + bytes);
  }
  return Status();
}

Status JpegDecoder::ReadHuffmanTables(std::span<const uint8_t> body, size_t at) {
  while (!body.empty()) {
    if (body.size() < 17)
      return Bad(at, "Huffman table: at least 17 bytes wanted, %zu found", body.size());
    const size_t kind = body[0] >> 4, slot = body[0] & 15;
    if (kind > 1 || slot > 3)
      return Bad(at, "Huffman table: class 0..1 and slot 0..3 wanted, %02x found", body[0]);
    const std::span<const uint8_t, 16> counts = body.subspan<1, 16>();
    size_t symbols = 0;
    for (const uint8_t count : counts) symbols += count;
    if (body.size() < 17 + symbols)
      return Bad(at, "Huffman table: %zu symbols wanted, %zu found", symbols, body.size() - 17);
    const std::span<const uint8_t> values = body.subspan(17, symbols);
    // Scans keep the tables that they were defined with.
    auto table = std::make_shared<HuffmanTable>();
    if (!table->Build(counts, values))
      return Bad(at, "Huffman table: the lengths do not form a code");
    // A DC symbol is a number of bits.
    if (kind == 0 &&
        std::any_of(values.begin(), values.end(), [](uint8_t value) { return value > 15; })) {
      return Bad(at, "Huffman table: a DC symbol above 15");
    }
    huffman_[kind][slot] = std::move(table);
    body = body.subspan(17 + symbols);
  }
  return Status();
}

void JpegDecoder::ReadApplication(uint8_t marker, std::span<const uint8_t> body) {
  const auto begins_with = [&](const char* text, size_t size) {
    return body.size() >= size && std::memcmp(body.data(), text, size) == 0;
  };
  // Their length is given. NOLINTBEGIN(bugprone-string-literal-with-embedded-nul)
  if (marker == kApp0 && begins_with("JFIF\0", 5)) jfif_ = true;
  // The multi-picture format; XMP of motion photos and of images with a gain map.
  if (marker == kApp2 && begins_with("MPF\0", 4)) more_images_ = true;
  if (marker == kApp1 && begins_with("http://ns.adobe.com/xap/", 24)) {
    const std::string_view xmp(reinterpret_cast<const char*>(body.data()), body.size());
    for (const char* word : {"Container:Directory", "MicroVideo"})
      more_images_ = more_images_ || xmp.find(word) != std::string_view::npos;
  }
  if (marker == kApp14 && body.size() >= 12 && begins_with("Adobe", 5)) adobe_transform_ = body[11];
  if (marker == kApp1 && !exif_ && begins_with("Exif\0\0", 6)) {
    exif_ = true;
    orientation_ = ReadOrientation(body.subspan(6));
  }
  // NOLINTEND(bugprone-string-literal-with-embedded-nul)
}

Status JpegDecoder::ReadScanHeader(std::span<const uint8_t> body, size_t at) {
  if (components_.empty()) return Bad(at, "image data before the frame header");
  const size_t count = body.empty() ? 0 : body[0];
  if (count < 1 || count > components_.size())
    return Bad(at, "a scan of 1..%zu colour components wanted, %zu found", components_.size(),
               count);
  if (body.size() != 4 + 2 * count)
    return Bad(at, "scan header of %zu components: %zu bytes wanted, %zu found", count,
               4 + 2 * count, body.size());
  Scan scan;
  scan.restart_interval = scan.until_restart = restart_interval_;
  if (progressive_) {
    scan.first = body[1 + 2 * count];
    scan.last = body[2 + 2 * count];
    scan.high = body[3 + 2 * count] >> 4;
    scan.low = body[3 + 2 * count] & 15;
    const bool dc = scan.first == 0;
    if (scan.last > 63 || scan.first > scan.last || (dc ? scan.last != 0 : count != 1) ||
        scan.low > 13 || (scan.high != 0 && scan.low != scan.high - 1)) {
      return Bad(at,
                 "a progressive scan of coefficients %zu..%zu, bit planes %d to %d, of %zu "
                 "components cannot be",
                 scan.first, scan.last, scan.high, scan.low, count);
    }
  }
  size_t blocks = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t id = body[1 + 2 * i], tables = body[2 + 2 * i];
    const auto found = std::find_if(components_.begin(), components_.end(),
                                    [&](const Component& component) { return component.id == id; });
    if (found == components_.end())
      return Bad(at, "a scan of colour component %d, which the frame header does not name", id);
    Component& component = *found;
    if (std::any_of(scan.components.begin(), scan.components.end(),
                    [&](const Coded& coded) { return coded.component == &component; })) {
      return Bad(at, "colour component %d twice in a scan", id);
    }
    const size_t dc_table = tables >> 4, ac_table = tables & 15;
    if (dc_table > 3 || ac_table > 3)
      return Bad(at, "Huffman tables 0..3 wanted, %02x found", tables);
    if (!component.seen) {
      if (!quant_[component.quant_index].defined)
        return Bad(at, "quantisation table %zu is missing", component.quant_index);
      component.quant = quant_[component.quant_index];
      component.seen = true;
    } else if (!progressive_) {
      return Bad(at, "colour component %d is coded twice", id);
    }
    if (progressive_) {
      // Each bit plane comes once and in order; this also bounds the number of scans.
      for (size_t k = scan.first; k <= scan.last; ++k) {
        // A number, -1 included. NOLINTNEXTLINE(bugprone-signed-char-misuse)
        const int known = component.known_bits[k];
        if (scan.high == 0 ? known != -1 : known != scan.high)
          return Bad(at, "the scan of bit plane %d of coefficient %zu comes out of order", scan.low,
                     k);
        component.known_bits[k] = static_cast<int8_t>(scan.low);
      }
    }
    const bool needs_dc = scan.first == 0 && scan.high == 0, needs_ac = scan.last > 0;
    Coded coded;
    coded.component = &component;
    if (needs_dc) {
      TVLM_ASSIGN_OR_RETURN(coded.dc, Table(0, dc_table, at));
    }
    if (needs_ac) {
      TVLM_ASSIGN_OR_RETURN(coded.ac, Table(1, ac_table, at));
    }
    blocks += component.h * component.v;
    scan.components.push_back(std::move(coded));
  }
  constexpr size_t kMaxBlocks = 10;  // T.81, B.2.3
  if (count > 1 && blocks > kMaxBlocks)
    return Bad(at, "at most %zu blocks in an MCU wanted, %zu found", kMaxBlocks, blocks);
  scans_.push_back(std::move(scan));
  return Status();
}

// The table in a slot; where none has been defined, the standard one.
Result<std::shared_ptr<const HuffmanTable>> JpegDecoder::Table(size_t kind, size_t slot,
                                                               size_t at) {
  if (huffman_[kind][slot] == nullptr) {
    if (slot > 1) return Bad(at, "%s Huffman table %zu is missing", kind == 0 ? "DC" : "AC", slot);
    auto table = std::make_shared<HuffmanTable>();
    if (kind == 0) {
      table->Build(kStandardDcCounts[slot], kStandardDcSymbols);
    } else {
      table->Build(kStandardAcCounts[slot], kStandardAcSymbols[slot]);
    }
    huffman_[kind][slot] = std::move(table);
  }
  return huffman_[kind][slot];
}

// More bytes than the reader goes on while it reads a block: 64 codes of 16 bits with 15 bits of a
// value each, and some ahead, of which every byte may be stuffed.
constexpr size_t kMostBlockBytes = 1024;

Status JpegDecoder::Refill(Scan& scan, std::span<const uint8_t>& seen) {
  if (!seen.empty()) scan.at += static_cast<size_t>(scan.reader.next() - seen.data());
  TVLM_ASSIGN_OR_RETURN(seen, window_.At(scan.at, kMostBlockBytes));
  scan.reader.Move(seen);
  return Status();
}

// Where the marker is not the wanted one, the decision is libjpeg's: one of the next two means that
// the wanted one is missing, and that there is no data for this interval; one of the last two is
// left over; any other is taken for the wanted one with a damaged number.
Status JpegDecoder::SkipRestart(Scan& scan, std::span<const uint8_t>& seen) {
  const size_t here = scan.at + static_cast<size_t>(scan.reader.next() - seen.data());
  TVLM_ASSIGN_OR_RETURN(size_t found, FindMarker(here, /*in_scan=*/false));
  const uint8_t wanted = static_cast<uint8_t>(kRst0 + scan.restarts++ % 8);
  bool resumes = false;
  for (;;) {
    seen = {};
    scan.at = found;
    TVLM_RETURN_IF_ERROR(Refill(scan, seen));
    const uint8_t marker = seen.size() < 2 ? uint8_t{kEoi} : seen[1];
    if (marker != wanted) {
      TVLM_RETURN_IF_ERROR(
          Tolerate(Defect::kRestart,
                   Bad(found, "the restart marker %02x is missing; the file is damaged", wanted)));
    }
    const bool restart = marker >= kRst0 && marker <= kRst7;
    const int ahead = (marker - wanted) & 7;
    if (restart ? ahead >= 6 : marker < kSof0) {
      TVLM_ASSIGN_OR_RETURN(found, FindMarker(found + 2, /*in_scan=*/false));
      continue;
    }
    resumes = restart && ahead != 1 && ahead != 2;
    scan.ended = !restart;
    break;
  }
  scan.reader.Restart(resumes ? seen.subspan(2) : seen);
  if (resumes) scan.exhausted = false;
  for (Coded& coded : scan.components) coded.dc_prediction = 0;
  scan.end_of_band_run = 0;
  scan.until_restart = scan.restart_interval;
  return Status();
}

Result<bool> JpegDecoder::TrailerIsKnown(size_t end) {
  const size_t size = segments_.size();
  if (more_images_ || end == size) return true;
  // What Samsung's cameras append ends with these letters.
  constexpr std::string_view kSamsung = "SEFT";
  if (size - end < kSamsung.size()) return false;
  TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes,
                        segments_.At(size - kSamsung.size(), kSamsung.size()));
  return std::memcmp(bytes.data(), kSamsung.data(), kSamsung.size()) == 0;
}

JpegDecoder::Units JpegDecoder::UnitsOf(const Scan& scan) const {
  const Component& first = *scan.components[0].component;
  if (scan.components.size() == 1) return {first.blocks_w, first.blocks_h};
  return {mcus_w_, mcus_h_};
}

Result<bool> JpegDecoder::RestartsInStep(const Scan& scan) {
  const Units units = UnitsOf(scan);
  const size_t interval = scan.restart_interval;
  const size_t wanted = interval == 0 ? 0 : CeilDiv(units.width * units.height, interval) - 1;
  size_t at = scan.at;
  for (size_t restarts = 0;; ++restarts) {
    TVLM_ASSIGN_OR_RETURN(at, FindMarker(at, /*in_scan=*/false));
    TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, segments_.At(at, 2));
    const bool restart = bytes.size() >= 2 && bytes[1] >= kRst0 && bytes[1] <= kRst7;
    // Some cameras write one more behind the last interval, where every decoder skips it.
    if (!restart) return restarts >= wanted;
    if (bytes[1] != kRst0 + restarts % 8) return false;
    at += 2;
  }
}

void JpegDecoder::EmptyBlock(Coded& coded, size_t x, size_t y) const {
  Component& component = *coded.component;
  if (!progressive_) InverseDctFlat(0, component.Samples(x, y), component.stride());
}

Status JpegDecoder::DecodeScan(Scan& scan, size_t begin, size_t end) {
  // A scan of one component codes its own blocks in rows; of several, MCUs with h x v blocks of
  // each.
  const Component& first = *scan.components[0].component;
  const bool alone = scan.components.size() == 1;
  const auto [units_w, units_h] = UnitsOf(scan);
  if (alone) {
    begin = std::min(begin * first.v, units_h);
    end = std::min(end * first.v, units_h);
  }
  std::span<const uint8_t> seen;  // what the reader reads from, of the file from scan.at on
  TVLM_RETURN_IF_ERROR(Refill(scan, seen));
  // Scans without data leave coefficients as they are: thousands of them must cost nothing.
  const auto is_over = [&] { return progressive_ && scan.exhausted && scan.ended; };
  for (size_t y = begin; y < end && !is_over(); ++y) {
    for (size_t x = 0; x < units_w; ++x) {
      if (scan.restart_interval != 0 && !scan.ended && scan.until_restart-- == 0) {
        TVLM_RETURN_IF_ERROR(SkipRestart(scan, seen));
        --scan.until_restart;
      }
      Fault fault = Fault::kNone;
      for (Coded& coded : scan.components) {
        const size_t h = alone ? 1 : coded.component->h, v = alone ? 1 : coded.component->v;
        for (size_t i = 0; i < h * v; ++i) {
          const size_t block_x = x * h + i % h, block_y = y * v + i / h;
          if (scan.exhausted) {
            EmptyBlock(coded, block_x, block_y);
            continue;
          }
          if (scan.reader.left() < kMostBlockBytes && scan.at + seen.size() < window_.size()) {
            TVLM_RETURN_IF_ERROR(Refill(scan, seen));
          }
          const Fault found = DecodeBlock(scan, coded, block_x, block_y);
          if (fault == Fault::kNone) fault = found;
        }
      }
      if (scan.exhausted || (!scan.reader.overrun() && fault == Fault::kNone)) continue;
      const size_t here = scan.at + static_cast<size_t>(scan.reader.next() - seen.data());
      if (!scan.reader.overrun()) {
        TVLM_RETURN_IF_ERROR(Tolerate(
            Defect::kCode,
            Bad(here, "damaged image data, %s, in block %zu of row %zu", FaultText(fault), x, y)));
        continue;
      }
      Status cut = Bad(here,
                       "the image data ends in block %zu of row %zu, %zux%zu blocks wanted; the "
                       "file is cut off or damaged",
                       x, y, units_w, units_h);
      // Of an image without any data there is nothing to show.
      if (&scan == &scans_.front() && x == 0 && y == 0) return cut;
      TVLM_RETURN_IF_ERROR(Tolerate(Defect::kData, std::move(cut)));
      scan.exhausted = true;
      if (scan.restart_interval == 0) scan.ended = true;
    }
  }
  scan.at += static_cast<size_t>(scan.reader.next() - seen.data());
  return Status();
}

Fault JpegDecoder::DecodeBlock(Scan& scan, Coded& coded, size_t x, size_t y) {
  Component& component = *coded.component;
  BitReader& reader = scan.reader;
  Fault fault = Fault::kNone;
  if (!progressive_) {
    fault = DecodeSequential(coded, reader, component.Samples(x, y));
  } else if (int16_t* const block = component.Block(x, y); scan.first > 0) {
    fault = scan.high == 0 ? DecodeAcFirst(scan, coded, block) : DecodeAcRefine(scan, coded, block);
  } else if (scan.high == 0) {
    fault = DecodeDcFirst(scan, coded, reader, block);
  } else if (reader.Bit()) {
    block[0] = static_cast<int16_t>(block[0] | 1 << scan.low);
  }
  return reader.TakeBadCode() ? Fault::kCode : fault;
}

inline int16_t ClampCoefficient(int32_t value) {
  return static_cast<int16_t>(std::clamp<int32_t>(value, INT16_MIN, INT16_MAX));
}

// Adds the coded difference to the component's prediction.
inline Fault JpegDecoder::DcDifference(Coded& coded, BitReader& reader) {
  const int bits = reader.Symbol(*coded.dc);
  const int32_t value = coded.dc_prediction + reader.Signed(bits);
  coded.dc_prediction = ClampCoefficient(value);
  return coded.dc_prediction == value ? Fault::kNone : Fault::kValue;
}

inline int16_t Dequantise(int32_t value, int32_t step) {
  return static_cast<int16_t>(std::clamp(value * step, -kMaxCoefficient, kMaxCoefficient));
}

Fault JpegDecoder::DecodeSequential(Coded& coded, BitReader& reader, uint8_t* out) {
  Fault fault = DcDifference(coded, reader);
  const Component& component = *coded.component;
  const uint16_t* step = component.quant.step;
  alignas(16) int16_t block[kBlockSamples] = {};
  block[0] = Dequantise(coded.dc_prediction, step[0]);
  const HuffmanTable& table = *coded.ac;
  bool flat = true;
  for (size_t k = 1; k < kBlockSamples; ++k) {
    const int symbol = reader.Symbol(table);
    const int run = symbol >> 4, bits = symbol & 15;
    k += static_cast<size_t>(run);
    if (bits == 0) {
      if (run == 15) continue;
      break;
    }
    if (k >= kBlockSamples) fault = Fault::kRun;
    const size_t position = PositionOf(k);
    block[position] = Dequantise(reader.Signed(bits), step[position]);
    flat = false;
  }
  if (flat) {
    InverseDctFlat(block[0], out, component.stride());
  } else {
    InverseDct(block, out, component.stride());
  }
  return fault;
}

Fault JpegDecoder::DecodeDcFirst(const Scan& scan, Coded& coded, BitReader& reader,
                                 int16_t* block) {
  const Fault fault = DcDifference(coded, reader);
  const int32_t value = coded.dc_prediction * (1 << scan.low);
  block[0] = ClampCoefficient(value);
  return block[0] == value ? fault : Fault::kValue;
}

Fault JpegDecoder::DecodeAcFirst(Scan& scan, const Coded& coded, int16_t* block) {
  BitReader& reader = scan.reader;
  if (scan.end_of_band_run > 0) {
    --scan.end_of_band_run;
    return Fault::kNone;
  }
  Fault fault = Fault::kNone;
  const HuffmanTable& table = *coded.ac;
  for (size_t k = scan.first; k <= scan.last; ++k) {
    const int symbol = reader.Symbol(table);
    const int run = symbol >> 4, bits = symbol & 15;
    if (bits == 0 && run < 15) {
      scan.end_of_band_run = (1u << run) + reader.Bits(run) - 1;
      break;
    }
    k += static_cast<size_t>(run);
    if (bits == 0) continue;
    if (k > scan.last) fault = Fault::kRun;
    const int32_t value = reader.Signed(bits) * (1 << scan.low);
    int16_t& coefficient = block[PositionOf(k)];
    coefficient = ClampCoefficient(value);
    if (coefficient != value) fault = Fault::kValue;
  }
  return fault;
}

Fault JpegDecoder::DecodeAcRefine(Scan& scan, const Coded& coded, int16_t* block) {
  BitReader& reader = scan.reader;
  const int plane = 1 << scan.low;
  // A coefficient that is not zero yet gets a correction bit, away from zero.
  const auto correct = [&](int16_t& value) {
    if (reader.Bit() && (value & plane) == 0)
      value = static_cast<int16_t>(value + (value >= 0 ? plane : -plane));
  };
  Fault fault = Fault::kNone;
  const HuffmanTable& table = *coded.ac;
  size_t k = scan.first;
  while (scan.end_of_band_run == 0 && k <= scan.last) {
    const int symbol = reader.Symbol(table);
    int run = symbol >> 4;
    const int bits = symbol & 15;
    int fresh = 0;
    if (bits != 0) {
      if (bits != 1) fault = Fault::kCode;
      fresh = reader.Bit() ? plane : -plane;
    } else if (run < 15) {
      scan.end_of_band_run = (1u << run) + reader.Bits(run);
      break;
    }
    // The run counts zero coefficients; the new one goes to the zero behind it.
    for (;; ++k) {
      if (k > scan.last) {
        if (fresh != 0) {
          fault = Fault::kRun;
          block[PositionOf(k)] = static_cast<int16_t>(fresh);
        }
        break;
      }
      int16_t& value = block[kZigzag[k]];
      if (value != 0) {
        correct(value);
      } else if (run-- == 0) {
        value = static_cast<int16_t>(fresh);
        ++k;
        break;
      }
    }
  }
  if (scan.end_of_band_run > 0) {
    --scan.end_of_band_run;
    for (; k <= scan.last; ++k) {
      int16_t& value = block[kZigzag[k]];
      if (value != 0) correct(value);
    }
  }
  return fault;
}

// ---- bands of MCU rows ---------------------------------------------------------

size_t JpegDecoder::BandRows() const {
  if (scans_.size() == 1) return 1;
  uint64_t samples = 0;  // of an MCU row
  for (const Component& component : components_)
    samples += uint64_t{component.padded_w} * component.v * kBlockSamples;
  const uint64_t bytes = samples * (progressive_ ? 1 + sizeof(int16_t) : 1);
  return static_cast<size_t>(std::clamp<uint64_t>(band_bytes_ / bytes, 1, mcus_h_));
}

Status JpegDecoder::AllocateBand(size_t rows) {
  for (Component& component : components_) {
    const uint64_t blocks = uint64_t{component.padded_w} * component.v * rows;
    TVLM_ASSIGN_OR_RETURN(
        component.plane, AlignedBuffer<uint8_t>::Allocate(
                             component.stride() + blocks * kBlockSamples, "image's colour planes"));
    if (progressive_) {
      TVLM_ASSIGN_OR_RETURN(
          component.coefficients,
          AlignedBuffer<int16_t>::Allocate(blocks * kBlockSamples, "image's coefficients"));
    }
    // What no scan codes is the value of coefficients that are zero.
    if (!component.seen) std::fill_n(component.plane.data(), component.plane.size(), uint8_t{128});
  }
  // At least as wide as every enlarged row.
  const uint64_t width = mcus_w_ * max_h_ * kBlock;
  TVLM_ASSIGN_OR_RETURN(
      full_rows_, AlignedBuffer<uint8_t>::Allocate(components_.size() * width, "image's rows"));
  TVLM_ASSIGN_OR_RETURN(sums_, AlignedBuffer<uint16_t>::Allocate(width, "image's rows"));
  TVLM_ASSIGN_OR_RETURN(rgb_,
                        AlignedBuffer<uint8_t>::Allocate(uint64_t{3} * width_, "image's rows"));
  return Status();
}

Status JpegDecoder::DecodeBands(RowSink* sink) {
  const size_t band = BandRows(), mcu_height = max_v_ * kBlock;
  TVLM_RETURN_IF_ERROR(AllocateBand(band));
  if (sink != nullptr)
    TVLM_RETURN_IF_ERROR(sink->Begin(width_, height_, exact_ ? 1 : orientation_));
  size_t sent = 0;
  for (size_t begin = 0; begin < mcus_h_; begin += band) {
    const size_t end = std::min(begin + band, mcus_h_);
    for (Component& component : components_) {
      component.first_block_row = begin * component.v;
      std::fill_n(component.coefficients.data(), component.coefficients.size(), int16_t{0});
    }
    for (Scan& scan : scans_) TVLM_RETURN_IF_ERROR(DecodeScan(scan, begin, end));
    if (sink == nullptr) continue;
    if (progressive_) TransformCoefficients(begin, end);
    // The last row may be interpolated with the first of the next band.
    const size_t complete = end == mcus_h_ ? height_ : end * mcu_height - 1;
    TVLM_RETURN_IF_ERROR(SendRows(sent, complete, *sink));
    sent = complete;
    for (Component& component : components_) {
      std::memcpy(component.plane.data(), component.Row(end * component.v * kBlock - 1),
                  component.stride());
    }
  }
  return Status();
}

// Progressive images: the coefficients of MCU rows begin..end -> samples.
void JpegDecoder::TransformCoefficients(size_t begin, size_t end) {
  for (Component& component : components_) {
    for (size_t y = begin * component.v; y < end * component.v; ++y) {
      for (size_t x = 0; x < component.blocks_w; ++x) {
        const int16_t* from = component.Block(x, y);
        int16_t block[kBlockSamples];
        for (size_t i = 0; i < kBlockSamples; ++i)
          block[i] = Dequantise(from[i], component.quant.step[i]);
        InverseDct(block, component.Samples(x, y), component.stride());
      }
    }
  }
}

// ---- from planes to pixels ---------------------------------------------------
// libjpeg's triangle filter: a pixel is 3/4 of the nearer sample and 1/4 of the farther one. The
// rounding alternates, so that the mean brightness is kept.

void UpsampleTwice(const uint8_t* in, size_t width, uint8_t* out) {
  out[0] = in[0];
  out[1] = static_cast<uint8_t>((3 * in[0] + in[1] + 2) >> 2);
  for (size_t x = 1; x + 1 < width; ++x) {
    out[2 * x] = static_cast<uint8_t>((3 * in[x] + in[x - 1] + 1) >> 2);
    out[2 * x + 1] = static_cast<uint8_t>((3 * in[x] + in[x + 1] + 2) >> 2);
  }
  out[2 * width - 2] = static_cast<uint8_t>((3 * in[width - 1] + in[width - 2] + 1) >> 2);
  out[2 * width - 1] = in[width - 1];
}

// `sums` has room for width values.
void UpsampleTwiceBothWays(const uint8_t* near, const uint8_t* far, size_t width, uint16_t* sums,
                           uint8_t* out) {
  for (size_t x = 0; x < width; ++x) sums[x] = static_cast<uint16_t>(3 * near[x] + far[x]);
  out[0] = static_cast<uint8_t>((4 * sums[0] + 8) >> 4);
  out[1] = static_cast<uint8_t>((3 * sums[0] + sums[1] + 7) >> 4);
  for (size_t x = 1; x + 1 < width; ++x) {
    out[2 * x] = static_cast<uint8_t>((3 * sums[x] + sums[x - 1] + 8) >> 4);
    out[2 * x + 1] = static_cast<uint8_t>((3 * sums[x] + sums[x + 1] + 7) >> 4);
  }
  out[2 * width - 2] = static_cast<uint8_t>((3 * sums[width - 1] + sums[width - 2] + 8) >> 4);
  out[2 * width - 1] = static_cast<uint8_t>((4 * sums[width - 1] + 7) >> 4);
}

// Row y of the image from one component, at full width. Returns `out`, or the component's own row
// if it needs no upsampling.
const uint8_t* FullRow(Component& component, size_t max_h, size_t max_v, size_t y, uint16_t* sums,
                       uint8_t* out) {
  const size_t across = max_h / component.h, down = max_v / component.v;
  const size_t row = y / down;
  const uint8_t* in = component.Row(row);
  // The second of the two rows that this one is interpolated from; at the edges the row itself.
  const bool below = y % 2 == 1;
  const auto far = [&] {
    return component.Row(below ? std::min(row + 1, component.height - 1) : row - (row > 0 ? 1 : 0));
  };
  const bool smooth = component.width > 2;  // libjpeg repeats the samples of narrower planes
  if (across == 1 && down == 1) return in;
  if (across == 2 && down == 1 && smooth) {
    UpsampleTwice(in, component.width, out);
  } else if (across == 2 && down == 2 && smooth) {
    UpsampleTwiceBothWays(in, far(), component.width, sums, out);
  } else if (across == 1 && down == 2) {
    const int bias = below ? 2 : 1;
    const uint8_t* other = far();
    for (size_t x = 0; x < component.width; ++x)
      out[x] = static_cast<uint8_t>((3 * in[x] + other[x] + bias) >> 2);
  } else {
    for (size_t x = 0; x < component.width; ++x) std::memset(out + x * across, in[x], across);
  }
  return out;
}

inline uint8_t Clamp255(int32_t value) { return static_cast<uint8_t>(std::clamp(value, 0, 255)); }

// BT.601 in 16 fraction bits, JFIF's full range.
struct Rgb {
  uint8_t r, g, b;
};
inline Rgb FromYcc(int32_t y, int32_t cb, int32_t cr) {
  constexpr int32_t kHalf = 1 << 15;
  cb -= 128;
  cr -= 128;
  return {Clamp255(y + ((91881 * cr + kHalf) >> 16)),
          Clamp255(y + ((-22554 * cb - 46802 * cr + kHalf) >> 16)),
          Clamp255(y + ((116130 * cb + kHalf) >> 16))};
}

// One channel of CMYK -> RGB, from an ink value and black as Adobe stores them (255: none), rounded
// as Pillow does.
inline uint8_t Inked(int32_t ink, int32_t light) {
  const int32_t scaled = (255 - ink) * light + 128;
  return Clamp255(light - (((scaled >> 8) + scaled) >> 8));
}

void YccToRgb(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, size_t width, uint8_t* out) {
  for (size_t x = 0; x < width; ++x) {
    const Rgb rgb = FromYcc(y[x], cb[x], cr[x]);
    out[3 * x] = rgb.r;
    out[3 * x + 1] = rgb.g;
    out[3 * x + 2] = rgb.b;
  }
}

bool JpegDecoder::IsYcc() const {
  if (components_.size() == 4) return adobe_transform_ > 0;
  if (components_.size() != 3) return false;
  const bool named_rgb =
      components_[0].id == 'R' && components_[1].id == 'G' && components_[2].id == 'B';
  return jfif_ || (adobe_transform_ >= 0 ? adobe_transform_ != 0 : !named_rgb);
}

Status JpegDecoder::SendRows(size_t begin, size_t end, RowSink& sink) {
  const size_t count = components_.size(), width = sums_.size();
  const bool ycc = IsYcc();
  for (size_t y = begin; y < end; ++y) {
    const uint8_t* in[kMaxComponents] = {};
    for (size_t i = 0; i < count; ++i) {
      in[i] =
          FullRow(components_[i], max_h_, max_v_, y, sums_.data(), full_rows_.data() + i * width);
    }
    uint8_t* out = rgb_.data();
    if (count == 3 && ycc) {
      YccToRgb(in[0], in[1], in[2], width_, out);
    } else {
      for (size_t x = 0; x < width_; ++x, out += 3) {
        if (count == 4) {
          Rgb ink = {in[0][x], in[1][x], in[2][x]};
          if (ycc) {
            const Rgb inverse = FromYcc(in[0][x], in[1][x], in[2][x]);
            ink = {static_cast<uint8_t>(255 - inverse.r), static_cast<uint8_t>(255 - inverse.g),
                   static_cast<uint8_t>(255 - inverse.b)};
          }
          out[0] = Inked(ink.r, in[3][x]);
          out[1] = Inked(ink.g, in[3][x]);
          out[2] = Inked(ink.b, in[3][x]);
        } else {
          for (size_t c = 0; c < 3; ++c) out[c] = in[count == 1 ? 0 : c][x];
        }
      }
    }
    TVLM_RETURN_IF_ERROR(sink.Row(rgb_.data()));
  }
  return Status();
}

}  // namespace

Status DecodeJpeg(const ByteSource& source, bool exact, RowSink& sink,
                  std::vector<std::string>* warnings, size_t band_bytes) {
  return JpegDecoder(source, exact, warnings, band_bytes).Decode(sink);
}

Result<bool> InspectJpeg(const ByteSource& source, std::vector<std::string>& warnings) {
  return JpegDecoder(source, false, &warnings, kJpegBandBytes).Inspect();
}

}  // namespace tinyvlm
