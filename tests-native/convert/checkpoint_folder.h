// Checkpoint folders as tests read them, without a conversion.
#ifndef TINYVLM_TESTS_CONVERT_CHECKPOINT_FOLDER_H_
#define TINYVLM_TESTS_CONVERT_CHECKPOINT_FOLDER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "catch_amalgamated.hpp"
#include "convert/checkpoint.h"
#include "convert/checkpoint_source.h"
#include "convert/checkpoint_weights.h"
#include "convert/convert.h"
#include "convert/third_party_checkpoint.h"
#include "formats/safetensors.h"

namespace tinyvlm {

// The files of a folder, those at its top with their contents but for the weights.
inline CheckpointSource FolderSource(const std::string& folder) {
  const auto files = ListCheckpointFolder(folder);
  REQUIRE(files.ok());
  CheckpointSource source(folder, *files);
  for (const CheckpointFile& file : *files) {
    if (file.name.ends_with("/") || file.name.ends_with(".safetensors")) continue;
    const auto text = ReadTextFile(source.PathOf(file.name), UINT32_MAX);
    REQUIRE(text.ok());
    source.Supply(file.name, *text);
  }
  return source;
}

// A checkpoint whose weights can be read.
inline Result<Checkpoint> OpenCheckpoint(const std::string& folder) {
  const CheckpointSource source = FolderSource(folder);
  TVLM_RETURN_IF_ERROR(RejectThirdPartyFiles(source));
  TVLM_ASSIGN_OR_RETURN(const auto index, ReadWeightsIndex(source));
  WeightHeaders opened;
  for (const std::string& file : WeightFiles(source, index))
    opened.emplace(file, Safetensors::Open(source.PathOf(file)));
  std::vector<std::string> warnings;
  TVLM_ASSIGN_OR_RETURN(CheckpointWeights weights,
                        FindCheckpointWeights(source, index, std::move(opened), &warnings));
  return PlanCheckpoint(source, std::move(weights.tensors), &warnings);
}

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONVERT_CHECKPOINT_FOLDER_H_
