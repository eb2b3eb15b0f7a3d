/* A colour per track from the golden angle, so that neighbours in id differ; lines
 * and letters grow with the picture, so that 240p and 4K look alike. */
#include "track_picture.h"

#include <math.h>

#include "mask_shape.h"

#define REFERENCE_HEIGHT 360.0  /* of a picture whose lines are as wide as given */
#define SMALLEST_UNIT 0.75      /* thinner lines and smaller letters cannot be read */

typedef struct
{
  gfloat x, y;                  /* fractions of the picture */
  gboolean visible;
} Place;

typedef struct
{
  GArray *places;               /* Place, the oldest first */
  guint64 frame;                /* that it was extended on last */
} Trail;

struct _RvmTrackPicture
{
  GHashTable *trails;           /* id: Trail */
  guint64 frame;
  /* Whose tracks these are, and of which analysed frame those drawn last were. */
  gchar *tracker;
  guint64 source, update;
};

static void
trail_free (gpointer data)
{
  Trail *trail = data;

  g_array_unref (trail->places);
  g_free (trail);
}

RvmTrackPicture *
rvm_track_picture_new (void)
{
  RvmTrackPicture *picture = g_new0 (RvmTrackPicture, 1);

  picture->trails = g_hash_table_new_full (NULL, NULL, NULL, trail_free);
  return picture;
}

void
rvm_track_picture_free (RvmTrackPicture * picture)
{
  if (picture == NULL)
    return;
  g_hash_table_unref (picture->trails);
  g_free (picture->tracker);
  g_free (picture);
}

void
rvm_track_picture_forget (RvmTrackPicture * picture)
{
  g_hash_table_remove_all (picture->trails);
  picture->source = picture->update = 0;
}

/* Whether @meta has the places of the frame before once more. Ids belong to a tracker and its source: trails end where those change. */
static gboolean
is_repeated (RvmTrackPicture * picture, const GstRvmTrackMeta * meta)
{
  const gboolean same = meta->source != 0 && meta->source == picture->source && meta->update == picture->update
      && g_strcmp0 (meta->tracker, picture->tracker) == 0;

  if (meta->source != picture->source || g_strcmp0 (meta->tracker, picture->tracker) != 0) {
    rvm_track_picture_forget (picture);
    g_free (picture->tracker);
    picture->tracker = g_strdup (meta->tracker);
  }
  picture->source = meta->source;
  picture->update = meta->update;
  return same;
}

gdouble
rvm_track_picture_get_unit (guint height)
{
  return MAX (height / REFERENCE_HEIGHT, SMALLEST_UNIT);
}

/* One of three channels of a bright hue. */
static gdouble
channel (gdouble hue, gdouble shift)
{
  return 0.25 + 0.75 * CLAMP (fabs (fmod (hue * 6 + shift, 6) - 3) - 1, 0, 1);
}

static void
set_colour (cairo_t * cr, guint id, gdouble alpha)
{
  const gdouble hue = fmod (id * 0.61803398875, 1);

  cairo_set_source_rgba (cr, channel (hue, 0), channel (hue, 4), channel (hue, 2), alpha);
}

/* Strokes the current path twice: a dark rim keeps the colour readable on any
 * picture. */
static void
stroke_with_rim (cairo_t * cr, guint id, gdouble unit)
{
  cairo_set_source_rgba (cr, 0, 0, 0, 0.7);
  cairo_set_line_width (cr, 3.5 * unit);
  cairo_stroke_preserve (cr);
  set_colour (cr, id, 1);
  cairo_set_line_width (cr, 1.5 * unit);
  cairo_stroke (cr);
}

/* The places of a track, of which @place is the last; @repeated: it is there already. */
static const GArray *
extend_trail (RvmTrackPicture * picture, guint id, Place place, guint length, gboolean repeated)
{
  Trail *trail = g_hash_table_lookup (picture->trails, GUINT_TO_POINTER (id));

  if (trail == NULL) {
    trail = g_new0 (Trail, 1);
    trail->places = g_array_new (FALSE, FALSE, sizeof (Place));
    g_hash_table_insert (picture->trails, GUINT_TO_POINTER (id), trail);
  }
  trail->frame = picture->frame;
  if (!repeated || trail->places->len == 0)
    g_array_append_val (trail->places, place);
  if (trail->places->len > length + 1)
    g_array_remove_range (trail->places, 0, trail->places->len - length - 1);
  return trail->places;
}

static gboolean
is_old (gpointer id, gpointer trail, gpointer picture)
{
  return ((const Trail *) trail)->frame != ((const RvmTrackPicture *) picture)->frame;
}

/* Fades towards the past; has a gap where the track was lost. */
static void
draw_trail (cairo_t * cr, const GArray * places, guint id, guint width, guint height, gdouble unit)
{
  cairo_set_line_width (cr, 1.5 * unit);
  for (guint i = 1; i < places->len; i++) {
    const Place *from = &g_array_index (places, Place, i - 1), *to = from + 1;

    if (!from->visible || !to->visible || (from->x == to->x && from->y == to->y))
      continue;
    set_colour (cr, id, 0.3 + 0.7 * i / (places->len - 1));
    cairo_move_to (cr, from->x * width, from->y * height);
    cairo_line_to (cr, to->x * width, to->y * height);
    cairo_stroke (cr);
  }
}

