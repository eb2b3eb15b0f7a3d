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

gsize
rvm_pooled_count_window (const RvmPooledShape *shape)
{
  return (gsize)shape->slots * shape->cells * shape->dim;
}

gsize
rvm_pooled_count_changes (const RvmPooledShape *shape)
{
  return shape->changes ? (gsize)shape->slots * shape->cells : 0;
}

/* Where a slot lies among the states: between @before and @after, by @share of the way. */
static void
find_slot (guint slot, guint slots, guint n, guint *before, guint *after, double *share)
{
  const double at = slots > 1 ? (double)slot * (n - 1) / (slots - 1) : n - 1;

  *before = at;
  *after = MIN (*before + 1, n - 1);
  *share = at - *before;
}

static void
resample_window (const float *const *states, guint n, const RvmPooledShape *shape, float *vector)
{
  const gsize values = (gsize)shape->cells * shape->dim;
  g_autofree double *from = g_new0 (double, values);

  for (gsize v = 0; v < values; v++) {
    if (shape->reference == RVM_REFERENCE_FIRST)
      from[v] = states[0][v];
    for (guint i = 0; shape->reference == RVM_REFERENCE_MEAN && i < n; i++)
      from[v] += (double)states[i][v] / n;
  }
  for (guint slot = 0; slot < shape->slots; slot++) {
    guint before, after;
    double share;

    find_slot (slot, shape->slots, n, &before, &after, &share);
    for (gsize v = 0; v < values; v++)
      vector[slot * values + v] = (1 - share) * states[before][v] + share * states[after][v] - from[v];
  }
}

/* The root of the mean square of the difference of two cells. */
static double
measure_distance (const float *a, const float *b, guint dim)
{
  double sum = 0;

  for (guint c = 0; c < dim; c++)
    sum += ((double)a[c] - b[c]) * ((double)a[c] - b[c]);
  return sqrt (sum / dim);
}

static void
resample_changes (const float *const *states, guint n, const RvmPooledShape *shape, float *change, float *travel)
{
  g_autofree double *changes = g_new0 (double, n), *travels = g_new0 (double, n);

  for (guint cell = 0; cell < shape->cells; cell++) {
    const gsize at = (gsize)cell * shape->dim;

    for (guint i = 1; i < n; i++) {
      changes[i] = measure_distance (states[i] + at, states[i - 1] + at, shape->dim);
      travels[i] = measure_distance (states[i] + at, states[0] + at, shape->dim);
    }
    if (n > 1)
      changes[0] = changes[1];
    for (guint slot = 0; slot < shape->slots; slot++) {
      guint before, after;
      double share;

      find_slot (slot, shape->slots, n, &before, &after, &share);
      change[slot * shape->cells + cell] = (1 - share) * changes[before] + share * changes[after];
      travel[slot * shape->cells + cell] = (1 - share) * travels[before] + share * travels[after];
    }
  }
}

void
rvm_pooled_vector (const float *const *states, guint n, const RvmPooledShape *shape, float *vector)
{
  const gsize window = rvm_pooled_count_window (shape);

  resample_window (states, n, shape, vector);
  if (shape->changes)
    resample_changes (states, n, shape, vector + window, vector + window + rvm_pooled_count_changes (shape));
}
