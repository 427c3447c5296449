// A small strict JSON reader (RFC 8259) for configs, file headers and options, and the escaping
// that writing JSON needs.
#ifndef TINYVLM_BASE_JSON_H_
#define TINYVLM_BASE_JSON_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace tinyvlm {

// One value of a document, which owns everything below it. An accessor of another kind than the
// value's returns "none"; it never fails.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // in the document's order

  // A number as the nearest double and, if it is written as an integer (no fraction, no exponent),
  // exactly.
  struct Number {
    double value = 0;
    uint64_t magnitude = 0;  // of an integer that fits in 64 bits
    bool negative = false;
    bool exact = false;  // magnitude and negative hold the number
  };

  Json() = default;  // null
  explicit Json(bool value) : value_(value) {}
  explicit Json(Number value) : value_(value) {}
  explicit Json(std::string value) : value_(std::move(value)) {}
  explicit Json(Array value) : value_(std::move(value)) {}
  explicit Json(Object value) : value_(std::move(value)) {}
  Json(Json&&) noexcept = default;
  Json& operator=(Json&&) noexcept = default;
  // A copy is made beside and moved in: where memory runs out within the copying of a std::variant
  // of strings and vectors, some standard libraries destroy what is not there yet.
  Json(const Json& other) { *this = other; }
  Json& operator=(const Json& other);

  // "null", "a boolean", "a number", "a string", "an array" or "an object": for error messages.
  const char* KindName() const;

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  std::optional<bool> boolean() const;
  std::optional<double> number() const;
  std::optional<int64_t> int64() const;  // none if not an integer or out of range
  std::optional<uint64_t> uint64() const;
  const std::string* string() const { return std::get_if<std::string>(&value_); }
  const Array* array() const { return std::get_if<Array>(&value_); }

  // All members, repeated keys included.
  const Object* object() const { return std::get_if<Object>(&value_); }

  // The member of an object; the last one if the key is repeated. Null if it is absent or this is
  // not an object.
  const Json* Find(std::string_view key) const;

  // Required members. Errors: kNotFound with the key if it is absent; if the value is of another
  // kind or out of range, `code` with the key, what was wanted and what was found.
  Result<bool> GetBool(std::string_view key, ErrorCode code = ErrorCode::kInvalidFile) const;
  Result<double> GetNumber(std::string_view key, ErrorCode code = ErrorCode::kInvalidFile) const;
  Result<int64_t> GetInt(std::string_view key, int64_t min, int64_t max,
                         ErrorCode code = ErrorCode::kInvalidFile) const;
  Result<std::string> GetString(std::string_view key,
                                ErrorCode code = ErrorCode::kInvalidFile) const;

 private:
  Result<const Json*> FindRequired(std::string_view key) const;

  std::variant<std::monostate, bool, Number, std::string, Array, Object> value_;
};

// Parses one document. Errors, with the byte offset and what was wanted: anything outside RFC 8259,
// invalid UTF-8, unpaired surrogates, numbers beyond the range of a double, nesting deeper than 64.
// Memory use is at most about 40 times the text.
Result<Json> ParseJson(std::string_view text);

// A decimal number, as JSON writes them, as the nearest double; infinite where it is beyond them.
// The locale that the program has chosen does not matter.
double ParseDouble(std::string_view text);

// Appends a value as compact JSON, members in their order or sorted by key: equal values without
// repeated keys then have equal texts. Numbers have as few digits as they take.
void AppendJson(const Json& value, bool sort_keys, std::string* out);

// Appends `text` (valid UTF-8) as a JSON string, quotes included.
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_JSON_H_
