#include "image/png.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "base/rounding.h"
#include "image/exif.h"
#include "image/image.h"
#include "image/png_crc.h"
#include "zlib.h"

namespace tinyvlm {

namespace {

uint32_t BigEndian32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

// ---- chunks --------------------------------------------------------------------

constexpr size_t kFrame = 12;  // length, type and CRC around a chunk's content
constexpr size_t kPalette = 256;

enum ColorType : uint8_t { kGray = 0, kRgb = 2, kIndexed = 3, kGrayAlpha = 4, kRgba = 6 };

// What stands before the image data.
struct PngHeader {
  size_t width = 0, height = 0;
  uint32_t depth = 8;  // bits a sample
  ColorType color = kGray;
  bool interlaced = false;
  size_t palette_size = 0;
  uint8_t palette[kPalette][4];  // R, G, B, A
  bool has_key = false;          // tRNS: the samples of a colour that is transparent
  uint32_t key[3] = {};
  size_t first_data = 0;    // byte of the first IDAT chunk
  uint64_t data_bytes = 0;  // of all IDAT chunks
  int orientation = 1;      // of the first eXIf chunk

  size_t channels() const {
    switch (color) {
      case kGray:
      case kIndexed:
        return 1;
      case kGrayAlpha:
        return 2;
      case kRgb:
        return 3;
      case kRgba:
        return 4;
    }
    return 0;
  }
  uint64_t bits_per_pixel() const { return uint64_t{depth} * channels(); }
  // Bytes of a scanline of `pixels` pixels, without its filter byte.
  size_t LineBytes(size_t pixels) const {
    return static_cast<size_t>((pixels * bits_per_pixel() + 7) / 8);
  }
};

// A chunk's type for error messages, if it is four printable characters.
std::string ChunkName(const uint8_t* type) {
  for (int i = 0; i < 4; ++i) {
    if (type[i] < 0x20 || type[i] > 0x7e) return Format("0x%08" PRIx32, BigEndian32(type));
  }
  return std::string(reinterpret_cast<const char*>(type), 4);
}

// Chunks of which a span is given have `length` bytes; of a larger one than any that is valid the
// span is the beginning.

Status ReadHeader(std::span<const uint8_t> content, size_t length, PngHeader& header) {
  constexpr size_t kHeaderBytes = 13;
  if (length != kHeaderBytes) {
    return Error(ErrorCode::kInvalidImage, "PNG: IHDR of %zu bytes wanted, %zu found", kHeaderBytes,
                 length);
  }
  const uint32_t width = BigEndian32(content.data()), height = BigEndian32(content.data() + 4);
  TVLM_RETURN_IF_ERROR(CheckImageSize(width, height));
  header.width = width;
  header.height = height;
  const uint8_t depth = content[8], color = content[9];
  const bool whole_bytes = depth == 8 || depth == 16,
             packed = depth == 1 || depth == 2 || depth == 4;
  const bool valid = color == kGray ? whole_bytes || packed
                     : color == kIndexed
                         ? packed || depth == 8
                         : whole_bytes && (color == kRgb || color == kGrayAlpha || color == kRgba);
  if (!valid) {
    return Error(
        ErrorCode::kInvalidImage,
        "PNG: colour type 0, 2, 3, 4 or 6 and a bit depth that goes with it wanted, colour "
        "type %d and %d bits found",
        color, depth);
  }
  header.depth = depth;
  header.color = static_cast<ColorType>(color);
  const std::pair<const char*, int> methods[] = {
      {"compression", 0}, {"filter", 0}, {"interlace", 1}};
  for (size_t i = 0; i < std::size(methods); ++i) {
    const auto& [name, most] = methods[i];
    if (content[10 + i] > most) {
      return Error(ErrorCode::kInvalidImage, "PNG: %s method 0%s wanted, %d found", name,
                   most == 1 ? " or 1" : "", content[10 + i]);
    }
  }
  header.interlaced = content[12] != 0;
  return Status();
}

Status ReadPalette(std::span<const uint8_t> content, size_t length, size_t at, PngHeader& header) {
  if (header.first_data != 0 || header.palette_size != 0) {
    return Error(ErrorCode::kInvalidImage,
                 "PNG: one palette (PLTE) before the image data wanted, %s found at byte %zu",
                 header.first_data != 0 ? "one behind it" : "a second one", at);
  }
  if (length % 3 != 0)
    return Error(ErrorCode::kInvalidImage,
                 "PNG: a palette (PLTE) of 3 bytes a colour wanted, %zu bytes found", length);
  const size_t colors = length / 3;
  if (colors == 0 || colors > kPalette)
    return Error(ErrorCode::kInvalidImage,
                 "PNG: a palette (PLTE) of 1..%zu colours wanted, %zu found", kPalette, colors);
  header.palette_size = colors;
  for (size_t i = 0; i < colors; ++i) {
    std::copy_n(content.data() + 3 * i, 3, header.palette[i]);
    header.palette[i][3] = 255;
  }
  return Status();
}

Status ReadTransparency(std::span<const uint8_t> content, size_t length, PngHeader& header) {
  const auto wrong = [&](const char* wanted, size_t bytes) {
    return Error(ErrorCode::kInvalidImage,
                 "PNG: transparency (tRNS) of %s%zu bytes wanted, %zu found", wanted, bytes,
                 length);
  };
  if (header.color == kIndexed) {
    if (length > header.palette_size) return wrong("at most ", header.palette_size);
    for (size_t i = 0; i < content.size(); ++i) header.palette[i][3] = content[i];
    return Status();
  }
  if (header.color != kGray && header.color != kRgb) {
    return Error(ErrorCode::kInvalidImage,
                 "PNG: transparency (tRNS) beside an alpha channel, which cannot be");
  }
  const size_t samples = header.channels();
  if (length != 2 * samples) return wrong("", 2 * samples);
  for (size_t c = 0; c < samples; ++c)
    header.key[c] = uint32_t{content[2 * c]} << 8 | content[2 * c + 1];
  header.has_key = true;
  return Status();
}

// The CRC of `length` bytes of content behind the type at `at`, read piece by piece.
Result<uint32_t> ChunkCrc(ByteWindow& window, size_t at, size_t length, const PngCrc& crc) {
  PngCrc::State state = PngCrc::kStart;
  for (size_t left = length + 4; left != 0;) {
    TVLM_ASSIGN_OR_RETURN(std::span<const uint8_t> bytes, window.At(at, 1));
    bytes = bytes.first(std::min(bytes.size(), left));
    state = crc.Update(state, bytes);
    at += bytes.size();
    left -= bytes.size();
  }
  return ~state;
}

// A chunk, as VisitChunks hands it out.
struct Chunk {
  std::array<uint8_t, 4> type;
  std::string name;  // the type for messages
  uint32_t length;   // of the content
  size_t at;         // byte of the chunk
};

// Whether a chunk of a type that is not known here may be skipped.
Status CheckUnknown(const Chunk& chunk) {
  const auto lower = [&](size_t i) { return (chunk.type[i] & 0x20) != 0; };
  for (size_t i = 0; i < 4; ++i) {
    const uint8_t letter = static_cast<uint8_t>(chunk.type[i] | 0x20);
    if (letter < 'a' || letter > 'z' || (i == 2 && lower(i))) {
      return Error(ErrorCode::kInvalidImage,
                   "PNG: a chunk type wanted, %s found at byte %zu; the file is damaged",
                   chunk.name.c_str(), chunk.at);
    }
  }
  if (lower(0)) return Status();
  return Error(ErrorCode::kInvalidImage,
               "PNG: the chunk %s at byte %zu is needed to show the image, and not known here",
               chunk.name.c_str(), chunk.at);
}

// Walks all chunks up to IEND, checks that each lies inside the file and has the right CRC, and
// calls `visit(chunk, content)` for each but IEND, where content(most) gives the content's first
// bytes. Chunks that are not needed to show the image are left out where their CRC is wrong, and
// `warnings` tells of it; where that is null, it is an error. Bytes behind IEND are only told.
template <typename Visit>
Status VisitChunks(const ByteSource& source, std::vector<std::string>* warnings,
                   const Visit& visit) {
  constexpr size_t kWindow = size_t{64} << 10;
  ByteWindow window(source, kWindow);
  const PngCrc crc;
  std::string damaged;  // the first chunk that was left out
  size_t more_damaged = 0;
  for (size_t at = sizeof(kPngSignature);;) {
    const size_t left = source.size() - at;
    if (left < kFrame) {
      return Error(ErrorCode::kInvalidImage,
                   "PNG: the file ends at byte %zu without an IEND chunk; it is cut off",
                   source.size());
    }
    TVLM_ASSIGN_OR_RETURN(std::span<const uint8_t> bytes, window.At(at, 8));
    const uint32_t length = BigEndian32(bytes.data());
    const Chunk chunk = {
        {bytes[4], bytes[5], bytes[6], bytes[7]}, ChunkName(bytes.data() + 4), length, at};
    const std::string& name = chunk.name;
    if (at == sizeof(kPngSignature) && name != "IHDR") {
      return Error(ErrorCode::kInvalidImage,
                   "PNG: IHDR wanted as the first chunk, %s found at byte %zu", name.c_str(), at);
    }
    if (length > left - kFrame) {
      return Error(ErrorCode::kInvalidImage,
                   "PNG: the %s chunk at byte %zu wants %" PRIu32
                   " bytes of content, %zu are left in the file; it is cut off or damaged",
                   name.c_str(), at, length, left - kFrame);
    }
    TVLM_ASSIGN_OR_RETURN(const uint32_t found, ChunkCrc(window, at + 4, length, crc));
    TVLM_ASSIGN_OR_RETURN(bytes, window.At(at + 8 + length, 4));
    const uint32_t wanted = BigEndian32(bytes.data());
    if (wanted == found) {
      if (name == "IEND") {
        if (left > kFrame && warnings != nullptr) {
          warnings->push_back(
              Format("PNG: %zu bytes follow the end of the image (at byte %zu); they are not read",
                     left - kFrame, at + kFrame));
        }
        break;
      }
      TVLM_RETURN_IF_ERROR(visit(chunk, [&](size_t most) -> Result<std::span<const uint8_t>> {
        const size_t count = std::min<size_t>(length, most);
        TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> seen, window.At(at + 8, count));
        return seen.first(count);
      }));
    } else {
      const std::string defect = Format("PNG: the %s chunk at byte %zu is damaged: CRC %08" PRIx32
                                        " wanted, %08" PRIx32 " found",
                                        name.c_str(), at, wanted, found);
      const bool needed = (chunk.type[0] & 0x20) == 0 || !CheckUnknown(chunk).ok();
      if (needed || warnings == nullptr) return Status(ErrorCode::kInvalidImage, defect);
      if (damaged.empty()) {
        damaged = defect + "; it is ignored";
      } else {
        ++more_damaged;
      }
    }
    at += kFrame + length;
  }
  if (more_damaged != 0) damaged += Format(", and %zu more", more_damaged);
  if (!damaged.empty()) warnings->push_back(std::move(damaged));
  return Status();
}

Result<PngHeader> ReadChunks(const ByteSource& source, bool exact,
                             std::vector<std::string>* warnings) {
  // Orientations stand in the first kilobytes of a block; the rest may be a large thumbnail.
  constexpr size_t kMostExif = size_t{1} << 20;
  // More than any of the small chunks may have.
  constexpr size_t kMostSmall = 3 * (kPalette + 1);
  PngHeader header;
  bool exif = false, transparent = false;
  std::string misplaced;  // the first tRNS chunk that was left out
  const auto read = [&](const Chunk& chunk, const auto& content) -> Status {
    const std::string& name = chunk.name;
    if (name == "IDAT") {
      if (header.first_data == 0) header.first_data = chunk.at;
      header.data_bytes += chunk.length;
      return Status();
    }
    if (chunk.at == sizeof(kPngSignature)) {
      TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, content(kMostSmall));
      return ReadHeader(bytes, chunk.length, header);
    }
    if (name == "PLTE") {
      TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, content(kMostSmall));
      return ReadPalette(bytes, chunk.length, chunk.at, header);
    }
    if (name == "tRNS") {
      if (header.first_data != 0 || std::exchange(transparent, true)) {
        // Viewers have drawn the image by then, or have taken the first one.
        const std::string defect =
            Format("PNG: one tRNS chunk before the image data wanted, another found at byte %zu",
                   chunk.at);
        if (warnings == nullptr) return Status(ErrorCode::kInvalidImage, defect);
        if (misplaced.empty()) misplaced = defect + "; it is ignored";
        return Status();
      }
      TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, content(kMostSmall));
      return ReadTransparency(bytes, chunk.length, header);
    }
    TVLM_RETURN_IF_ERROR(CheckUnknown(chunk));
    if (name == "eXIf" && !exif && !exact) {
      exif = true;
      TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, content(kMostExif));
      header.orientation = ReadOrientation(bytes);
    }
    return Status();
  };
  TVLM_RETURN_IF_ERROR(VisitChunks(source, warnings, read));
  if (!misplaced.empty()) warnings->push_back(std::move(misplaced));
  if (header.color == kIndexed && header.palette_size == 0)
    return Error(ErrorCode::kInvalidImage,
                 "PNG: colour type 3 wants a palette, no PLTE chunk found");
  return header;
}

