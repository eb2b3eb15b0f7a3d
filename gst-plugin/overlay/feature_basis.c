/* Principal components through orthogonal iteration on the samples themselves
 * (Golub and Van Loan, 8.2): the covariance, dim x dim, is never formed. While
 * frames are collected each fit starts from the one before and its components
 * take the order and the signs of those, so that no colour changes places. */
#include "feature_basis.h"

#include <math.h>
#include <string.h>

#include "model/format/weights.h"

#define COMPONENTS RVM_BASIS_COMPONENTS
#define ITERATIONS 200
#define CONVERGED 1e-8          /* change of a component's elements */
#define SAMPLES 512             /* patches of a frame that the fit looks at, at most */
#define DEVIATIONS 2.0          /* from the mean to a colour's end */

struct _RvmFeatureBasis
{
  guint dim;                    /* 0 before the first frame */
  guint fit_frames, fitted;     /* both 0 for a basis from a file */
  gchar *path;
  GArray *samples;              /* float (n, dim), until the basis is final */
  gdouble *mean;                /* (dim) */
  gdouble *components;          /* (COMPONENTS, dim) */
  gdouble deviation[COMPONENTS];
};

RvmFeatureBasis *
rvm_feature_basis_new (guint fit_frames)
{
  RvmFeatureBasis *basis = g_new0 (RvmFeatureBasis, 1);

  basis->fit_frames = fit_frames;
  basis->samples = g_array_new (FALSE, FALSE, sizeof (gfloat));
  return basis;
}

void
rvm_feature_basis_free (RvmFeatureBasis * basis)
{
  if (basis == NULL)
    return;
  g_array_unref (basis->samples);
  g_free (basis->mean);
  g_free (basis->components);
  g_free (basis->path);
  g_free (basis);
}

/* The values of array @name, whose shape must be @dims; a dimension of 0 takes
 * the file's. */
static gdouble *
read_array (RvmWeights * weights, const gchar * name, guint n_dims, guint * dims, GError ** error)
{
  const RvmArray *array = rvm_weights_find (weights, name);
  g_autofree gchar *shape = array ? rvm_array_format_shape (array) : NULL;
  gboolean good = array && array->n_dims == n_dims;
  g_autofree gfloat *values = NULL;
  gdouble *out;
  guint n = 1;

  if (array && !rvm_weights_check (weights, array, NULL, error))
    return NULL;
  for (guint i = 0; good && i < n_dims; i++) {
    good = array->dims[i] > 0 && array->dims[i] <= G_MAXUINT16 && (dims[i] == 0 || array->dims[i] == dims[i]);
    dims[i] = array->dims[i];
    n *= dims[i];
  }
  if (!good) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: array '%s' %s%s: a basis has mean (D), components (3, D) and"
        " deviation (3)", rvm_weights_get_path (weights), name, shape ? "has the shape " : "is missing", shape ? shape : "");
    return NULL;
  }
  values = g_new (gfloat, n);
  if (!rvm_weights_read (weights, array, values, error))
    return NULL;
  out = g_new (gdouble, n);
  for (guint i = 0; i < n; i++)
    out[i] = values[i];
  return out;
}

RvmFeatureBasis *
rvm_feature_basis_load (const gchar * path, GError ** error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, error);
  g_autoptr (RvmFeatureBasis) basis = rvm_feature_basis_new (0);
  g_autofree gdouble *deviation = NULL;
  guint shape[2] = { COMPONENTS, 0 }, three = COMPONENTS;

  basis->path = g_strdup (path);
  if (weights == NULL || (basis->mean = read_array (weights, "mean", 1, &shape[1], error)) == NULL
      || (basis->components = read_array (weights, "components", 2, shape, error)) == NULL
      || (deviation = read_array (weights, "deviation", 1, &three, error)) == NULL)
    return NULL;
  basis->dim = shape[1];
  for (guint c = 0; c < COMPONENTS; c++) {
    if (deviation[c] <= 0) {
      rvm_error_set (error, RVM_ERROR_MODEL, "%s: deviation[%u] is %g, expected more than 0", path, c,
          deviation[c]);
      return NULL;
    }
    basis->deviation[c] = deviation[c];
  }
  return g_steal_pointer (&basis);
}

