# cpp/<layer>/CMakeLists.txt calls tinyvlm_layer, tests-native/<layer>/CMakeLists.txt calls
# tinyvlm_test; file names are relative to that folder.
#
# tinyvlm_layer(NAME [DEPENDS layer...] [LIBRARIES lib...] SOURCES file...): a static library
# tinyvlm_NAME.
#
# tinyvlm_test(NAME [SHARED_DATA] LAYERS layer... [LIBRARIES lib...] SOURCES file...): a Catch2
# program, registered with ctest. SHARED_DATA: some of its cases read data that is not in the
# repository (tests-native/shared_data.h); `ctest -L shared-data` runs those programs.
#
# tinyvlm_source_options(OPTIONS file...): further compile options, a list, for some of the sources.

set(TINYVLM_WARNINGS -Wall -Wextra)
# GCC 12 warns of std::string that is moved out of bounds where it is not, once headers are
# precompiled (its bugs 105329 and 105651, gone in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND TINYVLM_WARNINGS -Wno-array-bounds -Wno-stringop-overflow -Wno-restrict)
endif()
if(TINYVLM_WERROR)
  list(APPEND TINYVLM_WARNINGS -Werror)
endif()
# The engine reports failures by Status and throws nothing itself. Natively std::bad_alloc, of a
# container that finds no memory, passes through it to the C interface, which makes it an error
# (cpp/api/guard.h); a wasm module without memory ends, and the SDK says why.
set(TINYVLM_LANGUAGE -fno-rtti)
if(EMSCRIPTEN)
  list(APPEND TINYVLM_LANGUAGE -fno-exceptions)
endif()
if(TINYVLM_SANITIZE)
  # Layers are built without RTTI, which the check of virtual pointers reads.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr
                      -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(TINYVLM_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # what libFuzzer is guided by
  if(TINYVLM_SANITIZE)
    # Converting a float that the integer cannot hold is undefined, too; it may trap in WebAssembly.
    add_compile_options(-fsanitize=float-cast-overflow
                        -fno-sanitize-recover=float-cast-overflow)
  endif()
endif()

if(TINYVLM_SANITIZE_THREADS)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()

# Most files read the same headers of the standard library, which takes longer than their own lines.
# Clang's presets go without (CMAKE_DISABLE_PRECOMPILE_HEADERS), so that a header that a file
# forgets to include is noticed. Sources and layers with options of their own go without, too: Clang
# wants the options that the headers were precompiled with.
set(TINYVLM_COMMON_HEADERS <algorithm> <cinttypes> <cmath> <cstdio> <cstring> <functional> <map>
    <memory> <optional> <span> <string> <string_view> <utility> <vector>)
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/precompiled.cc" CONTENT "// Empty.\n")
add_library(tinyvlm_precompiled OBJECT EXCLUDE_FROM_ALL "${PROJECT_BINARY_DIR}/precompiled.cc")
target_compile_options(tinyvlm_precompiled PRIVATE ${TINYVLM_LANGUAGE})
target_precompile_headers(tinyvlm_precompiled PRIVATE ${TINYVLM_COMMON_HEADERS})
if(TINYVLM_TESTS)
  add_library(tinyvlm_test_precompiled OBJECT EXCLUDE_FROM_ALL
    "${PROJECT_BINARY_DIR}/precompiled.cc")
  target_link_libraries(tinyvlm_test_precompiled PRIVATE catch2)
  target_precompile_headers(tinyvlm_test_precompiled PRIVATE ${TINYVLM_COMMON_HEADERS}
    <catch_amalgamated.hpp>)
  # As tinyvlm_test compiles: what an executable consists of.
  set_target_properties(tinyvlm_test_precompiled PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(tinyvlm_test_precompiled PRIVATE ${CMAKE_CXX_COMPILE_OPTIONS_PIE}
    $<$<BOOL:${EMSCRIPTEN}>:-fwasm-exceptions>)
endif()

function(tinyvlm_layer name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LIBRARIES;SOURCES" ${ARGN})
  add_library(tinyvlm_${name} STATIC ${ARG_SOURCES})
  target_include_directories(tinyvlm_${name} PUBLIC ${PROJECT_SOURCE_DIR}/cpp)
  target_compile_options(tinyvlm_${name} PRIVATE ${TINYVLM_WARNINGS} ${TINYVLM_LANGUAGE})
  list(TRANSFORM ARG_DEPENDS PREPEND tinyvlm_ OUTPUT_VARIABLE depends)
  target_link_libraries(tinyvlm_${name} PUBLIC ${depends} ${ARG_LIBRARIES})
  if(EMSCRIPTEN AND NOT CMAKE_BUILD_TYPE STREQUAL Debug
     AND name MATCHES "^(kernels|base|tensor|weights|parallel|image)$")
    # Inner loops; what has none is built for size (wasm/variants.cmake).
    target_compile_options(tinyvlm_${name} PRIVATE -O3)
  else()
    target_precompile_headers(tinyvlm_${name} REUSE_FROM tinyvlm_precompiled)
  endif()
  if(name STREQUAL base AND NOT EMSCRIPTEN)
    find_package(Threads REQUIRED)
    target_link_libraries(tinyvlm_base PUBLIC Threads::Threads)
  endif()
endfunction()

function(tinyvlm_source_options options)
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS ${options})
  set_property(SOURCE ${ARGN} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
endfunction()

function(tinyvlm_test name)
  cmake_parse_arguments(ARG "SHARED_DATA" "" "LAYERS;LIBRARIES;SOURCES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests-native)
  target_compile_options(${name} PRIVATE ${TINYVLM_WARNINGS})
  list(TRANSFORM ARG_LAYERS PREPEND tinyvlm_ OUTPUT_VARIABLE layers)
  target_link_libraries(${name} PRIVATE ${layers} ${ARG_LIBRARIES} catch2)
  target_precompile_headers(${name} REUSE_FROM tinyvlm_test_precompiled)
  # An option and no definition: CMake drops definitions with a # in them, which a path may have.
  target_compile_options(${name} PRIVATE "-DTINYVLM_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
  if(EMSCRIPTEN)
    # Catch2 needs exceptions; the engine under test is compiled as it is shipped. Linking with -O1
    # leaves out Binaryen's passes over the whole program, which would take longer than the tests.
    target_compile_options(${name} PRIVATE -fwasm-exceptions)
    target_link_options(${name} PRIVATE -O1 -fwasm-exceptions -sENVIRONMENT=node -sEXIT_RUNTIME
                        -sNODERAWFS ${TINYVLM_WASM_MEMORY})
  endif()
  add_test(NAME ${name} COMMAND ${name})
  # Catch2's exit code where every test case was skipped: their data is not on this machine.
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 4)
  if(ARG_SHARED_DATA)
    set_tests_properties(${name} PROPERTIES LABELS shared-data)
  endif()
endfunction()
