#include "convert/canonical_names.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "convert/checkpoint_names.h"

namespace tinyvlm {

namespace {

// Levels that wrappers put into names: torch.compile, (distributed) data parallel, FSDP, activation
// checkpointing, and PEFT around a linear layer.
constexpr std::string_view kWrapperLevels[] = {"_orig_mod", "module", "_fsdp_wrapped_module",
                                               "_checkpoint_wrapped_module", "base_layer"};

// PEFT's two levels around a whole model.
constexpr std::string_view kPeftLevels = "base_model.model.";

std::string WithoutWrappers(std::string_view name) {
  std::string result;
  while (!name.empty()) {
    if (name.starts_with(kPeftLevels)) {
      name.remove_prefix(kPeftLevels.size());
      continue;
    }
    const size_t dot = name.find('.');
    const std::string_view level = name.substr(0, dot);
    const std::string_view part =
        dot == std::string_view::npos ? name : name.substr(0, dot + 1);  // with its dot
    const bool wraps = dot != std::string_view::npos &&
                       std::find(std::begin(kWrapperLevels), std::end(kWrapperLevels), level) !=
                           std::end(kWrapperLevels);
    if (!wraps) result += part;
    name.remove_prefix(part.size());
  }
  return result;
}

// What stands before `end` in `name`; no value unless `name` ends with it, at the start of a level.
std::optional<std::string> Before(std::string_view name, std::string_view end) {
  if (!name.ends_with(end)) return std::nullopt;
  const std::string_view prefix = name.substr(0, name.size() - end.size());
  return prefix.empty() || prefix.ends_with('.') ? std::optional<std::string>(prefix)
                                                 : std::nullopt;
}

bool IsMatrix(const Shape& shape) { return shape.size() >= 2; }

// A kernel of the first convolution, which reads three channels: [C, 3, 3, 3] in every order of the
// dimensions.
bool IsStemKernel(const Shape& shape) {
  return shape.size() == 4 &&
         std::all_of(shape.begin() + 1, shape.end(), [](uint64_t size) { return size == 3; });
}

// The end of a name that shows a part, and the shapes that fit it.
struct Anchor {
  std::string end;
  CheckpointPart part;
  bool (*fits)(const Shape& shape);
};

std::vector<Anchor> Anchors() {
  std::vector<Anchor> anchors;
  for (const CheckpointLayout layout :
       {CheckpointLayout::kTransformers, CheckpointLayout::kApple}) {
    const CheckpointNames& names = NamesOf(layout);
    const std::string stem = std::string(names.stem) + "0.";
    for (const std::string& end :
         {stem + names.fused + ".weight", stem + names.conv_branches + "0.conv.weight"})
      anchors.push_back({end, CheckpointPart::kTower, &IsStemKernel});
    for (const std::string& end :
         {std::string(names.first_block) + names.conv_ffn + ".fc1.weight",
          std::string(names.final_conv) + "." + names.se_reduce + ".weight"})
      anchors.push_back({end, CheckpointPart::kTower, &IsMatrix});
  }
  for (const char* const end :
       {"embed_tokens.weight", "layers.0.self_attn.q_proj.weight", "layers.0.mlp.gate_proj.weight"})
    anchors.push_back({end, CheckpointPart::kDecoder, &IsMatrix});
  return anchors;
}

// How the names of a part's tensors begin behind its prefix.
std::vector<std::string> WordsOf(CheckpointPart part) {
  switch (part) {
    case CheckpointPart::kTower: {
      std::vector<std::string> words{"head."};
      for (const CheckpointLayout layout :
           {CheckpointLayout::kTransformers, CheckpointLayout::kApple}) {
        const CheckpointNames& names = NamesOf(layout);
        words.insert(words.end(), {names.stem, names.stages, std::string(names.final_conv) + "."});
      }
      return words;
    }
    case CheckpointPart::kProjector: {
      std::vector<std::string> words;
      for (const ProjectorWords& pair : kProjectorWords)
        words.insert(words.end(), {std::string(pair.first) + ".", std::string(pair.second) + "."});
      return words;
    }
    case CheckpointPart::kDecoder:
      return {"embed_tokens.", "layers.", "norm.", "rotary_emb."};
    case CheckpointPart::kHead:
      return {kCanonicalHeadName};
  }
  return {};
}

const char* CanonicalPrefix(CheckpointPart part) {
  switch (part) {
    case CheckpointPart::kTower:
      return kTowerPrefix;
    case CheckpointPart::kProjector:
      return kProjectorPrefix;
    case CheckpointPart::kDecoder:
      return kDecoderPrefix;
    case CheckpointPart::kHead:
      return "";
  }
  return "";
}

// The part of `file_name` that stands for `prefix` of the canonical name: levels of both names are
// compared from the end, and those that only the file's name has are wrappers. No value where the
// names do not end alike.
std::optional<std::string> PrefixInFile(std::string_view name, size_t prefix,
                                        std::string_view file_name) {
  std::string_view rest = name.substr(prefix);
  while (!rest.empty()) {
    if (file_name.empty()) return std::nullopt;
    const size_t at = rest.rfind('.') + 1, file_at = file_name.rfind('.') + 1;  // 0: no dot
    if (rest.substr(at) == file_name.substr(file_at))
      rest = rest.substr(0, at == 0 ? 0 : at - 1);
    else if (file_at == 0)
      return std::nullopt;
    file_name = rest.empty() ? file_name.substr(0, file_at)
                             : file_name.substr(0, file_at == 0 ? 0 : file_at - 1);
  }
  return std::string(file_name);
}

}  // namespace

CanonicalNames::CanonicalNames(const Safetensors& weights) {
  std::map<std::string, const Shape*, std::less<>> shapes;
  for (const SafetensorsTensor& tensor : weights.tensors())
    shapes.emplace(WithoutWrappers(tensor.name), &tensor.shape);
  const std::vector<Anchor> anchors = Anchors();
  for (const auto& [name, shape] : shapes) {
    for (const Anchor& anchor : anchors) {
      const std::optional<std::string> prefix = Before(name, anchor.end);
      if (prefix.has_value() && anchor.fits(*shape)) AddPrefix(anchor.part, *prefix);
    }
    if (const auto prefix = Before(name, kCanonicalHeadName);
        prefix.has_value() && IsMatrix(*shape))
      AddPrefix(CheckpointPart::kHead, *prefix);
    // A projector has few words of its own. Both matrices with fitting shapes show it, or either of
    // them below a name that says so.
    for (const ProjectorWords& words : kProjectorWords) {
      const std::string second = std::string(words.second) + ".weight";
      for (const std::string& end : {std::string(words.first) + ".weight", second}) {
        const std::optional<std::string> prefix = Before(name, end);
        if (!prefix.has_value() || !IsMatrix(*shape)) continue;
        const auto other = shapes.find(*prefix + second);
        const bool fits = other != shapes.end() && other->second->size() == 2 &&
                          (*other->second)[0] == (*shape)[0] && (*other->second)[1] == (*shape)[0];
        if (prefix->ends_with("projector.") || (end != second && fits))
          AddPrefix(CheckpointPart::kProjector, *prefix);
      }
    }
  }
}

void CanonicalNames::AddPrefix(CheckpointPart part, std::string prefix) {
  has_[static_cast<size_t>(part)] = true;
  std::vector<std::string>& prefixes = prefixes_[static_cast<size_t>(part)];
  if (std::find(prefixes.begin(), prefixes.end(), prefix) != prefixes.end()) return;
  const auto at =
      std::find_if(prefixes.begin(), prefixes.end(),
                   [&prefix](const std::string& other) { return other.size() < prefix.size(); });
  prefixes.insert(at, std::move(prefix));
}

std::string CanonicalNames::Of(std::string_view name) const {
  std::string bare = WithoutWrappers(name);
  for (size_t p = 0; p < kCheckpointParts; ++p) {
    const CheckpointPart part = static_cast<CheckpointPart>(p);
    const std::vector<std::string> words = WordsOf(part);
    for (const std::string& prefix : prefixes_[p]) {
      if (!bare.starts_with(prefix)) continue;
      const std::string_view rest = std::string_view(bare).substr(prefix.size());
      const bool known = std::any_of(words.begin(), words.end(), [rest](const std::string& word) {
        return rest.starts_with(word);
      });
      if (known) return CanonicalPrefix(part) + std::string(rest);
    }
  }
  return bare;
}

std::string NameInFile(const Safetensors& weights, const std::string& name) {
  if (const SafetensorsTensor* const tensor = weights.Find(name); tensor != nullptr)
    return tensor->name_in_file;
  for (size_t end = name.rfind('.'); end != std::string::npos && end > 0;
       end = name.rfind('.', end - 1)) {
    const std::string prefix = name.substr(0, end + 1);
    const auto tensors = weights.WithPrefix(prefix);
    if (tensors.empty()) continue;
    const std::optional<std::string> in_file =
        PrefixInFile(tensors[0].name, prefix.size(), tensors[0].name_in_file);
    if (in_file.has_value()) return *in_file + name.substr(end + 1);
  }
  return name;
}

bool IsUnusedTensor(std::string_view name) {
  return name.ends_with(".num_batches_tracked") || name.ends_with(".rotary_emb.inv_freq") ||
         name.starts_with(std::string(kTowerPrefix) + "head.");
}

}  // namespace tinyvlm
