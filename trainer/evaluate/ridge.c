/* The dual form: a system of one equation for each fitted vector, whatever their dimension, solved by Cholesky's method. */
#include "ridge.h"

#include <math.h>

#include "cholesky.h"

/* One fold. */
typedef struct {
  const RvmRidgeData *data;
  GArray *fitted;         /* guint: numbers of the vectors */
  double *mean, *scale;   /* (dim) */
  double *kernel;         /* (fitted, fitted), then its lower Cholesky factor */
  double *weights;        /* (fitted, classes) */
  double *class_mean;     /* (classes) */
} Fold;

static double
get_value (const Fold *fold, guint number, guint column)
{
  return (fold->data->values[(gsize) number * fold->data->dim + column] - fold->mean[column]) * fold->scale[column];
}

static void
standardise (Fold *fold)
{
  const RvmRidgeData *data = fold->data;
  const guint n = fold->fitted->len;

  for (guint c = 0; c < data->dim; c++) {
    double sum = 0, squares = 0;

    for (guint i = 0; i < n; i++)
      sum += data->values[(gsize) g_array_index (fold->fitted, guint, i) * data->dim + c];
    fold->mean[c] = sum / n;
    for (guint i = 0; i < n; i++)
      squares += pow (data->values[(gsize) g_array_index (fold->fitted, guint, i) * data->dim + c] - fold->mean[c], 2);
    fold->scale[c] = squares > 0 ? 1 / sqrt (squares / n) : 0; /* a constant column says nothing */
  }
}

static double
multiply (const Fold *fold, guint a, guint b)
{
  double sum = 0;

  for (guint c = 0; c < fold->data->dim; c++)
    sum += get_value (fold, a, c) * get_value (fold, b, c);
  return sum;
}

static void
fit (Fold *fold, double penalty)
{
  const RvmRidgeData *data = fold->data;
  const guint n = fold->fitted->len;
  double trace = 0;

  standardise (fold);
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j <= i; j++)
      fold->kernel[(gsize) i * n + j] = multiply (fold, g_array_index (fold->fitted, guint, i), g_array_index (fold->fitted, guint, j));
  for (guint i = 0; i < n; i++)
    trace += fold->kernel[(gsize) i * n + i];
  for (guint i = 0; i < n; i++)
    fold->kernel[(gsize) i * n + i] += trace > 0 ? penalty * trace / n : 1;
  rvm_cholesky_factorise (fold->kernel, n);
  for (guint c = 0; c < data->classes; c++) {
    fold->class_mean[c] = 0;
    for (guint i = 0; i < n; i++)
      fold->class_mean[c] += (data->label[g_array_index (fold->fitted, guint, i)] == c) / (double) n;
    for (guint i = 0; i < n; i++)
      fold->weights[(gsize) i * data->classes + c] = (data->label[g_array_index (fold->fitted, guint, i)] == c) - fold->class_mean[c];
    rvm_cholesky_solve (fold->kernel, n, fold->weights + c, data->classes);
  }
}

static guint
classify (const Fold *fold, guint number)
{
  const RvmRidgeData *data = fold->data;
  g_autofree double *scores = g_memdup2 (fold->class_mean, data->classes * sizeof (double));
  guint best = 0;

  for (guint i = 0; i < fold->fitted->len; i++) {
    const double product = multiply (fold, number, g_array_index (fold->fitted, guint, i));

    for (guint c = 0; c < data->classes; c++)
      scores[c] += product * fold->weights[(gsize) i * data->classes + c];
  }
  for (guint c = 1; c < data->classes; c++)
    if (scores[c] > scores[best])
      best = c;
  return best;
}

static void
leave_out (const RvmRidgeData *data, guint group, double penalty, gboolean *right)
{
  Fold fold = { .data = data, .fitted = g_array_new (FALSE, FALSE, sizeof (guint)) };

  for (guint i = 0; i < data->n; i++)
    if (data->group[i] != group)
      g_array_append_val (fold.fitted, i);
  fold.mean = g_new (double, data->dim);
  fold.scale = g_new (double, data->dim);
  fold.kernel = g_new (double, (gsize) fold.fitted->len * fold.fitted->len);
  fold.weights = g_new (double, (gsize) fold.fitted->len * data->classes);
  fold.class_mean = g_new (double, data->classes);
  fit (&fold, penalty);
  for (guint i = 0; i < data->n; i++)
    if (data->group[i] == group)
      right[i] = classify (&fold, i) == data->label[i];
  g_array_unref (fold.fitted);
  g_free (fold.mean);
  g_free (fold.scale);
  g_free (fold.kernel);
  g_free (fold.weights);
  g_free (fold.class_mean);
}

void
rvm_ridge_cross_validate (const RvmRidgeData *data, double penalty, gboolean *right)
{
  g_autoptr (GHashTable) done = g_hash_table_new (g_direct_hash, g_direct_equal);

  for (guint i = 0; i < data->n; i++)
    if (g_hash_table_add (done, GUINT_TO_POINTER (data->group[i])))
      leave_out (data, data->group[i], penalty, right);
}
