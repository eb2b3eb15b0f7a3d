/* Straightforward loops, in double precision. */
#include "reference.h"

#include <math.h>

void
reference_patches (const guint8 *pixels, double *out, guint batch, guint rows, guint columns, guint patch)
{
  for (guint b = 0; b < batch; b++)
    for (guint t = 0; t <= rows * columns; t++)
      for (guint y = 0; y < patch; y++)
        for (guint x = 0; x < patch * 3; x++) {
          const guint row = t ? (t - 1) / columns * patch + y : 0, column = t ? (t - 1) % columns * patch * 3 + x : 0;
          *out++ = t ? pixels[((gsize) b * rows * patch + row) * columns * patch * 3 + column] / 255.0 : 0;
        }
}

void
reference_layernorm (const float *x, const float *scale, const float *bias, double *out, guint rows, guint dim, double epsilon)
{
  for (guint r = 0; r < rows; r++, x += dim, out += dim) {
    double mean = 0, variance = 0;

    for (guint i = 0; i < dim; i++)
      mean += x[i] / (double) dim;
    for (guint i = 0; i < dim; i++)
      variance += (x[i] - mean) * (x[i] - mean) / dim;
    for (guint i = 0; i < dim; i++)
      out[i] = (x[i] - mean) / sqrt (variance + epsilon) * scale[i] + (bias ? bias[i] : 0);
  }
}

void
reference_gemm (const float *a, guint a_stride, const float *w, const float *bias, const float *residual, guint residual_rows,
    gboolean gelu, double *out, guint m, guint n, guint k)
{
  for (guint i = 0; i < m; i++)
    for (guint j = 0; j < n; j++) {
      double y = bias ? bias[j] : 0;

      for (guint p = 0; p < k; p++)
        y += (double) a[(gsize) i * a_stride + p] * w[(gsize) p * n + j];
      if (gelu)
        y = 0.5 * y * (1 + tanh (sqrt (2 / G_PI) * (y + 0.044715 * y * y * y)));
      if (residual)
        y += residual[(gsize) (i % residual_rows) * n + j];
      *out++ = y;
    }
}

void
reference_attention (const float *query, guint query_stride, const float *key, guint key_stride, const float *value, guint value_stride,
    double *out, guint batch, guint heads, guint head_dim, guint queries, guint keys)
{
  g_autofree double *p = g_new (double, keys);

  for (guint b = 0; b < batch; b++)
    for (guint i = 0; i < queries; i++)
      for (guint h = 0; h < heads; h++) {
        const float *q = query + ((gsize) b * queries + i) * query_stride + h * head_dim;
        double highest = -INFINITY, total = 0;

        for (guint j = 0; j < keys; j++) {
          const float *k = key + ((gsize) b * keys + j) * key_stride + h * head_dim;
          p[j] = 0;
          for (guint d = 0; d < head_dim; d++)
            p[j] += (double) q[d] * k[d] / sqrt (head_dim);
          highest = MAX (highest, p[j]);
        }
        for (guint j = 0; j < keys; j++)
          total += p[j] = exp (p[j] - highest);
        for (guint d = 0; d < head_dim; d++) {
          double sum = 0;
          for (guint j = 0; j < keys; j++)
            sum += p[j] * value[((gsize) b * keys + j) * value_stride + h * head_dim + d];
          *out++ = sum / total;
        }
      }
}

void
reference_gates (const float *gates, const float *state, const float *scale, const float *candidate, double *context, double *mean,
    double *next, guint rows, guint dim, double epsilon)
{
  reference_layernorm (state, scale, NULL, context, rows, dim, epsilon);
  for (guint r = 0; r < rows; r++) {
    mean[r] = 0;
    for (guint i = 0; i < dim; i++) {
      const gsize at = (gsize) r * dim + i;
      const double u = 1 / (1 + exp (-(double) gates[(gsize) r * 2 * dim + i]));
      const double reset = 1 / (1 + exp (-(double) gates[(gsize) r * 2 * dim + dim + i]));

      context[at] *= reset;
      mean[r] += u / dim;
      next[at] = (1 - u) * state[at] + u * candidate[at];
    }
  }
}
