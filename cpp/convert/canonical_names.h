// Canonical names for the tensors of a checkpoint: training wrappers and export tools put other
// prefixes before the same tensors, so the parts of a FastVLM are found by the names and shapes at
// the end of their tensors' names, whatever stands before them.
#ifndef TINYVLM_CONVERT_CANONICAL_NAMES_H_
#define TINYVLM_CONVERT_CANONICAL_NAMES_H_

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors.h"

namespace tinyvlm {

// The parts of a FastVLM, each with a canonical prefix of its own.
enum class CheckpointPart { kTower, kProjector, kDecoder, kHead };
inline constexpr size_t kCheckpointParts = 4;

// Canonical prefixes. Behind them the tower keeps its own words (CheckpointNames), the projector
// one of kProjectorWords, and the decoder those of Qwen2.
inline constexpr const char* kTowerPrefix = "tower.";
inline constexpr const char* kProjectorPrefix = "projector.";
inline constexpr const char* kDecoderPrefix = "decoder.";
inline constexpr const char* kCanonicalHeadName = "lm_head.weight";

// The two linear layers of the projector, as transformers, LLaVA and MLX call them.
struct ProjectorWords {
  const char* first;
  const char* second;
};
inline constexpr ProjectorWords kProjectorWords[] = {
    {"linear_1", "linear_2"}, {"0", "2"}, {"linear_0", "linear_2"}};

// The prefixes that the tensors of one file, or of one set of shards, have before the parts of a
// FastVLM.
class CanonicalNames {
 public:
  // Levels of wrappers (torch.compile, data parallel, FSDP, activation checkpointing, PEFT) are
  // skipped wherever they stand in a name. A prefix is whatever then stands before a tensor that
  // shows a part: the first convolution, block or squeeze-excite layer of a tower, the two matrices
  // of a projector, an embedding or the first matrices of a decoder. A part can have several.
  explicit CanonicalNames(const Safetensors& weights);

  // True where the tensors show some of the part.
  bool Has(CheckpointPart part) const { return has_[static_cast<size_t>(part)]; }

  // The canonical name of a tensor of these; where it belongs to no part, its name without
  // wrappers.
  std::string Of(std::string_view name) const;

 private:
  void AddPrefix(CheckpointPart part, std::string prefix);

  std::array<std::vector<std::string>, kCheckpointParts> prefixes_;  // longest first
  std::array<bool, kCheckpointParts> has_{};
};

// What `name`, a canonical name or a prefix of one, is or would be called in the file: that of the
// tensor, or with the prefix of the tensors that stand nearest to it.
std::string NameInFile(const Safetensors& weights, const std::string& name);

// True for a canonical name that an inference engine has no use for: counters of BatchNorm, rotary
// tables, the tower's classifier.
bool IsUnusedTensor(std::string_view name);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CANONICAL_NAMES_H_
