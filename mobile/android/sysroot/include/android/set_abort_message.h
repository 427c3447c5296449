// The sentence that Android puts into the report of a crash.
#pragma once

#ifdef __cplusplus
extern "C"
#endif
    void android_set_abort_message(const char* message);
