/* RvmLinearGradient: the backward pass of a linear layer out = a W + bias (linear.h).
 *
 * With d (m, n) the gradient with respect to out:
 *
 *   with respect to a      d W^T             rvm_linear_forward() with rvm_linear_gradient_get_transposed()
 *   with respect to W      a^T d             rvm_linear_gradient_add()
 *   with respect to bias   column sums of d  rvm_linear_gradient_add()
 *
 * The gradients have the layout of the weights, so an optimiser sees flat arrays.
 *
 * The rule for gradients, here and in all files named ..._backward.h: a name that begins with d is the gradient of the loss with respect to what
 * follows the d, and has its shape. A gradient of activations replaces what was in its memory. A gradient of weights is added to what is there if
 * `accumulate` is TRUE, and replaces it otherwise. Every sum has a fixed order, so the same inputs on the same device give the same bytes. */
#pragma once

#include "linear.h"

G_BEGIN_DECLS

typedef struct _RvmLinearGradient RvmLinearGradient;

/* @linear, of float32, must outlive it: no reference is kept. The gradient starts empty, the transposed weights start undefined.
 * RVM_ERROR_MEMORY; RVM_ERROR_ARGUMENT if the provider cannot train. */
RvmLinearGradient *rvm_linear_gradient_new (RvmDevice *device, RvmLinear *linear, GError **error);
void rvm_linear_gradient_free (RvmLinearGradient *gradient);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmLinearGradient, rvm_linear_gradient_free)

/* Transposes the weights, and rounds them if that is how products take them. To be called before the first use, and whenever the weights have changed. */
void rvm_linear_gradient_refresh (RvmQueue *queue, RvmLinearGradient *gradient);
/* (transfer none): W^T (n, k), without bias. */
const RvmLinear *rvm_linear_gradient_get_transposed (const RvmLinearGradient *gradient);

/* Makes the gradient empty: what is added next replaces it. */
void rvm_linear_gradient_reset (RvmLinearGradient *gradient);
/* Adds a^T d and the column sums of d. @a: (m, k), @d: (m, n), with any offset and stride. */
void rvm_linear_gradient_add (RvmQueue *queue, RvmLinearGradient *gradient, RvmTensor a, RvmTensor d);

/* (transfer none): in the layout of rvm_linear_get_kernel() and rvm_linear_get_bias(). */
RvmBuffer *rvm_linear_gradient_get_kernel (const RvmLinearGradient *gradient);
RvmBuffer *rvm_linear_gradient_get_bias (const RvmLinearGradient *gradient); /* NULL if the layer has none */

G_END_DECLS