/* The number of a track, beside a point or over a box, inside the picture. */
static void
draw_label (cairo_t * cr, const GstRvmTrack * track, guint width, guint height, gdouble unit)
{
  g_autofree gchar *label = g_strdup_printf ("%u", track->id);
  const gboolean point = track->kind == GST_RVM_TRACK_POINT;
  gdouble x = track->x + (point ? 6 * unit : 0), y = track->y - (point ? 4 : 3) * unit;
  cairo_text_extents_t extents;

  cairo_set_font_size (cr, 11 * unit);
  cairo_text_extents (cr, label, &extents);
  x = CLAMP (x, unit, MAX (unit, width - extents.x_advance - unit));
  y = CLAMP (y, extents.height + 2 * unit, MAX (extents.height + 2 * unit, height - unit));
  cairo_move_to (cr, x, y);
  cairo_text_path (cr, label);
  cairo_set_source_rgba (cr, 0, 0, 0, 0.7);
  cairo_set_line_width (cr, 2 * unit);
  cairo_stroke_preserve (cr);
  set_colour (cr, track->id, 1);
  cairo_fill (cr);
}

/* The object's pixels in its colour, under everything else, and its contour. */
static void
draw_mask (cairo_t * cr, const GstRvmTrack * track, GBytes * mask, guint mask_width, guint mask_height, guint width,
    guint height, gdouble unit)
{
  cairo_surface_t *stencil;
  RvmMaskShape shape;

  if (!rvm_mask_shape_find (&shape, g_bytes_get_data (mask, NULL), mask_width, mask_height, track->mask_value))
    return;
  cairo_save (cr);
  cairo_scale (cr, (gdouble) width / mask_width, (gdouble) height / mask_height);
  stencil = rvm_mask_shape_stencil (&shape);
  set_colour (cr, track->id, 0.4);
  cairo_mask_surface (cr, stencil, shape.left, shape.top);
  cairo_surface_destroy (stencil);
  rvm_mask_shape_contour (&shape, cr);
  cairo_restore (cr);
  stroke_with_rim (cr, track->id, unit);
}

static void
draw_masks (cairo_t * cr, const GstRvmTrackMeta * meta, guint width, guint height, gdouble unit)
{
  guint mask_width, mask_height;
  g_autoptr (GBytes) mask = gst_rvm_track_meta_get_mask (meta, &mask_width, &mask_height);

  for (guint i = 0; mask && i < meta->n_tracks; i++)
    if (meta->tracks[i].kind == GST_RVM_TRACK_MASK && meta->tracks[i].visible)
      draw_mask (cr, &meta->tracks[i], mask, mask_width, mask_height, width, height, unit);
}

static GstRvmTrack
scale_track (const GstRvmTrack * track, gdouble across, gdouble along)
{
  GstRvmTrack scaled = *track;

  scaled.x *= across;
  scaled.width *= across;
  scaled.y *= along;
  scaled.height *= along;
  return scaled;
}

void
rvm_track_picture_draw (RvmTrackPicture * picture, cairo_t * cr, const GstRvmTrackMeta * meta, guint across, guint along,
    guint width, guint height, guint trail)
{
  const gboolean repeated = is_repeated (picture, meta);
  const gdouble unit = rvm_track_picture_get_unit (height);

  picture->frame++;
  cairo_set_line_cap (cr, CAIRO_LINE_CAP_ROUND);
  cairo_set_line_join (cr, CAIRO_LINE_JOIN_ROUND);
  draw_masks (cr, meta, width, height, unit);
  for (guint i = 0; i < meta->n_tracks; i++) {
    const GstRvmTrack scaled = scale_track (&meta->tracks[i], (gdouble) width / across, (gdouble) height / along);
    const GstRvmTrack *track = &scaled;
    const gdouble x = track->x + track->width / 2, y = track->y + track->height / 2;
    const GArray *places = extend_trail (picture, track->id, (Place) {
        .x = x / width, .y = y / height, .visible = track->visible}, trail, repeated);

    draw_trail (cr, places, track->id, width, height, unit);
    if (!track->visible)
      continue;
    if (track->kind == GST_RVM_TRACK_BOX)
      cairo_rectangle (cr, track->x, track->y, track->width, track->height);
    else if (track->kind == GST_RVM_TRACK_POINT)
      cairo_arc (cr, x, y, 4 * unit, 0, 2 * G_PI);
    stroke_with_rim (cr, track->id, unit);
    draw_label (cr, track, width, height, unit);
  }
  g_hash_table_foreach_remove (picture->trails, is_old, picture);
}

void
rvm_track_picture_draw_mark (cairo_t * cr, gdouble x, gdouble y, guint height)
{
  const gdouble unit = rvm_track_picture_get_unit (height);

  for (guint rim = 0; rim < 2; rim++) {
    cairo_set_source_rgba (cr, rim, rim, rim, rim ? 1 : 0.7);
    cairo_set_line_width (cr, (rim ? 1.5 : 3.5) * unit);
    for (guint arm = 0; arm < 4; arm++) {
      const gdouble along = (arm & 1) ? 1 : -1, across = (arm & 2) ? 1 : 0;
      cairo_move_to (cr, x + along * across * 3 * unit, y + along * (1 - across) * 3 * unit);
      cairo_line_to (cr, x + along * across * 9 * unit, y + along * (1 - across) * 9 * unit);
    }
    cairo_stroke (cr);
  }
}
