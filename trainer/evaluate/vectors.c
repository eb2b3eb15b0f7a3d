/* Sums are in double precision. */
#include "vectors.h"

#include <math.h>

void
rvm_vectors_standardise (float *values, guint n, guint dim)
{
  for (guint c = 0; c < dim; c++) {
    double mean = 0, squares = 0;

    for (guint i = 0; i < n; i++)
      mean += values[(gsize) i * dim + c] / n;
    for (guint i = 0; i < n; i++)
      squares += pow (values[(gsize) i * dim + c] - mean, 2);
    for (guint i = 0; i < n; i++)
      values[(gsize) i * dim + c] = squares > 0 ? (values[(gsize) i * dim + c] - mean) / sqrt (squares / n) : 0;
  }
}

double
rvm_vectors_multiply (const float *a, const float *b, guint dim)
{
  double sum = 0;

  for (guint c = 0; c < dim; c++)
    sum += (double) a[c] * b[c];
  return sum;
}

double
rvm_vectors_cosine (const float *a, const float *b, guint dim)
{
  const double length = sqrt (rvm_vectors_multiply (a, a, dim) * rvm_vectors_multiply (b, b, dim));

  return length > 0 ? rvm_vectors_multiply (a, b, dim) / length : 0;
}

static void
kind_clear (gpointer data)
{
  RvmVectorKind *kind = data;

  g_free (kind->name);
  g_array_unref (kind->values);
}

GArray *
rvm_vector_kinds_new (void)
{
  GArray *kinds = g_array_new (FALSE, FALSE, sizeof (RvmVectorKind));

  g_array_set_clear_func (kinds, kind_clear);
  return kinds;
}

void
rvm_vector_kinds_add (GArray *kinds, char *name, guint dim)
{
  const RvmVectorKind kind = { name, dim, g_array_new (FALSE, FALSE, sizeof (float)) };

  g_array_append_val (kinds, kind);
}
