// Options from JSON: reads the structs that a VisitOptions shows (base/option.h).
#ifndef TINYVLM_BASE_OPTION_READER_H_
#define TINYVLM_BASE_OPTION_READER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/option.h"
#include "base/status.h"

namespace tinyvlm {

// An error behind the word `where` for the first key that is not one of `keys`, with the key that
// was probably meant.
Status CheckKeys(const Json::Object& object, const std::vector<std::string_view>& keys,
                 const std::string& where);

// A JSON object whose keys are all among `keys`; null is an error, too.
Result<Json> ParseOptionObject(const char* text, const std::vector<std::string_view>& keys);

// A visitor of options that collects their keys.
struct KeyCollector {
  template <typename Option, typename Field>
  Status operator()(const Option& option, const Field&) {
    keys.push_back(option.key);
    return Status();
  }

  std::vector<std::string_view> keys;
};

// A visitor of options that takes their values from JSON. A key that is missing leaves its field.
class OptionReader {
 public:
  explicit OptionReader(const Json& json) : json_(json) {}

  Status operator()(const NumberOption& option, float& field) const;
  Status operator()(const BooleanOption& option, bool& field) const;
  Status operator()(const StringOption& option, std::string& field) const;
  Status operator()(const StringsOption& option, std::vector<std::string>& field) const;
  Status operator()(const JsonOption& option, Json& field) const;

  template <typename Integer>
  Status operator()(const IntegerOption& option, Integer& field) const {
    if (json_.Find(option.key) == nullptr) return Status();
    TVLM_ASSIGN_OR_RETURN(const uint64_t value, ReadInteger(option));
    field = static_cast<Integer>(value);
    return Status();
  }

  // The field is a T or a std::optional<T>.
  template <typename T, typename Field>
  Status operator()(const ChoiceOption<T>& option, Field& field) const {
    if (json_.Find(option.key) == nullptr) return Status();
    TVLM_ASSIGN_OR_RETURN(const std::string word,
                          json_.GetString(option.key, ErrorCode::kInvalidArgument));
    const Result<T> parsed = option.parse(word);
    if (!parsed.ok()) {
      return Error(ErrorCode::kInvalidArgument, "%s: %s wanted, \"%s\" found", option.key,
                   option.wanted, word.c_str());
    }
    field = *parsed;
    return Status();
  }

 private:
  Result<uint64_t> ReadInteger(const IntegerOption& option) const;

  const Json& json_;
};

// Reads `options`, structs that VisitOptions knows, from a JSON object that may have the keys
// `others` beside theirs; returns the object.
template <typename... Options>
Result<Json> ReadOptions(const char* text, std::vector<std::string_view> others,
                         Options&... options) {
  KeyCollector known{std::move(others)};
  Status status;
  (void)((status = VisitOptions(options, known), status.ok()) && ...);
  TVLM_ASSIGN_OR_RETURN(Json json, ParseOptionObject(text, known.keys));
  (void)((status = VisitOptions(options, OptionReader(json)), status.ok()) && ...);
  TVLM_RETURN_IF_ERROR(status);
  return json;
}

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_OPTION_READER_H_
