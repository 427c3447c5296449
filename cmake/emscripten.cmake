# The toolchain file of the wasm presets: an emcc of the machine's own (PATH, then EMSDK) where it
# is 3.1.50 or newer, else the private one that scripts/setup.mjs made. It hands over to
# Emscripten's own toolchain file, so that a plain `cmake --preset wasm-simd` needs no emcmake.
set(TINYVLM_OLDEST_EMSCRIPTEN 3.1.50)

foreach(folder $ENV{TINYVLM_EMSCRIPTEN_BIN} PATH "$ENV{EMSDK}/upstream/emscripten"
               "${CMAKE_CURRENT_LIST_DIR}/../.toolchain/emscripten/bin")
  unset(TINYVLM_EMCC CACHE)
  if(folder STREQUAL PATH)
    find_program(TINYVLM_EMCC emcc NO_CMAKE_FIND_ROOT_PATH)
  else()
    find_program(TINYVLM_EMCC emcc PATHS "${folder}" NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
  endif()
  if(NOT TINYVLM_EMCC)
    continue()
  endif()
  execute_process(COMMAND "${TINYVLM_EMCC}" --version OUTPUT_VARIABLE version ERROR_QUIET)
  if(version MATCHES "([0-9]+\\.[0-9]+\\.[0-9]+)"
     AND CMAKE_MATCH_1 VERSION_GREATER_EQUAL TINYVLM_OLDEST_EMSCRIPTEN)
    break()
  endif()
  set(TINYVLM_EMCC "")
endforeach()
if(NOT TINYVLM_EMCC)
  message(FATAL_ERROR "No Emscripten ${TINYVLM_OLDEST_EMSCRIPTEN} or newer on PATH, in EMSDK or "
                      "under .toolchain: run `npm run setup` first")
endif()

get_filename_component(TINYVLM_EMSCRIPTEN_BIN "${TINYVLM_EMCC}" DIRECTORY)
# CMake reads this file several times over.
set(ENV{TINYVLM_EMSCRIPTEN_BIN} "${TINYVLM_EMSCRIPTEN_BIN}")
execute_process(COMMAND "${TINYVLM_EMSCRIPTEN_BIN}/em-config" EMSCRIPTEN_ROOT
                OUTPUT_VARIABLE EMSCRIPTEN_ROOT_PATH OUTPUT_STRIP_TRAILING_WHITESPACE)
include("${EMSCRIPTEN_ROOT_PATH}/cmake/Modules/Platform/Emscripten.cmake")
if(NOT CMAKE_CROSSCOMPILING_EMULATOR)
  find_program(TINYVLM_NODE node REQUIRED NO_CMAKE_FIND_ROOT_PATH)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${TINYVLM_NODE}" CACHE FILEPATH "Runs the wasm tests")
endif()
