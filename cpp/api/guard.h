// What a function of the C interface does where memory runs out inside of it.
#ifndef TINYVLM_API_GUARD_H_
#define TINYVLM_API_GUARD_H_

#include <new>
#include <stdexcept>
#include <utility>

#include "base/status.h"

namespace tinyvlm {

// Where large buffers find no memory, a Status says so (base/aligned.h). A container of the
// standard library throws instead, natively: then `otherwise`, which must not allocate, makes the
// result. Destructors have run on the way. In WebAssembly, which is compiled without exceptions,
// the module ends itself.
template <typename Call, typename Otherwise>
auto Guarded(const Call& call, const Otherwise& otherwise) -> decltype(call()) {
#if defined(__cpp_exceptions)
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return otherwise();
  } catch (const std::length_error&) {  // more than a container can ever hold
    return otherwise();
  }
#else
  (void)otherwise;
  return call();
#endif
}

// Why the last call on an object that failed did so. To say that memory ran out takes none.
class LastError {
 public:
  void Set(Status status) {
    exhausted_ = false;
    status_ = std::move(status);
  }
  void SetExhausted() { exhausted_ = true; }

  ErrorCode code() const { return exhausted_ ? ErrorCode::kOutOfMemory : status_.code(); }
  const char* message() const { return exhausted_ ? kExhausted : status_.message().c_str(); }

  static constexpr const char* kExhausted =
      "not enough memory; use a smaller model, image size or context, or free other objects";

 private:
  Status status_;
  bool exhausted_ = false;
};

}  // namespace tinyvlm

#endif  // TINYVLM_API_GUARD_H_
