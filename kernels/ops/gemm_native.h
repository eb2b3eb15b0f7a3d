/* The provider of matrix products that is made of this project's own kernels (cl/linear.cl, cl/linear_backward.cl). Private to kernels/ops. */
#pragma once

#include "gemm_provider.h"

G_BEGIN_DECLS

extern const RvmGemmFunctions rvm_gemm_native;

G_END_DECLS
