/* Sums are in double precision: the same states give the same vector in any window. */
#include "pooled.h"

#include <math.h>

#define EPSILON 1e-6 /* as in the layer norms of the model */

/* Adds the normalised token to @sum. */
static void
add_token (const float *token, guint dim, double *sum)
{
  double mean = 0, variance = 0, scale;

  for (guint c = 0; c < dim; c++)
    mean += token[c];
  mean /= dim;
  for (guint c = 0; c < dim; c++)
    variance += (token[c] - mean) * (token[c] - mean);
  scale = 1 / sqrt (variance / dim + EPSILON);
  for (guint c = 0; c < dim; c++)
    sum[c] += (token[c] - mean) * scale;
}

void
rvm_pooled_state (const float *features, guint rows, guint columns, guint dim, guint cells, float *pooled)
{
  g_autofree double *sum = g_new (double, dim);

  for (guint cell = 0; cell < cells * cells; cell++) {
    const guint top = cell / cells * rows / cells, bottom = MAX ((cell / cells + 1) * rows / cells, top + 1);
    const guint left = cell % cells * columns / cells, right = MAX ((cell % cells + 1) * columns / cells, left + 1);

    for (guint c = 0; c < dim; c++)
      sum[c] = 0;
    for (guint row = top; row < bottom; row++)
      for (guint column = left; column < right; column++)
        add_token (features + (1 + (gsize)row * columns + column) * dim, dim, sum);
    for (guint c = 0; c < dim; c++)
      *pooled++ = sum[c] / ((bottom - top) * (right - left));
  }
}

void
rvm_pooled_tokens (const float *features, guint rows, guint columns, guint dim, guint cells, float *tokens)
{
  rvm_pooled_state (features, rows, columns, dim, 1, tokens);
  rvm_pooled_state (features, rows, columns, dim, cells, tokens + dim);
}

void
rvm_pooled_vector (const float *const *states, guint n, gsize values, guint slots, RvmReadoutReference reference, float *vector)
{
  for (gsize v = 0; v < values; v++) {
    double from = 0;

    if (reference == RVM_REFERENCE_FIRST)
      from = states[0][v];
    for (guint i = 0; reference == RVM_REFERENCE_MEAN && i < n; i++)
      from += (double)states[i][v] / n;
    for (guint slot = 0; slot < slots; slot++) {
      const double at = slots > 1 ? (double)slot * (n - 1) / (slots - 1) : n - 1;
      const guint before = at, after = MIN (before + 1, n - 1);
      const double share = at - before;

      vector[slot * values + v] = (1 - share) * states[before][v] + share * states[after][v] - from;
    }
  }
}
