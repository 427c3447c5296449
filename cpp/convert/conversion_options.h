// What a conversion is told: the types of the model file and what replaces the checkpoint's words.
#ifndef TINYVLM_CONVERT_CONVERSION_OPTIONS_H_
#define TINYVLM_CONVERT_CONVERSION_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backend/vision_config.h"  // kMaxImageSize
#include "base/option.h"
#include "base/status.h"
#include "tensor/dtype.h"
#include "text/chat_template.h"
#include "weights/packing.h"

namespace tinyvlm {

// Types are kF32, kF16, kBF16, kQ8_0, kQ5_0 or kQ4_0; docs/model-file.md says which tensors they
// apply to.
struct ConversionOptions {
  // What the checkpoint is called: a path, a URL. Errors show it, and what follows its last "/" is
  // stored as the model's name.
  std::string name = "checkpoint";
  DType type = DType::kQ8_0;  // of the decoder's matrices
  // of the tower's and the projector's; default: as `type`, but kQ5_0 for kQ4_0
  std::optional<DType> vision_type;
  // of the embedding and the head; default: as `type`, but kQ8_0 for kQ4_0
  std::optional<DType> embedding_type;
  // side of the square image, a multiple of 64; 0: what the checkpoint says
  uint32_t image_size = 0;
  std::string resize;     // "pad" or "crop"; empty: what the checkpoint says
  bool tokenizer = true;  // false: ids only, no tokenizer is looked for
  // of the prompts; none: as the checkpoint's chat template says
  std::optional<ChatStyle> chat_style;
  // the order of the weights in the file; values and answers are the same in either
  Packing packing = Packing::kNone;
};

// The type that a word of the command line names ("f32", "f16", "bf16", "q8_0", "q5_0", "q4_0").
Result<DType> ParseConvertType(std::string_view word);

// "pad" or "crop"; an error that names the word found.
Result<std::string> ParseResize(std::string_view word);

// Calls visit(option, field) for every field, until one call returns an error.
template <typename Visitor>
Status VisitOptions(ConversionOptions& options, Visitor&& visit) {
  constexpr const char* kTypes = "f32, f16, bf16, q8_0, q5_0 or q4_0";
  const auto type = [](const char* key) {
    return ChoiceOption<DType>{key, kTypes, &ParseConvertType};
  };
  TVLM_RETURN_IF_ERROR(visit(StringOption{"name"}, options.name));
  TVLM_RETURN_IF_ERROR(visit(type("type"), options.type));
  TVLM_RETURN_IF_ERROR(visit(type("visionType"), options.vision_type));
  TVLM_RETURN_IF_ERROR(visit(type("embeddingType"), options.embedding_type));
  TVLM_RETURN_IF_ERROR(visit(IntegerOption{"imageSize", 0, kMaxImageSize}, options.image_size));
  const ChoiceOption<std::string> resize{"resize", "\"pad\" or \"crop\"", &ParseResize};
  TVLM_RETURN_IF_ERROR(visit(resize, options.resize));
  TVLM_RETURN_IF_ERROR(visit(BooleanOption{"tokenizer"}, options.tokenizer));
  const ChoiceOption<ChatStyle> chat_style{"chatStyle", "\"qwen_2\", \"v1\" or \"plain\"",
                                           &ParseChatStyle};
  TVLM_RETURN_IF_ERROR(visit(chat_style, options.chat_style));
  const ChoiceOption<Packing> packing{"packing", "\"none\" or \"panel16\"", &ParsePacking};
  TVLM_RETURN_IF_ERROR(visit(packing, options.packing));
  return Status();
}

// Options from JSON, {"type": "q4_0", "imageSize": 512}: keys as VisitOptions shows them, each may
// be missing. kInvalidArgument, with the key, for others and for values that cannot be.
Result<ConversionOptions> ParseConversionOptions(const char* json);

// kInvalidArgument for an image size or a way to resize that cannot be.
Status CheckConversionOptions(const ConversionOptions& options);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CONVERSION_OPTIONS_H_
