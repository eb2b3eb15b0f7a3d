/* Principal components through orthogonal iteration on the samples themselves
 * (Golub and Van Loan, 8.2): the covariance, dim x dim, is never formed. It
 * starts from the basis before, so components keep their order and sign while
 * the first frames are collected. */
#include "feature_picture.h"

#include <math.h>
#include <string.h>

#define COMPONENTS 3
#define ITERATIONS 40
#define DEVIATIONS 2.0          /* from the mean to a colour's end */

struct _RvmFeaturePicture
{
  guint rows, columns, dim;
  guint fit_frames, fitted;
  GArray *samples;              /* float (n, dim), until the basis is final */
  gdouble *mean;                /* (dim) */
  gdouble *basis;               /* (COMPONENTS, dim) */
  gdouble deviation[COMPONENTS];
  gfloat *previous;             /* (rows * columns, dim) */
};

RvmFeaturePicture *
rvm_feature_picture_new (guint fit_frames)
{
  RvmFeaturePicture *picture = g_new0 (RvmFeaturePicture, 1);

  picture->fit_frames = fit_frames;
  picture->samples = g_array_new (FALSE, FALSE, sizeof (gfloat));
  return picture;
}

static void
forget (RvmFeaturePicture * picture)
{
  g_clear_pointer (&picture->mean, g_free);
  g_clear_pointer (&picture->basis, g_free);
  g_clear_pointer (&picture->previous, g_free);
  g_array_set_size (picture->samples, 0);
  picture->fitted = 0;
}

void
rvm_feature_picture_free (RvmFeaturePicture * picture)
{
  if (picture == NULL)
    return;
  forget (picture);
  g_array_unref (picture->samples);
  g_free (picture);
}

