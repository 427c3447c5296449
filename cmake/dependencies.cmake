# The libraries Tiny-VLM is built on, compiled from source into every build: targets hwy,
# sentencepiece, zlib and (for tests) utf8proc, lodepng and catch2.
#
# Their sources lie in .deps/<name>, where scripts/setup.mjs puts them. Where a folder is missing,
# CMake fetches the same release from its upstream. Versions and hashes stand once, in
# scripts/deps.lock.json. None of them is built with the project's warnings, and their headers are
# system headers.
include(FetchContent)

if(EMSCRIPTEN)
  include(${PROJECT_SOURCE_DIR}/wasm/variants.cmake)
endif()

set(TINYVLM_DEPS_DIR "${PROJECT_SOURCE_DIR}/.deps"
    CACHE PATH "Sources of the libraries, as scripts/setup.mjs lays them out")
set(lock_path "${PROJECT_SOURCE_DIR}/scripts/deps.lock.json")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${lock_path}")
file(READ "${lock_path}" TINYVLM_DEPS_LOCK)

# tinyvlm_source(NAME): sets NAME_DIR to the folder with that library's sources.
function(tinyvlm_source name)
  set(folder "${TINYVLM_DEPS_DIR}/${name}")
  if(NOT EXISTS "${folder}")
    message(STATUS "${name}: ${folder} is missing (scripts/setup.mjs makes it); "
                   "fetching the upstream release")
    string(JSON url ERROR_VARIABLE no_url GET "${TINYVLM_DEPS_LOCK}" sources ${name} upstream url)
    # SOURCE_SUBDIR names a folder that does not exist: the library's own CMakeLists.txt is not
    # wanted.
    if(no_url)
      string(JSON repository GET "${TINYVLM_DEPS_LOCK}" sources ${name} upstream git)
      string(JSON commit GET "${TINYVLM_DEPS_LOCK}" sources ${name} upstream commit)
      FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${commit}
                           SOURCE_SUBDIR none)
    else()
      string(JSON hash GET "${TINYVLM_DEPS_LOCK}" sources ${name} upstream sha256)
      FetchContent_Declare(${name} URL ${url} URL_HASH SHA256=${hash}
                           DOWNLOAD_EXTRACT_TIMESTAMP ON SOURCE_SUBDIR none)
    endif()
    FetchContent_MakeAvailable(${name})
    set(folder "${${name}_SOURCE_DIR}")
  endif()
  set(${name}_DIR "${folder}" PARENT_SCOPE)
endfunction()

# tinyvlm_library(NAME source...): a static library of third-party code: no warnings;
# AddressSanitizer where the project is built with it, because these libraries read files from
# outside (UndefinedBehaviorSanitizer stays with our own code); ThreadSanitizer likewise, which
# would misjudge memory that is handed over in code that it does not see.
function(tinyvlm_library name)
  add_library(${name} STATIC EXCLUDE_FROM_ALL ${ARGN})
  target_compile_options(${name} PRIVATE -w)
  if(TINYVLM_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=address -fno-omit-frame-pointer)
  endif()
  if(TINYVLM_SANITIZE_THREADS)
    target_compile_options(${name} PRIVATE -fsanitize=thread -fno-omit-frame-pointer)
  endif()
endfunction()

# ---- Highway ----------------------------------------------------------------
tinyvlm_source(highway)
set(hwy_sources hwy/abort.cc hwy/targets.cc)
list(TRANSFORM hwy_sources PREPEND "${highway_DIR}/")
tinyvlm_library(hwy ${hwy_sources})
target_include_directories(hwy SYSTEM PUBLIC "${highway_DIR}")
target_compile_definitions(hwy PUBLIC HWY_STATIC_DEFINE)
target_compile_options(hwy PRIVATE -fno-exceptions -fno-rtti)
# Of x86's targets those are built that differ for our kernels: SSE2 and SSE4 as the floor, AVX2,
# and AVX-512 with VNNI (AVX3_DL); each further one costs build time and binary size and changes
# nothing measurable here. Accumulators are arrays of vectors, which types without a size cannot be:
# machines with SVE run the NEON code, machines with RVV the scalar code. Of Arm's three NEON
# targets the others add AES, which no kernel uses, and a set of which only the int8 dot products
# were used; those have code of their own, for more processors (cpp/kernels/arm_int8.h). The latter
# set can be had for tests: the kernels are right on it, too.
set(disabled "HWY_ALL_SVE|HWY_RVV|HWY_SSSE3|HWY_AVX3|HWY_AVX3_ZEN4|HWY_AVX3_SPR|HWY_AVX10_2")
string(APPEND disabled "|HWY_NEON")
if(NOT TINYVLM_NEON_BF16)
  string(APPEND disabled "|HWY_NEON_BF16")
