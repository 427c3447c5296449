// sentencepiece, reading and encoding only: the files of cmake/dependencies.cmake as one.
// clang-format off: the order counts.
#pragma clang diagnostic ignored "-Weverything"  // not our code
#include "streams.h"  // no C++ streams

#include "src/bpe_model.cc"
#include "src/char_model.cc"
#include "src/error.cc"
#include "src/model_factory.cc"
#include "src/model_interface.cc"
#include "src/normalizer.cc"
#include "src/sentencepiece_processor.cc"
#include "src/unigram_model.cc"
#include "src/util.cc"
#include "src/word_model.cc"

#include "no_files.cc"
