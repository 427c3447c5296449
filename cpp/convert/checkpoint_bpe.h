// Byte-level BPE of a checkpoint: tokenizer.json, or vocab.json with merges.txt, and the
// added tokens that other files list.
#ifndef TINYVLM_CONVERT_CHECKPOINT_BPE_H_
#define TINYVLM_CONVERT_CHECKPOINT_BPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "convert/checkpoint_source.h"

namespace tinyvlm {

// Its data, in the form of GGUF's keys and of text/bpe_tokenizer.h.
struct CheckpointBpe {
  std::vector<std::string> tokens;  // by id
  std::vector<int32_t> types;       // PieceType by id
  std::vector<std::string> merges;  // "left right", in order of priority
};

// True where the checkpoint has such a tokenizer.
bool HasCheckpointBpe(const CheckpointSource& source);

// The files that it is read from, where the checkpoint has them.
std::vector<std::string> CheckpointBpeFiles(const CheckpointSource& source);

// Reads it. Only Qwen2's tokenizer is supported: kUnsupported, with file and key, where
// tokenizer.json has another normalisation, splitting, merging or decoding, or where
// tokenizer_config.json names another class. kInvalidFile for ids that have no token or several.
Result<CheckpointBpe> ReadCheckpointBpe(const CheckpointSource& source);

}  // namespace tinyvlm

#endif  // TINYVLM_CONVERT_CHECKPOINT_BPE_H_
