// Objects of the C interface with an owner.
#ifndef TINYVLM_TESTS_API_OWNED_OBJECTS_H_
#define TINYVLM_TESTS_API_OWNED_OBJECTS_H_

#include <memory>

#include "api/tinyvlm.h"

namespace tinyvlm {

struct FreeObject {
  void operator()(tvlm_error* error) const { tvlm_error_free(error); }
  void operator()(tvlm_model* model) const { tvlm_model_free(model); }
  void operator()(tvlm_session* session) const { tvlm_session_free(session); }
};
using ErrorObject = std::unique_ptr<tvlm_error, FreeObject>;
using ModelObject = std::unique_ptr<tvlm_model, FreeObject>;
using SessionObject = std::unique_ptr<tvlm_session, FreeObject>;

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_API_OWNED_OBJECTS_H_
