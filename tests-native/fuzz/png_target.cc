// PNG files. Where libpng is installed: what both decode has the same pixels.
#include "image/png.h"

#ifdef TINYVLM_HAVE_LIBPNG
#include <png.h>

#include <csetjmp>
#endif

#include <cstring>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/image_sinks.h"
#include "fuzz/png_edit.h"
#include "image/decode.h"

using namespace tinyvlm;

namespace {

#ifdef TINYVLM_HAVE_LIBPNG
// What libpng makes of a file: RGBA, 8 bits. `clean`: it had nothing to say.
struct Other {
  bool ok = false, clean = true;
  size_t width = 0, height = 0;
  std::vector<uint8_t> rgba;
};

struct Input {
  const uint8_t* next;
  size_t left;
};

void Warn(png_structp png, png_const_charp) {
  static_cast<Other*>(png_get_error_ptr(png))->clean = false;
}

[[noreturn]] void Fail(png_structp png, png_const_charp) { png_longjmp(png, 1); }

void Read(png_structp png, png_bytep to, size_t bytes) {
  Input* const input = static_cast<Input*>(png_get_io_ptr(png));
  if (bytes > input->left) png_error(png, "end");
  std::memcpy(to, input->next, bytes);
  input->next += bytes;
  input->left -= bytes;
}

// Nothing in here has a destructor: errors jump out of it.
void DecodeByLibpng(png_structp png, png_infop info, std::vector<png_bytep>* rows, Other* other) {
  if (setjmp(png_jmpbuf(png)) != 0) return;
  png_set_user_limits(png, 4096, 4096);
  png_read_info(png, info);
  other->width = png_get_image_width(png, info);
  other->height = png_get_image_height(png, info);
  if (other->width * other->height > kMostPixels) return;
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != other->width * 4) return;
  other->rgba.resize(other->width * other->height * 4);
  for (size_t y = 0; y < other->height; ++y)
    rows->push_back(other->rgba.data() + y * other->width * 4);
  png_read_image(png, rows->data());
  png_read_end(png, nullptr);
  other->ok = true;
}

void Compare(std::span<const uint8_t> file, const SmallSink& ours) {
  Other other;
  Input input{file.data(), file.size()};
  std::vector<png_bytep> rows;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &other, Fail, Warn);
  png_infop info = png_create_info_struct(png);
  png_set_read_fn(png, &input, Read);
  DecodeByLibpng(png, info, &rows, &other);
  png_destroy_read_struct(&png, &info, nullptr);
  if (!other.ok || !other.clean) return;
  MustHold(ours.width == other.width && ours.height == other.height, "libpng has the same size");
  for (size_t i = 0; i < ours.width * ours.height; ++i) {
    for (size_t c = 0; c < 3; ++c) {
      MustHold(ours.pixels[3 * i + c] == OverWhite(other.rgba[4 * i + c], other.rgba[4 * i + 3]),
               "libpng has the same pixels");
    }
  }
}
#else
void Compare(std::span<const uint8_t>, const SmallSink&) {}
#endif

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  const std::span<const uint8_t> file(data, size);
  if (size < 8 || std::memcmp(data, kPngSignature, 8) != 0) return 0;
  const Decoded shown =
      DecodeBothWays(file, [](const ByteSource& source, RowSink& sink, auto* warnings) {
        return DecodePng(source, false, sink, warnings);
      });
  const Decoded exact =
      DecodeBothWays(file, [](const ByteSource& source, RowSink& sink, auto* warnings) {
        return DecodePng(source, true, sink, warnings);
      });
  MustHold(shown.status.ok() == exact.status.ok(), "both ways of showing take the same files");
  SmallSink strict;
  const Status strictly = DecodePng(ByteSource(file), false, strict, nullptr);
  MustBeTold(strictly);
  MustHold(!strictly.ok() || shown.status.ok(), "what is taken strictly is taken anyway");
  const Status inspected = InspectPng(ByteSource(file), nullptr);
  MustBeTold(inspected);
  MustHold(!strictly.ok() || inspected.ok(), "what can be decoded is not refused by its chunks");
  if (strictly.ok()) Compare(file, strict);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutatePng(data, size, max_size, seed);
}
