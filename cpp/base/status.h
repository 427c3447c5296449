// Status and Result<T>: how every fallible function of the engine reports failure. The engine
// throws nothing itself (api/guard.h says what containers do); a Status becomes a record at the C
// ABI and the wasm border and a TinyVLMError in TypeScript.
#ifndef TINYVLM_BASE_STATUS_H_
#define TINYVLM_BASE_STATUS_H_

#include <cstdarg>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace tinyvlm {

// Error codes. Their numbers are part of the C ABI (append only) and the exit codes of the command
// line. TypeScript has the same names and numbers in js-sdk/src/protocol/errors.ts, users in
// docs/errors.md: js-sdk/test/error-codes.test.ts compares the three.
enum class ErrorCode : int32_t {
  kOk = 0,
  // the caller passed an impossible value (a size of 0, an unknown option)
  kInvalidArgument = 1,
  kNotFound = 2,      // a file, key or tensor that must be there is not
  kInvalidFile = 3,   // bytes that are damaged, truncated or not of the format they claim
  kUnsupported = 4,   // well-formed, but not supported by this engine; the message says what
  kOutOfMemory = 5,   // an allocation whose size comes from a file or an image failed
  kInvalidImage = 6,  // an image that cannot be decoded
  kContextFull = 7,   // prompt and answer do not fit in the session's context
  kIo = 8,            // reading or writing failed in the operating system
  kNotReady = 9,      // called in the wrong order: Advance without a question, a model not loaded
  kInternal = 10,     // a bug of the engine
  kAborted = 13,      // the caller ended the work (11, 12 and 14 exist in TypeScript only)
};

// "ok", "invalid_argument", ... : the spelling that users see (TinyVLMError.code, `--json`).
const char* ErrorCodeName(ErrorCode code);

// An error code and one sentence for people. A default Status is success and allocates nothing.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}
  bool ok() const { return code_ == ErrorCode::kOk; }
  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  ErrorCode code_ = ErrorCode::kOk;
  std::string message_;
};

// printf-style Status. The message gives what was wanted, what was found, and the name of the
// tensor, key or file.
Status Error(ErrorCode code, const char* format, ...) __attribute__((format(printf, 2, 3)));

// printf into a std::string.
std::string Format(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Either a value or a Status that is not ok. Access to value() of a failed Result is our own
// mistake.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) {}  // NOLINT: implicit by design
  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

#define TVLM_CONCAT_INNER(a, b) a##b
#define TVLM_CONCAT(a, b) TVLM_CONCAT_INNER(a, b)

// Returns the Status from the enclosing function if it is not ok.
#define TVLM_RETURN_IF_ERROR(expr)             \
  do {                                         \
    ::tinyvlm::Status tvlm_status = (expr);    \
    if (!tvlm_status.ok()) return tvlm_status; \
  } while (0)

// TVLM_ASSIGN_OR_RETURN(auto x, MakeX()): declares or assigns x, or returns the error.
#define TVLM_ASSIGN_OR_RETURN(lhs, expr) \
  TVLM_ASSIGN_OR_RETURN_IMPL(TVLM_CONCAT(tvlm_result_, __LINE__), lhs, expr)
#define TVLM_ASSIGN_OR_RETURN_IMPL(result, lhs, expr) \
  auto result = (expr);                               \
  if (!result.ok()) return result.status();           \
  lhs = std::move(result).value()

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_STATUS_H_
