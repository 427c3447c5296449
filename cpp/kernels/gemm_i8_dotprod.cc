// GemmI8 with Arm's int8 dot products.
#define TINYVLM_ARM_INT8 1
#include "kernels/gemm_i8_arm-inl.h"
