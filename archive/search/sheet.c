/* Each video is opened again and sought in; the frame shown is the last one that is not after the moment. */
#include "sheet.h"

#include <cairo.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "kernels/error.h"
#include "kernels/text.h"
#include "video/reader.h"

enum { CELL_WIDTH = 224, PICTURE = 126, CELL_HEIGHT = PICTURE + 40, COLUMNS = 4, GAP = 6, POINT = 8 /* pixels of the sheet */ };

/* What is drawn around: a region of a picture that is @across x @along; 0: in its own pixels. */
typedef struct {
  double x, y, width, height; /* no width: a point */
  double across, along;
} Mark;

/* Copies the last frame that is not after @time to @kept. FALSE: the first one is after it already; it is copied all the same. */
static gboolean
read_until (RvmReader *reader, gint64 time, guint8 *kept, gsize size)
{
  const guint8 *pixels;
  gboolean any = FALSE;
  guint64 pts;

  while ((pixels = rvm_reader_next (reader, &pts, NULL))) {
    const gboolean after = pts != G_MAXUINT64 && (gint64) pts > time + 1000000;

    if (!after || !any)
      memcpy (kept, pixels, size);
    if (after)
      return any;
    any = TRUE;
  }
  return any;
}

/* (transfer full) (nullable): the frame of that time. @full_width, @full_height: of the upright picture in the file, which may be larger. */
static cairo_surface_t *
read_frame (const char *path, gint64 time, guint *full_width, guint *full_height)
{
  g_autoptr (RvmReader) reader = rvm_reader_new (path, RVM_READER_RGB, PICTURE, NULL);
  g_autofree guint8 *kept = NULL;
  cairo_surface_t *surface;
  guint width, height;

  if (reader == NULL)
    return NULL;
  width = rvm_reader_get_width (reader);
  height = rvm_reader_get_height (reader);
  rvm_view_get_size (rvm_reader_get_view (reader), full_width, full_height);
  kept = g_malloc0 ((gsize) width * height * 3);
  /* Some files cannot be sought in, and some seeks go too far. */
  if (time > 0 && (!rvm_reader_seek (reader, time, NULL) || !read_until (reader, time, kept, (gsize) width * height * 3))) {
    g_clear_pointer (&reader, rvm_reader_free);
    reader = rvm_reader_new (path, RVM_READER_RGB, PICTURE, NULL);
    if (reader)
      read_until (reader, time, kept, (gsize) width * height * 3);
  } else if (time <= 0) {
    read_until (reader, time, kept, (gsize) width * height * 3);
  }
  surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, width, height);
  for (guint y = 0; cairo_surface_status (surface) == CAIRO_STATUS_SUCCESS && y < height; y++) {
    guint32 *row = (guint32 *) (void *) (cairo_image_surface_get_data (surface) + (gsize) y * cairo_image_surface_get_stride (surface));

    for (guint x = 0; x < width; x++) {
      const guint8 *p = kept + ((gsize) y * width + x) * 3;
      row[x] = (guint32) p[0] << 16 | (guint32) p[1] << 8 | p[2];
    }
  }
  cairo_surface_mark_dirty (surface);
  return surface;
}

static void
draw_text (cairo_t *cr, double x, double y, const char *text)
{
  cairo_save (cr);
  cairo_rectangle (cr, x, y - 14, CELL_WIDTH, 18);
  cairo_clip (cr);
  cairo_move_to (cr, x, y);
  cairo_show_text (cr, text);
  cairo_restore (cr);
}

/* In a picture that is @width x @height where it is drawn, at (0, 0). */
static void
draw_mark (cairo_t *cr, Mark mark, double width, double height)
{
  const double across = width / mark.across, along = height / mark.along;

  if (mark.width > 0)
    cairo_rectangle (cr, mark.x * across, mark.y * along, mark.width * across, mark.height * along);
  else
    cairo_rectangle (cr, mark.x * across - POINT / 2.0, mark.y * along - POINT / 2.0, POINT, POINT);
  cairo_set_source_rgb (cr, 1, .8, 0);
  cairo_set_line_width (cr, 2);
  cairo_stroke (cr);
}

