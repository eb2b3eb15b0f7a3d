/* Each level of the pyramid is made of the one before by cairo: two by two pixels become one. */
#include "picture.h"

#include <math.h>

#include "kernels/error.h"
#include "video/reader.h"

/* To cairo's format, in which colours are multiplied by alpha. */
static cairo_surface_t *
make_surface (const guint8 *pixels, guint width, guint height)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, width, height);
  guint8 *to = cairo_image_surface_get_data (surface);
  const gsize stride = cairo_image_surface_get_stride (surface);

  if (cairo_surface_status (surface) != CAIRO_STATUS_SUCCESS)
    return surface;
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++) {
      const guint8 *p = pixels + ((gsize) y * width + x) * 4;
      guint32 *q = (guint32 *) (void *) (to + y * stride + x * 4);

      *q = (guint32) p[3] << 24 | (guint32) (p[2] * p[3] / 255) << 16 | (guint32) (p[1] * p[3] / 255) << 8 | p[0] * p[3] / 255;
    }
  cairo_surface_mark_dirty (surface);
  return surface;
}

static cairo_surface_t *
halve (cairo_surface_t *from)
{
  const int width = cairo_image_surface_get_width (from) / 2, height = cairo_image_surface_get_height (from) / 2;
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, width, height);
  cairo_t *cr = cairo_create (surface);

  cairo_scale (cr, 0.5, 0.5);
  cairo_set_source_surface (cr, from, 0, 0);
  cairo_pattern_set_filter (cairo_get_source (cr), CAIRO_FILTER_BILINEAR);
  cairo_pattern_set_extend (cairo_get_source (cr), CAIRO_EXTEND_PAD);
  cairo_set_operator (cr, CAIRO_OPERATOR_SOURCE);
  cairo_paint (cr);
  cairo_destroy (cr);
  return surface;
}

static void
clear (gpointer data)
{
  RvmPicture *picture = data;

  for (guint i = 0; i < picture->n_levels; i++)
    cairo_surface_destroy (picture->levels[i]);
}

/* @level: (transfer full). Adds the other levels; NULL: no memory. */
static RvmPicture *
make_picture (cairo_surface_t *level)
{
  g_autoptr (RvmPicture) picture = g_atomic_rc_box_new0 (RvmPicture);

  picture->width = cairo_image_surface_get_width (level);
  picture->height = cairo_image_surface_get_height (level);
  picture->levels[picture->n_levels++] = level;
  while (picture->n_levels < RVM_PICTURE_LEVELS && MIN (picture->width, picture->height) >> picture->n_levels >= 4) {
    picture->levels[picture->n_levels] = halve (picture->levels[picture->n_levels - 1]);
    picture->n_levels++;
  }
  for (guint i = 0; i < picture->n_levels; i++)
    if (cairo_surface_status (picture->levels[i]) != CAIRO_STATUS_SUCCESS)
      return NULL;
  return g_steal_pointer (&picture);
}

RvmPicture *
rvm_picture_load (const char *path, guint short_side, GError **error)
{
  g_autoptr (RvmReader) reader = rvm_reader_new (path, RVM_READER_BGRA, short_side, error);
  const guint8 *pixels = reader ? rvm_reader_next (reader, NULL, error) : NULL;
  RvmPicture *picture;

  if (pixels == NULL)
    return NULL;
  picture = make_picture (make_surface (pixels, rvm_reader_get_width (reader), rvm_reader_get_height (reader)));
  if (picture == NULL)
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for a picture of %u x %u pixels", path, rvm_reader_get_width (reader),
        rvm_reader_get_height (reader));
  return picture;
}

RvmPicture *
rvm_picture_ref (RvmPicture *picture)
{
  return g_atomic_rc_box_acquire (picture);
}

void
rvm_picture_unref (RvmPicture *picture)
{
  g_atomic_rc_box_release_full (picture, clear);
}

guint64
rvm_picture_get_size (const RvmPicture *picture)
{
  return (guint64) picture->width * picture->height * 4 * 4 / 3;
}

gboolean
rvm_picture_is_opaque (const RvmPicture *picture, double x, double y)
{
  const guint8 *data = cairo_image_surface_get_data (picture->levels[0]);
  const gsize stride = cairo_image_surface_get_stride (picture->levels[0]);

  if (!(x >= 0 && y >= 0 && x < picture->width && y < picture->height))
    return FALSE;
  return *(const guint32 *) (const void *) (data + (gsize) y * stride + (gsize) x * 4) >> 24 >= 128;
}

void
rvm_picture_draw (const RvmPicture *picture, cairo_t *cr, const cairo_matrix_t *place, gboolean mirrored)
{
  const double scale = sqrt (fabs (place->xx * place->yy - place->xy * place->yx));
  guint level = 0;
  cairo_matrix_t from;
  cairo_pattern_t *pattern;

  /* Choose the level that is drawn at 0.7 to 1.4 times its size. */
  while (level + 1 < picture->n_levels && scale * (2 << level) < 1.4)
    level++;
  from = *place;
  if (cairo_matrix_invert (&from) != CAIRO_STATUS_SUCCESS)
    return;
  pattern = cairo_pattern_create_for_surface (picture->levels[level]);
  /* Sizes of a level are rounded down: scale by its own pixels. */
  cairo_matrix_t shrink;
  cairo_matrix_init_scale (&shrink, (double) cairo_image_surface_get_width (picture->levels[level]) / picture->width,
      (double) cairo_image_surface_get_height (picture->levels[level]) / picture->height);
  cairo_matrix_multiply (&from, &from, &shrink);
  cairo_pattern_set_matrix (pattern, &from);
  cairo_pattern_set_filter (pattern, CAIRO_FILTER_BILINEAR);
  cairo_pattern_set_extend (pattern, mirrored ? CAIRO_EXTEND_REFLECT : CAIRO_EXTEND_NONE);
  cairo_set_source (cr, pattern);
  cairo_paint (cr);
  cairo_pattern_destroy (pattern);
}

/* A circle whose radius is changed by waves, the more of them the weaker. */
static void
draw_outline (cairo_t *cr, double middle, GRand *rng)
{
  enum { WAVES = 5, POINTS = 48 };
  double size[WAVES], phase[WAVES], radius[POINTS], most = 0;

  for (guint k = 0; k < WAVES; k++) {
    size[k] = g_rand_double_range (rng, 0, 0.45) / (k + 1);
    phase[k] = g_rand_double_range (rng, 0, 2 * G_PI);
  }
  for (guint i = 0; i < POINTS; i++) {
    radius[i] = 1;
    for (guint k = 0; k < WAVES; k++)
      radius[i] += size[k] * cos ((k + 1) * 2 * G_PI * i / POINTS + phase[k]);
    radius[i] = MAX (radius[i], 0.1);
    most = MAX (most, radius[i]);
  }
  for (guint i = 0; i < POINTS; i++)
    cairo_line_to (cr, middle * (1 + radius[i] / most * cos (2 * G_PI * i / POINTS)), middle * (1 + radius[i] / most * sin (2 * G_PI * i / POINTS)));
  cairo_close_path (cr);
}

RvmPicture *
rvm_picture_cut_out (const RvmPicture *picture, const cairo_matrix_t *place, guint side, GRand *rng)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, side, side);
  cairo_t *cr = cairo_create (surface);

  draw_outline (cr, side / 2.0, rng);
  cairo_clip (cr);
  rvm_picture_draw (picture, cr, place, TRUE);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
  return make_picture (surface);
}
