#include "image/png.h"

#include <algorithm>
#include <cinttypes>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "image/exif.h"
#include "lodepng.h"

namespace tinyvlm {

namespace {

uint32_t BigEndian32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

// A chunk's type for error messages, if it is four printable characters.
std::string ChunkName(const uint8_t* type) {
  for (int i = 0; i < 4; ++i) {
    if (type[i] < 0x20 || type[i] > 0x7e) return Format("0x%08" PRIx32, BigEndian32(type));
  }
  return std::string(reinterpret_cast<const char*>(type), 4);
}

struct PngChunks {
  uint64_t data_bytes = 0;        // of all IDAT chunks
  std::span<const uint8_t> exif;  // content of the first eXIf chunk
};

// Walks all chunks up to IEND and checks that each lies inside the file and has the right CRC.
Result<PngChunks> CheckChunks(std::span<const uint8_t> bytes) {
  constexpr size_t kFrame = 12;  // length, type and CRC around a chunk's content
  PngChunks chunks;
  size_t at = sizeof(kPngSignature);
  for (;;) {
    if (bytes.size() - at < kFrame) {
      return Error(ErrorCode::kInvalidImage,
                   "PNG: the file ends at byte %zu without an IEND chunk; it is cut off",
                   bytes.size());
    }
    const uint8_t* chunk = bytes.data() + at;
    const uint32_t length = BigEndian32(chunk);
    const std::string name = ChunkName(chunk + 4);
    if (at == sizeof(kPngSignature) && name != "IHDR") {
      return Error(ErrorCode::kInvalidImage,
                   "PNG: IHDR wanted as the first chunk, %s found at byte %zu", name.c_str(), at);
    }
    if (length > bytes.size() - at - kFrame) {
      return Error(ErrorCode::kInvalidImage,
                   "PNG: the %s chunk at byte %zu wants %" PRIu32
                   " bytes of content, %zu are left in the file; it is cut off or damaged",
                   name.c_str(), at, length, bytes.size() - at - kFrame);
    }
    const uint32_t wanted = BigEndian32(chunk + 8 + length),
                   found = lodepng_crc32(chunk + 4, size_t{length} + 4);
    if (wanted != found) {
      return Error(ErrorCode::kInvalidImage,
                   "PNG: the %s chunk at byte %zu is damaged: CRC %08" PRIx32 " wanted, %08" PRIx32
                   " found",
                   name.c_str(), at, wanted, found);
    }
    if (name == "IDAT") chunks.data_bytes += length;
    if (name == "eXIf" && chunks.exif.empty()) chunks.exif = bytes.subspan(at + 8, length);
    if (name == "IEND") return chunks;
    at += kFrame + length;
  }
}

Status LodePngError(unsigned code) {
  constexpr unsigned kAllocationFailed = 83;
  if (code == kAllocationFailed)
    return Error(ErrorCode::kOutOfMemory,
                 "not enough memory to decode the PNG; use a smaller image");
  return Error(ErrorCode::kInvalidImage, "PNG: %s", lodepng_error_text(code));
}

class LodePngState {
 public:
  LodePngState() { lodepng_state_init(&state_); }
  ~LodePngState() { lodepng_state_cleanup(&state_); }
  LodePngState(const LodePngState&) = delete;
  LodePngState& operator=(const LodePngState&) = delete;
  LodePNGState* operator->() { return &state_; }
  LodePNGState* get() { return &state_; }

 private:
  LodePNGState state_;
};

// Samples of less than 8 bits; lodepng packs them without gaps, also between rows.
class PackedSamples {
 public:
  PackedSamples(const uint8_t* data, unsigned bits)
      : data_(data), bits_(bits), mask_((1u << bits) - 1) {}
  uint32_t operator[](uint64_t i) const {
    const uint64_t bit = i * bits_;
    return (data_[bit >> 3] >> (8 - bits_ - (bit & 7))) & mask_;
  }

