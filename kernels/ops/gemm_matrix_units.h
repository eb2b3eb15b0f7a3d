/* The provider of matrix products by the matrix units of x86 processors (cl/matrix_chain.cl), in bfloat16. Private to kernels/ops.
 *
 * Its products are always steps of a chain (chain.h). */
#pragma once

#include "gemm_provider.h"

G_BEGIN_DECLS

extern const RvmGemmFunctions rvm_gemm_matrix_units;

G_END_DECLS
