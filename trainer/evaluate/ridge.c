/* Vectors are standardised, which leaves their scalar products, and a classifier in closed form (classifier.h). */
#include "ridge.h"

#include <math.h>

#include "classifier.h"

/* Standardised by those that are fitted to. (transfer full): (n, dim). */
static float *
standardise (const RvmRidgeData *data, const gboolean *fitted, guint n)
{
  float *values = g_new (float, (gsize) data->n * data->dim);

  for (guint c = 0; c < data->dim; c++) {
    double mean = 0, squares = 0, scale;

    for (guint i = 0; i < data->n; i++)
      mean += fitted[i] ? (double) data->values[(gsize) i * data->dim + c] / n : 0;
    for (guint i = 0; i < data->n; i++)
      squares += fitted[i] ? pow (data->values[(gsize) i * data->dim + c] - mean, 2) : 0;
    scale = squares > 0 ? 1 / sqrt (squares / n) : 0; /* a constant column says nothing */
    for (guint i = 0; i < data->n; i++)
      values[(gsize) i * data->dim + c] = (data->values[(gsize) i * data->dim + c] - mean) * scale;
  }
  return values;
}

static guint
find_largest (const double *scores, guint classes)
{
  guint best = 0;

  for (guint c = 1; c < classes; c++)
    if (scores[c] > scores[best])
      best = c;
  return best;
}

static void
leave_out (const RvmRidgeData *data, guint group, double penalty, gboolean *right)
{
  g_autofree gboolean *fitted = g_new (gboolean, data->n);
  g_autofree double *products = g_new (double, (gsize) data->n * data->n), *scores = g_new (double, data->classes);
  g_autofree double *coefficients = g_new (double, (gsize) data->n * data->classes), *bias = g_new (double, data->classes);
  g_autofree float *values = NULL;
  g_autofree const float **vectors = g_new (const float *, data->n);
  const RvmClassifierData of = { data->n, data->classes, products, data->label };
  guint n = 0;

  for (guint i = 0; i < data->n; i++)
    n += fitted[i] = data->group[i] != group;
  values = standardise (data, fitted, n);
  for (guint i = 0; i < data->n; i++)
    vectors[i] = values + (gsize) i * data->dim;
  rvm_classifier_multiply (vectors, data->n, data->n, data->dim, products);
  rvm_classifier_fit (&of, fitted, &(RvmClassifierMethod){ .ridge = penalty / n, .alike = TRUE }, coefficients, bias);
  for (guint i = 0; i < data->n; i++)
    if (!fitted[i]) {
      rvm_classifier_score (&of, products + (gsize) i * data->n, coefficients, bias, scores);
      right[i] = find_largest (scores, data->classes) == data->label[i];
    }
}

void
rvm_ridge_cross_validate (const RvmRidgeData *data, double penalty, gboolean *right)
{
  g_autoptr (GHashTable) done = g_hash_table_new (g_direct_hash, g_direct_equal);

  for (guint i = 0; i < data->n; i++)
    if (g_hash_table_add (done, GUINT_TO_POINTER (data->group[i])))
      leave_out (data, data->group[i], penalty, right);
}