static gdouble
dot (const gdouble * a, const gdouble * b, guint n)
{
  gdouble sum = 0;

  for (guint i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

/* Each vector orthogonal to those before it, of length 1, its largest element
 * positive. */
static void
orthonormalise (gdouble * basis, guint dim)
{
  for (guint c = 0; c < COMPONENTS; c++) {
    gdouble *v = basis + (gsize) c * dim, length;
    guint largest = 0;

    for (guint other = 0; other < c; other++) {
      const gdouble *u = basis + (gsize) other * dim;
      const gdouble along = dot (u, v, dim);
      for (guint d = 0; d < dim; d++)
        v[d] -= along * u[d];
    }
    for (guint d = 1; d < dim; d++)
      if (fabs (v[d]) > fabs (v[largest]))
        largest = d;
    length = sqrt (dot (v, v, dim));
    if (length < 1e-12)
      continue;
    for (guint d = 0, sign = v[largest] < 0; d < dim; d++)
      v[d] /= sign ? -length : length;
  }
}

static gdouble
project (const RvmFeaturePicture * picture, const gfloat * sample, guint component)
{
  const gdouble *v = picture->basis + (gsize) component * picture->dim;
  gdouble sum = 0;

  for (guint d = 0; d < picture->dim; d++)
    sum += v[d] * (sample[d] - picture->mean[d]);
  return sum;
}

static void
fit (RvmFeaturePicture * picture, const gfloat * patches, guint n_patches)
{
  const guint dim = picture->dim;
  const gfloat *samples;
  g_autofree gdouble *next = g_new (gdouble, (gsize) COMPONENTS * dim);
  guint n;

  g_array_append_vals (picture->samples, patches, n_patches * dim);
  samples = (const gfloat *) picture->samples->data;
  n = picture->samples->len / dim;
  if (picture->basis == NULL) {
    picture->mean = g_new (gdouble, dim);
    picture->basis = g_new (gdouble, (gsize) COMPONENTS * dim);
    /* Any start that is not orthogonal to the answer, always the same. */
    for (guint i = 0; i < COMPONENTS * dim; i++)
      picture->basis[i] = sin (1.0 + 0.7 * i);
    orthonormalise (picture->basis, dim);
  }
  memset (picture->mean, 0, dim * sizeof (gdouble));
  for (guint i = 0; i < n; i++)
    for (guint d = 0; d < dim; d++)
      picture->mean[d] += samples[(gsize) i * dim + d] / (gdouble) n;
  for (guint iteration = 0; iteration < ITERATIONS; iteration++) {
    memset (next, 0, sizeof (gdouble) * COMPONENTS * dim);
    for (guint i = 0; i < n; i++)
      for (guint c = 0; c < COMPONENTS; c++) {
        const gfloat *sample = samples + (gsize) i * dim;
        const gdouble along = project (picture, sample, c);
        for (guint d = 0; d < dim; d++)
          next[(gsize) c * dim + d] += along * (sample[d] - picture->mean[d]);
      }
    memcpy (picture->basis, next, sizeof (gdouble) * COMPONENTS * dim);
    orthonormalise (picture->basis, dim);
  }
  for (guint c = 0; c < COMPONENTS; c++) {
    gdouble squares = 0;
    for (guint i = 0; i < n; i++) {
      const gdouble along = project (picture, samples + (gsize) i * dim, c);
      squares += along * along / n;
    }
    picture->deviation[c] = MAX (sqrt (squares), 1e-9);
  }
  if (++picture->fitted >= picture->fit_frames)
    g_array_set_size (picture->samples, 0);
}

static guint8
to_byte (gdouble x)
{
  return CLAMP (x * 255 + 0.5, 0, 255);
}

/* 0 to 1 as dark blue, teal, yellow: lightness grows with the value, so that it
 * also reads without colour. */
static void
heat (gdouble x, guint8 * bgra)
{
  static const gdouble stops[3][3] = { {0.27, 0.0, 0.33}, {0.13, 0.57, 0.55}, {0.99, 0.91, 0.14} };
  const gdouble at = CLAMP (x, 0, 1) * 2;
  const guint i = MIN ((guint) at, 1);

  for (guint c = 0; c < 3; c++)
    bgra[2 - c] = to_byte (stops[i][c] + (at - i) * (stops[i + 1][c] - stops[i][c]));
}

static gdouble
cosine (const gfloat * a, const gfloat * b, guint dim)
{
  gdouble ab = 0, aa = 0, bb = 0;

  for (guint d = 0; d < dim; d++) {
    ab += (gdouble) a[d] * b[d];
    aa += (gdouble) a[d] * a[d];
    bb += (gdouble) b[d] * b[d];
  }
  return aa > 0 && bb > 0 ? ab / sqrt (aa * bb) : 0;
}

void
rvm_feature_picture_render (RvmFeaturePicture * picture, RvmPictureKind kind,
    const gfloat * patches, guint rows, guint columns, guint dim, gdouble x,
    gdouble y, guint8 alpha, guint8 * bgra)
{
  const guint cells = rows * columns;
  const guint row = CLAMP (y * rows, 0, rows - 1), column = CLAMP (x * columns, 0, columns - 1);

  if (rows != picture->rows || columns != picture->columns || dim != picture->dim) {
    forget (picture);
    picture->rows = rows;
    picture->columns = columns;
    picture->dim = dim;
  }
  if (picture->fitted < picture->fit_frames)
    fit (picture, patches, cells);
  for (guint i = 0; i < cells; i++) {
    const gfloat *patch = patches + (gsize) i * dim;
    guint8 *pixel = bgra + (gsize) i * 4;

    if (kind == RVM_PICTURE_PCA)
      for (guint c = 0; c < COMPONENTS; c++)
        pixel[2 - c] = to_byte (0.5 + project (picture, patch, c) / (2 * DEVIATIONS * picture->deviation[c]));
    else if (kind == RVM_PICTURE_SIMILARITY)
      heat (cosine (patch, patches + ((gsize) row * columns + column) * dim, dim), pixel);
    else
      heat (picture->previous ? 1 - cosine (patch, picture->previous + (gsize) i * dim, dim) : 0, pixel);
    pixel[3] = alpha;
  }
  if (picture->previous == NULL)
    picture->previous = g_new (gfloat, (gsize) cells * dim);
  memcpy (picture->previous, patches, (gsize) cells * dim * sizeof (gfloat));
}
