// JPEG files. Where libjpeg is installed: what both decode without a warning has the same pixels.
#include "image/jpeg.h"

#ifdef TINYVLM_HAVE_LIBJPEG
#include <csetjmp>
#include <cstdio>
// after <cstdio>
#include <jpeglib.h>
#endif

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/image_sinks.h"
#include "fuzz/jpeg_edit.h"
#include "image/decode.h"

using namespace tinyvlm;

namespace {

#ifdef TINYVLM_HAVE_LIBJPEG
struct Other {
  bool ok = false;
  bool tame = true;  // no block leads beyond what the transform can hold in every implementation
  size_t width = 0, height = 0;
  long warnings = 0;
  std::vector<uint8_t> rgb;
};

struct Errors {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
};

[[noreturn]] void Fail(j_common_ptr jpeg) {
  std::longjmp(reinterpret_cast<Errors*>(jpeg->err)->jump, 1);
}

void Silent(j_common_ptr) {}

// Samples beyond -512..511 wrap around in libjpeg's transform and are clamped in ours and in that
// of libjpeg-turbo's vector code: a sample is at most a quarter of the sum of its block.
void LookAtBlocks(jpeg_decompress_struct& jpeg, Other* other) {
  constexpr int64_t kMostSum = 2040;
  jvirt_barray_ptr* const planes = jpeg_read_coefficients(&jpeg);
  for (int c = 0; c < jpeg.num_components; ++c) {
    const jpeg_component_info& plane = jpeg.comp_info[c];
    for (JDIMENSION y = 0; y < plane.height_in_blocks; ++y) {
      const JBLOCKARRAY row = jpeg.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&jpeg),
                                                           planes[c], y, 1, FALSE);
      for (JDIMENSION x = 0; x < plane.width_in_blocks; ++x) {
        int64_t sum = 0;
        for (int i = 0; i < DCTSIZE2; ++i)
          sum += std::abs(int64_t{row[0][x][i]} * plane.quant_table->quantval[i]);
        other->tame = other->tame && sum <= kMostSum;
      }
    }
  }
  jpeg_finish_decompress(&jpeg);
}

// Nothing in here has a destructor: errors jump out of it.
void DecodeByLibjpeg(std::span<const uint8_t> file, bool coefficients, Other* other) {
  jpeg_decompress_struct jpeg;
  Errors errors;
  jpeg.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = Fail;
  errors.manager.output_message = Silent;
  if (setjmp(errors.jump) == 0) {
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, file.data(), file.size());
    jpeg_read_header(&jpeg, TRUE);
    if (coefficients) {
      LookAtBlocks(jpeg, other);
      jpeg_destroy_decompress(&jpeg);
      return;
    }
    // CMYK becomes RGB in the caller's way, which libjpeg has none of.
    if (jpeg.num_components != 4 && size_t{jpeg.image_width} * jpeg.image_height <= kMostPixels) {
      jpeg.out_color_space = JCS_RGB;
      jpeg.do_block_smoothing = FALSE;
      jpeg_start_decompress(&jpeg);
      other->width = jpeg.output_width;
      other->height = jpeg.output_height;
      other->rgb.resize(other->width * other->height * 3);
      while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = other->rgb.data() + size_t{jpeg.output_scanline} * other->width * 3;
        jpeg_read_scanlines(&jpeg, &row, 1);
      }
      jpeg_finish_decompress(&jpeg);
      other->ok = true;
    }
  }
  other->warnings = errors.manager.num_warnings;
  jpeg_destroy_decompress(&jpeg);
}

void Compare(std::span<const uint8_t> file, const SmallSink& ours) {
  Other other;
  DecodeByLibjpeg(file, false, &other);
  if (!other.ok || other.warnings != 0) return;
  DecodeByLibjpeg(file, true, &other);
  if (!other.tame) return;
  MustHold(ours.width == other.width && ours.height == other.height, "libjpeg has the same size");
  MustHold(ours.pixels == other.rgb, "libjpeg has the same pixels");
}
#else
void Compare(std::span<const uint8_t>, const SmallSink&) {}
#endif

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const QuickEnough quick;
  const std::span<const uint8_t> file(data, size);
  if (size < 3 || std::memcmp(data, kJpegSignature, 3) != 0) return 0;
  const Decoded shown =
      DecodeBothWays(file, [](const ByteSource& source, RowSink& sink, auto* warnings) {
        return DecodeJpeg(source, false, sink, warnings);
      });
  // In bands of one row of blocks scans are read in another order: the first defect of a kind,
  // which is told, may be another one.
  Decoded narrow;
  narrow.status = DecodeJpeg(ByteSource(file), true, narrow.sink, &narrow.warnings, 1);
  MustBeTold(narrow.status);
  MustHold(narrow.status.code() == shown.status.code() &&
               narrow.warnings.size() == shown.warnings.size() &&
               narrow.sink.pixels == shown.sink.pixels,
           "the height of bands changes nothing");
  SmallSink strict;
  const Status strictly = DecodeJpeg(ByteSource(file), false, strict, nullptr);
  MustBeTold(strictly);
  MustHold(!strictly.ok() || strict.pixels == shown.sink.pixels, "strictness changes no pixel");
  std::vector<std::string> found;
  const Result<bool> inspected = InspectJpeg(ByteSource(file), found);
  MustBeTold(inspected.status());
  // Whole it need not be: of markers behind the last interval, which no decoder reads, some would
  // end another decoder's image.
  MustHold(!strictly.ok() || inspected.ok(), "what is strictly good can be looked at");
  if (strictly.ok()) Compare(file, strict);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return MutateJpeg(data, size, max_size, seed);
}
