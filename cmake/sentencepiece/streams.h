// Included before every file of sentencepiece (cmake/dependencies.cmake). Its log lines and
// error texts go through C++ streams, and whatever mentions one of those links all locales:
// 85 kB of every wasm module. Here are streams that hold text and numbers and nothing else.
//
// sentencepiece writes std::cerr, std::ostringstream and so on. Macros rename those to classes that
// stand in std for that reason alone; the standard's own are included first and stay as they are.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <queue>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace std {

enum class sentencepiece_manipulator { kHex, kUppercase };

// Collects text, or hands it to `file` at once.
class sentencepiece_ostream {
 public:
  explicit sentencepiece_ostream(FILE* file = nullptr) : file_(file) {}

  sentencepiece_ostream& operator<<(string_view text) {
    if (file_ == nullptr)
      text_.append(text);
    else
      fwrite(text.data(), 1, text.size(), file_);
    return *this;
  }
  sentencepiece_ostream& operator<<(const char* text) { return *this << string_view(text); }
  sentencepiece_ostream& operator<<(const string& text) { return *this << string_view(text); }
  sentencepiece_ostream& operator<<(char letter) { return *this << string_view(&letter, 1); }

  template <typename Number, enable_if_t<is_arithmetic_v<Number>, int> = 0>
  sentencepiece_ostream& operator<<(Number value) {
    char digits[32];
    if constexpr (is_floating_point_v<Number>)
      snprintf(digits, sizeof(digits), "%g", static_cast<double>(value));
    else if (hex_)
      snprintf(digits, sizeof(digits), uppercase_ ? "%llX" : "%llx",
               static_cast<unsigned long long>(static_cast<make_unsigned_t<Number>>(value)));
    else if constexpr (is_signed_v<Number>)
      snprintf(digits, sizeof(digits), "%lld", static_cast<long long>(value));
    else
      snprintf(digits, sizeof(digits), "%llu", static_cast<unsigned long long>(value));
    return *this << string_view(digits);
  }
  template <typename Enum, enable_if_t<is_enum_v<Enum>, int> = 0>
  sentencepiece_ostream& operator<<(Enum value) {
    return *this << static_cast<long long>(value);
  }
  sentencepiece_ostream& operator<<(bool value) { return *this << (value ? '1' : '0'); }

  sentencepiece_ostream& operator<<(sentencepiece_manipulator manipulator) {
    (manipulator == sentencepiece_manipulator::kHex ? hex_ : uppercase_) = true;
    return *this;
  }

  explicit operator bool() const { return true; }
  const string& str() const { return text_; }

 protected:
  string text_;

 private:
  FILE* file_;
  bool hex_ = false, uppercase_ = false;
};

// Reads numbers back, one after the other.
class sentencepiece_stringstream : public sentencepiece_ostream {
 public:
  sentencepiece_stringstream() = default;
  explicit sentencepiece_stringstream(const char* text) { text_ = text; }

  sentencepiece_stringstream& operator>>(sentencepiece_manipulator) {
    base_ = 16;
    return *this;
  }

  template <typename Number>
  sentencepiece_stringstream& operator>>(Number& value) {
    const char* begin = text_.c_str() + at_;
    char* end = nullptr;
    if constexpr (is_floating_point_v<Number>)
      value = static_cast<Number>(strtod(begin, &end));
    else if constexpr (is_signed_v<Number>)
      value = static_cast<Number>(strtoll(begin, &end, base_));
    else
      value = static_cast<Number>(strtoull(begin, &end, base_));
    failed_ |= end == begin;
    at_ += static_cast<size_t>(end - begin);
    return *this;
  }

  explicit operator bool() const { return !failed_; }

 private:
  size_t at_ = 0;
  int base_ = 10;
  bool failed_ = false;
};

inline sentencepiece_ostream sentencepiece_cerr(stderr);
inline sentencepiece_ostream sentencepiece_cout(stdout);
inline constexpr char sentencepiece_endl = '\n';
inline constexpr sentencepiece_manipulator sentencepiece_hex = sentencepiece_manipulator::kHex;
inline constexpr sentencepiece_manipulator sentencepiece_uppercase =
    sentencepiece_manipulator::kUppercase;

}  // namespace std

#define ostream sentencepiece_ostream
#define ostringstream sentencepiece_ostream
#define istringstream sentencepiece_stringstream
#define stringstream sentencepiece_stringstream
#define cerr sentencepiece_cerr
#define cout sentencepiece_cout
#define endl sentencepiece_endl
#define hex sentencepiece_hex
#define uppercase sentencepiece_uppercase
