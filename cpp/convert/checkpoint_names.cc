#include "convert/checkpoint_names.h"

#include <set>
#include <string_view>
#include <utility>

#include "convert/canonical_names.h"

namespace tinyvlm {

namespace {

// Far above any tower: numbers in names beyond it are not numbers of ours.
constexpr uint32_t kMaxNumber = 9999;

constexpr CheckpointNames kTransformersNames = {
    .stem = "stem.",
    .stages = "stages.",
    .first_block = "stages.0.blocks.0.",
    .final_conv = "final_conv",
    .se_reduce = "se.fc1",
    .se_expand = "se.fc2",
    .conv_ffn = "mlp",
    .layer_scale_suffix = ".gamma",
    .fused = "reparam_conv",
    .fused_large = "reparam_conv",
    .conv_branches = "conv_kxk.",
    .scale_branch = "conv_scale",
    .identity_branch = "identity",
    .large_branch = "large_conv",
    .small_branch = "small_conv",
    .positional_branch = "pos_enc",
};

constexpr CheckpointNames kAppleNames = {
    .stem = "patch_embed.",
    .stages = "network.",
    .first_block = "network.0.0.",
    .final_conv = "conv_exp",
    .se_reduce = "se.reduce",
    .se_expand = "se.expand",
    .conv_ffn = "convffn",
    .layer_scale_suffix = "",
    .fused = "reparam_conv",
    .fused_large = "lkb_reparam",
    .conv_branches = "rbr_conv.",
    .scale_branch = "rbr_scale",
    .identity_branch = "rbr_skip",
    .large_branch = "lkb_origin",
    .small_branch = "small_conv",
    .positional_branch = "pe",
};

bool Has(const Safetensors& weights, const std::string& prefix) {
  return !weights.WithPrefix(prefix).empty();
}

// The number at the start of `text`, which a dot must follow; -1: none.
int64_t LeadingNumber(std::string_view text) {
  uint32_t number = 0;
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9' &&
         number <= kMaxNumber) {
    number = number * 10 + static_cast<uint32_t>(text[digits++] - '0');
  }
  return digits > 0 && digits < text.size() && text[digits] == '.' && number <= kMaxNumber
             ? int64_t{number}
             : -1;
}

Result<TowerNames> FindTransformersTower(const Safetensors& weights) {
  const std::string stages = std::string(kTowerPrefix) + kTransformersNames.stages;
  TVLM_ASSIGN_OR_RETURN(const uint32_t count, CountNumbered(weights, stages));
  TowerNames tower;
  for (uint32_t s = 0; s < count; ++s) {
    const std::string prefix = Format("%s%u.", stages.c_str(), s);
    TowerNames::Stage stage;
    if (Has(weights, prefix + "downsample.")) stage.downsample = prefix + "downsample.proj.";
    stage.positional = prefix + "pos_emb";
    stage.blocks = prefix + "blocks.";
    TVLM_ASSIGN_OR_RETURN(stage.depth, CountNumbered(weights, stage.blocks));
    tower.stages.push_back(std::move(stage));
  }
  return tower;
}

// Apple's tower is one list in which downsamplers, positional encodings and stages follow each
// other.
Result<TowerNames> FindAppleTower(const Safetensors& weights) {
  const std::string network = std::string(kTowerPrefix) + kAppleNames.stages;
  TVLM_ASSIGN_OR_RETURN(const uint32_t count, CountNumbered(weights, network));
  TowerNames tower;
  TowerNames::Stage stage;
  for (uint32_t i = 0; i < count; ++i) {
    const std::string module = Format("%s%u", network.c_str(), i), prefix = module + ".";
    const bool downsamples = Has(weights, prefix + "proj.");
    const bool encodes = Has(weights, prefix + kAppleNames.fused + ".") ||
                         Has(weights, prefix + kAppleNames.positional_branch + ".");
    if ((downsamples && !(stage.downsample.empty() && stage.positional.empty())) ||
        (encodes && !stage.positional.empty())) {
      return Error(ErrorCode::kUnsupported,
                   "tensor %s: the blocks of a stage wanted in %s, another %s found",
                   weights.WithPrefix(prefix)[0].name_in_file.c_str(),
                   NameInFile(weights, module).c_str(),
                   downsamples ? "downsampler" : "positional encoding");
    }
    if (downsamples) {
      stage.downsample = prefix + "proj.";
    } else if (encodes) {
      stage.positional = module;
    } else {
      stage.blocks = prefix;
      TVLM_ASSIGN_OR_RETURN(stage.depth, CountNumbered(weights, prefix));
      tower.stages.push_back(std::exchange(stage, {}));
    }
  }
  if (!stage.downsample.empty() || !stage.positional.empty()) {
    return Error(ErrorCode::kNotFound, "the blocks of a stage wanted in %s%u, nothing found",
                 NameInFile(weights, network).c_str(), count);
  }
  return tower;
}

}  // namespace

const CheckpointNames& NamesOf(CheckpointLayout layout) {
  return layout == CheckpointLayout::kApple ? kAppleNames : kTransformersNames;
}

Result<uint32_t> CountNumbered(const Safetensors& weights, const std::string& prefix) {
  std::set<int64_t> numbers;
  for (const SafetensorsTensor& tensor : weights.WithPrefix(prefix)) {
    const int64_t number = LeadingNumber(std::string_view(tensor.name).substr(prefix.size()));
    if (number >= 0) numbers.insert(number);
  }
  uint32_t count = 0;
  for (const int64_t number : numbers) {
    if (number != count) {
      const std::string shown = NameInFile(weights, prefix);
      return Error(ErrorCode::kNotFound,
                   "tensors of %s%u wanted, none found, though there are some of %s%u",
                   shown.c_str(), count, shown.c_str(), static_cast<uint32_t>(number));
    }
    ++count;
  }
  return count;
}

CheckpointLayout LayoutOfTower(const Safetensors& weights) {
  const auto has = [&weights](const CheckpointNames& names) {
    const std::string tower = kTowerPrefix;
    return Has(weights, tower + names.stem) || Has(weights, tower + names.stages);
  };
  return has(kAppleNames) && !has(kTransformersNames) ? CheckpointLayout::kApple
                                                      : CheckpointLayout::kTransformers;
}

Result<TowerNames> FindTower(const Safetensors& weights, CheckpointLayout layout) {
  TVLM_ASSIGN_OR_RETURN(TowerNames tower, layout == CheckpointLayout::kApple
                                              ? FindAppleTower(weights)
                                              : FindTransformersTower(weights));
  if (tower.stages.empty()) {
    return Error(ErrorCode::kNotFound, "stages of a tower (%s*) wanted, none found",
                 NameInFile(weights, std::string(kTowerPrefix) + NamesOf(layout).stages).c_str());
  }
  for (size_t s = 0; s < tower.stages.size(); ++s) {
    const TowerNames::Stage& stage = tower.stages[s];
    if (stage.depth == 0)
      return Error(ErrorCode::kNotFound, "blocks of stage %zu (%s0) wanted, none found", s,
                   NameInFile(weights, stage.blocks).c_str());
    if (stage.downsample.empty() == (s == 0)) continue;
    return Error(
        ErrorCode::kUnsupported,
        "a downsampler before every stage but the first wanted, %s found before stage %zu (%s*)",
        s == 0 ? "one" : "none", s, NameInFile(weights, stage.blocks).c_str());
  }
  return tower;
}

}  // namespace tinyvlm
