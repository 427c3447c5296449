// What C++ code inside the repository may do with the C interface's objects; not installed.
#ifndef TINYVLM_API_INTERNAL_H_
#define TINYVLM_API_INTERNAL_H_

#include <memory>

#include "api/tinyvlm.h"
#include "engine/model.h"

namespace tinyvlm {

// A C object around a model that is loaded already, on whatever backend. Owned by the caller: free
// it with tvlm_model_free.
tvlm_model* WrapModel(std::shared_ptr<Model> model);

}  // namespace tinyvlm

#endif  // TINYVLM_API_INTERNAL_H_
