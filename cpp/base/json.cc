#include "base/json.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cmath>
#include <cstdlib>

#include "base/c_locale.h"
#include "base/utf8_encode.h"

namespace tinyvlm {

double ParseDouble(std::string_view text) {
#if defined(__cpp_lib_to_chars)
  double value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc())
    return value;
  // Out of range, and from_chars does not say at which end. Next to 0 only where the way it is
  // written leaves no doubt.
  const size_t exponent = text.find_first_of("eE");
  const bool tiny = exponent == std::string_view::npos
                        ? text.starts_with("0.") || text.starts_with("-0.")
                        : exponent < 300 && text[exponent + 1] == '-';
  return tiny ? 0.0 : HUGE_VAL;
#else
  const ScopedCLocale c_locale;  // libc++ cannot read doubles by from_chars
  return std::strtod(std::string(text).c_str(), nullptr);
#endif
}

namespace {

constexpr int kMaxDepth = 64;  // the parser and the destructor recurse; wasm stacks are small

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Json> ParseDocument() {
    TVLM_ASSIGN_OR_RETURN(Json value, ParseValue(0));
    SkipSpace();
    if (!AtEnd()) return Wanted("the end of the document");
    return value;
  }

 private:
  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }

  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void SkipSpace() {
    while (!AtEnd() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }

  // The error of this place.
  Status Wanted(const char* what) const {
    if (AtEnd())
      return Error(ErrorCode::kInvalidFile,
                   "JSON: %s wanted at byte %zu, the end of the text found", what, at_);
    const unsigned char c = static_cast<unsigned char>(text_[at_]);
    if (c > 0x20 && c < 0x7f)
      return Error(ErrorCode::kInvalidFile, "JSON: %s wanted at byte %zu, '%c' found", what, at_,
                   c);
    return Error(ErrorCode::kInvalidFile, "JSON: %s wanted at byte %zu, the byte 0x%02x found",
                 what, at_, c);
  }

  Result<Json> ParseValue(int depth) {
    SkipSpace();
    switch (Peek()) {
      case '{':
        return ParseObject(depth);
      case '[':
        return ParseArray(depth);
      case '"': {
        TVLM_ASSIGN_OR_RETURN(std::string value, ParseString());
        return Json(std::move(value));
      }
      case 't':
        return ParseWord("true", Json(true));
      case 'f':
        return ParseWord("false", Json(false));
      case 'n':
        return ParseWord("null", Json());
      default:
        return ParseNumber();
    }
  }

  Result<Json> ParseWord(std::string_view word, Json value) {
    if (text_.substr(at_, word.size()) != word) return Wanted("a value");
    at_ += word.size();
    return value;
  }

  Result<Json> ParseArray(int depth) {
    if (depth == kMaxDepth) return TooDeep();
    ++at_;
    Json::Array items;
    SkipSpace();
    if (Take(']')) return Json(std::move(items));
    while (true) {
      TVLM_ASSIGN_OR_RETURN(Json item, ParseValue(depth + 1));
      items.push_back(std::move(item));
      SkipSpace();
      if (Take(']')) return Json(std::move(items));
      if (!Take(',')) return Wanted("',' or ']'");
    }
  }

  Result<Json> ParseObject(int depth) {
    if (depth == kMaxDepth) return TooDeep();
    ++at_;
    Json::Object members;
    SkipSpace();
    if (Take('}')) return Json(std::move(members));
    while (true) {
      SkipSpace();
      if (Peek() != '"') return Wanted("a key in double quotes");
      TVLM_ASSIGN_OR_RETURN(std::string key, ParseString());
      SkipSpace();
      if (!Take(':')) return Wanted("':'");
      TVLM_ASSIGN_OR_RETURN(Json value, ParseValue(depth + 1));
      members.emplace_back(std::move(key), std::move(value));
      SkipSpace();
      if (Take('}')) return Json(std::move(members));
      if (!Take(',')) return Wanted("',' or '}'");
    }
  }

  Status TooDeep() const {
    return Error(ErrorCode::kInvalidFile,
                 "JSON: at most %d levels of nesting wanted, more found at byte %zu", kMaxDepth,
                 at_);
  }

  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }

  // Passes a run of digits; false where there is none.
  bool SkipDigits() {
    if (!IsDigit(Peek())) return false;
    while (IsDigit(Peek())) ++at_;
    return true;
  }

  Result<Json> ParseNumber() {
    const size_t begin = at_;
    Json::Number number;
    number.negative = Take('-');
    const size_t digits = at_;
    if (!Take('0') && !SkipDigits()) return Wanted(number.negative ? "a digit" : "a value");
    number.exact = true;
    for (size_t i = digits; i < at_; ++i) {
      const uint64_t digit = static_cast<uint64_t>(text_[i] - '0');
      number.exact = number.exact &&
                     !__builtin_mul_overflow(number.magnitude, uint64_t{10}, &number.magnitude) &&
                     !__builtin_add_overflow(number.magnitude, digit, &number.magnitude);
    }
    if (Take('.')) {
      number.exact = false;
      if (!SkipDigits()) return Wanted("a digit");
    }
    if (Peek() == 'e' || Peek() == 'E') {
      number.exact = false;
      ++at_;
      if (!Take('+')) Take('-');
      if (!SkipDigits()) return Wanted("a digit");
    }
    number.value = ParseDouble(text_.substr(begin, at_ - begin));
    if (!std::isfinite(number.value))
      return Error(ErrorCode::kInvalidFile,
                   "JSON: the number at byte %zu is beyond the range of a double", begin);
    return Json(number);
  }

  // Four hexadecimal digits.
  bool ParseHex4(uint32_t* value) {
    *value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = Peek();
      const char lower = static_cast<char>(c | 0x20);
      if (IsDigit(c)) {
        *value = *value * 16 + static_cast<uint32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        *value = *value * 16 + static_cast<uint32_t>(lower - 'a' + 10);
      } else {
        return false;
      }
      ++at_;
    }
    return true;
  }

  // Bytes of the UTF-8 character that begins here; 0 where it is not one (overlong, surrogate,
  // beyond U+10FFFF, cut off).
  size_t CharacterBytes() const {
    const auto byte = [this](size_t i) {
      return at_ + i < text_.size() ? static_cast<unsigned char>(text_[at_ + i]) : 0u;
    };
    const auto follows = [&byte](size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
    const unsigned lead = byte(0), second = byte(1);
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
      return follows(1) && follows(2) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
      if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
      return follows(1) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
  }

  Status ParseEscape(std::string* out) {
    const size_t begin = at_ - 1;
    const char c = Peek();
    static constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    if (const size_t i = AtEnd() ? std::string_view::npos : kNames.find(c);
        i != std::string_view::npos) {
      out->push_back(kValues[i]);
      ++at_;
      return Status();
    }
    if (!Take('u')) return Wanted("an escape (one of \"\\/bfnrtu)");
    uint32_t code = 0, low = 0;
    if (!ParseHex4(&code)) return Wanted("a hexadecimal digit");
    if (code >= 0xd800 && code < 0xdc00) {
      if (!Take('\\') || !Take('u')) return Wanted("the second half of a surrogate pair");
      if (!ParseHex4(&low)) return Wanted("a hexadecimal digit");
    }
    if ((code >= 0xd800 && code < 0xe000) && !(code < 0xdc00 && low >= 0xdc00 && low < 0xe000)) {
      return Error(ErrorCode::kInvalidFile, "JSON: the escape at byte %zu is an unpaired surrogate",
                   begin);
    }
    AppendUtf8(
        code >= 0xd800 && code < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : code,
        out);
    return Status();
  }

  Result<std::string> ParseString() {
    ++at_;
    std::string out;
    while (true) {
      if (AtEnd()) return Wanted("'\"'");
      if (Take('"')) return out;
      if (Take('\\')) {
        TVLM_RETURN_IF_ERROR(ParseEscape(&out));
        continue;
      }
      if (static_cast<unsigned char>(text_[at_]) < 0x20)
        return Wanted("a character of a string (control characters are escaped)");
      const size_t bytes = CharacterBytes();
      if (bytes == 0) return Wanted("a UTF-8 character");
      out.append(text_, at_, bytes);
      at_ += bytes;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

Status WrongKind(std::string_view key, ErrorCode code, const char* wanted, const Json& found) {
  return Error(code, "%.*s: %s wanted, %s found", static_cast<int>(key.size()), key.data(), wanted,
               found.KindName());
}

}  // namespace

Result<Json> ParseJson(std::string_view text) { return Parser(text).ParseDocument(); }

Json& Json::operator=(const Json& other) {
  std::visit(
      [this](const auto& value) {
        auto copy = value;
        value_ = std::move(copy);
      },
      other.value_);
  return *this;
}

const char* Json::KindName() const {
  static constexpr const char* kNames[] = {"null",     "a boolean", "a number",
                                           "a string", "an array",  "an object"};
  return kNames[value_.index()];
}

std::optional<bool> Json::boolean() const {
  const bool* const value = std::get_if<bool>(&value_);
  return value == nullptr ? std::nullopt : std::optional<bool>(*value);
}

std::optional<double> Json::number() const {
  const Number* const value = std::get_if<Number>(&value_);
  return value == nullptr ? std::nullopt : std::optional<double>(value->value);
}

std::optional<int64_t> Json::int64() const {
  const Number* const value = std::get_if<Number>(&value_);
  if (value == nullptr || !value->exact) return std::nullopt;
  constexpr uint64_t kMax = INT64_MAX;
  if (value->magnitude > (value->negative ? kMax + 1 : kMax)) return std::nullopt;
  return static_cast<int64_t>(value->negative ? 0 - value->magnitude : value->magnitude);
}

std::optional<uint64_t> Json::uint64() const {
  const Number* const value = std::get_if<Number>(&value_);
  if (value == nullptr || !value->exact || (value->negative && value->magnitude != 0))
    return std::nullopt;
  return value->magnitude;
}

const Json* Json::Find(std::string_view key) const {
  const Object* const members = object();
  if (members == nullptr) return nullptr;
  for (size_t i = members->size(); i > 0; --i) {
    if ((*members)[i - 1].first == key) return &(*members)[i - 1].second;
  }
  return nullptr;
}

Result<const Json*> Json::FindRequired(std::string_view key) const {
  const Json* const member = Find(key);
  if (member == nullptr)
    return Error(ErrorCode::kNotFound, "%.*s is missing", static_cast<int>(key.size()), key.data());
  return member;
}

Result<bool> Json::GetBool(std::string_view key, ErrorCode code) const {
  TVLM_ASSIGN_OR_RETURN(const Json* const member, FindRequired(key));
  const std::optional<bool> value = member->boolean();
  if (!value.has_value()) return WrongKind(key, code, "true or false", *member);
  return *value;
}

Result<double> Json::GetNumber(std::string_view key, ErrorCode code) const {
  TVLM_ASSIGN_OR_RETURN(const Json* const member, FindRequired(key));
  const std::optional<double> value = member->number();
  if (!value.has_value()) return WrongKind(key, code, "a number", *member);
  return *value;
}

Result<int64_t> Json::GetInt(std::string_view key, int64_t min, int64_t max, ErrorCode code) const {
  TVLM_ASSIGN_OR_RETURN(const Json* const member, FindRequired(key));
  const std::optional<double> number = member->number();
  if (!number.has_value()) return WrongKind(key, code, "a whole number", *member);
  const std::optional<int64_t> value = member->int64();
  if (!value.has_value() || *value < min || *value > max) {
    return Error(code, "%.*s: a whole number from %" PRId64 " to %" PRId64 " wanted, %.17g found",
                 static_cast<int>(key.size()), key.data(), min, max, *number);
  }
  return *value;
}

Result<std::string> Json::GetString(std::string_view key, ErrorCode code) const {
  TVLM_ASSIGN_OR_RETURN(const Json* const member, FindRequired(key));
  const std::string* const value = member->string();
  if (value == nullptr) return WrongKind(key, code, "a string", *member);
  return *value;
}

void AppendJson(const Json& value, bool sort_keys, std::string* out) {
  const std::optional<double> number = value.number();
  if (const std::optional<int64_t> whole = value.int64(); whole.has_value()) {
    *out += std::to_string(*whole);
  } else if (number.has_value() && std::floor(*number) == *number && std::fabs(*number) < 0x1p63) {
    *out += Format("%.0f", *number + 0.0);  // 1.0 and 1 are the same, and so are -0.0 and 0
  } else if (number.has_value()) {
    std::string text;
    for (int digits = 1; digits <= 17; ++digits) {
      text = Format("%.*g", digits, *number);
      if (ParseDouble(text) == *number) break;
    }
    *out += text;
  } else if (const std::optional<bool> boolean = value.boolean(); boolean.has_value()) {
    *out += *boolean ? "true" : "false";
  } else if (value.string() != nullptr) {
    AppendJsonString(*value.string(), out);
  } else if (value.array() != nullptr) {
    *out += '[';
    for (const Json& item : *value.array()) {
      if (&item != value.array()->data()) *out += ',';
      AppendJson(item, sort_keys, out);
    }
    *out += ']';
  } else if (value.object() != nullptr) {
    std::vector<const Json::Member*> members;
    for (const Json::Member& member : *value.object()) members.push_back(&member);
    if (sort_keys) {
      std::sort(members.begin(), members.end(),
                [](const auto* a, const auto* b) { return a->first < b->first; });
    }
    *out += '{';
    for (const Json::Member* const member : members) {
      if (member != members.front()) *out += ',';
      AppendJsonString(member->first, out);
      *out += ':';
      AppendJson(member->second, sort_keys, out);
    }
    *out += '}';
  } else {
    *out += "null";
  }
}

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          *out += Format("\\u%04x", static_cast<unsigned>(c));
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

}  // namespace tinyvlm
