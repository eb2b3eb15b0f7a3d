/* Matrix products: which provider computes them, and what is done to a product before it is stored. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

/* native:       the project's own kernel (cl/linear.cl). The default on CPUs.
 * clblast:      CLBlast's SGEMM, followed by a kernel for the epilogue. The default elsewhere.
 * matrix-units: the matrix units of x86 processors (cl/matrix_chain.cl), which multiply bfloat16. The default for weights of bfloat16, where they are. */
typedef enum { RVM_GEMM_AUTO, RVM_GEMM_NATIVE, RVM_GEMM_CLBLAST, RVM_GEMM_MATRIX_UNITS } RvmGemmProvider;

#define RVM_GEMM_NAMES "auto, native, clblast or matrix-units" /* for messages */

/* The epilogue of a linear layer: what happens to y = A W + bias before it is stored. In this order:
 *
 *   if gelu_slope:  y *= GELU' (pre_gelu)     the backward pass of GELU
 *   if gelu:        pre_gelu = y (if there is one); y = GELU (y)
 *   if residual:    y += residual */
typedef struct {
  gboolean gelu, gelu_slope;
  RvmTensor pre_gelu; /* (m, n), contiguous; an output with gelu, an input with gelu_slope */
  RvmTensor residual; /* (any rows, n), contiguous: row i mod rows is added to row i; may be the output itself, if that is contiguous */
} RvmEpilogue;

/* The weights of a linear layer (linear.h). */
typedef struct _RvmLinear RvmLinear;

G_END_DECLS
