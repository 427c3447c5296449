# Compiles for Android's arm64-v8a or x86_64, API level 24, with zig instead of the NDK
# (mobile/android/sysroot/README.md). `npm run mobile -- so` makes the C library's headers and
# libraries and names them to zig in the environment variable ZIG_LIBC.
set(TINYVLM_ANDROID_ABI arm64-v8a CACHE STRING "arm64-v8a or x86_64")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TINYVLM_ANDROID_ABI)
if(NOT DEFINED ENV{ZIG_LIBC})
  message(FATAL_ERROR "Run `npm run mobile -- so`, which calls CMake with this file")
endif()

set(CMAKE_SYSTEM_NAME Android)
set(CMAKE_SYSTEM_VERSION 1)  # CMake does not look for an NDK then
if(TINYVLM_ANDROID_ABI STREQUAL arm64-v8a)
  set(TINYVLM_ZIG_TARGET aarch64-linux-android.24)
else()
  set(TINYVLM_ZIG_TARGET x86_64-linux-android.24)
endif()
include("${CMAKE_CURRENT_LIST_DIR}/../../cmake/zig.cmake")

# No program can be linked, and there is none to link.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_HAVE_LIBC_PTHREAD 1 CACHE INTERNAL "Android's libc has the threads")
set(CMAKE_USE_PTHREADS_INIT 1)

# The same bytes wherever the repository lies.
get_filename_component(repository "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
set(flags "-ffunction-sections -fdata-sections -g0 \"-ffile-prefix-map=${repository}/=\"")
if(TINYVLM_ANDROID_ABI STREQUAL x86_64)
  # zig's Clang 22 compiles two files not for AVX-512; no Android device has it.
  string(APPEND flags " -DHWY_BROKEN_AVX3_DL_ZEN4=HWY_AVX3_DL")
endif()
set(CMAKE_C_FLAGS_INIT "${flags}")
set(CMAKE_CXX_FLAGS_INIT "${flags}")
# Pages of 16 kB are wanted by Android 15 on.
get_filename_component(sysroot "$ENV{ZIG_LIBC}" DIRECTORY)
set(CMAKE_SHARED_LINKER_FLAGS_INIT "\"-L${sysroot}/lib\" -Wl,-z,max-page-size=16384 -Wl,-s")
