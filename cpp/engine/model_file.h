// A whole model file, loaded in one call.
#ifndef TINYVLM_ENGINE_MODEL_FILE_H_
#define TINYVLM_ENGINE_MODEL_FILE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "base/status.h"
#include "engine/model.h"

namespace tinyvlm {

// Loads the model file at `path`. Errors begin with the path.
Result<std::shared_ptr<Model>> LoadModel(const std::string& path, size_t threads,
                                         ModelUse use = ModelUse::kAsk);

// The machine's number of cores, at most 8; 1 in builds without threads.
size_t DefaultThreads();

}  // namespace tinyvlm

#endif  // TINYVLM_ENGINE_MODEL_FILE_H_
