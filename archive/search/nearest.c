/* Sums are kept in lanes, so that the compiler can use its vectors, and added in one order, so that results do not depend on the number of threads. */
#include "nearest.h"

#include <math.h>
#include <string.h>

#include "kernels/half.h"
#include "model/cholesky.h"

enum { LANES = 16, SAMPLES = 65536, PAIRS = 16384 /* samples for correlations */, GIVEN_UP = 5, LEAST = 4096 /* vectors worth a thread */, MOST_THREADS = 64 };

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
  g_free (standard->whitening);
  g_free (standard);
}

/* How much two columns of standardised vectors have in common, for all pairs, in the lower half of @products: correlations, times @used. */
static void
correlate (const guint16 *halves, gsize n, gsize used, const RvmStandard *standard, double *products)
{
  enum { ROWS = 4 }; /* at a time, so that sums are loaded less often; missing ones are 0 */
  const guint dim = standard->dim;
  g_autofree float *vectors = g_new (float, (gsize) ROWS * dim), *sums = g_new0 (float, (gsize) dim * dim);

  for (gsize first = 0; first < used; first += ROWS) {
    const float *v = vectors, *w = v + dim, *x = w + dim, *y = x + dim;

    memset (vectors, 0, (gsize) ROWS * dim * sizeof *vectors);
    for (gsize i = first; i < MIN (first + ROWS, used); i++) {
      const guint16 *vector = halves + i * n / used * dim;

      for (guint c = 0; c < dim; c++)
        vectors[(i - first) * dim + c] = (to_float (vector[c]) - standard->mean[c]) * standard->scale[c];
    }
    for (guint r = 0; r < dim; r++) {
      float *restrict sum = sums + (gsize) r * dim;

      for (guint c = 0; c <= r; c++)
        sum[c] += v[r] * v[c] + w[r] * w[c] + x[r] * x[c] + y[r] * y[c];
    }
    if ((first / ROWS + 1) % 64 == 0 || first + ROWS >= used) /* many floats are added up as doubles */
      for (gsize i = 0; i < (gsize) dim * dim; i++) {
        products[i] += sums[i];
        sums[i] = 0;
      }
  }
}

/* Constant columns stay 0, whatever they are multiplied by. */
static void
add_whitening (RvmStandard *standard, const guint16 *halves, gsize n, gsize videos)
{
  const guint dim = standard->dim;
  const gsize used = MIN (n, PAIRS), size = (gsize) dim * dim;
  const double given_up = (double) GIVEN_UP / videos;
  g_autofree double *matrix = g_new0 (double, size);

  correlate (halves, n, used, standard, matrix);
  for (gsize i = 0; i < size; i++)
    matrix[i] = (1 - given_up) * matrix[i] / used + (i / dim == i % dim ? given_up : 0);
  rvm_cholesky_factorise (matrix, dim);
  rvm_cholesky_invert (matrix, dim);
  standard->whitening = g_new (float, size);
  for (gsize i = 0; i < size; i++)
    standard->whitening[i] = matrix[i];
}

RvmStandard *
rvm_standard_new (const guint16 *halves, gsize n, guint dim, gsize videos)
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
  if (videos > GIVEN_UP)
    add_whitening (standard, halves, n, videos);
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

/* LANES vectors at a time: @rows (dim, LANES) to @whitened. Two sums of each are made at a time, so that what is loaded is used twice. Sums run in the order
 * of columns, whatever stands in the other lanes. */
static void
whiten (const float *whitening, guint dim, const float *restrict rows, float *restrict whitened)
{
  for (guint r = 0; r < dim; r += 2) {
    const guint last = MIN (r + 1, dim - 1); /* the same twice, if dim is odd */
    const float *a = whitening + (gsize) r * dim, *b = whitening + (gsize) last * dim;
    float sums_a[LANES] = { 0 }, sums_b[LANES] = { 0 };

    for (guint c = 0; c <= last; c++) /* right of its diagonal, a row has zeros */
      for (guint l = 0; l < LANES; l++) {
        sums_a[l] += a[c] * rows[(gsize) c * LANES + l];
        sums_b[l] += b[c] * rows[(gsize) c * LANES + l];
      }
    memcpy (whitened + (gsize) r * LANES, sums_a, sizeof sums_a);
    memcpy (whitened + (gsize) last * LANES, sums_b, sizeof sums_b);
  }
}

/* @n, at most LANES, vectors to @rows (dim, LANES), behind which there is room for as many again, standardised and whitened; what they are divided by to be
 * of length 1 to @lengths. */
