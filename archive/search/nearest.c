/* Sums are kept in lanes, so that the compiler can use its vectors, and added in one order, so that results do not depend on the number of threads. */
#include "nearest.h"

#include <math.h>
#include <string.h>

#include "kernels/half.h"

enum { LANES = 16, SAMPLES = 65536, LEAST = 4096 /* vectors worth a thread */, MOST_THREADS = 64 };

/* Without infinities and NaN, which an archive does not have. */
static inline float
to_float (guint16 half)
{
  const guint32 bits = (guint32) (half & 0x8000) << 16 | (guint32) (half & 0x7fff) << 13;
  float value;

  memcpy (&value, &bits, sizeof value);
  return value * 0x1p112f;
}

void
rvm_standard_free (RvmStandard *standard)
{
  if (standard == NULL)
    return;
  g_free (standard->mean);
  g_free (standard->scale);
  g_free (standard);
}

RvmStandard *
rvm_standard_new (const guint16 *halves, gsize n, guint dim)
{
  RvmStandard *standard = g_new0 (RvmStandard, 1);
  g_autofree double *sums = g_new0 (double, dim), *squares = g_new0 (double, dim);
  const gsize used = MIN (n, SAMPLES);

  standard->dim = dim;
  standard->mean = g_new0 (float, dim);
  standard->scale = g_new0 (float, dim);
  for (gsize i = 0; i < used; i++) {
    const guint16 *vector = halves + i * n / used * dim;

    for (guint c = 0; c < dim; c++) {
      const double value = to_float (vector[c]);
      sums[c] += value;
      squares[c] += value * value;
    }
  }
  for (guint c = 0; used && c < dim; c++) {
    const double mean = sums[c] / used, variance = squares[c] / used - mean * mean;

    standard->mean[c] = mean;
    standard->scale[c] = variance > 1e-12 * squares[c] / used ? 1 / sqrt (variance) : 0;
  }
  return standard;
}

/* @query, @mean, @scale: padded with zeros to a multiple of LANES. The vector's product with @query over its own length. */
static float
compare (const guint16 *vector, guint dim, const float *query, const float *mean, const float *scale)
{
  float products[LANES] = { 0 }, squares[LANES] = { 0 }, product = 0, square = 0;
  guint c = 0;

  for (; c + LANES <= dim; c += LANES)
    for (guint l = 0; l < LANES; l++) {
      const float value = (to_float (vector[c + l]) - mean[c + l]) * scale[c + l];
      products[l] += value * query[c + l];
      squares[l] += value * value;
    }
  for (; c < dim; c++) {
    const float value = (to_float (vector[c]) - mean[c]) * scale[c];
    product += value * query[c];
    square += value * value;
  }
  for (guint l = 0; l < LANES; l++) {
    product += products[l];
    square += squares[l];
  }
  return square > 0 ? product / sqrtf (square) : 0;
}

static float
multiply (const guint16 *vector, guint dim, const float *query)
{
  float products[LANES] = { 0 }, product = 0;
  guint c = 0;

  for (; c + LANES <= dim; c += LANES)
    for (guint l = 0; l < LANES; l++)
      products[l] += to_float (vector[c + l]) * query[c + l];
  for (; c < dim; c++)
    product += to_float (vector[c]) * query[c];
  for (guint l = 0; l < LANES; l++)
    product += products[l];
  return product;
}

float
rvm_nearest_product (const guint16 *a, const guint16 *b, guint dim)
{
  float products[LANES] = { 0 }, product = 0;
  guint c = 0;

  for (; c + LANES <= dim; c += LANES)
    for (guint l = 0; l < LANES; l++)
      products[l] += to_float (a[c + l]) * to_float (b[c + l]);
  for (; c < dim; c++)
    product += to_float (a[c]) * to_float (b[c]);
  for (guint l = 0; l < LANES; l++)
    product += products[l];
  return product;
}

typedef struct {
  const guint16 *halves;
  gsize n;
  guint dim;
  const RvmStandard *standard;
  const float *query; /* standardised, of length 1 */
  float *scores;
} Share;

static gpointer
score (gpointer data)
{
  const Share *share = data;

  for (gsize i = 0; i < share->n; i++) {
    const guint16 *vector = share->halves + i * share->dim;

    share->scores[i] = share->standard ? compare (vector, share->dim, share->query, share->standard->mean, share->standard->scale)
                                       : multiply (vector, share->dim, share->query);
  }
  return NULL;
}

float *
rvm_nearest_prepare (const RvmStandard *standard, const float *query, guint dim)
{
  float *prepared = g_new (float, dim);
  double square = 0;

  for (guint c = 0; c < dim; c++) {
    prepared[c] = standard ? (query[c] - standard->mean[c]) * standard->scale[c] : query[c];
    square += (double) prepared[c] * prepared[c];
  }
  for (guint c = 0; standard && square > 0 && c < dim; c++)
    prepared[c] /= sqrt (square);
  return prepared;
}

void
rvm_nearest_convert (const guint16 *halves, gsize n, guint dim, const RvmStandard *standard, float *floats)
{
  for (gsize i = 0; i < n; i++) {
    float *vector = floats + i * dim;
    double square = 0;

    for (guint c = 0; c < dim; c++) {
      vector[c] = to_float (halves[i * dim + c]);
      if (standard)
        vector[c] = (vector[c] - standard->mean[c]) * standard->scale[c];
      square += (double) vector[c] * vector[c];
    }
    for (guint c = 0; standard && square > 0 && c < dim; c++)
      vector[c] /= sqrt (square);
  }
}

void
rvm_nearest_score (const guint16 *halves, gsize n, guint dim, const RvmStandard *standard, const float *query, float *scores)
{
  const guint threads = CLAMP (n / LEAST, 1, MIN (g_get_num_processors (), MOST_THREADS));
  g_autofree float *prepared = rvm_nearest_prepare (standard, query, dim);
  Share shares[MOST_THREADS];
  GThread *running[MOST_THREADS];

  for (guint t = 0; t < threads; t++) {
    const gsize first = n * t / threads, end = n * (t + 1) / threads;

    shares[t] = (Share){ halves + first * dim, end - first, dim, standard, prepared, scores + first };
    running[t] = t ? g_thread_new ("score", score, &shares[t]) : NULL;
  }
  score (&shares[0]);
  for (guint t = 1; t < threads; t++)
    g_thread_join (running[t]);
}
