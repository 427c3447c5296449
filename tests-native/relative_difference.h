// How far an output is from the reference's.
#ifndef TINYVLM_TESTS_RELATIVE_DIFFERENCE_H_
#define TINYVLM_TESTS_RELATIVE_DIFFERENCE_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "catch_amalgamated.hpp"

// max|found - wanted| / max|wanted|; infinite where a value that was found is not finite: a NaN
// must not hide behind a comparison that is false.
inline double RelativeDifference(const std::vector<float>& found,
                                 const std::vector<float>& wanted) {
  REQUIRE(found.size() == wanted.size());
  double largest = 0, difference = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    largest = std::max(largest, std::fabs(double{wanted[i]}));
    difference = std::isfinite(found[i])
                     ? std::max(difference, std::fabs(double{found[i]} - double{wanted[i]}))
                     : INFINITY;
  }
  return difference / largest;
}

#endif  // TINYVLM_TESTS_RELATIVE_DIFFERENCE_H_