endif()
target_compile_definitions(hwy PUBLIC "HWY_DISABLED_TARGETS=(${disabled})")
if(EMSCRIPTEN OR TINYVLM_FUZZ)
  # One target per module: WASM (128 bit) with -msimd128, EMU128 without. Which module runs is
  # decided before it is loaded. Fuzzing is about what is read, not about kernels: one target, too.
  target_compile_definitions(hwy PUBLIC HWY_COMPILE_ONLY_STATIC)
endif()

# ---- sentencepiece: reading and encoding only, with its own protobuf-lite -----
tinyvlm_source(sentencepiece)
set(spm "${sentencepiece_DIR}/sentencepiece")
set(spm_sources
  bpe_model char_model error model_factory model_interface normalizer
  sentencepiece_processor unigram_model util word_model)
list(TRANSFORM spm_sources REPLACE "(.+)" "${spm}/src/\\1.cc")
# Of protobuf-lite what reading a message needs.
set(spm_protobuf
  arena arenastring coded_stream common extension_set generated_enum_util generated_message_util
  implicit_weak_message int128 message_lite parse_context repeated_field status stringpiece
  stringprintf structurally_valid strutil wire_format_lite zero_copy_stream zero_copy_stream_impl
  zero_copy_stream_impl_lite)
list(TRANSFORM spm_protobuf REPLACE "(.+)" "${spm}/third_party/protobuf-lite/\\1.cc")
list(APPEND spm_protobuf
  "${spm}/src/builtin_pb/sentencepiece.pb.cc" "${spm}/src/builtin_pb/sentencepiece_model.pb.cc")
