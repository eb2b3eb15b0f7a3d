/* Occluders are drawn first, like objects that pass in front of the camera. Then whole frames are made grey or black, and patches of the others are
 * covered. Positions and sizes of occluders are in widths and heights of the frame. */
#include "hiding.h"

#include <cairo.h>
#include <math.h>
#include <string.h>

#include "kernels/error.h"

typedef enum { FRAME_CLEAR, FRAME_DROPPED, FRAME_BLACK } FrameKind;

static guint8 *
get_frame (const RvmHidingFrames *frames, guint number)
{
  return frames->pixels + (gsize) number * frames->width * frames->height * 3;
}

/* Chooses what happens to each frame from number @first on. One frame is always left. */
static void
draw_kinds (const RvmRecipe *recipe, GRand *rng, guint first, guint n, FrameKind *kinds)
{
  guint covered = 0;

  for (guint i = first; i < n; i++) {
    const gboolean dropped = g_rand_double (rng) < recipe->hidden_frames, black = g_rand_double (rng) < recipe->hidden_black;

    kinds[i] = dropped ? FRAME_DROPPED : black ? FRAME_BLACK : FRAME_CLEAR;
    covered += kinds[i] != FRAME_CLEAR;
  }
  if (first == 0 && covered == n)
    kinds[g_rand_int_range (rng, 0, n)] = FRAME_CLEAR;
}

static void
cover_patch (guint8 *frame, guint width, guint patch, guint number)
{
  const guint columns = width / patch;
  guint8 *corner = frame + ((gsize) (number / columns) * patch * width + (gsize) (number % columns) * patch) * 3;

  for (guint y = 0; y < patch; y++)
    memset (corner + (gsize) y * width * 3, RVM_HIDING_GREY, (gsize) patch * 3);
}

/* The first entries of a random permutation of the patches. */
void
rvm_hiding_cover (GRand *rng, double share, guint patch, guint width, guint height, guint8 *frame)
{
  const guint patches = (width / patch) * (height / patch), covered = patches * share + 0.5;
  g_autofree guint *order = g_new (guint, patches);

  for (guint i = 0; i < patches; i++)
    order[i] = i;
  for (guint i = 0; i < covered; i++) {
    const guint j = g_rand_int_range (rng, i, patches), chosen = order[j];

    order[j] = order[i];
    cover_patch (frame, width, patch, chosen);
  }
}

/* A rectangle or an ellipse with stripes, which moves on a straight line and turns. */
typedef struct {
  gboolean round;
  double x, y, dx, dy;        /* centre in the first frame; movement from one frame to the next */
  double width, height;
  double angle, spin;         /* radians, in the first frame and from one frame to the next */
  double colours[2][3];
  guint stripes;
} Occluder;

/* In one of the frames its centre is inside. */
static void
draw_occluder (GRand *rng, guint frames, Occluder *occluder)
{
  const guint inside = g_rand_int_range (rng, 0, frames);

  occluder->round = g_rand_boolean (rng);
  occluder->width = g_rand_double_range (rng, 0.3, 0.8);
  occluder->height = g_rand_double_range (rng, 0.3, 0.8);
  occluder->dx = g_rand_double_range (rng, -0.4, 0.4);
  occluder->dy = g_rand_double_range (rng, -0.2, 0.2);
  occluder->x = g_rand_double (rng) - inside * occluder->dx;
  occluder->y = g_rand_double (rng) - inside * occluder->dy;
  occluder->angle = g_rand_double_range (rng, 0, G_PI);
  occluder->spin = g_rand_double_range (rng, -0.3, 0.3);
  occluder->stripes = g_rand_int_range (rng, 1, 9);
  for (guint i = 0; i < 6; i++)
    occluder->colours[i / 3][i % 3] = g_rand_double (rng);
}

static void
paint_occluder (const Occluder *occluder, cairo_t *cr, double width, double height, guint frame)
{
  cairo_save (cr);
  cairo_translate (cr, width * (occluder->x + frame * occluder->dx), height * (occluder->y + frame * occluder->dy));
  cairo_rotate (cr, occluder->angle + frame * occluder->spin);
  cairo_scale (cr, width * occluder->width / 2, height * occluder->height / 2);
  if (occluder->round)
    cairo_arc (cr, 0, 0, 1, 0, 2 * G_PI);
  else
    cairo_rectangle (cr, -1, -1, 2, 2);
  cairo_clip (cr);
  for (guint i = 0; i < occluder->stripes; i++) {
    const double *colour = occluder->colours[i % 2];

    cairo_set_source_rgb (cr, colour[0], colour[1], colour[2]);
    cairo_rectangle (cr, -1 + 2.0 * i / occluder->stripes, -1, 2.0 / occluder->stripes, 2);
    cairo_fill (cr);
  }
  cairo_restore (cr);
}

