/* Colours of patches. Every frame goes through here whatever is shown, so that a
 * change of mode while playing finds the basis fitted and the frame before. */
#include "feature_picture.h"

#include <math.h>
#include <string.h>

struct _RvmFeaturePicture
{
  guint rows, columns, dim;
  RvmFeatureBasis *basis;
  gfloat *current, *previous;   /* (rows * columns, dim), NULL before the first and the second frame */
  gfloat *held;                 /* (dim), NULL when nothing is */
  guint held_choice;
};

RvmFeaturePicture *
rvm_feature_picture_new (RvmFeatureBasis * basis)
{
  RvmFeaturePicture *picture = g_new0 (RvmFeaturePicture, 1);

  picture->basis = basis;
  return picture;
}

void
rvm_feature_picture_forget (RvmFeaturePicture * picture)
{
  g_clear_pointer (&picture->current, g_free);
  g_clear_pointer (&picture->previous, g_free);
  g_clear_pointer (&picture->held, g_free);
}

void
rvm_feature_picture_free (RvmFeaturePicture * picture)
{
  if (picture == NULL)
    return;
  rvm_feature_picture_forget (picture);
  rvm_feature_basis_free (picture->basis);
  g_free (picture);
}

static guint32
to_pixel (const gdouble rgb[3])
{
  guint32 pixel = 0xff;

  for (guint c = 0; c < 3; c++)
    pixel = pixel << 8 | (guint8) CLAMP (rgb[c] * 255 + 0.5, 0, 255);
  return pixel;
}

/* 0 to 1 as dark blue, teal, yellow: lightness grows with the value, so that it
 * also reads without colour. */
static void
heat (gdouble x, gdouble rgb[3])
{
  static const gdouble stops[3][3] = { {0.27, 0.0, 0.33}, {0.13, 0.57, 0.55}, {0.99, 0.91, 0.14} };
  const gdouble at = CLAMP (x, 0, 1) * 2;
  const guint i = MIN ((guint) at, 1);

  for (guint c = 0; c < 3; c++)
    rgb[c] = stops[i][c] + (at - i) * (stops[i + 1][c] - stops[i][c]);
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

/* The features that RVM_PICTURE_SIMILARITY compares with. */
static const gfloat *
find_reference (RvmFeaturePicture * picture, const RvmPictureSettings * settings, const gfloat * patches)
{
  const guint row = CLAMP (settings->y * picture->rows, 0, picture->rows - 1);
  const guint column = CLAMP (settings->x * picture->columns, 0, picture->columns - 1);
  const gfloat *patch = patches + ((gsize) row * picture->columns + column) * picture->dim;

  if (!settings->hold || settings->choice != picture->held_choice)
    g_clear_pointer (&picture->held, g_free);
  if (settings->hold && picture->held == NULL) {
    picture->held = g_memdup2 (patch, picture->dim * sizeof (gfloat));
    picture->held_choice = settings->choice;
  }
  return settings->hold ? picture->held : patch;
}

/* Keeps a frame's features; those of the frame before are then in previous. */
static void
remember (RvmFeaturePicture * picture, const gfloat * patches)
{
  const gsize n = (gsize) picture->rows * picture->columns * picture->dim;
  gfloat *spare = g_steal_pointer (&picture->previous);

  picture->previous = g_steal_pointer (&picture->current);
  picture->current = spare ? spare : g_new (gfloat, n);
  memcpy (picture->current, patches, n * sizeof (gfloat));
}

gboolean
rvm_feature_picture_render (RvmFeaturePicture * picture, const RvmPictureSettings * settings, const gfloat * patches,
    guint rows, guint columns, guint dim, gboolean same, guint8 * argb, gsize stride, GError ** error)
{
  const guint cells = rows * columns;
  const gfloat *reference;

  if (rows != picture->rows || columns != picture->columns || dim != picture->dim) {
    rvm_feature_picture_forget (picture);
    picture->rows = rows;
    picture->columns = columns;
    picture->dim = dim;
  }
  if (!same || picture->current == NULL) {
    if (!rvm_feature_basis_update (picture->basis, patches, cells, dim, error))
      return FALSE;
    remember (picture, patches);
  }
  if (settings->kind == RVM_PICTURE_NONE)
    return TRUE;
  reference = find_reference (picture, settings, patches);
  for (guint i = 0; i < cells; i++) {
    const gsize at = (gsize) i * dim;
    guint32 *pixel = (guint32 *) (gpointer) (argb + i / columns * stride) + i % columns;
    gdouble rgb[3];

    if (settings->kind == RVM_PICTURE_PCA)
      rvm_feature_basis_colour (picture->basis, patches + at, rgb);
    else if (settings->kind == RVM_PICTURE_SIMILARITY)
      heat (cosine (patches + at, reference, dim), rgb);
    else
      heat (picture->previous ? settings->gain * (1 - cosine (patches + at, picture->previous + at, dim)) : 0, rgb);
    *pixel = to_pixel (rgb);
  }
  return TRUE;
}
