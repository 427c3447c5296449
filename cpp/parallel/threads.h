// Whether this build has threads: native ones and the -mt wasm builds do.
#ifndef TINYVLM_PARALLEL_THREADS_H_
#define TINYVLM_PARALLEL_THREADS_H_

#if !defined(__EMSCRIPTEN__) || defined(__EMSCRIPTEN_PTHREADS__)
#define TINYVLM_THREADS 1
#endif

#endif  // TINYVLM_PARALLEL_THREADS_H_
