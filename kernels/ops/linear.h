/* RvmLinear: the weights of linear layers, and their product with rows of tokens:  out = epilogue (a W + bias).
 *
 *            n
 *        +-------+
 *     k  |   W   |          W is stored as its provider (gemm.h) wants it. Several layers with the same input lie side by side in one
 *        +-------+          W, for instance query, key and value.
 *
 *   a (m, k)  ->  out (m, n) */
#pragma once

#include "gemm.h"

G_BEGIN_DECLS

const char *rvm_gemm_get_name (RvmGemmProvider provider); /* "native" */
/* FALSE if @name (nullable) is not one of RVM_GEMM_NAMES. */
gboolean rvm_gemm_from_name (const char *name, RvmGemmProvider *provider);
/* Whether the first product takes seconds, because the provider builds its kernels then. */
gboolean rvm_gemm_is_slow_at_first (RvmGemmProvider provider);

/* Replaces RVM_GEMM_AUTO by the provider that is the default for weights of @type on @device, and makes the provider ready. RVM_ERROR_ARGUMENT if it
 * cannot work with such weights (f16 with CLBlast), or if matrix units are asked for by name and cannot be used; the message says why. */
gboolean rvm_gemm_resolve (RvmDevice *device, RvmGemmProvider *provider, RvmElement type, GError **error);

/* What a user who chose weights of @type should know about how @provider, resolved, computes products with them on @device. Once in a process;
 * afterwards, and if there is nothing to say, NULL. */
char *rvm_gemm_take_notice (RvmDevice *device, RvmGemmProvider provider, RvmElement type);

/* How training with operands of @operands computes its products on @device with @provider, resolved, for the user; NULL if there is nothing to say. */
char *rvm_gemm_describe_training (RvmDevice *device, RvmGemmProvider provider, RvmElement operands);

/* Device memory for W (@k, @n) of @type and, with @has_bias, a float32 bias (n). @provider: resolved. RVM_ERROR_MEMORY. */
RvmLinear *rvm_linear_new (RvmDevice *device, RvmGemmProvider provider, RvmElement type, guint k, guint n, gboolean has_bias,
    GError **error);
/* The same for weights that are trained: they and their bias are float32, in the layout that @provider trains with. @operands: what products (also those of
 * linear_backward.h) take, F32 or BF16. With BF16, weights, inputs and gradients are rounded to bfloat16 and multiplied by @provider into sums of float32;
 * the rounded weights are undefined until rvm_linear_gradient_refresh(). RVM_ERROR_MEMORY. */
RvmLinear *rvm_linear_new_trainable (RvmDevice *device, RvmGemmProvider provider, RvmElement operands, guint k, guint n, gboolean has_bias,
    GError **error);
void rvm_linear_free (RvmLinear *linear);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmLinear, rvm_linear_free)

/* The host writes the weights once, between begin and end, every element of them. */
gboolean rvm_linear_begin (RvmLinear *linear, GError **error);
/* @kernel: (@rows, @columns), row-major; goes to rows from @row on and columns from @column on. */
void rvm_linear_set_kernel (RvmLinear *linear, guint row, guint column, guint rows, guint columns, const float *kernel);
void rvm_linear_set_bias (RvmLinear *linear, guint column, guint columns, const float *bias);
gboolean rvm_linear_end (RvmLinear *linear, GError **error);

guint rvm_linear_get_k (const RvmLinear *linear);
guint rvm_linear_get_n (const RvmLinear *linear);
/* The type that its input should have, unless something else reads it that needs float32, and that its output may have: bfloat16 on matrix units. */
RvmElement rvm_linear_get_activations (const RvmLinear *linear);

/* (transfer none): W and bias as they are stored, padding included. Arrays of the same layout (gradients, an optimiser's moments) are converted on
 * the host: @stored is a copy of such an array, @kernel is (k, @columns), row-major, float32 only. */
RvmBuffer *rvm_linear_get_kernel (const RvmLinear *linear);
RvmBuffer *rvm_linear_get_bias (const RvmLinear *linear); /* NULL if there is none */
void rvm_linear_pack (const RvmLinear *linear, float *stored, guint column, guint columns, const float *kernel);
void rvm_linear_unpack (const RvmLinear *linear, const float *stored, guint column, guint columns, float *kernel);

/* @a: (m, k), @out: (m, n), with any offset and stride; float32, or of the type of rvm_linear_get_activations(). @epilogue: (nullable): only the bias;
 * its tensors are float32. */
void rvm_linear_forward (RvmQueue *queue, const RvmLinear *linear, RvmTensor a, RvmTensor out, const RvmEpilogue *epilogue);

G_END_DECLS
