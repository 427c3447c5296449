// TVLM_DCHECK: states what must be true unless we made a mistake. Fatal in debug and sanitizer
// builds, nothing in release builds: input data is never checked with it (that is a Status).
#ifndef TINYVLM_BASE_CHECK_H_
#define TINYVLM_BASE_CHECK_H_

#ifndef NDEBUG
#include <cstdio>
#include <cstdlib>
#define TVLM_DCHECK(condition)                                                                 \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      std::fprintf(stderr, "%s:%d: TVLM_DCHECK failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                            \
    }                                                                                          \
  } while (0)
#else
#define TVLM_DCHECK(condition) \
  do {                         \
  } while (0)
#endif

#endif  // TINYVLM_BASE_CHECK_H_