static void
convert_block (const guint16 *halves, gsize n, const RvmStandard *standard, float *rows, float *lengths)
{
  const guint dim = standard->dim;
  float *standardised = rows + (gsize) dim * LANES;
  float squares[LANES] = { 0 };

  for (guint c = 0; c < dim; c++)
    for (guint l = 0; l < LANES; l++)
      standardised[(gsize) c * LANES + l] = l < n ? (to_float (halves[l * dim + c]) - standard->mean[c]) * standard->scale[c] : 0;
  whiten (standard->whitening, dim, standardised, rows);
  for (guint c = 0; c < dim; c++)
    for (guint l = 0; l < LANES; l++)
      squares[l] += rows[(gsize) c * LANES + l] * rows[(gsize) c * LANES + l];
  for (guint l = 0; l < LANES; l++)
    lengths[l] = squares[l] > 0 ? sqrtf (squares[l]) : 1;
}

/* @rows: room for convert_block(). */
static void
compare_block (const guint16 *halves, gsize n, const RvmStandard *standard, const float *query, float *rows, float *scores)
{
  float lengths[LANES], products[LANES] = { 0 };

  convert_block (halves, n, standard, rows, lengths);
  for (guint c = 0; c < standard->dim; c++)
    for (guint l = 0; l < LANES; l++)
      products[l] += query[c] * rows[(gsize) c * LANES + l];
  for (gsize i = 0; i < n; i++)
    scores[i] = products[i] / lengths[i];
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
  const float *query; /* as rvm_nearest_prepare() makes it */
  float *scores;
} Share;

static gpointer
score (gpointer data)
{
  const Share *share = data;
  g_autofree float *rows = NULL;

  if (share->standard && share->standard->whitening) {
    rows = g_new (float, (gsize) 2 * LANES * share->dim);
    for (gsize i = 0; i < share->n; i += LANES)
      compare_block (share->halves + i * share->dim, MIN (LANES, share->n - i), share->standard, share->query, rows, share->scores + i);
    return NULL;
  }
  for (gsize i = 0; i < share->n; i++) {
    const guint16 *vector = share->halves + i * share->dim;

    share->scores[i] = share->standard ? compare (vector, share->dim, share->query, share->standard->mean, share->standard->scale)
                                       : multiply (vector, share->dim, share->query);
  }
  return NULL;
}

/* @prepared: (dim), standardised; whitened and divided by its length, in place. */
static void
finish (const RvmStandard *standard, float *prepared)
{
  const guint dim = standard->dim;
  double square = 0;

  for (guint r = standard->whitening ? dim : 0; r-- > 0;) {
    float sum = 0;

    for (guint c = 0; c <= r; c++)
      sum += standard->whitening[(gsize) r * dim + c] * prepared[c];
    prepared[r] = sum;
  }
  for (guint c = 0; c < dim; c++)
    square += (double) prepared[c] * prepared[c];
  for (guint c = 0; square > 0 && c < dim; c++)
    prepared[c] /= sqrt (square);
}

float *
rvm_nearest_prepare (const RvmStandard *standard, const float *query, guint dim)
{
  float *prepared = g_new (float, dim);

  for (guint c = 0; c < dim; c++)
    prepared[c] = standard ? (query[c] - standard->mean[c]) * standard->scale[c] : query[c];
  if (standard)
    finish (standard, prepared);
  return prepared;
}

static void
convert_whitened (const guint16 *halves, gsize n, const RvmStandard *standard, float *floats)
{
  const guint dim = standard->dim;
  g_autofree float *rows = g_new (float, (gsize) 2 * LANES * dim);
  float lengths[LANES];

  for (gsize first = 0; first < n; first += LANES) {
    const gsize block = MIN (LANES, n - first);

    convert_block (halves + first * dim, block, standard, rows, lengths);
    for (gsize i = 0; i < block; i++)
      for (guint c = 0; c < dim; c++)
        floats[(first + i) * dim + c] = rows[(gsize) c * LANES + i] / lengths[i];
  }
}

void
rvm_nearest_convert (const guint16 *halves, gsize n, guint dim, const RvmStandard *standard, float *floats)
{
  if (standard && standard->whitening) {
    convert_whitened (halves, n, standard, floats);
    return;
  }
  for (gsize i = 0; i < n; i++) {
    float *vector = floats + i * dim;

    for (guint c = 0; c < dim; c++) {
      vector[c] = to_float (halves[i * dim + c]);
      if (standard)
        vector[c] = (vector[c] - standard->mean[c]) * standard->scale[c];
    }
    if (standard)
      finish (standard, vector);
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