/* @mark (nullable) */
static void
draw_cell (cairo_t *cr, guint cell, const char *path, gint64 time, const char *caption, const Mark *mark)
{
  guint full_width = 1, full_height = 1;
  const double x = GAP + cell % COLUMNS * (CELL_WIDTH + GAP), y = GAP + cell / COLUMNS * (CELL_HEIGHT + GAP);
  g_autofree char *base = g_path_get_basename (path), *name = rvm_name_escape (base);
  cairo_surface_t *picture = read_frame (path, time, &full_width, &full_height);

  cairo_set_source_rgb (cr, .9, .9, .9);
  cairo_rectangle (cr, x, y, CELL_WIDTH, PICTURE);
  cairo_fill (cr);
  if (picture) {
    const double across = cairo_image_surface_get_width (picture), along = cairo_image_surface_get_height (picture);
    const double scale = MIN (CELL_WIDTH / across, PICTURE / along);

    cairo_save (cr);
    cairo_translate (cr, x + (CELL_WIDTH - across * scale) / 2, y + (PICTURE - along * scale) / 2);
    cairo_scale (cr, scale, scale);
    cairo_set_source_surface (cr, picture, 0, 0);
    cairo_paint (cr);
    cairo_restore (cr);
    if (mark) {
      const Mark scaled = { mark->x, mark->y, mark->width, mark->height, mark->across > 0 ? mark->across : full_width, mark->along > 0 ? mark->along : full_height };

      cairo_save (cr);
      cairo_rectangle (cr, x, y, CELL_WIDTH, PICTURE);
      cairo_clip (cr);
      cairo_translate (cr, x + (CELL_WIDTH - across * scale) / 2, y + (PICTURE - along * scale) / 2);
      draw_mark (cr, scaled, across * scale, along * scale);
      cairo_restore (cr);
    }
    cairo_surface_destroy (picture);
  }
  cairo_set_source_rgb (cr, 0, 0, 0);
  draw_text (cr, x, y + PICTURE + 15, caption);
  draw_text (cr, x, y + PICTURE + 32, name);
}

static gboolean
write_png (cairo_surface_t *surface, const char *path, GError **error)
{
  g_autofree char *part = g_strconcat (path, ".part", NULL);
  const cairo_status_t status = cairo_surface_write_to_png (surface, part);

  if (status == CAIRO_STATUS_SUCCESS && g_rename (part, path) == 0)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, status == CAIRO_STATUS_SUCCESS ? g_strerror (errno) : cairo_status_to_string (status));
  g_unlink (part);
  return FALSE;
}

gboolean
rvm_sheet_write (const char *path, const char *asked, gint64 asked_time, const RvmRegion *region, const GArray *answers, const guint32 *best, GError **error)
{
  const Mark wanted = { .x = region->x, .y = region->y, .width = region->width, .height = region->height };
  const guint rows = (answers->len + 1 + COLUMNS - 1) / COLUMNS;
  cairo_surface_t *surface =
      cairo_image_surface_create (CAIRO_FORMAT_RGB24, GAP + COLUMNS * (CELL_WIDTH + GAP), GAP + rows * (CELL_HEIGHT + GAP));
  cairo_t *cr = cairo_create (surface);
  gboolean ok;

  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_paint (cr);
  cairo_select_font_face (cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size (cr, 12);
  draw_cell (cr, 0, asked, asked_time, "what was asked", region->given && !region->mask ? &wanted : NULL);
  for (guint i = 0; i < answers->len; i++) {
    const RvmAnswer *answer = &g_array_index (answers, RvmAnswer, i);
    Mark mark = { 0 };
    g_autofree char *caption = g_strdup_printf ("%u: %.1f s, %.3f", i + 1, answer->best / 1e9, answer->score);

    if (best && answer->record->columns > 0)
      mark = (Mark){ best[answer->row] % answer->record->columns, best[answer->row] / answer->record->columns, 1, 1, answer->record->columns,
        answer->record->rows };
    draw_cell (cr, i + 1, answer->record->path, answer->best, caption, best ? &mark : NULL);
  }
  cairo_destroy (cr);
  ok = write_png (surface, path, error);
  cairo_surface_destroy (surface);
  return ok;
}