/* Between RGB bytes and a surface of CAIRO_FORMAT_RGB24. */
static void
copy_pixels (cairo_surface_t *surface, guint8 *pixels, gboolean to_surface)
{
  const guint width = cairo_image_surface_get_width (surface), height = cairo_image_surface_get_height (surface);
  const gsize stride = cairo_image_surface_get_stride (surface);
  guint8 *data;

  cairo_surface_flush (surface);
  data = cairo_image_surface_get_data (surface);
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++, pixels += 3) {
      guint32 *word = (guint32 *) (void *) (data + y * stride + x * 4);

      if (to_surface) {
        *word = (guint32) pixels[0] << 16 | (guint32) pixels[1] << 8 | pixels[2];
      } else {
        pixels[0] = *word >> 16;
        pixels[1] = *word >> 8;
        pixels[2] = *word;
      }
    }
  if (to_surface)
    cairo_surface_mark_dirty (surface);
}

/* One or two occluders in all frames from number @first on. */
static gboolean
add_occluders (GRand *rng, const RvmHidingFrames *frames, guint first, GError **error)
{
  const guint n = g_rand_int_range (rng, 1, 3);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, frames->width, frames->height);
  cairo_status_t status = cairo_surface_status (surface);
  Occluder occluders[2];

  for (guint i = 0; i < n; i++)
    draw_occluder (rng, frames->sources - first, &occluders[i]);
  for (guint f = first; status == CAIRO_STATUS_SUCCESS && f < frames->sources; f++) {
    cairo_t *cr;

    copy_pixels (surface, get_frame (frames, f), TRUE);
    cr = cairo_create (surface);
    for (guint i = 0; i < n; i++)
      paint_occluder (&occluders[i], cr, frames->width, frames->height, f - first);
    status = cairo_status (cr);
    cairo_destroy (cr);
    copy_pixels (surface, get_frame (frames, f), FALSE);
  }
  cairo_surface_destroy (surface);
  if (status != CAIRO_STATUS_SUCCESS)
    rvm_error_set (error, RVM_ERROR_MEMORY, "occluders of a frame of %u x %u pixels cannot be drawn: %s", frames->width, frames->height,
        cairo_status_to_string (status));
  return status == CAIRO_STATUS_SUCCESS;
}

gboolean
rvm_hiding_apply (const RvmRecipe *recipe, GRand *rng, const RvmHidingFrames *frames, GError **error)
{
  const gsize size = (gsize) frames->width * frames->height * 3;
  const guint first = MIN (recipe->hidden_clear, frames->sources);
  g_autofree FrameKind *kinds = g_new0 (FrameKind, frames->sources);

  draw_kinds (recipe, rng, first, frames->sources, kinds);
  if (recipe->hidden_occluders > 0 && g_rand_double (rng) < recipe->hidden_occluders && first < frames->sources
      && !add_occluders (rng, frames, first, error))
    return FALSE;
  for (guint i = first; i < frames->sources; i++)
    switch (kinds[i]) {
      case FRAME_DROPPED:
        memset (get_frame (frames, i), RVM_HIDING_GREY, size);
        break;
      case FRAME_BLACK:
        memset (get_frame (frames, i), 0, size);
        break;
      case FRAME_CLEAR:
        rvm_hiding_cover (rng, recipe->hidden_cells, recipe->model.patch, frames->width, frames->height, get_frame (frames, i));
        break;
    }
  return TRUE;
}

gboolean
rvm_hiding_has_covered (const guint8 *before, const guint8 *after, guint width, guint patch, guint number)
{
  const guint columns = width / patch, line = patch * 3;
  const gsize corner = ((gsize) (number / columns) * patch * width + (gsize) (number % columns) * patch) * 3;
  guint changed = 0;

  for (guint y = 0; y < patch; y++)
    for (guint x = 0; x < line; x++)
      changed += before[corner + (gsize) y * width * 3 + x] != after[corner + (gsize) y * width * 3 + x];
  return changed * 2 > patch * line;
}
