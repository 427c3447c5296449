// A whole model in one call: from a file, a part of a file, or memory.
#ifndef TINYVLM_ENGINE_MODEL_FILE_H_
#define TINYVLM_ENGINE_MODEL_FILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/file.h"
#include "base/status.h"
#include "engine/model.h"
#include "formats/gguf.h"

namespace tinyvlm {

struct LoadOptions {
  // threads that compute, the caller's included; at least 1
  size_t threads = 1;
  ModelUse use = ModelUse::kAsk;
  // Weights that are read in place (mapped, or borrowed from memory) are by default not compared
  // with the SHA-256 of their chunks, because that would read all of them; true compares them.
  // Header and structure are always checked, and so are weights that are copied into memory.
  bool verify = false;
  // Called on the loading thread, repeatedly and at the end, with the bytes done and the total. An
  // error that it returns cancels the load, which fails with that error. May be empty.
  std::function<Status(uint64_t done, uint64_t total)> progress;
};

// Loads the model file at `path`. A panel16 file (docs/model-file.md) is mapped: nothing is copied,
// pages are read when they are first used, and processes that load the same file share them; it
// must then not be truncated or overwritten while the model lives (replace it by renaming). Other
// files, and all files where mapping is not possible (Windows, WebAssembly), are read into memory.
// Errors begin with the path.
Result<std::shared_ptr<Model>> LoadModel(const std::string& path, const LoadOptions& options);

// The same with these two options.
Result<std::shared_ptr<Model>> LoadModel(const std::string& path, size_t threads,
                                         ModelUse use = ModelUse::kAsk);

// The same for a model file of `length` bytes at `offset` of the file behind `descriptor` (an asset
// in an Android package, say). Any offset will do; a panel16 file is mapped where its offset is a
// multiple of 4, and computes fastest where it is one of 64. The descriptor stays the caller's and
// may be closed afterwards.
Result<std::shared_ptr<Model>> LoadModelFromDescriptor(int descriptor, uint64_t offset,
                                                       uint64_t length, const LoadOptions& options);

// The same for a model file that lies in memory. A panel16 file whose address is a multiple of 4
// (fastest: of 64) is used where it lies: `bytes` must then stay, unchanged, as long as the model
// lives; `owner`, if given, is kept until then. Any other file is copied, and `bytes` are not read
// after the call.
Result<std::shared_ptr<Model>> LoadModelFromMemory(std::span<const uint8_t> bytes,
                                                   const LoadOptions& options,
                                                   std::shared_ptr<const void> owner = nullptr);

// Whether LoadModel maps the weights of this file, whose header is `header`: then they take memory
// only as long as the system has some to spare.
bool CanMapWeights(const RandomAccessFile& opened, const GgufFile& header);

// As many as logical processors up to 4, then half of them, at least 4 and at most 8; 1 in builds
// without threads.
size_t DefaultThreads();

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_MODEL_FILE_H_
