// The words that FastVLM checkpoints have for the tensors of the tower, transformers' (timm's) and
// Apple's, and the tower whose structure such names show. All names are canonical
// (convert/canonical_names.h); errors show them as they are in the file.
#ifndef TINYVLM_CONVERT_CHECKPOINT_NAMES_H_
#define TINYVLM_CONVERT_CHECKPOINT_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// The two ways in which a config.json is laid out, and in which a tower's tensors are named.
enum class CheckpointLayout {
  kTransformers,  // text_config and vision_config; timm's names
  kApple,         // LLaVA's flat config; Apple's names
};

// The words of one layout of a tower. Prefixes end in a dot; modules and branches, to which a dot
// and a part are added, do not.
struct CheckpointNames {
  const char* stem;         // prefix, then the number of a convolution
  const char* stages;       // prefix, then the number of a stage (of a module in Apple's list)
  const char* first_block;  // prefix of the first block of the first stage
  const char* final_conv;   // module
  const char* se_reduce;    // modules below final_conv
  const char* se_expand;
  const char* conv_ffn;            // module below a block
  const char* layer_scale_suffix;  // behind "layer_scale", "layer_scale_1" and "layer_scale_2"

  // The inference form of a convolution, and the branches of its training form.
  const char* fused;
  const char* fused_large;      // of the 7x7 of a downsampler
  const char* conv_branches;    // prefix, then a number
  const char* scale_branch;     // 1x1
  const char* identity_branch;  // BatchNorm alone
  const char* large_branch;
  const char* small_branch;
  const char* positional_branch;  // without BatchNorm; the identity is added to it
};

const CheckpointNames& NamesOf(CheckpointLayout layout);

// A tower as its tensors' names show it.
struct TowerNames {
  struct Stage {
    std::string downsample;  // prefix, then 0 or 1; empty in the first stage
    std::string positional;  // module; Apple's names: empty where there is none
    std::string blocks;      // prefix, then the number of a block
    uint32_t depth = 0;      // blocks
  };
  std::vector<Stage> stages;
};

// The numbers that follow `prefix` in the tensors' names, which must be 0, 1, 2, ...: how many
// there are. kNotFound names the first that is missing.
Result<uint32_t> CountNumbered(const Safetensors& weights, const std::string& prefix);

// Whose words the tensors of the tower have.
CheckpointLayout LayoutOfTower(const Safetensors& weights);

// The stages in their order, whatever their number and depths. Errors: kNotFound where a part of
// the tower has no tensor, kUnsupported where the names show something that FastViTHD does not
// have.
Result<TowerNames> FindTower(const Safetensors& weights, CheckpointLayout layout);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_NAMES_H_
