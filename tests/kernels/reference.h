/* The kernels in plain C and double precision, with which checkcl compares. Shapes are those of the headers in kernels/ops. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

void reference_patches (const guint8 *pixels, double *out, guint batch, guint rows, guint columns, guint patch);
void reference_layernorm (const float *x, const float *scale, const float *bias, double *out, guint rows, guint dim, double epsilon);
/* out = act (a w + bias) + residual[row mod residual_rows]; bias and residual may be NULL. */
void reference_gemm (const float *a, guint a_stride, const float *w, const float *bias, const float *residual, guint residual_rows,
    gboolean gelu, double *out, guint m, guint n, guint k);
void reference_attention (const float *query, guint query_stride, const float *key, guint key_stride, const float *value, guint value_stride,
    double *out, guint batch, guint heads, guint head_dim, guint queries, guint keys);
void reference_gates (const float *gates, const float *state, const float *scale, const float *candidate, double *context, double *mean,
    double *next, guint rows, guint dim, double epsilon);

G_END_DECLS
