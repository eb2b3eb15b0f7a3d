/* The way back through a linear layer out = A W + bias (gemm.h), for both providers.
 *
 * With D the gradient with regard to out: that of A is D W^T, which is rvm_gemm() on rvm_gemm_gradient_get_transposed(); those of W and
 * bias are sums over rows, kept here in the layout of the weights, so that an optimiser sees flat arrays. */
#pragma once

#include "linear.h"

G_BEGIN_DECLS

typedef struct _RvmGemmGradient RvmGemmGradient;

/* Keeps no reference: @weights, of precision f32, must outlive it. Starts empty; the transposed weights start undefined. */
RvmGemmGradient *rvm_gemm_gradient_new (RvmDevice *device, RvmGemmWeights *weights, GError **error);
void rvm_gemm_gradient_free (RvmGemmGradient *gradient);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmGemmGradient, rvm_gemm_gradient_free)

/* Transposes the weights. To be called before the first use and whenever they have changed. */
void rvm_gemm_gradient_refresh (RvmQueue *queue, RvmGemmGradient *gradient);
/* W^T (n, k), without bias. */
const RvmGemmWeights *rvm_gemm_gradient_get_transposed (const RvmGemmGradient *gradient);

/* What follows replaces the sums instead of adding to them. */
void rvm_gemm_gradient_reset (RvmGemmGradient *gradient);
/* Adds A^T D and the column sums of D; @a (m, k) and @d (m, n), offsets and strides in floats. */
void rvm_gemm_gradient_add (RvmQueue *queue, RvmGemmGradient *gradient, const RvmBuffer *a, guint a_offset, guint a_stride,
    const RvmBuffer *d, guint d_offset, guint d_stride, guint m);

/* (transfer none) In the layout of rvm_gemm_weights_get_kernel() and _get_bias(). */
RvmBuffer *rvm_gemm_gradient_get_kernel (const RvmGemmGradient *gradient);
RvmBuffer *rvm_gemm_gradient_get_bias (const RvmGemmGradient *gradient); /* NULL if the layer has none */

G_END_DECLS
