/* Sizes are in the unit of tracks. */
#include "readout_picture.h"

#include <math.h>

#include "track_picture.h"

#define MAP_ALPHA 0.55
#define LINE 14                 /* of a list, in units */
#define BAR 70
#define MOST_LINES 5            /* of a readout: its likeliest classes */

/* 0 is red, 1 is violet. */
static guint32
colour_of_hue (gdouble hue, gdouble alpha)
{
  guint32 argb = (guint32) (alpha * 255 + 0.5) << 24;

  for (guint i = 0; i < 3; i++) {
    const gdouble bright = CLAMP (fabs (fmod (hue * 6 + (i == 0 ? 0 : i == 1 ? 4 : 2), 6) - 3) - 1, 0, 1);

    argb |= (guint32) ((0.2 + 0.8 * bright) * alpha * 255 + 0.5) << (16 - 8 * i);
  }
  return argb;
}

static void
paint_depths (const GstRvmReadoutMeta * meta, guint8 * pixels, gsize stride)
{
  const gfloat *depths = g_bytes_get_data (meta->values, NULL);
  gdouble near = INFINITY, far = 0;

  for (gsize i = 0; i < (gsize) meta->rows * meta->columns; i++) {
    near = MIN (near, MAX (depths[i], G_MINFLOAT));
    far = MAX (far, depths[i]);
  }
  for (guint y = 0; y < meta->rows; y++)
    for (guint x = 0; x < meta->columns; x++) {
      const gdouble depth = MAX (depths[y * meta->columns + x], G_MINFLOAT);

      ((guint32 *) (gpointer) (pixels + y * stride))[x] = colour_of_hue (far > near ? 0.7 * log (depth / near) / log (far / near) : 0, MAP_ALPHA);
    }
}

static void
paint_labels (const GstRvmReadoutMeta * meta, guint8 * pixels, gsize stride)
{
  for (guint y = 0; y < meta->rows; y++)
    for (guint x = 0; x < meta->columns; x++) {
      gdouble sure;
      const guint best = gst_rvm_readout_meta_get_best (meta, y, x, &sure);

      /* The golden angle: neighbours in the list differ. */
      ((guint32 *) (gpointer) (pixels + y * stride))[x] = colour_of_hue (fmod (best * 0.61803398875, 1), MAP_ALPHA * CLAMP (sure, 0, 1));
    }
}

void
rvm_readout_picture_draw_maps (cairo_t * cr, GstBuffer * buffer, guint width, guint height)
{
  gpointer state = NULL;
  GstMeta *found;

  while ((found = gst_buffer_iterate_meta_filtered (buffer, &state, GST_RVM_READOUT_META_API_TYPE))) {
    const GstRvmReadoutMeta *meta = (const GstRvmReadoutMeta *) found;
    cairo_surface_t *cells;

    if (meta->kind != GST_RVM_READOUT_DEPTH && meta->kind != GST_RVM_READOUT_LABELS)
      continue;
    cells = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, meta->columns, meta->rows);
    cairo_surface_flush (cells);
    (meta->kind == GST_RVM_READOUT_DEPTH ? paint_depths : paint_labels) (meta, cairo_image_surface_get_data (cells),
        cairo_image_surface_get_stride (cells));
    cairo_surface_mark_dirty (cells);
    cairo_save (cr);
    cairo_scale (cr, (gdouble) width / meta->columns, (gdouble) height / meta->rows);
    cairo_set_source_surface (cr, cells, 0, 0);
    cairo_pattern_set_filter (cairo_get_source (cr), CAIRO_FILTER_NEAREST);
    cairo_rectangle (cr, 0, 0, meta->columns, meta->rows);
    cairo_fill (cr);
    cairo_restore (cr);
    cairo_surface_destroy (cells);
  }
}

static void
draw_line (cairo_t * cr, const gchar * text, gdouble share, gboolean event, gdouble y, gdouble unit)
{
  const gdouble left = 6 * unit, middle = y + LINE * unit / 2;

  cairo_set_source_rgba (cr, 1, 1, 1, 0.25);
  cairo_rectangle (cr, left, middle - 3 * unit, BAR * unit, 6 * unit);
  cairo_fill (cr);
  cairo_set_source_rgba (cr, event ? 1 : 0.55, event ? 0.75 : 0.8, event ? 0.1 : 1, 1);
  cairo_rectangle (cr, left, middle - 3 * unit, BAR * unit * CLAMP (share, 0, 1), 6 * unit);
  cairo_fill (cr);
  cairo_move_to (cr, left + (BAR + 5) * unit, middle + 4 * unit);
  cairo_show_text (cr, text);
}

/* The channels in falling order, the first @n of them. */
static void
sort_channels (const gfloat * values, guint channels, guint * order, guint n)
{
  for (guint i = 0; i < n; i++) {
    order[i] = G_MAXUINT;
    for (guint k = 0; k < channels; k++) {
      gboolean taken = FALSE;

      for (guint j = 0; j < i; j++)
        taken |= order[j] == k;
      if (!taken && (order[i] == G_MAXUINT || values[k] > values[order[i]]))
        order[i] = k;
    }
  }
}

/* Draws upwards from @bottom; returns where it ends. */
static gdouble
draw_list (cairo_t * cr, const GstRvmReadoutMeta * meta, gdouble bottom, gdouble unit)
{
  const gfloat *values = g_bytes_get_data (meta->values, NULL);
  const gboolean classes = meta->kind == GST_RVM_READOUT_CLASS;
  const guint n = classes ? MIN (meta->channels, MOST_LINES) : 1;
  const gdouble top = bottom - (n * LINE + 4) * unit;
  guint order[MOST_LINES];
  gdouble wide = 0;

  sort_channels (values, meta->channels, order, n);
  for (guint pass = 0; pass < 2; pass++) {
    for (guint i = 0; i < n; i++) {
      const gchar *name = classes && meta->classes ? meta->classes[order[i]] : "distance";
      g_autofree gchar *valid = g_utf8_make_valid (name, -1);
      g_autofree gchar *text = g_strdup_printf ("%s %.2f", valid, values[order[i]]);
      cairo_text_extents_t extents;

      cairo_text_extents (cr, text, &extents);
      wide = MAX (wide, extents.x_advance);
      /* A distance of 1 is that of normal footage; the bar is full at 4. */
      if (pass == 1)
        draw_line (cr, text, classes ? values[order[i]] : values[0] / 4, meta->event_class == order[i] + 1, top + (2 + i * LINE) * unit, unit);
    }
    if (pass == 0) {
      cairo_set_source_rgba (cr, 0, 0, 0, 0.6);
      cairo_rectangle (cr, 2 * unit, top, (BAR + 15) * unit + wide, bottom - top);
      cairo_fill (cr);
    }
  }
  return top;
}

void
rvm_readout_picture_draw_lists (cairo_t * cr, GstBuffer * buffer, guint width, guint height)
{
  const gdouble unit = rvm_track_picture_get_unit (height);
  gdouble bottom = height - 2 * unit;
  gpointer state = NULL;
  GstMeta *found;

  cairo_set_font_size (cr, 11 * unit);
  while ((found = gst_buffer_iterate_meta_filtered (buffer, &state, GST_RVM_READOUT_META_API_TYPE))) {
    const GstRvmReadoutMeta *meta = (const GstRvmReadoutMeta *) found;

    if ((meta->kind == GST_RVM_READOUT_CLASS || meta->kind == GST_RVM_READOUT_DISTANCE) && bottom > 0)
      bottom = draw_list (cr, meta, bottom, unit) - 2 * unit;
  }
}