// ---- image data ----------------------------------------------------------------

// The contents of all IDAT chunks, one after the other.
class DataReader {
 public:
  // `chunk`: byte of a chunk.
  DataReader(const ByteSource& source, size_t chunk) : source_(&source), at_(chunk) {}

  // The next bytes; none after the last. Valid until the next call. The chunks have been checked.
  Result<std::span<const uint8_t>> Next() {
    while (left_ == 0) {
      if (ended_) return std::span<const uint8_t>();
      TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> frame, window_.At(at_, 8));
      const uint32_t length = BigEndian32(frame.data());
      const uint8_t* const type = frame.data() + 4;
      at_ += 8;
      if (std::memcmp(type, "IDAT", 4) == 0) {
        left_ = length;
        after_ = at_ + length + 4;
        if (left_ == 0) at_ = after_;
      } else {
        ended_ = std::memcmp(type, "IEND", 4) == 0;
        at_ += size_t{length} + 4;
      }
    }
    TVLM_ASSIGN_OR_RETURN(std::span<const uint8_t> bytes, window_.At(at_, 1));
    bytes = bytes.first(std::min({bytes.size(), left_, kMost}));
    at_ += bytes.size();
    left_ -= bytes.size();
    if (left_ == 0) at_ = after_;
    return bytes;
  }

  // A reader of its own that begins `back` bytes before where this one stands; they were part of
  // what Next gave last.
  DataReader Fork(size_t back) const {
    DataReader other(*source_, at_);
    other.left_ = left_;
    other.after_ = after_;
    other.ended_ = ended_;
    if (back == 0) return other;
    if (left_ == 0) other.at_ = after_ - 4;  // behind the content of the chunk
    other.at_ -= back;
    other.left_ += back;
    return other;
  }

 private:
  static constexpr size_t kWindow = size_t{32} << 10;
  static constexpr size_t kMost = size_t{1} << 30;  // zlib counts in 32 bits

  const ByteSource* source_;
  ByteWindow window_{*source_, kWindow};
  size_t at_;         // next byte of the file
  size_t left_ = 0;   // bytes of content of the chunk that at_ lies in
  size_t after_ = 0;  // the chunk behind it
  bool ended_ = false;
};

