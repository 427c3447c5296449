#include "convert/checkpoint_weights.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "convert/canonical_names.h"
#include "convert/checkpoint_names.h"
#include "convert/third_party_checkpoint.h"

namespace tinyvlm {

namespace {

constexpr std::string_view kWeightsEnd = ".safetensors";

// A set of files whose headers are here.
struct OpenedSet {
  std::string label;
  std::vector<std::string> files;  // by SafetensorsTensor::file
  Safetensors weights;
  CanonicalNames names;

  OpenedSet(std::string name, std::vector<std::string> file_names, Safetensors tensors)
      : label(std::move(name)),
        files(std::move(file_names)),
        weights(std::move(tensors)),
        names(weights) {}

  bool HasAny() const {
    return names.Has(CheckpointPart::kTower) || names.Has(CheckpointPart::kProjector) ||
           names.Has(CheckpointPart::kDecoder) || names.Has(CheckpointPart::kHead);
  }

  // All that a FastVLM must have: it may have no head of its own.
  bool IsWhole() const {
    return names.Has(CheckpointPart::kTower) && names.Has(CheckpointPart::kProjector) &&
           names.Has(CheckpointPart::kDecoder);
  }
};

// Files that belong together: one, or the shards of a number.
struct FileSet {
  std::string label;  // the file, or "model-*-of-00002.safetensors": for messages
  std::vector<std::string> files;
  size_t shards = 0;                // how many there must be; 0: the file is no shard
  std::optional<OpenedSet> opened;  // once it was looked into
};

bool IsNumber(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The sets of the safetensors files among `names`, which are sorted.
std::vector<FileSet> FileSets(const std::vector<std::string>& names) {
  constexpr std::string_view kOf = "-of-";
  constexpr size_t kDigits = 5, kTail = 1 + kDigits + kOf.size() + kDigits + kWeightsEnd.size();
  std::map<std::string, FileSet> sets;
  for (const std::string& name : names) {
    if (!name.ends_with(kWeightsEnd)) continue;
    std::string label = name;
    size_t shards = 0;
    if (name.size() > kTail) {
      const std::string_view tail = std::string_view(name).substr(name.size() - kTail),
                             number = tail.substr(1, kDigits),
                             of = tail.substr(1 + kDigits, kOf.size()),
                             total = tail.substr(1 + kDigits + kOf.size(), kDigits);
      if (tail[0] == '-' && IsNumber(number) && of == kOf && IsNumber(total)) {
        label = name.substr(0, name.size() - kTail) + "-*" + std::string(tail.substr(1 + kDigits));
        shards = std::stoul(std::string(total));
      }
    }
    FileSet& set = sets[label];
    set.label = label;
    set.shards = shards;
    set.files.push_back(name);
  }
  std::vector<FileSet> result;
  result.reserve(sets.size());
  for (auto& [label, set] : sets) result.push_back(std::move(set));
  return result;
}

// One checkpoint's weights being put together.
class WeightsFinder {
 public:
  WeightsFinder(const CheckpointSource& source, const std::optional<SafetensorsIndex>& index,
                WeightHeaders headers, std::vector<std::string>* warnings)
      : source_(source), index_(index), headers_(std::move(headers)), warnings_(*warnings) {}

  Result<CheckpointWeights> Find() {
    std::vector<std::string> names;
    for (const auto& [name, header] : headers_) names.push_back(name);
    std::vector<FileSet> sets = FileSets(names);
    if (sets.empty() && !index_.has_value()) {
      return Error(ErrorCode::kNotFound, "%s: %s or %s wanted, neither found",
                   source_.name().c_str(), kWeightsName, kWeightsIndexName);
    }
    TVLM_RETURN_IF_ERROR(OpenMain(&sets));
    if (used_.empty()) TVLM_RETURN_IF_ERROR(ChooseWhole(&sets));
    // Files with parts come first: with them the weights may be complete, and another whole set is
    // then one too many.
    std::vector<OpenedSet> whole;
    for (FileSet& set : sets) TVLM_RETURN_IF_ERROR(AddSet(&set, &whole));
    for (OpenedSet& set : whole) AddOrWarn(std::move(set));
    return Merge();
  }

 private:
  void Warn(std::string sentence) { warnings_.push_back(std::move(sentence)); }

  // The tensors of several files together.
  Result<Safetensors> Take(const std::vector<std::string>& files) {
    Safetensors weights;
    for (const std::string& file : files) {
      Result<Safetensors>& header = headers_.at(file);
      if (!header.ok()) return header.status();
      TVLM_RETURN_IF_ERROR(weights.Append(std::move(header).value()));
    }
    return weights;
  }

  // The set that the index or the usual name of a single file says, if any. Removes its files from
  // the others.
  Status OpenMain(std::vector<FileSet>* sets) {
    const bool has_single = headers_.contains(kWeightsName);
    if (!index_.has_value() && !has_single) return Status();
    std::vector<std::string> files{kWeightsName};
    bool by_index = index_.has_value();
    if (by_index) {
      const auto missing =
          std::find_if(index_->shards.begin(), index_->shards.end(),
                       [this](const std::string& shard) { return !headers_.contains(shard); });
      const bool has_shards = std::any_of(sets->begin(), sets->end(),
                                          [](const FileSet& set) { return set.shards > 0; });
      if (missing == index_->shards.end()) {
        files = index_->shards;
      } else if (has_single && !has_shards) {
        Warn(Format("%s is not used: it names shards, none of which is there; %s is read",
                    kWeightsIndexName, kWeightsName));
        by_index = false;
      } else {
        return Error(ErrorCode::kNotFound,
                     "%s: the shard %s is wanted, no such file found beside it",
                     index_->name.c_str(), missing->c_str());
      }
    }
    TVLM_ASSIGN_OR_RETURN(Safetensors weights, Take(files));
    if (by_index) TVLM_RETURN_IF_ERROR(weights.CheckIndex(*index_, source_.PathOf("")));
    const auto is_used = [&files](const std::string& file) {
      return std::find(files.begin(), files.end(), file) != files.end();
    };
    for (FileSet& set : *sets) std::erase_if(set.files, is_used);
    std::erase_if(*sets, [](const FileSet& set) { return set.files.empty(); });
    const bool names_others = by_index && !is_used(kWeightsName);
    used_.emplace_back(
        names_others ? std::string("what ") + kWeightsIndexName + " names" : kWeightsName,
        std::move(files), std::move(weights));
    return Status();
  }

  // Looks into a set, once.
  Status Open(FileSet* set) {
    if (set->opened.has_value()) return Status();
    if (set->shards != 0 && set->files.size() != set->shards) {
      return Error(ErrorCode::kNotFound, "%s: %zu shards %s wanted, %zu found",
                   source_.name().c_str(), set->shards, set->label.c_str(), set->files.size());
    }
    TVLM_ASSIGN_OR_RETURN(Safetensors weights, Take(set->files));
    set->opened.emplace(set->label, set->files, std::move(weights));
    return Status();
  }

  // Where neither an index nor a name says which set is meant, the only whole one is.
  Status ChooseWhole(std::vector<FileSet>* sets) {
    auto whole = sets->end();
    for (auto set = sets->begin(); set != sets->end(); ++set) {
      TVLM_RETURN_IF_ERROR(Open(&*set));
      if (!set->opened->IsWhole()) continue;
      if (whole != sets->end()) {
        return Error(ErrorCode::kInvalidFile,
                     "%s: one set of weights wanted, two whole ones found, %s and %s: remove one, "
                     "or call the one that is meant %s",
                     source_.name().c_str(), whole->label.c_str(), set->label.c_str(),
                     kWeightsName);
      }
      whole = set;
    }
    if (whole == sets->end()) return Status();
    used_.push_back(std::move(*whole->opened));
    sets->erase(whole);
    return Status();
  }

  // True where the sets in use have all parts.
  bool IsComplete() const {
    const auto has = [this](CheckpointPart part) {
      return std::any_of(used_.begin(), used_.end(),
                         [part](const OpenedSet& set) { return set.names.Has(part); });
    };
    return has(CheckpointPart::kTower) && has(CheckpointPart::kProjector) &&
           has(CheckpointPart::kDecoder);
  }

  void WarnOfOtherSet(const std::string& label) {
    Warn(Format("%s is not used: it is another set of weights, %s is read", label.c_str(),
                used_.front().label.c_str()));
  }

  // Uses a set beside the others, or says why not. Whole ones are put off into `whole`.
  Status AddSet(FileSet* set, std::vector<OpenedSet>* whole) {
    const bool complete = IsComplete();
    const char* const label = set->label.c_str();
    if (complete && set->shards != 0) {  // even where some of the shards are missing
      WarnOfOtherSet(set->label);
      return Status();
    }
    if (const Status status = Open(set); !status.ok()) {
      if (!complete) return status;
      Warn(Format("%s is not used: %s", label, status.message().c_str()));
      return Status();
    }
    OpenedSet& opened = *set->opened;
    const std::vector<SafetensorsTensor>& tensors = opened.weights.tensors();
    const bool adapter = std::any_of(
        tensors.begin(), tensors.end(),
        [](const SafetensorsTensor& tensor) { return IsAdapterTensor(tensor.name_in_file); });
    if (complete && (adapter || set->label == kAdapterFile)) {
      Warn(
          Format("%s is not used: it is an adapter that is not merged; merge the adapter first "
                 "if it is meant",
                 label));
    } else if (!opened.HasAny()) {
      Warn(Format("%s is not used: none of its tensors shows a part of a FastVLM", label));
    } else if (opened.IsWhole()) {
      whole->push_back(std::move(opened));
    } else {
      used_.push_back(std::move(opened));
    }
    return Status();
  }

  // Uses a whole set where the others are not complete.
  void AddOrWarn(OpenedSet set) {
    if (IsComplete())
      WarnOfOtherSet(set.label);
    else
      used_.push_back(std::move(set));
  }

  // A tensor for messages, with its file where there are several sets.
  std::string Shown(const OpenedSet& set, const SafetensorsTensor& tensor) const {
    return used_.size() == 1 ? tensor.name_in_file
                             : tensor.name_in_file + " of " + set.files[tensor.file];
  }

  // Gives the tensors of all sets canonical names and puts them together. Of a tensor that several
  // names stand for the first is used.
  Result<CheckpointWeights> Merge() {
    CheckpointWeights result;
    std::map<std::string, std::pair<SafetensorsTensor, std::string>> first;  // and how it is shown
    for (OpenedSet& set : used_) {
      std::vector<std::string> names;
      for (SafetensorsTensor tensor : set.weights.tensors()) {
        const std::string name = set.names.Of(tensor.name);
        std::string shown = Shown(set, tensor);
        tensor.file += static_cast<uint32_t>(result.files.size());
        const auto at = first.find(name);
        names.push_back(at == first.end() ? name : "");
        if (at == first.end()) {
          first.emplace(name, std::pair(std::move(tensor), std::move(shown)));
        } else if (!IsUnusedTensor(name)) {
          DuplicateTensor duplicate{at->second.first, std::move(tensor),
                                    at->second.second + " and " + shown};
          if (duplicate.used.type != duplicate.other.type ||
              duplicate.used.shape != duplicate.other.shape)
            return DifferentValues(duplicate);
          result.duplicates.push_back(std::move(duplicate));
        }
      }
      TVLM_RETURN_IF_ERROR(set.weights.Rename(names));
      TVLM_RETURN_IF_ERROR(result.tensors.Append(std::move(set.weights)));
      result.files.insert(result.files.end(), set.files.begin(), set.files.end());
    }
    return result;
  }

  const CheckpointSource& source_;
  const std::optional<SafetensorsIndex>& index_;
  WeightHeaders headers_;  // of those that no set has taken yet
  std::vector<std::string>& warnings_;
  std::vector<OpenedSet> used_;  // the first is the main one, where there is one
};

// The files that may hold a part in a form that is not read, for messages; empty: none. A trainer's
// state is none of them.
std::string OtherForms(const CheckpointSource& source) {
  std::string forms;
  for (const std::string& name : source.TopNames()) {
    const bool state = name == "training_args.bin" || name.starts_with("optimizer.") ||
                       name.starts_with("scheduler.") || name.starts_with("rng_state");
    const bool core_ml = name.ends_with(".mlpackage") || name.ends_with(".mlmodelc");
    if (IsPickle(name) && !state)
      forms += "; " + name + " is a PyTorch pickle, which is not read: save it as safetensors";
    else if (core_ml || name.ends_with(".onnx"))
      forms +=
          "; " + name + (core_ml ? " is a Core ML" : " is an ONNX") + " export, which is not read";
  }
  return forms;
}

}  // namespace

Result<std::optional<SafetensorsIndex>> ReadWeightsIndex(const CheckpointSource& source) {
  if (!source.Has(kWeightsIndexName)) return std::optional<SafetensorsIndex>();
  TVLM_ASSIGN_OR_RETURN(const std::string text,
                        source.Read(kWeightsIndexName, kMaxSafetensorsIndexBytes));
  TVLM_ASSIGN_OR_RETURN(SafetensorsIndex index,
                        ParseSafetensorsIndex(source.PathOf(kWeightsIndexName), text));
  return std::optional<SafetensorsIndex>(std::move(index));
}

std::vector<std::string> WeightFiles(const CheckpointSource& source,
                                     const std::optional<SafetensorsIndex>& index) {
  std::set<std::string> files;
  for (const std::string& name : source.TopNames()) {
    if (name.ends_with(kWeightsEnd) && source.Has(name)) files.insert(name);
  }
  if (index.has_value()) {
    for (const std::string& shard : index->shards) {
      if (source.Has(shard)) files.insert(shard);
    }
  }
  return {files.begin(), files.end()};
}

Result<CheckpointWeights> FindCheckpointWeights(const CheckpointSource& source,
                                                const std::optional<SafetensorsIndex>& index,
                                                WeightHeaders headers,
                                                std::vector<std::string>* warnings) {
  return WeightsFinder(source, index, std::move(headers), warnings).Find();
}

Status DifferentValues(const DuplicateTensor& duplicate) {
  return Error(ErrorCode::kInvalidFile,
               "tensors %s are the same tensor of a FastVLM with different values: remove one",
               duplicate.shown.c_str());
}

std::string DuplicatesWarning(const std::vector<DuplicateTensor>& duplicates) {
  const bool one = duplicates.size() == 1;
  return Format("%zu %s there twice with the same bytes, and one of each is used: %s%s",
                duplicates.size(), one ? "tensor is" : "tensors are", one ? "" : "for instance ",
                duplicates.front().shown.c_str());
}

Status CheckParts(const CheckpointSource& source, const Safetensors& weights) {
  const auto has = [&weights](const std::string& prefix) {
    return !weights.WithPrefix(prefix).empty();
  };
  const auto missing = [&source](const char* what) {
    return Error(ErrorCode::kNotFound, "%s wanted, none found in the checkpoint%s", what,
                 OtherForms(source).c_str());
  };
  if (!has(kTowerPrefix)) {
    return missing(
        "a vision tower (tensors *.stages.0.blocks.0.mlp.fc1.weight or "
        "*.network.0.0.convffn.fc1.weight, and others; one that was frozen in training may have "
        "been kept elsewhere)");
  }
  if (!has(kProjectorPrefix)) {
    return missing(
        "a projector (tensors *projector.linear_1.weight and linear_2, or *projector.0.weight and "
        "2)");
  }
  if (!has(kDecoderPrefix)) return missing("a decoder (tensors *.embed_tokens.weight, *.layers.*)");
  const std::string query = std::string(kDecoderPrefix) + "layers.0.self_attn.q_proj.",
                    bias = query + "bias";
  if (weights.Find(query + "weight") != nullptr && weights.Find(bias) == nullptr) {
    return Error(ErrorCode::kNotFound, "tensor %s is missing from the checkpoint",
                 NameInFile(weights, bias).c_str());
  }
  return Status();
}

}  // namespace tinyvlm
