/* Frames of normal clips give the mean and a shrunk covariance of pooled states; the whitening matrix is the inverse of its Cholesky factor. */
#include "distance_readout.h"

#include <math.h>
#include <string.h>

#include "kernels/error.h"
#include "model/cholesky.h"
#include "model/format/weights.h"

/* Pooled states of all clips, with the group of each. */
typedef struct {
  guint n, dim;
  GArray *values; /* (element-type double) (n, dim) */
  GArray *group;  /* (element-type guint) (n) */
} Samples;

void
rvm_distance_readout_free (RvmDistanceReadout *readout)
{
  if (readout == NULL)
    return;
  g_free (readout->mean);
  g_free (readout->whitening);
  g_free (readout);
}

/* As the readout pools: means over patches, then over the states of the window. */
static void
add_clip (Samples *samples, const RvmClipFeatures *features, gboolean encoder, guint stride, guint window, guint group)
{
  const guint dim = features->dim;
  const float *from = encoder ? features->encoded : features->state;
  g_autofree double *pooled = g_new0 (double, (gsize) features->n *dim), *mean = g_new (double, dim);
  guint n = 0;

  samples->dim = dim;
  for (guint i = 0; i < features->n; i++) {
    if (features->frame[i] % stride != 0)
      continue;
    for (guint token = 1; token < features->tokens; token++)
      for (guint c = 0; c < dim; c++)
        pooled[(gsize) n * dim + c] += from[((gsize) i * features->tokens + token) * dim + c] / (features->tokens - 1);
    n++;
    for (guint c = 0; c < dim; c++) {
      mean[c] = 0;
      for (guint k = n - MIN (n, window); k < n; k++)
        mean[c] += pooled[(gsize) k * dim + c] / MIN (n, window);
    }
    g_array_append_vals (samples->values, mean, dim);
    g_array_append_val (samples->group, group);
    samples->n++;
  }
}

static const double *
get_sample (const Samples *samples, guint i)
{
  return &g_array_index (samples->values, double, (gsize) i * samples->dim);
}

/* @left_out: a group. The shrunk covariance goes to @covariance; returns the shrinkage. */
static double
find_covariance (const Samples *samples, guint left_out, double *mean, double *covariance)
{
  const guint dim = samples->dim;
  double trace = 0, away = 0, noise = 0, shrinkage;
  guint n = 0;

  memset (mean, 0, dim * sizeof (double));
  memset (covariance, 0, (gsize) dim * dim * sizeof (double));
  for (guint i = 0; i < samples->n; i++)
    if (g_array_index (samples->group, guint, i) != left_out) {
      n++;
      for (guint c = 0; c < dim; c++)
        mean[c] += get_sample (samples, i)[c];
    }
  for (guint c = 0; c < dim; c++)
    mean[c] /= MAX (n, 1);
  for (guint i = 0; i < samples->n; i++) {
    const double *x = get_sample (samples, i);

    for (guint r = 0; r < dim && g_array_index (samples->group, guint, i) != left_out; r++)
      for (guint c = 0; c < dim; c++)
        covariance[(gsize) r * dim + c] += (x[r] - mean[r]) * (x[c] - mean[c]) / n;
  }
  for (guint c = 0; c < dim; c++)
    trace += covariance[(gsize) c * dim + c] / dim;
  for (gsize i = 0; i < (gsize) dim * dim; i++)
    away += pow (covariance[i] - (i / dim == i % dim ? trace : 0), 2);
  for (guint i = 0; i < samples->n; i++) {
    const double *x = get_sample (samples, i);

    for (guint r = 0; r < dim && g_array_index (samples->group, guint, i) != left_out; r++)
      for (guint c = 0; c < dim; c++)
        noise += pow ((x[r] - mean[r]) * (x[c] - mean[c]) - covariance[(gsize) r * dim + c], 2) / ((double) n * n);
  }
  shrinkage = away > 0 ? CLAMP (noise / away, 0, 1) : 1;
  for (gsize i = 0; i < (gsize) dim * dim; i++)
    covariance[i] = (1 - shrinkage) * covariance[i] + (i / dim == i % dim ? shrinkage * trace + 1e-9 : 0);
  return shrinkage;
}

