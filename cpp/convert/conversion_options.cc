#include "convert/conversion_options.h"

#include "base/option_reader.h"

namespace tinyvlm {

namespace {

// Each row of features that the released towers give stands for so many pixels of a side.
constexpr uint32_t kImageSizeStep = 64;

}  // namespace

Result<DType> ParseConvertType(std::string_view word) {
  for (const DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ5_0, DType::kQ4_0}) {
    if (word == GetDTypeInfo(type).name) return type;
  }
  return Error(ErrorCode::kInvalidArgument,
               "a type of f32, f16, bf16, q8_0, q5_0 or q4_0 wanted, \"%.*s\" found",
               static_cast<int>(word.size()), word.data());
}

Result<std::string> ParseResize(std::string_view word) {
  if (word == "pad" || word == "crop") return std::string(word);
  return Error(ErrorCode::kInvalidArgument,
               "a way to resize, \"pad\" or \"crop\", wanted, \"%.*s\" found",
               static_cast<int>(word.size()), word.data());
}

Result<ConversionOptions> ParseConversionOptions(const char* json) {
  ConversionOptions options;
  TVLM_RETURN_IF_ERROR(ReadOptions(json, {}, options).status());
  return options;
}

Status CheckConversionOptions(const ConversionOptions& options) {
  if (options.image_size % kImageSizeStep != 0 || options.image_size > kMaxImageSize) {
    return Error(ErrorCode::kInvalidArgument,
                 "an image size that is a multiple of %u up to %u wanted, %u found", kImageSizeStep,
                 kMaxImageSize, options.image_size);
  }
  return options.resize.empty() ? Status() : ParseResize(options.resize).status();
}

}  // namespace tinyvlm