// Inflates the image data.
class Inflater {
 public:
  Inflater(Inflater&&) = default;
  Inflater& operator=(Inflater&&) = default;

  static Result<Inflater> Create(const ByteSource& source, size_t first_chunk) {
    Inflater inflater{DataReader(source, first_chunk)};
    if (inflateInit(inflater.stream_.get()) != Z_OK) return NoMemory();
    return inflater;
  }

  // Another one that goes on from here.
  Result<Inflater> Fork() const {
    Inflater other{data_.Fork(stream_->avail_in)};
    if (inflateCopy(other.stream_.get(), stream_.get()) != Z_OK) return NoMemory();
    other.stream_->avail_in = 0;
    other.ended_ = ended_;
    return other;
  }

  // The next `bytes` bytes.
  Status Read(uint8_t* to, size_t bytes) {
    TVLM_ASSIGN_OR_RETURN(const size_t got, Inflate(to, bytes));
    if (got == bytes) return Status();
    return Error(ErrorCode::kInvalidImage,
                 "PNG: the image data ends too early: %zu bytes more wanted in a row; the file is "
                 "damaged",
                 bytes - got);
  }

  // An error unless the data ends here, with the right checksum.
  Status Finish() {
    uint8_t more = 0;
    TVLM_ASSIGN_OR_RETURN(const size_t got, Inflate(&more, 1));
    bool rest = got != 0 || stream_->avail_in != 0;
    if (!rest) {
      TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, data_.Next());
      rest = !bytes.empty();
    }
    if (!rest) return Status();
    return Error(ErrorCode::kInvalidImage,
                 "PNG: more image data than the image has pixels; the file is damaged");
  }

 private:
  struct End {
    void operator()(z_stream* stream) const {
      inflateEnd(stream);  // does nothing where it has not begun
      delete stream;
    }
  };

  explicit Inflater(DataReader data) : data_(std::move(data)), stream_(new z_stream()) {}

  static Status NoMemory() {
    return Error(ErrorCode::kOutOfMemory,
                 "not enough memory to decode the PNG; use a smaller model or context");
  }

  // Up to `bytes` bytes; fewer only where the data ends.
  Result<size_t> Inflate(uint8_t* to, size_t bytes) {
    z_stream& stream = *stream_;
    size_t done = 0;
    while (done < bytes && !ended_) {
      if (stream.avail_in == 0) {
        TVLM_ASSIGN_OR_RETURN(const std::span<const uint8_t> data, data_.Next());
        if (data.empty()) {
          return Error(ErrorCode::kInvalidImage,
                       "PNG: the image data (IDAT) ends in the middle; the file is damaged");
        }
        stream.next_in = const_cast<uint8_t*>(data.data());
        stream.avail_in = static_cast<uInt>(data.size());
      }
      stream.next_out = to + done;
      stream.avail_out = static_cast<uInt>(bytes - done);
      const int code = inflate(&stream, Z_NO_FLUSH);
      done = bytes - stream.avail_out;
      ended_ = code == Z_STREAM_END;
      if (code == Z_MEM_ERROR) return NoMemory();
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
        return Error(ErrorCode::kInvalidImage,
                     "PNG: the image data (IDAT) cannot be inflated: %s; the file is damaged",
                     code == Z_NEED_DICT     ? "a preset dictionary"
                     : stream.msg == nullptr ? "no deflate stream"
                                             : stream.msg);
      }
    }
    return done;
  }

  DataReader data_;
  std::unique_ptr<z_stream, End> stream_;  // zlib's state points back at it: it stays in its place
  bool ended_ = false;
};

