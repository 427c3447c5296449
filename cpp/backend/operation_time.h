// What a profile says of one operation.
#ifndef TINYVLM_BACKEND_OPERATION_TIME_H_
#define TINYVLM_BACKEND_OPERATION_TIME_H_

#include <cstdint>
#include <string>

namespace tinyvlm {

struct OperationTime {
  std::string name;
  double ms = 0;          // spent in it so far
  uint64_t products = 0;  // multiply-adds of the matrix products done in it so far
};

}  // namespace tinyvlm

#endif  // TINYVLM_BACKEND_OPERATION_TIME_H_
