// A program that has chosen a locale whose numbers have commas, as German programs do.
#ifndef TINYVLM_TESTS_COMMA_LOCALE_H_
#define TINYVLM_TESTS_COMMA_LOCALE_H_

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <string>

#include "catch_amalgamated.hpp"
#include "temp_folder.h"

// Sets the locale while it lives. Skips the test case where the machine has none with a comma: wasm
// and musl know no other than "C"; Debian compiles locales out of its package `locales`.
class CommaLocale {
 public:
  CommaLocale() : previous_(std::setlocale(LC_ALL, nullptr)) {
    if (Choose("de_DE.UTF-8") || Choose("fr_FR.UTF-8")) return;
    const std::string compile =
        "localedef -i de_DE -f UTF-8 '" + folder_.File("de_DE.UTF-8") + "' >/dev/null 2>&1";
    if (std::system(compile.c_str()) == 0) {
      setenv("LOCPATH", folder_.File("").c_str(), 1);
      const bool chosen = Choose("de_DE.UTF-8");
      unsetenv("LOCPATH");
      if (chosen) return;
    }
    std::setlocale(LC_ALL, previous_.c_str());
    SKIP("no locale with a decimal comma here");
  }
  ~CommaLocale() { std::setlocale(LC_ALL, previous_.c_str()); }
  CommaLocale(const CommaLocale&) = delete;
  CommaLocale& operator=(const CommaLocale&) = delete;

 private:
  static bool Choose(const char* name) {
    return std::setlocale(LC_ALL, name) != nullptr &&
           std::strcmp(std::localeconv()->decimal_point, ",") == 0;
  }

  std::string previous_;
  TempFolder folder_;
};

#endif  // TINYVLM_TESTS_COMMA_LOCALE_H_
