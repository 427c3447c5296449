// bionic keeps a thread's errno behind __errno().
#pragma once

#include_next <errno.h>

#ifdef __cplusplus
extern "C"
#endif
    int* __errno(void) __attribute__((const));
#undef errno
#define errno (*__errno())
