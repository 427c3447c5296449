# The wasm builds, side by side. One source, one Highway target in each: WASM (128-bit vectors) with
# -msimd128, EMU128 without.
#
#   scalar       runs everywhere
#   simd         128-bit vectors: every current browser and Node
#   relaxed      simd with three instructions of relaxed SIMD (cpp/kernels/relaxed-inl.h): Chromium,
#                Node 22 and newer
#   simd-mt      simd with threads: pages that are cross-origin isolated, Node
#   relaxed-mt   relaxed with threads
set(TINYVLM_WASM_VARIANTS scalar simd relaxed simd-mt relaxed-mt)
set(TINYVLM_WASM_VARIANT simd CACHE STRING "One of ${TINYVLM_WASM_VARIANTS}")
set_property(CACHE TINYVLM_WASM_VARIANT PROPERTY STRINGS ${TINYVLM_WASM_VARIANTS})
if(NOT TINYVLM_WASM_VARIANT IN_LIST TINYVLM_WASM_VARIANTS)
  message(FATAL_ERROR "TINYVLM_WASM_VARIANT: wanted one of ${TINYVLM_WASM_VARIANTS}, "
    "found ${TINYVLM_WASM_VARIANT}")
endif()

set(threads -pthread -Wno-pthreads-mem-growth)
set(wasm_flags_scalar "")
set(wasm_flags_simd -msimd128)
set(wasm_flags_relaxed ${wasm_flags_simd} -mrelaxed-simd)
set(wasm_flags_simd-mt ${wasm_flags_simd} ${threads})
set(wasm_flags_relaxed-mt ${wasm_flags_relaxed} ${threads})
# Assertions name their source file, from the root of the sources on.
add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
add_compile_options(${wasm_flags_${TINYVLM_WASM_VARIANT}})
add_link_options(${wasm_flags_${TINYVLM_WASM_VARIANT}})

# Size first: a layer with inner loops asks for -O3 or -O2 itself (cmake/layers.cmake).
set(CMAKE_CXX_FLAGS_RELEASE "-Oz -DNDEBUG")

# The preset wasm-debug: names and lines for traps and debuggers (docs/debugging.md). Optimised a
# little: without it functions are so large that V8 takes minutes. Emscripten's own ASSERTIONS stay
# off, because they want its system libraries compiled once more.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")
if(CMAKE_BUILD_TYPE STREQUAL Debug)
  add_link_options(-O1 -g -gsource-map "SHELL:--source-map-base ./" -sSTACK_OVERFLOW_CHECK=2)
endif()

# The heap starts small, grows in steps as weights arrive, and may grow to all that 32-bit addresses
# allow.
set(TINYVLM_WASM_MEMORY -sALLOW_MEMORY_GROWTH -sMEMORY_GROWTH_LINEAR_STEP=16MB
  -sMAXIMUM_MEMORY=4GB -sSTACK_SIZE=512KB)
if(TINYVLM_WASM_VARIANT MATCHES "-mt$")
  # All threads are started before the first call: later, the thread that would have to start one is
  # busy computing. The factory's argument `threads` says how many, the calling thread included.
  list(APPEND TINYVLM_WASM_MEMORY
    "SHELL:-sPTHREAD_POOL_SIZE='Math.max(0,(Module[\"threads\"]||1)-1)'")
endif()
