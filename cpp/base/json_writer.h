// Writes one JSON object: reports at the C interface, `--json` of the command line.
#ifndef TINYVLM_BASE_JSON_WRITER_H_
#define TINYVLM_BASE_JSON_WRITER_H_

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace tinyvlm {

class JsonWriter {
 public:
  JsonWriter& String(const char* key, std::string_view value) {
    Key(key);
    AppendJsonString(value, &text_);
    return *this;
  }

  // JSON has no infinities: a number that is not finite becomes 0.
  JsonWriter& Number(const char* key, double value) {
    Key(key);
    text_ += std::isfinite(value) ? Format("%.10g", value) : "0";
    return *this;
  }

  JsonWriter& Bool(const char* key, bool value) {
    Key(key);
    text_ += value ? "true" : "false";
    return *this;
  }

  // `value` is JSON already: a number that a double cannot hold.
  JsonWriter& Json(const char* key, std::string_view value) {
    Key(key);
    text_ += value;
    return *this;
  }

  JsonWriter& Strings(const char* key, const std::vector<std::string>& values) {
    Key(key);
    text_ += '[';
    for (const std::string& value : values) {
      if (text_.back() != '[') text_ += ',';
      AppendJsonString(value, &text_);
    }
    text_ += ']';
    return *this;
  }

  JsonWriter& Object(const char* key, const JsonWriter& value) {
    Key(key);
    text_ += value.Finish();
    return *this;
  }

  JsonWriter& Array(const char* key, const std::vector<JsonWriter>& values) {
    Key(key);
    text_ += '[';
    for (const JsonWriter& value : values) {
      if (text_.back() != '[') text_ += ',';
      text_ += value.Finish();
    }
    text_ += ']';
    return *this;
  }

  // The object's text.
  std::string Finish() const { return text_ + "}"; }

 private:
  void Key(const char* key) {
    if (text_.size() > 1) text_ += ',';
    AppendJsonString(key, &text_);
    text_ += ':';
  }

  std::string text_ = "{";
};

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_JSON_WRITER_H_