set(spm_ours "${PROJECT_SOURCE_DIR}/cmake/sentencepiece")
tinyvlm_library(protobuf_lite ${spm_protobuf})
tinyvlm_library(sentencepiece ${spm_sources} "${spm_ours}/no_files.cc")
target_link_libraries(sentencepiece PRIVATE protobuf_lite)
# Each of the two is compiled as one source: every file reads the same headers, which takes longer
# than the rest. A file of protobuf defines macros that the next one refuses to find defined.
set_target_properties(protobuf_lite sentencepiece PROPERTIES
  UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
set_target_properties(protobuf_lite PROPERTIES UNITY_BUILD_CODE_AFTER_INCLUDE
"#ifdef PROTOBUF_NAMESPACE
#include <google/protobuf/port_undef.inc>
#endif")
set_target_properties(sentencepiece PROPERTIES
  UNITY_BUILD_CODE_BEFORE_INCLUDE
"#include \"streams.h\"  // no C++ streams
#include \"mended/freelist.h\"")
string(JSON spm_version GET "${TINYVLM_DEPS_LOCK}" sources sentencepiece version)
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/sentencepiece/config.h" CONTENT
"#define VERSION \"@spm_version@\"
#define PACKAGE \"sentencepiece\"
#define PACKAGE_STRING \"sentencepiece\"
#define INSTALL_DATADIR \"\"
" @ONLY)
target_include_directories(sentencepiece SYSTEM PUBLIC "${spm}/src")
# Two headers in which memory that is not to be had leaves something behind, mended: an element that
# was counted and not made, which would be destroyed; a chunk that nobody frees.
function(tinyvlm_mended header from to)
  file(READ "${spm}/${header}" text)
  string(REPLACE "${from}" "${to}" mended "${text}")
  if(mended STREQUAL text)
    message(FATAL_ERROR "sentencepiece: ${header} is not the one that is mended here")
  endif()
  get_filename_component(name "${header}" NAME)
  file(CONFIGURE OUTPUT "${spm_mended}/${name}" CONTENT "${mended}" @ONLY)
endfunction()
set(spm_mended "${PROJECT_BINARY_DIR}/sentencepiece/mended/google/protobuf")
set(result "  typename TypeHandler::Type* result =\n")
tinyvlm_mended(third_party/protobuf-lite/google/protobuf/repeated_field.h
"  ++rep_->allocated_size;
${result}      TypeHandler::NewFromPrototype(prototype, arena_);
"
"${result}      TypeHandler::NewFromPrototype(prototype, arena_);
  ++rep_->allocated_size;
")
set(spm_mended "${PROJECT_BINARY_DIR}/sentencepiece/mended")
tinyvlm_mended(src/freelist.h
"      T* chunk = new T[chunk_size_];"
"      freelist_.reserve(chunk_index_ + 1);
      T* chunk = new T[chunk_size_];")
foreach(library protobuf_lite sentencepiece)
  target_include_directories(${library} SYSTEM
    PRIVATE "${PROJECT_BINARY_DIR}/sentencepiece/mended" "${spm_ours}" "${spm}"
            "${spm}/third_party" "${spm}/third_party/protobuf-lite"
            "${spm}/src/builtin_pb" "${PROJECT_BINARY_DIR}/sentencepiece")
  target_compile_definitions(${library} PRIVATE HAVE_PTHREAD _USE_INTERNAL_STRING_VIEW)
  # Nothing in libtinyvlm.a may be mixed up with another protobuf in the same program
  # (cmake/install.cmake): no symbols that are one for the whole process.
  target_compile_options(${library} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
endforeach()
if(ANDROID)
  target_link_libraries(protobuf_lite PUBLIC log)  # protobuf writes to Android's log
endif()

# ---- zlib: inflating only, for PNG ------------------------------------------
tinyvlm_source(zlib)
set(zlib_sources adler32.c inffast.c inflate.c inftrees.c zutil.c)
list(TRANSFORM zlib_sources PREPEND "${zlib_DIR}/")
tinyvlm_library(zlib ${zlib_sources})
target_include_directories(zlib SYSTEM PUBLIC "${zlib_DIR}")
target_compile_definitions(zlib PRIVATE NO_GZIP)
if(EMSCRIPTEN)
  target_compile_options(zlib PRIVATE -O2)  # CMake's default for C is -O3, which is larger only
endif()

# ---- tests ------------------------------------------------------------------
if(TINYVLM_TESTS)
  # utf8proc: Unicode's data, out of which cpp/text/unicode_tables.cc is made and against which the
  # tests hold it.
  tinyvlm_source(utf8proc)
  tinyvlm_library(utf8proc "${utf8proc_DIR}/utf8proc.c")
  target_include_directories(utf8proc SYSTEM PUBLIC "${utf8proc_DIR}")
  target_compile_definitions(utf8proc PUBLIC UTF8PROC_STATIC)

  # lodepng: another PNG decoder, to compare with, and an encoder.
  tinyvlm_source(lodepng)
  tinyvlm_library(lodepng "${lodepng_DIR}/lodepng.cpp")
  target_include_directories(lodepng SYSTEM PUBLIC "${lodepng_DIR}")
  target_compile_definitions(lodepng PUBLIC LODEPNG_NO_COMPILE_DISK LODEPNG_NO_COMPILE_CPP
                             LODEPNG_NO_COMPILE_ANCILLARY_CHUNKS)

  tinyvlm_source(catch2)
  tinyvlm_library(catch2 "${catch2_DIR}/extras/catch_amalgamated.cpp")
  target_include_directories(catch2 SYSTEM PUBLIC "${catch2_DIR}/extras")
  if(EMSCRIPTEN)
    target_compile_options(catch2 PRIVATE -fwasm-exceptions)
  endif()
endif()
