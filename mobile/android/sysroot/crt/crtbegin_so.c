// What a shared library of Android begins with: a mark by which its static objects are known, and
// their destruction where the library is unloaded. And two functions that libc++ calls and Android
// has from API level 26 on: numbers are read in the C locale, the only one before.
#include <locale.h>
#include <stdlib.h>

__attribute__((visibility("hidden"))) void* __dso_handle = &__dso_handle;

void __cxa_finalize(void* dso);

__attribute__((destructor)) static void DestroyStatics(void) { __cxa_finalize(&__dso_handle); }

__attribute__((visibility("hidden"))) float strtof_l(const char* text, char** end,
                                                     locale_t locale) {
  (void)locale;
  return strtof(text, end);
}

__attribute__((visibility("hidden"))) double strtod_l(const char* text, char** end,
                                                      locale_t locale) {
  (void)locale;
  return strtod(text, end);
}
