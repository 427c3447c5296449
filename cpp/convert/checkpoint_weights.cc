#include "convert/checkpoint_weights.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/file.h"
#include "convert/canonical_names.h"
#include "convert/checkpoint_names.h"
#include "convert/third_party_checkpoint.h"

namespace tinyvlm {

namespace {

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

// Files of a folder that belong together: one, or the shards of a number.
struct FileSet {
  std::string label;  // the file, or "model-*-of-00002.safetensors": for messages
  std::vector<std::string> files;
  size_t shards = 0;  // how many there must be; 0: the file is no shard
};

bool IsNumber(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The sets of the safetensors files among `names`, which are sorted.
std::vector<FileSet> FileSets(const std::vector<std::string>& names) {
  constexpr std::string_view kEnd = ".safetensors", kOf = "-of-";
  constexpr size_t kDigits = 5, kTail = 1 + kDigits + kOf.size() + kDigits + kEnd.size();
  std::map<std::string, FileSet> sets;
  for (const std::string& name : names) {
    if (!name.ends_with(kEnd)) continue;
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

// A set whose headers have been read.
struct OpenedSet {
  std::string label;
  Safetensors weights;
  CanonicalNames names;

  OpenedSet(std::string name, Safetensors tensors)
      : label(std::move(name)), weights(std::move(tensors)), names(weights) {}

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

// One folder's weights being put together.
class WeightsFinder {
 public:
  WeightsFinder(std::string folder, std::vector<std::string>* warnings)
      : folder_(std::move(folder)), warnings_(*warnings) {}

  Result<Safetensors> Find() {
    TVLM_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder_));
    std::vector<FileSet> sets = FileSets(names);
    // Without any file the error says what is missing.
    if (sets.empty()) return Safetensors::OpenFolder(folder_);
    TVLM_RETURN_IF_ERROR(OpenMain(&sets));
    if (used_.empty()) TVLM_RETURN_IF_ERROR(ChooseWhole(&sets));
    // Files with parts come first: with them the weights may be complete, and another whole set is
    // then one too many.
    std::vector<OpenedSet> whole;
    for (const FileSet& set : sets) TVLM_RETURN_IF_ERROR(AddSet(set, &whole));
    for (OpenedSet& set : whole) AddOrWarn(std::move(set));
    return Merge();
  }

 private:
  std::string Path(const std::string& file) const { return folder_ + "/" + file; }

  void Warn(std::string sentence) { warnings_.push_back(std::move(sentence)); }

  // The set that the index or the usual name of a single file says, if any. Removes its files from
  // the others.
  Status OpenMain(std::vector<FileSet>* sets) {
    const bool has_index = IsFile(Path(kIndexFile)), has_single = IsFile(Path(kSingleFile));
    if (!has_index && !has_single) return Status();
    Result<Safetensors> main = Safetensors::OpenFolder(folder_);
    const bool has_shards =
        std::any_of(sets->begin(), sets->end(), [](const FileSet& set) { return set.shards > 0; });
    const bool single_alone = has_index && has_single && !has_shards;
    if (single_alone && main.status().code() == ErrorCode::kNotFound) {
      Warn(Format("%s is not used: it names shards, none of which is there; %s is read", kIndexFile,
                  kSingleFile));
      main = Safetensors::Open(Path(kSingleFile));
    }
    if (!main.ok()) return main.status();
    std::set<std::string> files;
    for (const SafetensorsTensor& tensor : main->tensors()) files.insert(main->FileOf(tensor));
    for (FileSet& set : *sets)
      std::erase_if(set.files, [&](const std::string& file) { return files.contains(Path(file)); });
    std::erase_if(*sets, [](const FileSet& set) { return set.files.empty(); });
    const bool by_index = has_index && files.count(Path(kSingleFile)) == 0;
    used_.emplace_back(by_index ? std::string("what ") + kIndexFile + " names" : kSingleFile,
                       std::move(main).value());
    return Status();
  }

  Result<OpenedSet> Open(const FileSet& set) const {
    std::vector<std::string> paths;
    paths.reserve(set.files.size());
    for (const std::string& file : set.files) paths.push_back(Path(file));
    if (set.shards != 0 && set.files.size() != set.shards) {
      return Error(ErrorCode::kNotFound, "%s: %zu shards %s wanted, %zu found", folder_.c_str(),
                   set.shards, set.label.c_str(), set.files.size());
    }
    TVLM_ASSIGN_OR_RETURN(Safetensors weights, Safetensors::OpenFiles(paths));
    return OpenedSet(set.label, std::move(weights));
  }

  // Where neither an index nor a name says which set is meant, the only whole one is.
  Status ChooseWhole(std::vector<FileSet>* sets) {
    std::optional<OpenedSet> whole;
    for (const FileSet& set : *sets) {
      TVLM_ASSIGN_OR_RETURN(OpenedSet opened, Open(set));
      if (!opened.IsWhole()) continue;
      if (whole.has_value()) {
        return Error(ErrorCode::kInvalidFile,
                     "%s: one set of weights wanted, two whole ones found, %s and %s: remove one, "
                     "or call the one that is meant %s",
                     folder_.c_str(), whole->label.c_str(), opened.label.c_str(), kSingleFile);
      }
      whole.emplace(std::move(opened));
    }
    if (!whole.has_value()) return Status();
    std::erase_if(*sets, [&whole](const FileSet& set) { return set.label == whole->label; });
    used_.push_back(std::move(*whole));
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
  Status AddSet(const FileSet& set, std::vector<OpenedSet>* whole) {
    const bool complete = IsComplete();
    const char* const label = set.label.c_str();
    if (complete && set.shards != 0) {  // even where some of the shards are missing
      WarnOfOtherSet(set.label);
      return Status();
    }
    Result<OpenedSet> opened = Open(set);
    if (!opened.ok()) {
      if (!complete) return opened.status();
      Warn(Format("%s is not used: %s", label, opened.status().message().c_str()));
      return Status();
    }
    const std::vector<SafetensorsTensor>& tensors = opened->weights.tensors();
    const bool adapter = std::any_of(
        tensors.begin(), tensors.end(),
        [](const SafetensorsTensor& tensor) { return IsAdapterTensor(tensor.name_in_file); });
    if (complete && (adapter || set.label == kAdapterFile)) {
      Warn(
          Format("%s is not used: it is an adapter that is not merged; merge the adapter first "
                 "if it is meant",
                 label));
    } else if (!opened->HasAny()) {
      Warn(Format("%s is not used: none of its tensors shows a part of a FastVLM", label));
    } else if (opened->IsWhole()) {
      whole->push_back(std::move(*opened));
    } else {
      used_.push_back(std::move(*opened));
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

  // A tensor for messages, with its file where there are several.
  std::string Shown(const Safetensors& weights, const SafetensorsTensor& tensor) const {
    if (used_.size() == 1) return tensor.name_in_file;
    const std::string& path = weights.FileOf(tensor);
    return tensor.name_in_file + " of " + path.substr(path.rfind('/') + 1);
  }

  // Gives the tensors of all sets canonical names and puts them together. A tensor that several
  // names stand for must have the same bytes under each.
  Result<Safetensors> Merge() {
    struct Place {
      const Safetensors* weights;
      const SafetensorsTensor* tensor;
    };
    std::map<std::string, Place> places;
    std::vector<std::vector<std::string>> names(used_.size());
    size_t duplicates = 0;
    std::string example;
    for (size_t s = 0; s < used_.size(); ++s) {
      const Safetensors& weights = used_[s].weights;
      for (const SafetensorsTensor& tensor : weights.tensors()) {
        std::string name = used_[s].names.Of(tensor.name);
        const auto [at, is_new] = places.try_emplace(name, Place{&weights, &tensor});
        names[s].push_back(is_new ? name : "");
        if (is_new || IsUnusedTensor(name)) continue;
        const Place& first = at->second;
        const std::string one = Shown(*first.weights, *first.tensor),
                          other = Shown(weights, tensor);
        TVLM_ASSIGN_OR_RETURN(const bool equal,
                              AreEqual(*first.weights, *first.tensor, weights, tensor));
        if (!equal) {
          return Error(ErrorCode::kInvalidFile,
                       "tensors %s and %s are the same tensor of a FastVLM with different values: "
                       "remove one",
                       one.c_str(), other.c_str());
        }
        if (duplicates++ == 0) example = Format("%s and %s", one.c_str(), other.c_str());
      }
    }
    if (duplicates != 0) {
      Warn(Format("%zu %s there twice with the same bytes, and one of each is used: %s%s",
                  duplicates, duplicates == 1 ? "tensor is" : "tensors are",
                  duplicates == 1 ? "" : "for instance ", example.c_str()));
    }
    Safetensors result;
    for (size_t s = 0; s < used_.size(); ++s) {
      TVLM_RETURN_IF_ERROR(used_[s].weights.Rename(names[s]));
      TVLM_RETURN_IF_ERROR(result.Append(std::move(used_[s].weights)));
    }
    return result;
  }

  static Result<bool> AreEqual(const Safetensors& a_file, const SafetensorsTensor& a,
                               const Safetensors& b_file, const SafetensorsTensor& b) {
    if (a.type != b.type || a.shape != b.shape) return false;
    constexpr size_t kPiece = 1 << 18;
    std::vector<uint8_t> left(kPiece), right(kPiece);
    for (uint64_t done = 0; done < a.bytes; done += kPiece) {
      const size_t count = static_cast<size_t>(std::min<uint64_t>(kPiece, a.bytes - done));
      TVLM_RETURN_IF_ERROR(a_file.ReadBytes(a, done, left.data(), count));
      TVLM_RETURN_IF_ERROR(b_file.ReadBytes(b, done, right.data(), count));
      if (std::memcmp(left.data(), right.data(), count) != 0) return false;
    }
    return true;
  }

  const std::string folder_;
  std::vector<std::string>& warnings_;
  std::vector<OpenedSet> used_;  // the first is the main one, where there is one
};

// The files of `folder` that may hold a part in a form that is not read, for messages; empty: none.
// A trainer's state is none of them.
std::string OtherForms(const std::string& folder) {
  std::string forms;
  const Result<std::vector<std::string>> names = ListFolder(folder);
  if (!names.ok()) return forms;
  for (const std::string& name : *names) {
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

Result<Safetensors> OpenCheckpointWeights(const std::string& folder,
                                          std::vector<std::string>* warnings) {
  return WeightsFinder(folder, warnings).Find();
}

Status CheckParts(const std::string& folder, const Safetensors& weights) {
  const auto has = [&weights](const std::string& prefix) {
    return !weights.WithPrefix(prefix).empty();
  };
  const auto missing = [&folder](const char* what) {
    return Error(ErrorCode::kNotFound, "%s wanted, none found in the checkpoint%s", what,
                 OtherForms(folder).c_str());
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
