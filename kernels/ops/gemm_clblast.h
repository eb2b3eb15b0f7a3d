/* CLBlast as a provider of matrix products: its SGEMM on row-major weights, then cl/linear_epilogue.cl. Private to kernels/ops. */
#pragma once

#include "gemm_provider.h"

G_BEGIN_DECLS

extern const RvmGemmFunctions rvm_gemm_clblast;

G_END_DECLS
