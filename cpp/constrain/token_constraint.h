// The interface of what restricts an answer: the tokens that may come next.
#ifndef TINYVLM_CONSTRAIN_TOKEN_CONSTRAINT_H_
#define TINYVLM_CONSTRAIN_TOKEN_CONSTRAINT_H_

#include <cstdint>
#include <span>

#include "base/status.h"

namespace tinyvlm {

// Follows one answer, token by token. Used by one thread at a time.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  // Begins another answer.
  virtual void Start() = 0;

  // One byte for each id, not 0 where the id may be the answer's next token; a stop token may where
  // the text is complete. At least one may. Valid until the next call. Errors: unsupported where no
  // token of the vocabulary continues the text, and where following it takes too much memory.
  virtual Result<std::span<const uint8_t>> Allowed() = 0;

  // Adds a token, one that Allowed has allowed and that is no stop token. Errors: as for Allowed.
  virtual Status Push(int32_t id) = 0;

  // True where the text is complete and nothing can follow it.
  virtual bool complete() const = 0;
};

}  // namespace tinyvlm

#endif  // TINYVLM_CONSTRAIN_TOKEN_CONSTRAINT_H_
