// Byte-level BPE of a checkpoint folder: tokenizer.json, or vocab.json with merges.txt, and the
// added tokens that stand in files beside them.
#ifndef TINYVLM_CONVERT_CHECKPOINT_BPE_H_
#define TINYVLM_CONVERT_CHECKPOINT_BPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace tinyvlm {

// In the form of GGUF's keys and of text/bpe_tokenizer.h.
struct CheckpointBpe {
  std::vector<std::string> tokens;  // by id
  std::vector<int32_t> types;       // PieceType by id
  std::vector<std::string> merges;
};

// True where `folder` holds such a tokenizer.
bool HasCheckpointBpe(const std::string& folder);

// Reads it. Only Qwen2's is taken: unsupported, naming file and key, where tokenizer.json says
// something else of normalisation, splitting, merging or decoding, or where tokenizer_config.json
// names another class. invalid_file for ids that have no token or several.
Result<CheckpointBpe> ReadCheckpointBpe(const std::string& folder);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_BPE_H_
