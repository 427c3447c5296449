// bionic reports a failed assertion by __assert2. No guard: NDEBUG may change between inclusions.
#include_next <assert.h>

#ifdef __cplusplus
extern "C"
#endif
    _Noreturn void __assert2(const char* file, int line, const char* function,
                             const char* expression);
#ifndef NDEBUG
#undef assert
#define assert(e) ((e) ? (void)0 : __assert2(__FILE__, __LINE__, __func__, #e))
#endif
