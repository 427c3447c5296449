// Validates JSON against a schema, for tests: written from the specification of draft 2020-12, with
// nothing of the engine but its JSON reader.
#ifndef TINYVLM_TESTS_CONSTRAIN_JSON_VALIDATOR_H_
#define TINYVLM_TESTS_CONSTRAIN_JSON_VALIDATOR_H_

#include <algorithm>
#include <cmath>
#include <regex>
#include <string>

#include "base/json.h"

namespace tinyvlm {

class JsonValidator {
 public:
  explicit JsonValidator(const Json& root) : root_(root) {}

  bool Validates(const Json& value) const { return Validates(root_, value); }

 private:
  static bool Equal(const Json& a, const Json& b) {
    if (a.number() || b.number()) return a.number() == b.number();
    if (a.array() != nullptr && b.array() != nullptr)
      return std::equal(a.array()->begin(), a.array()->end(), b.array()->begin(), b.array()->end(),
                        Equal);
    if (a.object() != nullptr && b.object() != nullptr) {
      return a.object()->size() == b.object()->size() &&
             std::all_of(a.object()->begin(), a.object()->end(), [&](const Json::Member& member) {
               const Json* const other = b.Find(member.first);
               return other != nullptr && Equal(member.second, *other);
             });
    }
    if (a.string() != nullptr && b.string() != nullptr) return *a.string() == *b.string();
    return std::string(a.KindName()) == b.KindName() && a.boolean() == b.boolean();
  }

  static bool HasType(const std::string& type, const Json& value) {
    if (type == "null") return value.is_null();
    if (type == "boolean") return value.boolean().has_value();
    if (type == "number") return value.number().has_value();
    if (type == "integer") return value.number() && std::floor(*value.number()) == *value.number();
    if (type == "string") return value.string() != nullptr;
    if (type == "array") return value.array() != nullptr;
    return type == "object" && value.object() != nullptr;
  }

  static size_t Characters(const std::string& text) {
    return static_cast<size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
  }

  // The schema that a reference without escapes names.
  const Json& Target(const std::string& reference) const {
    const Json* at = &root_;
    for (size_t begin = 2; begin < reference.size();) {
      const size_t end = std::min(reference.find('/', begin), reference.size());
      at = at->Find(reference.substr(begin, end - begin));
      begin = end + 1;
    }
    return *at;
  }

  bool Validates(const Json& schema, const Json& value) const {
    if (schema.boolean()) return *schema.boolean();
    const auto all_keywords = [&](const Json::Member& member) {
      return Keyword(schema, member.first, member.second, value);
    };
    return std::all_of(schema.object()->begin(), schema.object()->end(), all_keywords);
  }

  bool Keyword(const Json& schema, const std::string& key, const Json& says,
               const Json& value) const {
    const auto count = [&](const Json::Array& schemas) {
      return std::count_if(schemas.begin(), schemas.end(),
                           [&](const Json& each) { return Validates(each, value); });
    };
    if (key == "type") {
      if (says.string() != nullptr) return HasType(*says.string(), value);
      return std::any_of(says.array()->begin(), says.array()->end(),
                         [&](const Json& type) { return HasType(*type.string(), value); });
    }
    if (key == "const") return Equal(says, value);
    if (key == "enum")
      return std::any_of(says.array()->begin(), says.array()->end(),
                         [&](const Json& each) { return Equal(each, value); });
    if (key == "$ref") return Validates(Target(*says.string()), value);
    if (key == "allOf") return count(*says.array()) == static_cast<long>(says.array()->size());
    if (key == "anyOf") return count(*says.array()) >= 1;
    if (key == "oneOf") return count(*says.array()) == 1;
    if (value.number()) {
      const double number = *value.number();
      if (key == "minimum") return number >= *says.number();
      if (key == "maximum") return number <= *says.number();
      if (key == "exclusiveMinimum") return number > *says.number();
      if (key == "exclusiveMaximum") return number < *says.number();
    }
    if (value.string() != nullptr) {
      const double length = static_cast<double>(Characters(*value.string()));
      if (key == "minLength") return length >= *says.number();
      if (key == "maxLength") return length <= *says.number();
      if (key == "pattern") return std::regex_search(*value.string(), std::regex(*says.string()));
    }
    if (value.array() != nullptr) {
      const double length = static_cast<double>(value.array()->size());
      if (key == "minItems") return length >= *says.number();
      if (key == "maxItems") return length <= *says.number();
      const Json* const prefix = schema.Find("prefixItems");
      const size_t prefix_size = prefix == nullptr ? 0 : prefix->array()->size();
      for (size_t i = 0; i < value.array()->size(); ++i) {
        const Json& item = (*value.array())[i];
        if (key == "prefixItems" && i < prefix_size && !Validates((*prefix->array())[i], item))
          return false;
        if (key == "items" && i >= prefix_size && !Validates(says, item)) return false;
      }
    }
    if (value.object() != nullptr) {
      if (key == "required")
        return std::all_of(says.array()->begin(), says.array()->end(),
                           [&](const Json& name) { return value.Find(*name.string()) != nullptr; });
      const Json* const properties = schema.Find("properties");
      for (const auto& [name, member] : *value.object()) {
        const Json* const property = properties == nullptr ? nullptr : properties->Find(name);
        if (key == "properties" && property != nullptr && !Validates(*property, member))
          return false;
        if (key == "additionalProperties" && property == nullptr && !Validates(says, member))
          return false;
      }
    }
    return true;
  }

  const Json& root_;
};

}  // namespace tinyvlm

#endif  // TINYVLM_TESTS_CONSTRAIN_JSON_VALIDATOR_H_