// Undoes a scanline's filter. `above`: the line above, zeros for the first; `pixel`: bytes of a
// pixel, at least 1.
Status Unfilter(uint8_t filter, size_t pixel, size_t bytes, const uint8_t* above, uint8_t* line) {
  const auto add = [&](size_t i, int value) { line[i] = static_cast<uint8_t>(line[i] + value); };
  const size_t first = std::min(pixel, bytes);  // bytes without a pixel to the left
  switch (filter) {
    case 0:
      return Status();
    case 1:
      for (size_t i = first; i < bytes; ++i) add(i, line[i - pixel]);
      return Status();
    case 2:
      for (size_t i = 0; i < bytes; ++i) add(i, above[i]);
      return Status();
    case 3:
      for (size_t i = 0; i < first; ++i) add(i, above[i] / 2);
      for (size_t i = first; i < bytes; ++i) add(i, (line[i - pixel] + above[i]) / 2);
      return Status();
    case 4:
      for (size_t i = 0; i < first; ++i) add(i, above[i]);
      for (size_t i = first; i < bytes; ++i) {
        // Paeth: of left, above and above left the one that is nearest to left + above - above
        // left.
        const int a = line[i - pixel], b = above[i], c = above[i - pixel];
        const int to_a = std::abs(b - c), to_b = std::abs(a - c), to_c = std::abs(a + b - 2 * c);
        add(i, to_a <= to_b && to_a <= to_c ? a : to_b <= to_c ? b : c);
      }
      return Status();
    default:
      return Error(ErrorCode::kInvalidImage, "PNG: filter type 0..4 wanted, %d found", filter);
  }
}