static double
get_distance (const double *x, const double *mean, const double *whitening, guint dim)
{
  double squares = 0;

  for (guint r = 0; r < dim; r++) {
    double sum = 0;

    for (guint c = 0; c <= r; c++)
      sum += whitening[(gsize) r * dim + c] * (x[c] - mean[c]);
    squares += sum * sum;
  }
  return sqrt (squares / dim);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return x < y ? -1 : x > y;
}

static void
measure_held_out (RvmDistanceReadout *readout, const Samples *samples, guint groups, double *mean, double *covariance)
{
  g_autoptr (GArray) distances = g_array_new (FALSE, FALSE, sizeof (double));

  for (guint group = 0; group < groups; group++) {
    find_covariance (samples, group, mean, covariance);
    rvm_cholesky_factorise (covariance, samples->dim);
    rvm_cholesky_invert (covariance, samples->dim);
    for (guint i = 0; i < samples->n; i++)
      if (g_array_index (samples->group, guint, i) == group) {
        const double distance = get_distance (get_sample (samples, i), mean, covariance, samples->dim);

        g_array_append_val (distances, distance);
      }
  }
  g_array_sort (distances, compare);
  readout->median = g_array_index (distances, double, distances->len / 2);
  readout->most_of = g_array_index (distances, double, MIN (distances->len * 95 / 100, distances->len - 1));
}

RvmDistanceReadout *
rvm_distance_readout_make (const RvmFeatureSettings *settings, const RvmLabelled *labelled, RvmReadoutFeatures features, guint window,
                           GError **error)
{
  g_autoptr (GArray) values = g_array_new (FALSE, FALSE, sizeof (double)), group = g_array_new (FALSE, FALSE, sizeof (guint));
  Samples samples = { .values = values, .group = group };
  g_autoptr (RvmDistanceReadout) readout = g_new0 (RvmDistanceReadout, 1);
  g_autofree double *mean = NULL, *covariance = NULL;

  for (guint i = 0; i < labelled->clips->len; i++) {
    const RvmLabelledClip *clip = g_ptr_array_index (labelled->clips, i);
    g_autoptr (RvmClipFeatures) of_clip = rvm_features_load (settings, clip, error);

    if (of_clip == NULL)
      return NULL;
    add_clip (&samples, of_clip, features == RVM_READOUT_ENCODER, settings->stride, window, clip->group);
  }
  mean = g_new (double, samples.dim);
  covariance = g_new (double, (gsize) samples.dim *samples.dim);
  if (labelled->groups->len > 1)
    measure_held_out (readout, &samples, labelled->groups->len, mean, covariance);
  readout->dim = samples.dim;
  readout->n = samples.n;
  readout->shrinkage = find_covariance (&samples, G_MAXUINT, mean, covariance);
  rvm_cholesky_factorise (covariance, samples.dim);
  rvm_cholesky_invert (covariance, samples.dim);
  readout->mean = g_new (float, samples.dim);
  readout->whitening = g_new (float, (gsize) samples.dim *samples.dim);
  for (guint c = 0; c < samples.dim; c++)
    readout->mean[c] = mean[c];
  for (gsize i = 0; i < (gsize) samples.dim * samples.dim; i++)
    readout->whitening[i] = covariance[i];
  return g_steal_pointer (&readout);
}

static gboolean
copy_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  const RvmDistanceReadout *readout = user_data;

  if (strcmp (array->name, "mean") == 0)
    memcpy (values, readout->mean, readout->dim * sizeof (float));
  else
    memcpy (values, readout->whitening, (gsize) readout->dim * readout->dim * sizeof (float));
  return TRUE;
}

gboolean
rvm_distance_readout_save (const RvmDistanceReadout *readout, const RvmReadoutInfo *info, const char *path, GError **error)
{
  g_autoptr (GHashTable) metadata = rvm_readout_info_to_metadata (info);
  const RvmArray arrays[] = {
    { .name = (char *) "mean", .dtype = RVM_DTYPE_F32, .n_dims = 1, .dims = { readout->dim } },
    { .name = (char *) "whitening", .dtype = RVM_DTYPE_F32, .n_dims = 2, .dims = { readout->dim, readout->dim } },
  };

  return rvm_weights_save (path, arrays, G_N_ELEMENTS (arrays), copy_values, (gpointer) readout, metadata, error);
}
