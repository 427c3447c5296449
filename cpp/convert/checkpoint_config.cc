#include "convert/checkpoint_config.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdlib>

#include "backend/decoder_config.h"  // kMaxDecoder*

namespace tinyvlm {

namespace {

// transformers' default image token.
constexpr int64_t kDefaultImageToken = 151646;

// The default of transformers for the number of image tokens: it does not describe the model.
constexpr int64_t kUnsetImageTokens = 576;

bool IsAbsent(const Json* value) { return value == nullptr || value->is_null(); }

Status At(const std::string& where, const Status& status) {
  return Status(status.code(), where + status.message());
}

// An object of a config file, with its path for error messages.
class Section {
 public:
  Section(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  const Json* Find(const char* key) const { return json_.Find(key); }
  std::string Name(const char* key) const { return where_ + key; }

  Result<uint32_t> Count(const char* key, int64_t max) const {
    const Result<int64_t> value = json_.GetInt(key, 1, max);
    if (!value.ok()) return At(where_, value.status());
    return static_cast<uint32_t>(*value);
  }

  Result<uint32_t> CountOr(const char* key, int64_t max, uint32_t missing) const {
    if (IsAbsent(Find(key))) return missing;
    return Count(key, max);
  }

  // A float between two exclusive bounds.
  Result<float> FloatOr(const char* key, double min, double max, float missing) const {
    if (IsAbsent(Find(key))) return missing;
    const Result<double> value = json_.GetNumber(key);
    if (!value.ok()) return At(where_, value.status());
    if (!(*value > min && *value < max)) {
      return Error(ErrorCode::kInvalidFile, "%s: a number between %g and %g wanted, %g found",
                   Name(key).c_str(), min, max, *value);
    }
    return static_cast<float>(*value);
  }

  Result<std::string> String(const char* key) const {
    Result<std::string> value = json_.GetString(key);
    if (!value.ok()) return At(where_, value.status());
    return value;
  }

  Result<bool> BoolOr(const char* key, bool missing) const {
    if (IsAbsent(Find(key))) return missing;
    const Result<bool> value = json_.GetBool(key);
    if (!value.ok()) return At(where_, value.status());
    return *value;
  }

  // kUnsupported if the key is present with another value than the one that the engine implements.
  Status OnlyString(const char* key, const char* only) const {
    if (IsAbsent(Find(key))) return Status();
    TVLM_ASSIGN_OR_RETURN(const std::string value, String(key));
    if (value == only) return Status();
    return Error(ErrorCode::kUnsupported, "%s: \"%s\" wanted, \"%s\" found", Name(key).c_str(),
                 only, Printable(value).c_str());
  }

  Status OnlyBool(const char* key, bool only) const {
    TVLM_ASSIGN_OR_RETURN(const bool value, BoolOr(key, only));
    if (value == only) return Status();
    return Error(ErrorCode::kUnsupported, "%s: %s wanted, %s found", Name(key).c_str(),
                 only ? "true" : "false", value ? "true" : "false");
  }

  Status OnlyNumber(const char* key, double only) const {
    if (IsAbsent(Find(key))) return Status();
    const Result<double> value = json_.GetNumber(key);
    if (!value.ok()) return At(where_, value.status());
    if (*value == only) return Status();
    return Error(ErrorCode::kUnsupported, "%s: %g wanted, %g found", Name(key).c_str(), only,
                 *value);
  }

  // A list of numbers; no value where the key is absent or null.
  Result<std::optional<std::vector<double>>> Numbers(const char* key) const {
    const Json* const value = Find(key);
    if (IsAbsent(value)) return std::optional<std::vector<double>>();
    if (value->array() == nullptr)
      return Error(ErrorCode::kInvalidFile, "%s: a list of numbers wanted, %s found",
                   Name(key).c_str(), value->KindName());
    std::vector<double> numbers;
    for (const Json& item : *value->array()) {
      if (!item.number().has_value())
        return Error(ErrorCode::kInvalidFile, "%s: a list of numbers wanted, %s found in it",
                     Name(key).c_str(), item.KindName());
      numbers.push_back(*item.number());
    }
    return std::optional<std::vector<double>>(std::move(numbers));
  }

  // An object below this one; no value where the key is absent or null.
  Result<std::optional<Section>> Below(const char* key) const {
    const Json* const value = Find(key);
    if (IsAbsent(value)) return std::optional<Section>();
    if (value->object() == nullptr)
      return Error(ErrorCode::kInvalidFile, "%s: an object wanted, %s found", Name(key).c_str(),
                   value->KindName());
    return std::optional<Section>(Section(*value, Name(key) + "."));
  }

 private:
  const Json& json_;
  std::string where_;
};

// A whole number of a list.
Result<uint32_t> WholeNumber(const Section& section, const char* key, double value, int64_t max) {
  if (value >= 1 && value <= static_cast<double>(max) && value == std::floor(value))
    return static_cast<uint32_t>(value);
  return Error(ErrorCode::kInvalidFile, "%s: whole numbers from 1 to %" PRId64 " wanted, %g found",
               section.Name(key).c_str(), max, value);
}

// A list of words per stage: which stages attend. Empty where the key is absent.
Result<std::vector<bool>> ReadMixers(const Section& args) {
  std::vector<bool> attention;
  const Json* const mixers = args.Find("token_mixers");
  if (IsAbsent(mixers)) return attention;
  if (mixers->array() == nullptr)
    return Error(ErrorCode::kInvalidFile, "%s: a list wanted, %s found",
                 args.Name("token_mixers").c_str(), mixers->KindName());
  for (const Json& mixer : *mixers->array()) {
    const std::string* const word = mixer.string();
    if (word == nullptr || (*word != "repmixer" && *word != "attention")) {
      return Error(ErrorCode::kInvalidFile,
                   "%s: \"repmixer\" or \"attention\" for each stage wanted, something else found",
                   args.Name("token_mixers").c_str());
    }
    attention.push_back(*word == "attention");
  }
  return attention;
}

// A list of booleans must hold `first` for stage 0 and `others` for those after it.
Status OnlyStageBools(const Section& args, const char* key, bool first, bool others) {
  const Json* const value = args.Find(key);
  if (IsAbsent(value)) return Status();
  if (value->array() == nullptr)
    return Error(ErrorCode::kInvalidFile, "%s: a list wanted, %s found", args.Name(key).c_str(),
                 value->KindName());
  const Json::Array& list = *value->array();
  for (size_t s = 0; s < list.size(); ++s) {
    const bool wanted = s == 0 ? first : others;
    if (list[s].boolean() == wanted) continue;
    return Error(ErrorCode::kUnsupported, "%s: %s for stage %zu wanted, something else found",
                 args.Name(key).c_str(), wanted ? "true" : "false", s);
  }
  return Status();
}

// The tower in transformers' config.
Status ReadTower(const Section& vision, CheckpointConfig::Tower* tower) {
  TVLM_RETURN_IF_ERROR(vision.OnlyString("model_type", "timm_wrapper"));
  TVLM_RETURN_IF_ERROR(vision.OnlyString("architecture", "fastvit_mci3"));
  TVLM_ASSIGN_OR_RETURN(const std::optional<Section> given, vision.Below("model_args"));
  if (!given.has_value()) return Status();
  const Section& args = *given;
  TVLM_RETURN_IF_ERROR(args.OnlyNumber("in_chans", 3));
  TVLM_RETURN_IF_ERROR(args.OnlyNumber("repmixer_kernel_size", 3));
  TVLM_RETURN_IF_ERROR(args.OnlyNumber("down_patch_size", 7));
  TVLM_RETURN_IF_ERROR(args.OnlyNumber("down_stride", 2));
  TVLM_RETURN_IF_ERROR(args.OnlyNumber("cls_ratio", 2));
  TVLM_RETURN_IF_ERROR(args.OnlyBool("lkc_use_act", true));
  TVLM_RETURN_IF_ERROR(OnlyStageBools(args, "downsamples", false, true));
  TVLM_RETURN_IF_ERROR(OnlyStageBools(args, "se_downsamples", false, false));

  TVLM_ASSIGN_OR_RETURN(const auto depths, args.Numbers("layers"));
  TVLM_ASSIGN_OR_RETURN(const auto channels, args.Numbers("embed_dims"));
  TVLM_ASSIGN_OR_RETURN(const auto ratios, args.Numbers("mlp_ratios"));
  TVLM_ASSIGN_OR_RETURN(tower->attention, ReadMixers(args));
  for (const double value : depths.value_or(std::vector<double>())) {
    TVLM_ASSIGN_OR_RETURN(const uint32_t depth, WholeNumber(args, "layers", value, kMaxTowerDepth));
    tower->depths.push_back(depth);
  }
  for (const double value : channels.value_or(std::vector<double>())) {
    TVLM_ASSIGN_OR_RETURN(const uint32_t dim,
                          WholeNumber(args, "embed_dims", value, kMaxTowerChannels));
    tower->channels.push_back(dim);
  }
  for (const double ratio : ratios.value_or(std::vector<double>())) {
    if (!(ratio > 0 && ratio <= kMaxTowerRatio)) {
      return Error(ErrorCode::kInvalidFile, "%s: more than 0 and up to %u wanted, %g found",
                   args.Name("mlp_ratios").c_str(), kMaxTowerRatio, ratio);
    }
    tower->ratios.push_back(ratio);
  }
  // timm keeps the encodings of the architecture unless it is given others, and JSON can hold only
  // "none".
  const Json* const encodings = args.Find("pos_embs");
  tower->no_positional = encodings != nullptr && encodings->array() != nullptr;
  return Status();
}

// Image, tower and projector in Apple's config, which is LLaVA's.
Status ReadLlava(const Section& top, CheckpointConfig* config) {
  TVLM_RETURN_IF_ERROR(top.OnlyString("mm_projector_type", "mlp2x_gelu"));
  TVLM_RETURN_IF_ERROR(top.OnlyBool("mm_use_im_start_end", false));
  TVLM_RETURN_IF_ERROR(top.OnlyString("mm_patch_merge_type", "flat"));
  if (!IsAbsent(top.Find("image_grid_pinpoints"))) {
    return Error(
        ErrorCode::kUnsupported, "%s: null wanted, since images are not cut into tiles, %s found",
        top.Name("image_grid_pinpoints").c_str(), top.Find("image_grid_pinpoints")->KindName());
  }
  // LLaVA's rule: "pad" pads; every other value that is not a kind of tiling resizes and crops.
  if (const Json* const ratio = top.Find("image_aspect_ratio");
      IsAbsent(ratio) || (ratio->string() != nullptr && *ratio->string() == "square")) {
    config->resize_mode = "crop";
  } else if (ratio->string() == nullptr || *ratio->string() != "pad") {
    return Error(ErrorCode::kUnsupported, "%s: \"pad\" or \"square\" wanted, %s found",
                 top.Name("image_aspect_ratio").c_str(),
                 ratio->string() == nullptr
                     ? ratio->KindName()
                     : Format("\"%s\"", Printable(*ratio->string()).c_str()).c_str());
  }
  TVLM_ASSIGN_OR_RETURN(config->tower.features,
                        top.CountOr("mm_hidden_size", 2 * int64_t{kMaxTowerChannels}, 0));
  const Json* const tower = top.Find("mm_vision_tower");
  if (IsAbsent(tower)) return Status();
  TVLM_ASSIGN_OR_RETURN(const std::string word, top.String("mm_vision_tower"));
  if (word.find("mobileclip") == std::string::npos) {
    return Error(
        ErrorCode::kUnsupported,
        "%s: FastVLM's tower (\"mobileclip_l_1024\") wanted, \"%s\" found: this is another LLaVA",
        top.Name("mm_vision_tower").c_str(), Printable(word).c_str());
  }
  // The number behind the last underscore is the edge length of the image.
  const std::string digits = word.substr(word.rfind('_') + 1);
  if (digits.empty() || digits.size() > 9 ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return Status();
  const unsigned long side = std::strtoul(digits.c_str(), nullptr, 10);
  if (side == 0 || side > kMaxImageSize) {
    return Error(ErrorCode::kInvalidFile, "%s: an image size of 1..%u at its end wanted, %s found",
                 top.Name("mm_vision_tower").c_str(), kMaxImageSize, digits.c_str());
  }
  config->image_size = static_cast<uint32_t>(side);
  return Status();
}

Status ReadDecoder(const Section& top, const Section& text, CheckpointConfig* config) {
  TVLM_RETURN_IF_ERROR(text.OnlyString("hidden_act", "silu"));
  TVLM_RETURN_IF_ERROR(text.OnlyBool("use_sliding_window", false));
  TVLM_ASSIGN_OR_RETURN(config->width, text.Count("hidden_size", kMaxDecoderWidth));
  TVLM_ASSIGN_OR_RETURN(config->layers, text.Count("num_hidden_layers", kMaxDecoderLayers));
  TVLM_ASSIGN_OR_RETURN(config->heads, text.Count("num_attention_heads", kMaxDecoderHeads));
  TVLM_ASSIGN_OR_RETURN(config->kv_heads,
                        text.CountOr("num_key_value_heads", kMaxDecoderHeads, config->heads));
  TVLM_ASSIGN_OR_RETURN(config->ffn, text.Count("intermediate_size", kMaxDecoderFfn));
  TVLM_ASSIGN_OR_RETURN(config->vocabulary, text.Count("vocab_size", kMaxDecoderVocabulary));
  // Defaults of transformers' Qwen2.
  TVLM_ASSIGN_OR_RETURN(config->max_positions,
                        text.CountOr("max_position_embeddings", kMaxDecoderPositions, 32768));
  TVLM_ASSIGN_OR_RETURN(config->rms_epsilon, text.FloatOr("rms_norm_eps", 0, 1, 1e-6f));
  if (config->width % config->heads != 0 || config->heads % config->kv_heads != 0 ||
      config->width / config->heads % 2 != 0) {
    return Error(
        ErrorCode::kInvalidFile,
        "%s: %u heads and %u kv heads do not divide a hidden size of %u into heads of even size",
        text.Name("num_attention_heads").c_str(), config->heads, config->kv_heads, config->width);
  }
  // Without a remainder (above). NOLINTNEXTLINE(bugprone-integer-division)
  TVLM_RETURN_IF_ERROR(text.OnlyNumber("head_dim", config->width / config->heads));

  // transformers 5 keeps theta in rope_parameters, 4 beside the other numbers, with rope_scaling
  // for anything unusual.
  constexpr double kMaxTheta = 1e12;
  TVLM_ASSIGN_OR_RETURN(config->rope_theta, text.FloatOr("rope_theta", 0.99, kMaxTheta, 10000.0f));
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    TVLM_ASSIGN_OR_RETURN(const std::optional<Section> rope, text.Below(key));
    if (!rope.has_value()) continue;
    if (!IsAbsent(rope->Find("factor")) && IsAbsent(rope->Find("rope_type")) &&
        IsAbsent(rope->Find("type"))) {
      return Error(ErrorCode::kUnsupported, "%s: no scaling of positions wanted, one found",
                   rope->Name("factor").c_str());
    }
    TVLM_RETURN_IF_ERROR(rope->OnlyString("rope_type", "default"));
    TVLM_RETURN_IF_ERROR(rope->OnlyString("type", "default"));
    TVLM_ASSIGN_OR_RETURN(config->rope_theta,
                          rope->FloatOr("rope_theta", 0.99, kMaxTheta, config->rope_theta));
  }
  TVLM_ASSIGN_OR_RETURN(const bool tied, top.BoolOr("tie_word_embeddings", false));
  TVLM_ASSIGN_OR_RETURN(const bool text_tied, text.BoolOr("tie_word_embeddings", false));
  config->tied = tied || text_tied;
  return Status();
}

// eos_token_id: a number, a list of numbers, or null. Appends those that are not there yet.
Status ReadStopIds(const Section& section, CheckpointConfig* config) {
  const Json* const value = section.Find("eos_token_id");
  if (IsAbsent(value)) return Status();
  Json::Array one;
  if (value->array() == nullptr) one.push_back(*value);
  for (const Json& item : value->array() == nullptr ? one : *value->array()) {
    const std::optional<int64_t> id = item.int64();
    if (!id.has_value() || *id < 0 || *id >= config->vocabulary) {
      return Error(ErrorCode::kInvalidFile, "%s: ids from 0 to %u wanted, %s found",
                   section.Name("eos_token_id").c_str(), config->vocabulary - 1,
                   id.has_value() ? std::to_string(*id).c_str() : item.KindName());
    }
    const int32_t stop = static_cast<int32_t>(*id);
    if (std::find(config->stop_ids.begin(), config->stop_ids.end(), stop) == config->stop_ids.end())
      config->stop_ids.push_back(stop);
  }
  return Status();
}

Status ReadImageToken(const Section& top, CheckpointConfig* config) {
  const char* const key =
      IsAbsent(top.Find("image_token_index")) ? "image_token_id" : "image_token_index";
  const Json* const value = top.Find(key);
  if (IsAbsent(value)) {
    // Apple's tokenizers have no such token.
    const bool has = config->layout == CheckpointLayout::kTransformers &&
                     config->vocabulary > kDefaultImageToken;
    config->image_token_id = has ? static_cast<int32_t>(kDefaultImageToken) : -1;
    return Status();
  }
  const std::optional<int64_t> id = value->int64();
  if (!id.has_value() || *id < 0 || *id >= config->vocabulary) {
    return Error(ErrorCode::kInvalidFile, "%s: an id from 0 to %u wanted, %s found",
                 top.Name(key).c_str(), config->vocabulary - 1,
                 id.has_value() ? std::to_string(*id).c_str() : value->KindName());
  }
  config->image_token_id = static_cast<int32_t>(*id);
  return Status();
}

// crop_size or size: a number, {height, width} or {shortest_edge}. No value where the key is
// absent.
Result<std::optional<uint32_t>> ReadSide(const Section& section, const char* key) {
  const Json* const value = section.Find(key);
  if (IsAbsent(value)) return std::optional<uint32_t>();
  if (value->object() == nullptr) {
    TVLM_ASSIGN_OR_RETURN(const uint32_t side, section.Count(key, kMaxImageSize));
    return std::optional<uint32_t>(side);
  }
  const Section size(*value, section.Name(key) + ".");
  if (!IsAbsent(size.Find("shortest_edge"))) {
    TVLM_ASSIGN_OR_RETURN(const uint32_t side, size.Count("shortest_edge", kMaxImageSize));
    return std::optional<uint32_t>(side);
  }
  TVLM_ASSIGN_OR_RETURN(const uint32_t height, size.Count("height", kMaxImageSize));
  TVLM_ASSIGN_OR_RETURN(const uint32_t width, size.Count("width", kMaxImageSize));
  if (height != width)
    return Error(ErrorCode::kUnsupported, "%s: a square wanted, %u x %u found",
                 section.Name(key).c_str(), height, width);
  return std::optional<uint32_t>(width);
}

Status ReadPreprocessor(const Section& section, CheckpointConfig* config) {
  TVLM_RETURN_IF_ERROR(section.OnlyNumber("resample", 3));  // bicubic
  TVLM_RETURN_IF_ERROR(section.OnlyBool("do_rescale", true));
  TVLM_ASSIGN_OR_RETURN(const float factor, section.FloatOr("rescale_factor", 0, 1, 1.0f / 255));
  if (std::fabs(factor * 255 - 1) > 1e-5f) {
    return Error(ErrorCode::kUnsupported, "%s: 1/255 wanted, %g found",
                 section.Name("rescale_factor").c_str(), static_cast<double>(factor));
  }
  TVLM_ASSIGN_OR_RETURN(const bool crops, section.BoolOr("do_center_crop", true));
  std::optional<uint32_t> side;
  if (crops) {
    TVLM_ASSIGN_OR_RETURN(side, ReadSide(section, "crop_size"));
  }
  if (!side.has_value()) {
    TVLM_ASSIGN_OR_RETURN(side, ReadSide(section, "size"));
  }
  if (side.has_value()) config->image_size = *side;
  // Apple's code uses images in 0..1 and ignores these values.
  if (config->layout == CheckpointLayout::kApple) return Status();
  TVLM_ASSIGN_OR_RETURN(const bool normalizes, section.BoolOr("do_normalize", true));
  if (!normalizes) return Status();
  for (const bool is_std : {false, true}) {
    const char* const key = is_std ? "image_std" : "image_mean";
    TVLM_ASSIGN_OR_RETURN(const auto numbers, section.Numbers(key));
    if (!numbers.has_value()) continue;
    if (numbers->size() != 3)
      return Error(ErrorCode::kInvalidFile, "%s: 3 numbers wanted, %zu found",
                   section.Name(key).c_str(), numbers->size());
    for (size_t c = 0; c < 3; ++c) {
      const double value = (*numbers)[c];
      if (std::fabs(value) > 1000 || (is_std && value <= 1e-6))
        return Error(ErrorCode::kInvalidFile, "%s: %g cannot be used", section.Name(key).c_str(),
                     value);
      (is_std ? config->image_std : config->image_mean)[c] = static_cast<float>(value);
    }
  }
  return Status();
}

// The image size and normalisation of the preprocessor's config, where there is one, and the number
// of image tokens in config.json.
Status ReadImage(const CheckpointSource& source, const Section& top, CheckpointConfig* config) {
  const std::optional<int64_t> tokens =
      IsAbsent(top.Find("image_seq_length")) ? std::nullopt : top.Find("image_seq_length")->int64();
  if (tokens.value_or(0) > 0 && *tokens <= int64_t{kMaxImageSize} * kMaxImageSize &&
      *tokens != kUnsetImageTokens)
    config->image_tokens = *tokens;
  TVLM_ASSIGN_OR_RETURN(std::optional<Json> json,
                        source.ReadOptionalJson("preprocessor_config.json"));
  if (json.has_value())
    return ReadPreprocessor(Section(*json, "preprocessor_config.json: "), config);
  // transformers 5 saves it inside the processor's config.
  TVLM_ASSIGN_OR_RETURN(json, source.ReadOptionalJson("processor_config.json"));
  if (!json.has_value()) return Status();
  TVLM_ASSIGN_OR_RETURN(const std::optional<Section> image,
                        Section(*json, "processor_config.json: ").Below("image_processor"));
  return image.has_value() ? ReadPreprocessor(*image, config) : Status();
}

// transformers' config contains one config of the tower and one of the decoder.
Status ReadTransformers(const Section& top, CheckpointConfig* config) {
  TVLM_RETURN_IF_ERROR(top.OnlyString("projector_hidden_act", "gelu"));
  TVLM_RETURN_IF_ERROR(top.OnlyBool("multimodal_projector_bias", true));
  TVLM_RETURN_IF_ERROR(top.OnlyString("vision_feature_select_strategy", "full"));
  TVLM_RETURN_IF_ERROR(top.OnlyNumber("vision_feature_layer", -1));
  TVLM_ASSIGN_OR_RETURN(const std::optional<Section> vision, top.Below("vision_config"));
  TVLM_ASSIGN_OR_RETURN(const std::optional<Section> text, top.Below("text_config"));
  if (!vision.has_value() || !text.has_value()) {
    return Error(ErrorCode::kNotFound, "config.json: %s is missing",
                 vision.has_value() ? "text_config" : "vision_config");
  }
  TVLM_RETURN_IF_ERROR(ReadTower(*vision, &config->tower));
  TVLM_RETURN_IF_ERROR(text->OnlyString("model_type", "qwen2"));
  return ReadDecoder(top, *text, config);
}

}  // namespace

std::string Printable(const std::string& text) {
  const bool printable = text.size() <= 100 && std::all_of(text.begin(), text.end(), [](char c) {
                           return c >= 0x20 && c < 0x7f;
                         });
  return printable ? text : "?";
}

Result<CheckpointConfig> ReadCheckpointConfig(const CheckpointSource& source) {
  TVLM_ASSIGN_OR_RETURN(const Json json, source.ReadJson("config.json"));
  const Section top(json, "config.json: ");
  CheckpointConfig config;
  // Tools change or drop model_type, so the keys tell: a flat config has the decoder's numbers
  // beside the tower's name.
  const bool flat = IsAbsent(top.Find("text_config")) &&
                    (!IsAbsent(top.Find("hidden_size")) || !IsAbsent(top.Find("mm_vision_tower")));
  if (flat) {
    config.layout = CheckpointLayout::kApple;
    TVLM_RETURN_IF_ERROR(ReadLlava(top, &config));
    TVLM_RETURN_IF_ERROR(ReadDecoder(top, top, &config));
  } else {
    TVLM_RETURN_IF_ERROR(ReadTransformers(top, &config));
  }
  TVLM_RETURN_IF_ERROR(ReadImageToken(top, &config));
  TVLM_RETURN_IF_ERROR(ReadImage(source, top, &config));
  TVLM_ASSIGN_OR_RETURN(const std::optional<Json> generation,
                        source.ReadOptionalJson("generation_config.json"));
  if (generation.has_value())
    TVLM_RETURN_IF_ERROR(ReadStopIds(Section(*generation, "generation_config.json: "), &config));
  if (config.stop_ids.empty()) {
    TVLM_ASSIGN_OR_RETURN(const std::optional<Section> text, top.Below("text_config"));
    if (text.has_value()) TVLM_RETURN_IF_ERROR(ReadStopIds(*text, &config));
  }
  if (config.stop_ids.empty()) TVLM_RETURN_IF_ERROR(ReadStopIds(top, &config));
  return config;
}

}  // namespace tinyvlm