 private:
  const uint8_t* data_;
  unsigned bits_;
  uint32_t mask_;
};

uint8_t* PutGray(uint8_t* to, uint8_t value) {
  to[0] = to[1] = to[2] = value;
  return to + 3;
}

void ConvertGray(const LodePNGColorMode& mode, const uint8_t* data, bool exact, Image& image) {
  const bool transparent = mode.key_defined && !exact;
  const uint64_t width = image.width();
  for (size_t y = 0; y < image.height(); ++y) {
    uint8_t* to = image.Row(y);
    if (mode.bitdepth == 16) {
      const uint8_t* from = data + y * width * 2;
      for (size_t x = 0; x < width; ++x, from += 2) {
        const uint32_t value = uint32_t{from[0]} << 8 | from[1];
        if (exact) {
          to = PutGray(to, static_cast<uint8_t>(std::min<uint32_t>(value, 255)));
        } else {
          to = PutGray(to, transparent && value == mode.key_r ? 255 : from[0]);
        }
      }
    } else {
      const PackedSamples samples(data, mode.bitdepth);
      const uint32_t scale = 255 / ((1u << mode.bitdepth) - 1);
      for (size_t x = 0; x < width; ++x) {
        const uint32_t value = samples[y * width + x];
        to = PutGray(
            to, transparent && value == mode.key_r ? 255 : static_cast<uint8_t>(value * scale));
      }
    }
  }
}

void ConvertRgb(const LodePNGColorMode& mode, const uint8_t* data, bool exact, Image& image) {
  const size_t sample = mode.bitdepth / 8;
  const bool transparent = mode.key_defined && !exact;
  for (size_t y = 0; y < image.height(); ++y) {
    uint8_t* to = image.Row(y);
    const uint8_t* from = data + y * image.width() * 3 * sample;
    if (sample == 1 && !transparent) {
      std::memcpy(to, from, image.width() * 3);
      continue;
    }
    for (size_t x = 0; x < image.width(); ++x, to += 3, from += 3 * sample) {
      const auto value = [&](size_t c) {
        return sample == 1 ? uint32_t{from[c]} : uint32_t{from[2 * c]} << 8 | from[2 * c + 1];
      };
      const bool hidden =
          transparent && value(0) == mode.key_r && value(1) == mode.key_g && value(2) == mode.key_b;
      for (size_t c = 0; c < 3; ++c) to[c] = hidden ? 255 : from[c * sample];
    }
  }
}

// Gray or RGB with an alpha channel; of 16-bit samples the high byte counts.
void ConvertAlpha(size_t colors, size_t sample, const uint8_t* data, bool exact, Image& image) {
  for (size_t y = 0; y < image.height(); ++y) {
    uint8_t* to = image.Row(y);
    const uint8_t* from = data + y * image.width() * (colors + 1) * sample;
    for (size_t x = 0; x < image.width(); ++x, to += 3, from += (colors + 1) * sample) {
      const uint32_t alpha = exact ? 255 : from[colors * sample];
      for (size_t c = 0; c < 3; ++c) to[c] = OverWhite(from[colors == 1 ? 0 : c * sample], alpha);
    }
  }
}

Status ConvertPalette(const LodePNGColorMode& mode, const uint8_t* data, bool exact, Image& image) {
  uint8_t colors[256][3];
  for (size_t i = 0; i < mode.palettesize; ++i) {
    const uint8_t* entry = mode.palette + 4 * i;
    for (size_t c = 0; c < 3; ++c) colors[i][c] = OverWhite(entry[c], exact ? 255 : entry[3]);
  }
  const PackedSamples samples(data, mode.bitdepth);
  for (size_t y = 0; y < image.height(); ++y) {
    uint8_t* to = image.Row(y);
    for (size_t x = 0; x < image.width(); ++x, to += 3) {
      const uint32_t index = samples[uint64_t{y} * image.width() + x];
      if (index >= mode.palettesize) {
        return Error(ErrorCode::kInvalidImage,
                     "PNG: the pixel in column %zu of row %zu has colour %" PRIu32
                     " of a palette of %zu",
                     x, y, index, mode.palettesize);
      }
      std::memcpy(to, colors[index], 3);
    }
  }
  return Status();
}

}  // namespace

Result<Image> DecodePng(std::span<const uint8_t> bytes, bool exact) {
  TVLM_ASSIGN_OR_RETURN(const PngChunks chunks, CheckChunks(bytes));
  LodePngState state;
  state->decoder.color_convert = 0;
  state->decoder.ignore_crc = 1;  // checked above
  unsigned width = 0, height = 0;
  if (const unsigned error =
          lodepng_inspect(&width, &height, state.get(), bytes.data(), bytes.size()))
    return LodePngError(error);
  TVLM_RETURN_IF_ERROR(CheckImageSize(width, height));

  // Deflate makes at most 1032 bytes of one, so a short file cannot claim a large image; nothing
  // has been allocated yet.
  constexpr uint64_t kMostBytesPerByte = 1032;
  const uint64_t bits_per_pixel = lodepng_get_bpp(&state->info_png.color);
  const uint64_t row_bytes = (width * bits_per_pixel + 7) / 8;
  if (width * bits_per_pixel * height / 8 > chunks.data_bytes * kMostBytesPerByte) {
    return Error(ErrorCode::kInvalidImage,
                 "PNG: IHDR promises %ux%u pixels, the %" PRIu64
                 " bytes of image data (IDAT) are too few for that",
                 width, height, chunks.data_bytes);
  }
  // One filter byte per row. The passes of an interlaced image have fewer than twice its rows, and
  // no longer ones.
  const uint64_t most_bytes = 2 * (row_bytes + 1) * height;
  state->decoder.zlibsettings.max_output_size =
      static_cast<size_t>(std::min<uint64_t>(most_bytes, SIZE_MAX / 2));

  uint8_t* raw = nullptr;
  const unsigned error =
      lodepng_decode(&raw, &width, &height, state.get(), bytes.data(), bytes.size());
  const std::unique_ptr<uint8_t, decltype(&std::free)> data(raw, &std::free);
  if (error != 0) return LodePngError(error);

  TVLM_ASSIGN_OR_RETURN(Image image, Image::Allocate(width, height));
  const LodePNGColorMode& mode = state->info_png.color;
  switch (mode.colortype) {
    case LCT_GREY:
      ConvertGray(mode, raw, exact, image);
      break;
    case LCT_RGB:
      ConvertRgb(mode, raw, exact, image);
      break;
    case LCT_PALETTE:
      TVLM_RETURN_IF_ERROR(ConvertPalette(mode, raw, exact, image));
      break;
    case LCT_GREY_ALPHA:
      ConvertAlpha(1, mode.bitdepth / 8, raw, exact, image);
      break;
    case LCT_RGBA:
      ConvertAlpha(3, mode.bitdepth / 8, raw, exact, image);
      break;
    default:
      return Error(ErrorCode::kInvalidImage, "PNG: colour type 0, 2, 3, 4 or 6 wanted, %d found",
                   static_cast<int>(mode.colortype));
  }
  if (exact) return image;
  return Orient(std::move(image), ReadOrientation(chunks.exif));
}

}  // namespace tinyvlm
