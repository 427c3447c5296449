#include "text/utf8.h"

namespace tinyvlm {

Utf8Step NextUtf8(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {Utf8Step::kCharacter, 1, lead};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8Step::kInvalid, 1, 0};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The range of the second byte excludes overlong forms, surrogates and numbers above U+10FFFF.
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t character = lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return {Utf8Step::kIncomplete, i, 0};
    if (byte(i) < (i == 1 ? low : 0x80) || byte(i) > (i == 1 ? high : 0xBF))
      return {Utf8Step::kInvalid, i, 0};
    character = character << 6 | (byte(i) & 0x3F);
  }
  return {Utf8Step::kCharacter, length, character};
}

bool IsValidUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Step step = NextUtf8(bytes);
    if (step.kind != Utf8Step::kCharacter) return false;
    bytes.remove_prefix(step.length);
  }
  return true;
}

size_t WholeCharactersLength(std::string_view bytes) {
  // The lead byte of an incomplete character is one of the last three bytes.
  const size_t first = bytes.size() < 3 ? 0 : bytes.size() - 3;
  for (size_t i = bytes.size(); i-- > first;) {
    const uint8_t byte = static_cast<uint8_t>(bytes[i]);
    if (byte < 0x80) break;
    if (byte >= 0xC0)
      return NextUtf8(bytes.substr(i)).kind == Utf8Step::kIncomplete ? i : bytes.size();
  }
  return bytes.size();
}

void AppendValidUtf8(std::string_view bytes, std::string* out) {
  while (!bytes.empty()) {
    const Utf8Step step = NextUtf8(bytes);
    if (step.kind == Utf8Step::kCharacter) {
      out->append(bytes.data(), step.length);
    } else {
      out->append("\xEF\xBF\xBD");
    }
    bytes.remove_prefix(step.length);
  }
}

std::string Quoted(std::string_view text, size_t max_bytes) {
  std::string out = "\"";
  AppendValidUtf8(text.size() > max_bytes
                      ? text.substr(0, WholeCharactersLength(text.substr(0, max_bytes)))
                      : text,
                  &out);
  return out.append(text.size() > max_bytes ? "...\"" : "\"");
}

bool IsUnicodeWhitespace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool IsWhitespace(char32_t c) { return IsUnicodeWhitespace(c) || (c >= 0x1C && c <= 0x1F); }

}  // namespace tinyvlm