static gdouble
dot (const gdouble * a, const gdouble * b, guint n)
{
  gdouble sum = 0;

  for (guint i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

/* Each vector orthogonal to those before it and of length 1. One that vanishes
 * (flat material) stays as it is: nothing varies along it. */
static void
orthonormalise (gdouble * vectors, guint dim)
{
  for (guint c = 0; c < COMPONENTS; c++) {
    gdouble *v = vectors + (gsize) c * dim, length;

    for (guint other = 0; other < c; other++) {
      const gdouble *u = vectors + (gsize) other * dim;
      const gdouble along = dot (u, v, dim);
      for (guint d = 0; d < dim; d++)
        v[d] -= along * u[d];
    }
    length = sqrt (dot (v, v, dim));
    for (guint d = 0; length > 1e-12 && d < dim; d++)
      v[d] /= length;
  }
}

/* The order and signs of @before; the first time: the largest element of each
 * is positive. */
static void
settle (gdouble * vectors, const gdouble * before, guint dim)
{
  g_autofree gdouble *sorted = g_new (gdouble, (gsize) COMPONENTS * dim);
  gboolean taken[COMPONENTS] = { FALSE };

  for (guint c = 0; c < COMPONENTS; c++) {
    guint best = c;
    gdouble along = 0;

    for (guint k = 0; before && k < COMPONENTS; k++) {
      const gdouble match = dot (before + (gsize) c * dim, vectors + (gsize) k * dim, dim);
      if (!taken[k] && (taken[best] || fabs (match) > fabs (along))) {
        best = k;
        along = match;
      }
    }
    for (guint d = 0; !before && d < dim; d++)
      if (fabs (vectors[(gsize) c * dim + d]) > fabs (along))
        along = vectors[(gsize) c * dim + d];
    taken[best] = TRUE;
    for (guint d = 0; d < dim; d++)
      sorted[(gsize) c * dim + d] = vectors[(gsize) best * dim + d] * (along < 0 ? -1 : 1);
  }
  memcpy (vectors, sorted, sizeof (gdouble) * COMPONENTS * dim);
}

static gdouble
project (const RvmFeatureBasis * basis, const gfloat * sample, guint component)
{
  const gdouble *v = basis->components + (gsize) component * basis->dim;
  gdouble sum = 0;

  for (guint d = 0; d < basis->dim; d++)
    sum += v[d] * (sample[d] - basis->mean[d]);
  return sum;
}

/* One step of orthogonal iteration; returns the largest change of an element. */
static gdouble
iterate (RvmFeatureBasis * basis, const gfloat * samples, guint n)
{
  const guint dim = basis->dim;
  g_autofree gdouble *next = g_new0 (gdouble, (gsize) COMPONENTS * dim);
  gdouble change = 0;

  for (guint i = 0; i < n; i++)
    for (guint c = 0; c < COMPONENTS; c++) {
      const gfloat *sample = samples + (gsize) i * dim;
      const gdouble along = project (basis, sample, c);
      for (guint d = 0; d < dim; d++)
        next[(gsize) c * dim + d] += along * (sample[d] - basis->mean[d]);
    }
  orthonormalise (next, dim);
  for (guint i = 0; i < COMPONENTS * dim; i++)
    change = MAX (change, fabs (next[i] - basis->components[i]));
  memcpy (basis->components, next, sizeof (gdouble) * COMPONENTS * dim);
  return change;
}

static void
fit (RvmFeatureBasis * basis)
{
  const guint dim = basis->dim, n = basis->samples->len / dim;
  const gfloat *samples = (const gfloat *) basis->samples->data;
  g_autofree gdouble *before = NULL;

  if (basis->fitted)
    before = g_memdup2 (basis->components, sizeof (gdouble) * COMPONENTS * dim);
  else
    /* Any start that is not orthogonal to the answer, always the same. */
    for (guint i = 0; i < COMPONENTS * dim; i++)
      basis->components[i] = sin (1.0 + 0.7 * i);
  orthonormalise (basis->components, dim);
  memset (basis->mean, 0, dim * sizeof (gdouble));
  for (guint i = 0; i < n; i++)
    for (guint d = 0; d < dim; d++)
      basis->mean[d] += samples[(gsize) i * dim + d] / (gdouble) n;
  for (guint i = 0; i < ITERATIONS && iterate (basis, samples, n) > CONVERGED; i++);
  settle (basis->components, before, dim);
  for (guint c = 0; c < COMPONENTS; c++) {
    gdouble squares = 0;

    for (guint i = 0; i < n; i++) {
      const gdouble along = project (basis, samples + (gsize) i * dim, c);
      squares += along * along / n;
    }
    basis->deviation[c] = MAX (sqrt (squares), 1e-9);
  }
}

gboolean
rvm_feature_basis_update (RvmFeatureBasis * basis, const gfloat * patches, guint n, guint dim, GError ** error)
{
  const guint stride = (n + SAMPLES - 1) / SAMPLES;

  if (dim != basis->dim && basis->path) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: the basis is for features of %u numbers, these have %u",
        basis->path, basis->dim, dim);
    return FALSE;
  }
  if (dim != basis->dim) {
    basis->dim = dim;
    basis->fitted = 0;
    basis->mean = g_renew (gdouble, basis->mean, dim);
    basis->components = g_renew (gdouble, basis->components, (gsize) COMPONENTS * dim);
    g_array_set_size (basis->samples, 0);
  }
  if (basis->fitted >= basis->fit_frames)
    return TRUE;
  for (guint i = 0; i < n; i += stride)
    g_array_append_vals (basis->samples, patches + (gsize) i * dim, dim);
  fit (basis);
  if (++basis->fitted >= basis->fit_frames) {
    g_array_unref (basis->samples);
    basis->samples = g_array_new (FALSE, FALSE, sizeof (gfloat));
  }
  return TRUE;
}

void
rvm_feature_basis_colour (const RvmFeatureBasis * basis, const gfloat * patch, gdouble rgb[COMPONENTS])
{
  for (guint c = 0; c < COMPONENTS; c++)
    rgb[c] = CLAMP (0.5 + project (basis, patch, c) / (2 * DEVIATIONS * basis->deviation[c]), 0, 1);
}
