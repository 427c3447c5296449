# The toolchain file of the cross builds: zig, which scripts/setup.mjs puts under .toolchain, as C
# and C++ compiler, linker and archiver for TINYVLM_ZIG_TARGET (as in `zig cc -target`). Builds for
# systems whose headers zig has not add their own part (mobile/android/toolchain-zig.cmake).
set(TINYVLM_ZIG "${CMAKE_CURRENT_LIST_DIR}/../.toolchain/zig/ziglang/zig" CACHE FILEPATH "zig")
set(TINYVLM_ZIG_TARGET aarch64-linux-musl CACHE STRING "What zig compiles for")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TINYVLM_ZIG TINYVLM_ZIG_TARGET)
if(NOT EXISTS "${TINYVLM_ZIG}")
  message(FATAL_ERROR "${TINYVLM_ZIG} is missing: run `npm run setup -- zig` first")
endif()

string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR "${TINYVLM_ZIG_TARGET}")
if(NOT CMAKE_SYSTEM_NAME)
  set(CMAKE_SYSTEM_NAME Linux)
endif()

# Undefined behaviour would trap: zig's default where nothing is optimised.
set(CMAKE_C_COMPILER "${TINYVLM_ZIG}" cc -target ${TINYVLM_ZIG_TARGET} -fno-sanitize=undefined)
set(CMAKE_CXX_COMPILER "${TINYVLM_ZIG}" c++ -target ${TINYVLM_ZIG_TARGET} -fno-sanitize=undefined)
# Archivers are one program each, and zig's is a word after its name.
foreach(language C CXX)
  set(CMAKE_${language}_ARCHIVE_CREATE "\"${TINYVLM_ZIG}\" ar qc <TARGET> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_APPEND "\"${TINYVLM_ZIG}\" ar q <TARGET> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_FINISH "\"${TINYVLM_ZIG}\" ranlib <TARGET>")
endforeach()
# Nothing of this machine is for the other one.
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
