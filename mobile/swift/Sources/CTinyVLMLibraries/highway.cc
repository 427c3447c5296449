// Highway's files that are no headers, as one (cmake/dependencies.cmake).
#pragma clang diagnostic ignored "-Weverything"  // not our code
#include "hwy/abort.cc"
#include "hwy/targets.cc"
