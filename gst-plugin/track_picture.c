/* A colour per track from the golden angle, so that neighbours in id differ; lines
 * grow with the picture, so that 240p and 4K look alike. */
#include "track_picture.h"

#include <cairo.h>
#include <math.h>
#include <string.h>

#define TRAIL 32                /* places of a trail */
#define REFERENCE_HEIGHT 360.0  /* of a picture whose lines are as wide as given */

typedef struct
{
  gdouble x[TRAIL], y[TRAIL];   /* the oldest first */
  guint length;
} Trail;

struct _RvmTrackPicture
{
  GHashTable *trails;           /* id: Trail */
};

RvmTrackPicture *
rvm_track_picture_new (void)
{
  RvmTrackPicture *picture = g_new0 (RvmTrackPicture, 1);

  picture->trails = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  return picture;
}

void
rvm_track_picture_free (RvmTrackPicture * picture)
{
  if (picture == NULL)
    return;
  g_hash_table_unref (picture->trails);
  g_free (picture);
}

/* One of three channels of a hue with full saturation. */
static gdouble
channel (gdouble hue, gdouble shift)
{
  return CLAMP (fabs (fmod (hue * 6 + shift, 6) - 3) - 1, 0, 1);
}

static void
set_colour (cairo_t * cr, guint id, gdouble alpha)
{
  const gdouble hue = fmod (id * 0.61803398875, 1);

  cairo_set_source_rgba (cr, channel (hue, 0), channel (hue, 4), channel (hue, 2), alpha);
}

static Trail *
extend_trail (RvmTrackPicture * picture, const GstRvmTrack * track, gdouble x, gdouble y)
{
  Trail *trail = g_hash_table_lookup (picture->trails, GUINT_TO_POINTER (track->id));

  if (trail == NULL) {
    trail = g_new0 (Trail, 1);
    g_hash_table_insert (picture->trails, GUINT_TO_POINTER (track->id), trail);
  }
  if (!track->visible)
    return trail;
  if (trail->length == TRAIL) {
    memmove (trail->x, trail->x + 1, (TRAIL - 1) * sizeof *trail->x);
    memmove (trail->y, trail->y + 1, (TRAIL - 1) * sizeof *trail->y);
    trail->length--;
  }
  trail->x[trail->length] = x;
  trail->y[trail->length++] = y;
  return trail;
}

static void
draw_track (RvmTrackPicture * picture, cairo_t * cr, const GstRvmTrack * track, gdouble unit)
{
  const gdouble x = track->x + track->width / 2, y = track->y + track->height / 2;
  const Trail *trail = extend_trail (picture, track, x, y);
  g_autofree gchar *label = g_strdup_printf ("%u", track->id);

  cairo_set_line_width (cr, 1.5 * unit);
  for (guint i = 1; i < trail->length; i++) {
    set_colour (cr, track->id, (gdouble) i / trail->length);
    cairo_move_to (cr, trail->x[i - 1], trail->y[i - 1]);
    cairo_line_to (cr, trail->x[i], trail->y[i]);
    cairo_stroke (cr);
  }
  if (!track->visible)
    return;
  /* A dark rim keeps the colour readable on any picture. */
  for (guint rim = 0; rim < 2; rim++) {
    if (rim == 0)
      cairo_set_source_rgba (cr, 0, 0, 0, 0.7);
    else
      set_colour (cr, track->id, 1);
    cairo_set_line_width (cr, (rim ? 1.5 : 3.5) * unit);
    if (track->kind == GST_RVM_TRACK_BOX)
      cairo_rectangle (cr, track->x, track->y, track->width, track->height);
    else
      cairo_arc (cr, x, y, 4 * unit, 0, 2 * G_PI);
    cairo_stroke (cr);
    cairo_set_font_size (cr, 11 * unit);
    cairo_move_to (cr, (track->kind == GST_RVM_TRACK_BOX ? track->x : x + 6 * unit) + (rim ? 0 : unit),
        (track->kind == GST_RVM_TRACK_BOX ? track->y - 3 * unit : y - 4 * unit) + (rim ? 0 : unit));
    cairo_show_text (cr, label);
  }
}

void
rvm_track_picture_render (RvmTrackPicture * picture, const GstRvmTrackMeta * meta,
    guint width, guint height, guint8 * bgra)
{
  cairo_surface_t *surface;
  cairo_t *cr;

  memset (bgra, 0, (gsize) width * height * 4);
  surface = cairo_image_surface_create_for_data (bgra, CAIRO_FORMAT_ARGB32, width, height, width * 4);
  cr = cairo_create (surface);
  for (guint i = 0; i < meta->n_tracks; i++)
    draw_track (picture, cr, &meta->tracks[i], MAX (height / REFERENCE_HEIGHT, 0.5));
  cairo_destroy (cr);
  cairo_surface_finish (surface);
  cairo_surface_destroy (surface);
}
