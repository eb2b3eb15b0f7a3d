/* Layer norm:  out = (x - mean) / sqrt (variance + epsilon) scale + bias,  with mean and variance of each row. */
#pragma once

#include "kernels/tensor.h"

G_BEGIN_DECLS

/* @x, @out: (rows, dim), contiguous; @out may be @x. @scale: (dim). @bias: (dim), nullable. @out may be bfloat16 where matrix units are used, for a
 * product that reads it (rvm_linear_get_activations()). */
void rvm_layernorm (RvmQueue *queue, RvmTensor x, const RvmBuffer *scale, const RvmBuffer *bias, RvmTensor out, float epsilon);

G_END_DECLS
