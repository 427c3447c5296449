# Compiles for one of Apple's systems on any machine, with zig and its copies of Apple's headers of
# the C library: a check of the sources, not a way to make a library for users (docs/ios.md).
# `npm run mobile -- apple` calls CMake with this file, once for each system.
#
#   TINYVLM_ZIG_TARGET    what zig compiles for
#   TINYVLM_ZIG_OPERATORS an object file with operator new and delete (scripts/mobile/
#                         apple-library.mjs says why)
# The environment variable ZIG_LIBC names the headers, for systems that zig has none of.
set(TINYVLM_ZIG_TARGET aarch64-ios.15.0 CACHE STRING "What zig compiles for")
set(TINYVLM_ZIG_OPERATORS "" CACHE FILEPATH "An object file with operator new and delete")
set(CMAKE_SYSTEM_NAME Darwin)
include("${CMAKE_CURRENT_LIST_DIR}/../../cmake/zig.cmake")

# No program can be run, and there is none to link.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_HAVE_LIBC_PTHREAD 1 CACHE INTERNAL "libSystem has the threads")
set(CMAKE_USE_PTHREADS_INIT 1)
set(CMAKE_INSTALL_NAME_TOOL "${CMAKE_COMMAND}"
    CACHE FILEPATH "CMake wants one; nothing is installed")
set(CMAKE_INSTALL_NAME_DIR @rpath)
set(CMAKE_BUILD_WITH_INSTALL_NAME_DIR ON)

get_filename_component(repository "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
set(flags "-g0 -fvisibility=hidden \"-ffile-prefix-map=${repository}/=\"")
# A function of the C library that came after the oldest system is an error.
string(APPEND flags " -Werror=unguarded-availability -Werror=unguarded-availability-new")
if(TINYVLM_ZIG_TARGET MATCHES "^x86_64")
  # zig's Clang 22 compiles two files not for AVX-512.
  string(APPEND flags " -DHWY_BROKEN_AVX3_DL_ZEN4=HWY_AVX3_DL")
endif()
set(CMAKE_C_FLAGS_INIT "${flags}")

# Likewise for the C++ library: zig links its own, an app has that of the system. zig says 0.
string(APPEND flags " -fvisibility-inlines-hidden -Wno-macro-redefined"
  " -D_LIBCPP_HAS_VENDOR_AVAILABILITY_ANNOTATIONS=1")
# zig's libc++ finds Apple's float.h before Clang's, which defines these from the compiler's own.
foreach(name FLT_DIG DBL_DIG FLT_MIN FLT_MAX DBL_MIN DBL_MAX)
  string(APPEND flags " -D${name}=__${name}__")
endforeach()
set(CMAKE_CXX_FLAGS_INIT "${flags}")
# zig passes over the list of exported symbols (cmake/install.cmake): visibility alone decides here.
set(CMAKE_SHARED_LINKER_FLAGS_INIT "-Wl,-dead_strip -Wl,-x \"${TINYVLM_ZIG_OPERATORS}\"")
