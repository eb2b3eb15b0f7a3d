/* Linear layers: out = act (A W + bias) + residual, behind one interface with two providers.
 *
 * native:  our kernel, one register tile per work-item; W repacked once into column panels; bias, GELU and residual in
 *          the store. The default on CPUs.
 * clblast: CLBlast's SGEMM on row-major W, then one kernel for bias, GELU and residual. The default elsewhere.
 *
 * Weights are K x N row-major on the host (`y = x K + b`). */
#pragma once

#include <glib.h>

#include "kernels/runtime/buffer.h"
#include "kernels/runtime/queue.h"

G_BEGIN_DECLS

typedef enum { RVM_GEMM_AUTO, RVM_GEMM_NATIVE, RVM_GEMM_CLBLAST } RvmGemmProvider;
typedef enum { RVM_PRECISION_F32, RVM_PRECISION_F16 } RvmPrecision; /* of the stored weights; sums are float32 */

/* What AUTO means on this device, or RVM_ERROR_ARGUMENT for a combination that does not exist (f16 with clblast). */
gboolean rvm_gemm_resolve (RvmDevice *device, RvmGemmProvider *provider, RvmPrecision precision, GError **error);

typedef struct _RvmGemmWeights RvmGemmWeights;

/* Device memory for a (@k, @n) matrix, to be filled once by columns: several layers of the same input lie side by side in
 * one matrix (Q, K and V; the two gates). @has_bias: also a bias of n. @provider is resolved. */
RvmGemmWeights *rvm_gemm_weights_new (RvmDevice *device, RvmGemmProvider provider, RvmPrecision precision, guint k, guint n,
    gboolean has_bias, GError **error);
void rvm_gemm_weights_free (RvmGemmWeights *weights);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmGemmWeights, rvm_gemm_weights_free)
/* Between begin and end the host may write: @kernel is (@rows, @columns) row-major and goes to rows from @row, columns from
 * @column. Every element must be written. */
gboolean rvm_gemm_weights_begin (RvmGemmWeights *weights, GError **error);
void rvm_gemm_weights_set_kernel (RvmGemmWeights *weights, guint row, guint column, guint rows, guint columns, const float *kernel);
void rvm_gemm_weights_set_bias (RvmGemmWeights *weights, guint column, guint columns, const float *bias);
gboolean rvm_gemm_weights_end (RvmGemmWeights *weights, GError **error);

/* The stored form: native in panels, clblast row-major, both with what fills up the last panel; the bias as wide as the panels. An
 * array of the same layout (a gradient, a moment) is moved to and from the host in pieces: @stored is a copy of such an array, @kernel
 * is (k, @columns) row-major, f32 only. */
guint rvm_gemm_weights_get_k (const RvmGemmWeights *weights);
guint rvm_gemm_weights_get_n (const RvmGemmWeights *weights);
RvmBuffer *rvm_gemm_weights_get_kernel (const RvmGemmWeights *weights);
RvmBuffer *rvm_gemm_weights_get_bias (const RvmGemmWeights *weights); /* NULL if there is none */
void rvm_gemm_weights_pack (const RvmGemmWeights *weights, float *stored, guint column, guint columns, const float *kernel);
void rvm_gemm_weights_unpack (const RvmGemmWeights *weights, const float *stored, guint column, guint columns, float *kernel);

/* One product. Strides and offsets in floats; `out` may be `residual` (same rows, same stride). */
typedef struct {
  const RvmBuffer *a;        /* (m, k), row stride a_stride */
  guint a_offset, a_stride;
  RvmBuffer *out;            /* (m, n), row stride out_stride */
  guint out_offset, out_stride;
  guint m;
  gboolean gelu;
  RvmBuffer *inner;          /* NULL, or (m, n): with gelu, takes what GELU is applied to; without, the result is multiplied by GELU' (inner) */
  const RvmBuffer *residual; /* NULL, or (residual_rows, n), row stride n: added after the activation to row m mod residual_rows */
  guint residual_rows;       /* 0: as many as m */
} RvmGemm;

void rvm_gemm (RvmQueue *queue, const RvmGemmWeights *weights, const RvmGemm *gemm);

G_END_DECLS
