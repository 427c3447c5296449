// GemmI8 with Arm's int8 matrix products for many rows, and its int8 dot products for one.
#define TINYVLM_ARM_INT8 2
#include "kernels/gemm_i8_arm-inl.h"