// One of the images that an interlaced image consists of; of another the only one.
struct Pass {
  size_t x, y, step_x, step_y;  // its first pixel and the distance of its pixels, in the image
};
constexpr Pass kWhole = {0, 0, 1, 1};
constexpr Pass kAdam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                           {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

// Reads the scanlines of a pass.
class PassReader {
 public:
  static Result<PassReader> Create(const PngHeader& header, const Pass& pass, Inflater data) {
    PassReader reader(header, pass, std::move(data));
    const size_t bytes = kFilterAt + 1 + reader.line_bytes_;
    for (AlignedBuffer<uint8_t>& line : reader.lines_) {
      TVLM_ASSIGN_OR_RETURN(line, AlignedBuffer<uint8_t>::Allocate(bytes, "image's rows"));
      std::fill_n(line.data(), bytes, uint8_t{0});
    }
    return reader;
  }

  static size_t Columns(const PngHeader& header, const Pass& pass) {
    return header.width > pass.x ? CeilDiv(header.width - pass.x, pass.step_x) : 0;
  }
  static size_t Rows(const PngHeader& header, const Pass& pass) {
    return header.height > pass.y ? CeilDiv(header.height - pass.y, pass.step_y) : 0;
  }

  const Pass& pass() const { return pass_; }
  size_t columns() const { return columns_; }
  bool HasRow(size_t y) const { return y >= pass_.y && (y - pass_.y) % pass_.step_y == 0; }

  // The next scanline, without its filter. Valid until the next call.
  Result<const uint8_t*> Next() {
    std::swap(lines_[0], lines_[1]);
    uint8_t* const line = lines_[0].data() + kFilterAt;
    TVLM_RETURN_IF_ERROR(data_.Read(line, line_bytes_ + 1));
    TVLM_RETURN_IF_ERROR(
        Unfilter(line[0], pixel_bytes_, line_bytes_, lines_[1].data() + kFilterAt + 1, line + 1));
    return line + 1;
  }

  Status Finish() { return data_.Finish(); }

 private:
  static constexpr size_t kFilterAt = kAlignment - 1;  // so that the samples are aligned

  PassReader(const PngHeader& header, const Pass& pass, Inflater data)
      : pass_(pass),
        columns_(Columns(header, pass)),
        line_bytes_(header.LineBytes(columns_)),
        pixel_bytes_(std::max<size_t>(header.bits_per_pixel() / 8, 1)),
        data_(std::move(data)) {}

  Pass pass_;
  size_t columns_, line_bytes_, pixel_bytes_;
  Inflater data_;
  AlignedBuffer<uint8_t> lines_[2];  // this one and the one above
};

// Readers of all passes that have pixels. The passes follow each other in the data: the data is
// inflated once to where the last one begins, and each of the others is inflated again from its own
// beginning, line by line as the image's rows need it. So no pass is in memory as a whole.
Result<std::vector<PassReader>> OpenPasses(const ByteSource& source, const PngHeader& header) {
  constexpr size_t kSkipped = size_t{16} << 10;
  std::vector<PassReader> readers;
  TVLM_ASSIGN_OR_RETURN(Inflater data, Inflater::Create(source, header.first_data));
  if (!header.interlaced) {
    TVLM_ASSIGN_OR_RETURN(PassReader reader, PassReader::Create(header, kWhole, std::move(data)));
    readers.push_back(std::move(reader));
    return readers;
  }
  std::vector<Pass> passes;
  for (const Pass& pass : kAdam7) {
    if (PassReader::Columns(header, pass) != 0 && PassReader::Rows(header, pass) != 0)
      passes.push_back(pass);
  }
  std::vector<uint8_t> skipped(kSkipped);
  for (const Pass& pass : passes) {
    if (&pass == &passes.back()) {
      TVLM_ASSIGN_OR_RETURN(PassReader reader, PassReader::Create(header, pass, std::move(data)));
      readers.push_back(std::move(reader));
      break;
    }
    TVLM_ASSIGN_OR_RETURN(Inflater begin, data.Fork());
    TVLM_ASSIGN_OR_RETURN(PassReader reader, PassReader::Create(header, pass, std::move(begin)));
    readers.push_back(std::move(reader));
    const uint64_t line = uint64_t{1} + header.LineBytes(PassReader::Columns(header, pass));
    for (uint64_t left = line * PassReader::Rows(header, pass); left != 0;) {
      const size_t bytes = static_cast<size_t>(std::min<uint64_t>(left, kSkipped));
      TVLM_RETURN_IF_ERROR(data.Read(skipped.data(), bytes));
      left -= bytes;
    }
  }
  return readers;
}

// ---- pixels --------------------------------------------------------------------

// Samples of less than 8 bits.
class PackedSamples {
 public:
  PackedSamples(const uint8_t* data, unsigned bits)
      : data_(data), bits_(bits), mask_((1u << bits) - 1) {}
  uint32_t operator[](size_t i) const {
    const size_t bit = i * bits_;
    return (data_[bit >> 3] >> (8 - bits_ - (bit & 7))) & mask_;
  }

 private:
  const uint8_t* data_;
  unsigned bits_;
  uint32_t mask_;
};

// A scanline's pixels as RGB.
class LineConverter {
 public:
  LineConverter(const PngHeader& header, bool exact)
      : header_(header), exact_(exact), transparent_(header.has_key && !exact) {
    for (size_t i = 0; i < header.palette_size; ++i) {
      const uint8_t* entry = header.palette[i];
      for (size_t c = 0; c < 3; ++c) colors_[i][c] = OverWhite(entry[c], exact ? 255 : entry[3]);
    }
  }

  // Row y of the image, or what a pass has of it, to pixels pass.step_x apart in `row`.
  Status Convert(const uint8_t* line, const Pass& pass, size_t columns, size_t y,
                 uint8_t* row) const {
    uint8_t* const to = row + pass.x * 3;
    const size_t step = pass.step_x * 3;
    switch (header_.color) {
      case kGray:
        Gray(line, columns, to, step);
        break;
      case kRgb:
        Rgb(line, columns, to, step);
        break;
      case kIndexed:
        return Indexed(line, pass, columns, y, to, step);
      case kGrayAlpha:
      case kRgba:
        Alpha(line, columns, to, step);
        break;
    }
    return Status();
  }

 private:
  static void PutGray(uint8_t* to, uint8_t value) { to[0] = to[1] = to[2] = value; }

  void Gray(const uint8_t* line, size_t columns, uint8_t* to, size_t step) const {
    const uint32_t key = header_.key[0];
    if (header_.depth == 16) {
      for (size_t x = 0; x < columns; ++x, line += 2, to += step) {
        const uint32_t value = uint32_t{line[0]} << 8 | line[1];
        if (exact_) {
          PutGray(to, static_cast<uint8_t>(std::min<uint32_t>(value, 255)));
        } else {
          PutGray(to, transparent_ && value == key ? 255 : line[0]);
        }
      }
      return;
    }
    const PackedSamples samples(line, header_.depth);
    const uint32_t scale = 255 / ((1u << header_.depth) - 1);
    for (size_t x = 0; x < columns; ++x, to += step) {
      const uint32_t value = samples[x];
      PutGray(to, transparent_ && value == key ? 255 : static_cast<uint8_t>(value * scale));
    }
  }

  void Rgb(const uint8_t* line, size_t columns, uint8_t* to, size_t step) const {
    const size_t sample = header_.depth / 8;
    if (sample == 1 && !transparent_ && step == 3) {
      std::memcpy(to, line, columns * 3);
      return;
    }
    for (size_t x = 0; x < columns; ++x, to += step, line += 3 * sample) {
      const auto value = [&](size_t c) {
        return sample == 1 ? uint32_t{line[c]} : uint32_t{line[2 * c]} << 8 | line[2 * c + 1];
      };
      const bool hidden = transparent_ && value(0) == header_.key[0] &&
                          value(1) == header_.key[1] && value(2) == header_.key[2];
      for (size_t c = 0; c < 3; ++c) to[c] = hidden ? 255 : line[c * sample];
    }
  }

  // Gray or RGB with an alpha channel; of 16-bit samples the high byte counts.
  void Alpha(const uint8_t* line, size_t columns, uint8_t* to, size_t step) const {
    const size_t sample = header_.depth / 8, colors = header_.channels() - 1;
    for (size_t x = 0; x < columns; ++x, to += step, line += (colors + 1) * sample) {
      const uint32_t alpha = exact_ ? 255 : line[colors * sample];
      for (size_t c = 0; c < 3; ++c) to[c] = OverWhite(line[colors == 1 ? 0 : c * sample], alpha);
    }
  }

  Status Indexed(const uint8_t* line, const Pass& pass, size_t columns, size_t y, uint8_t* to,
                 size_t step) const {
    const PackedSamples samples(line, header_.depth);
    for (size_t x = 0; x < columns; ++x, to += step) {
      const uint32_t index = samples[x];
      if (index >= header_.palette_size) {
        return Error(ErrorCode::kInvalidImage,
                     "PNG: the pixel in column %zu of row %zu has colour %" PRIu32
                     " of a palette of %zu",
                     pass.x + x * pass.step_x, y, index, header_.palette_size);
      }
      std::memcpy(to, colors_[index], 3);
    }
    return Status();
  }

  const PngHeader& header_;
  bool exact_, transparent_;
  uint8_t colors_[kPalette][3];
};

}  // namespace

