// What a reader of options has to know of one: its key, what values it may have. The structs of
// options and, for each, a VisitOptions that shows a visitor every option with its field are
// generated from engine/options.json (sampling_options.h, session_options.h), but for those of
// converting (convert/conversion_options.h). base/option_reader.h reads them from JSON.
#ifndef TINYVLM_BASE_OPTION_H_
#define TINYVLM_BASE_OPTION_H_

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace tinyvlm {

// Keys are those of JSON and TypeScript, "topP". Bounds are allowed values.

// The field is a float. max: FLT_MAX where there is no bound.
struct NumberOption {
  const char* key;
  float min;
  float max;
};

// The field is of any integer type.
struct IntegerOption {
  const char* key;
  uint64_t min;
  uint64_t max;
};

// The field is a T, or a std::optional<T>, where none is a default that is known later.
template <typename T>
struct ChoiceOption {
  const char* key;
  const char* wanted;  // the words, for messages: "\"pad\" or \"crop\""
  Result<T> (*parse)(std::string_view word);
};

// The field is a bool.
struct BooleanOption {
  const char* key;
};

// The field is a std::string.
struct StringOption {
  const char* key;
};

// The field is a std::vector<std::string>.
struct StringsOption {
  const char* key;
};

// The field is a Json: null where there is none, else any value.
struct JsonOption {
  const char* key;
};

// invalid_argument for a value out of range (NaN is), naming key, range and value.
Status CheckOption(const NumberOption& option, float value);

// The error for an integer out of range; `found` may be rounded.
Status IntegerOutOfRange(const IntegerOption& option, double found);

template <typename Integer>
Status CheckOption(const IntegerOption& option, Integer value) {
  if (std::cmp_greater_equal(value, option.min) && std::cmp_less_equal(value, option.max))
    return Status();
  return IntegerOutOfRange(option, static_cast<double>(value));
}

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_OPTION_H_
