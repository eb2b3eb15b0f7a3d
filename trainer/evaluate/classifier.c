/* Ridge regression of indicator variables with weights w and an intercept: with the vectors and targets less their weighted means,
 *
 *   coefficients = (products + penalty * diag (1 / w))^-1 targets
 *
 * solved by Cholesky's decomposition, a system of one equation for each vector, whatever their length. The coefficients of a class sum to 0, so that the mean of the vectors only enters the bias. */
#include "classifier.h"

#include "model/cholesky.h"

void
rvm_classifier_multiply (const float *const *vectors, guint n, guint learned, gsize length, double *products)
{
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j <= i && j < learned; j++) {
      const float *a = vectors[i], *b = vectors[j];
      double sums[4] = { 0 };
      gsize v = 0;

      for (; v + 4 <= length; v += 4)
        for (guint k = 0; k < 4; k++)
          sums[k] += (double) a[v + k] * b[v + k];
      for (; v < length; v++)
        sums[0] += (double) a[v] * b[v];
      products[(gsize) i * n + j] = products[(gsize) j * n + i] = sums[0] + sums[1] + sums[2] + sums[3];
    }
}

/* The vectors to learn from: their numbers, weights (of mean 1), and those of all of a class. */
typedef struct {
  guint m;
  guint *index;
  double *weight;
  guint *count; /* (classes) */
} Training;

static void
training_init (Training *training, const RvmClassifierData *data, const gboolean *train, gboolean alike)
{
  guint present = 0;

  training->m = 0;
  training->index = g_new (guint, data->n);
  training->weight = g_new (double, data->n);
  training->count = g_new0 (guint, data->classes);
  for (guint i = 0; i < data->n; i++)
    if (train[i]) {
      training->index[training->m++] = i;
      training->count[data->label[i]]++;
    }
  for (guint c = 0; c < data->classes; c++)
    present += training->count[c] > 0;
  for (guint i = 0; i < training->m; i++)
    training->weight[i] = alike ? 1 : (double) training->m / (present * training->count[data->label[training->index[i]]]);
}

static void
training_clear (Training *training)
{
  g_free (training->index);
  g_free (training->weight);
  g_free (training->count);
}

static double
product (const RvmClassifierData *data, const Training *training, guint i, guint j)
{
  return data->products[(gsize) training->index[i] * data->n + training->index[j]];
}

/* Products of the vectors less their weighted mean. @mean_product: (m) of each with the mean. Returns the mean of the squares. */
static double
centre (const RvmClassifierData *data, const Training *training, double *centred, double *mean_product)
{
  const guint m = training->m;
  double square = 0, trace = 0;

  for (guint i = 0; i < m; i++) {
    mean_product[i] = 0;
    for (guint j = 0; j < m; j++)
      mean_product[i] += training->weight[j] * product (data, training, i, j) / m;
    square += training->weight[i] * mean_product[i] / m;
  }
  for (guint i = 0; i < m; i++) {
    for (guint j = 0; j < m; j++)
      centred[(gsize) i * m + j] = product (data, training, i, j) - mean_product[i] - mean_product[j] + square;
    trace += training->weight[i] * centred[(gsize) i * m + i] / m;
  }
  return trace;
}

static void
fit_ridge (const RvmClassifierData *data, const Training *training, double ridge, double *coefficients, double *bias)
{
  const guint m = training->m;
  g_autofree double *centred = g_new (double, (gsize) m *m), *mean_product = g_new (double, m), *x = g_new (double, m);
  const double penalty = MAX (ridge * centre (data, training, centred, mean_product), 1e-12) * m;

  for (guint i = 0; i < m; i++)
    centred[(gsize) i * m + i] += penalty / training->weight[i];
  rvm_cholesky_factorise (centred, m);
  for (guint c = 0; c < data->classes; c++) {
    double mean = 0;

    for (guint i = 0; i < m; i++)
      mean += training->weight[i] * (data->label[training->index[i]] == c) / m;
    for (guint i = 0; i < m; i++)
      x[i] = (data->label[training->index[i]] == c) - mean;
    rvm_cholesky_solve (centred, m, x, 1);
    bias[c] = mean;
    for (guint i = 0; i < m; i++) {
      coefficients[(gsize) training->index[i] * data->classes + c] = x[i];
      bias[c] -= x[i] * mean_product[i];
    }
  }
}

void
rvm_classifier_fit (const RvmClassifierData *data, const gboolean *train, const RvmClassifierMethod *method, double *coefficients,
                    double *bias)
{
  Training training;

  for (gsize i = 0; i < (gsize) data->n * data->classes; i++)
    coefficients[i] = 0;
  for (guint c = 0; c < data->classes; c++)
    bias[c] = 0;
  training_init (&training, data, train, method->alike);
  fit_ridge (data, &training, method->ridge, coefficients, bias);
  for (guint c = 0; c < data->classes; c++)
    if (training.count[c] == 0)
      bias[c] = -1e30;
  training_clear (&training);
}

void
rvm_classifier_score (const RvmClassifierData *data, const double *products, const double *coefficients, const double *bias, double *scores)
{
  for (guint c = 0; c < data->classes; c++)
    scores[c] = bias[c];
  for (guint i = 0; i < data->n; i++)
    for (guint c = 0; c < data->classes; c++)
      scores[c] += coefficients[(gsize) i * data->classes + c] * products[i];
}