Status DecodePng(const ByteSource& source, bool exact, RowSink& sink,
                 std::vector<std::string>* warnings) {
  TVLM_ASSIGN_OR_RETURN(const PngHeader header, ReadChunks(source, exact, warnings));
  // Deflate makes at most 1032 bytes of one, so a short file cannot claim a large image; nothing
  // has been allocated yet.
  constexpr uint64_t kMostBytesPerByte = 1032;
  if (header.width * header.bits_per_pixel() * header.height / 8 >
      header.data_bytes * kMostBytesPerByte) {
    return Error(ErrorCode::kInvalidImage,
                 "PNG: IHDR promises %zux%zu pixels, the %" PRIu64
                 " bytes of image data (IDAT) are too few for that",
                 header.width, header.height, header.data_bytes);
  }
  if (header.first_data == 0)
    return Error(ErrorCode::kInvalidImage, "PNG: an IDAT chunk wanted, none found");
  TVLM_RETURN_IF_ERROR(sink.Begin(header.width, header.height, header.orientation));
  TVLM_ASSIGN_OR_RETURN(std::vector<PassReader> passes, OpenPasses(source, header));
  TVLM_ASSIGN_OR_RETURN(
      AlignedBuffer<uint8_t> row,
      AlignedBuffer<uint8_t>::Allocate(uint64_t{3} * header.width, "image's rows"));
  const LineConverter converter(header, exact);
  for (size_t y = 0; y < header.height; ++y) {
    for (PassReader& pass : passes) {
      if (!pass.HasRow(y)) continue;
      TVLM_ASSIGN_OR_RETURN(const uint8_t* line, pass.Next());
      TVLM_RETURN_IF_ERROR(converter.Convert(line, pass.pass(), pass.columns(), y, row.data()));
    }
    TVLM_RETURN_IF_ERROR(sink.Row(row.data()));
  }
  return passes.back().Finish();
}

Status InspectPng(const ByteSource& source, std::vector<std::string>* warnings) {
  return VisitChunks(source, warnings, [](const Chunk&, const auto&) { return Status(); });
}

}  // namespace tinyvlm
