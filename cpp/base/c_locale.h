// Numbers as text are the same whatever locale the program has chosen that the engine is part of:
// reports, requests and schemas are JSON, which knows decimal points only.
#ifndef TINYVLM_BASE_C_LOCALE_H_
#define TINYVLM_BASE_C_LOCALE_H_

#if !defined(__EMSCRIPTEN__) && !defined(__ANDROID__)
#include <locale.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif
#endif

namespace tinyvlm {

// While one of these lives, printf, strtod and their like follow the locale "C" on this thread; the
// other threads and the process keep theirs. Costs nanoseconds.
class ScopedCLocale {
 public:
#if defined(__EMSCRIPTEN__) || defined(__ANDROID__)
  ScopedCLocale() {}  // these C libraries have decimal points in every locale
#else
  // Where there is no memory for a locale, newlocale gives none, and uselocale changes nothing.
  ScopedCLocale() : previous_(uselocale(CLocale())) {}
  ~ScopedCLocale() { uselocale(previous_); }
#endif
  ScopedCLocale(const ScopedCLocale&) = delete;
  ScopedCLocale& operator=(const ScopedCLocale&) = delete;

#if !defined(__EMSCRIPTEN__) && !defined(__ANDROID__)
 private:
  // Made once and never freed: a thread may format a number while the process ends.
  static locale_t CLocale() {
    static const locale_t locale = newlocale(LC_ALL_MASK, "C", static_cast<locale_t>(nullptr));
    return locale;
  }

  locale_t previous_;
#endif
};

}  // namespace tinyvlm

#endif  // TINYVLM_BASE_C_LOCALE_H_
