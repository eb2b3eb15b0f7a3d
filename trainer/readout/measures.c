#include "measures.h"

#include <cairo.h>
#include <math.h>

#include "trainer/run/plot.h"

void
rvm_measures_free (RvmMeasures *measures)
{
  if (measures == NULL)
    return;
  g_free (measures->confusion);
  g_free (measures);
}

static guint
count_true (const RvmMeasures *measures, guint label)
{
  guint count = 0;

  for (guint c = 0; c < measures->classes; c++)
    count += measures->confusion[label * measures->classes + c];
  return count;
}

RvmMeasures *
rvm_measures_new (const double *scores, const guint *label, guint n, guint classes)
{
  RvmMeasures *measures = g_new0 (RvmMeasures, 1);
  guint right = 0, present = 0;
  double variance = 0;

  measures->n = n;
  measures->classes = classes;
  measures->confusion = g_new0 (guint, (gsize) classes * classes);
  for (guint i = 0; i < n; i++) {
    guint best = 0;

    for (guint c = 1; c < classes; c++)
      if (scores[(gsize) i * classes + c] > scores[(gsize) i * classes + best])
        best = c;
    measures->confusion[label[i] * classes + best]++;
    right += best == label[i];
  }
  measures->accuracy = n ? (double) right / n : 0;
  measures->accuracy_error = n ? sqrt (measures->accuracy * (1 - measures->accuracy) / n) : 0;
  for (guint c = 0; c < classes; c++) {
    const guint count = count_true (measures, c);
    const double share = count ? (double) measures->confusion[c * classes + c] / count : 0;

    present += count > 0;
    measures->mean_class += share;
    variance += count ? share * (1 - share) / count : 0;
  }
  if (present) {
    measures->mean_class /= present;
    measures->mean_class_error = sqrt (variance) / present;
  }
  return measures;
}

char *
rvm_measures_format_confusion (const RvmMeasures *measures, const char *const *classes)
{
  GString *text = g_string_new (NULL);
  int width = 0;

  for (guint c = 0; c < measures->classes; c++)
    width = MAX (width, (int) g_utf8_strlen (classes[c], -1));
  g_string_append_printf (text, "%*s", width, "");
  for (guint c = 0; c < measures->classes; c++)
    g_string_append_printf (text, " %4u", c + 1);
  g_string_append (text, "  clips  right\n");
  for (guint t = 0; t < measures->classes; t++) {
    const guint count = count_true (measures, t);

    g_string_append_printf (text, "%s%*s", classes[t], width - (int) g_utf8_strlen (classes[t], -1), "");
    for (guint c = 0; c < measures->classes; c++)
      g_string_append_printf (text, " %4u", measures->confusion[t * measures->classes + c]);
    g_string_append_printf (text, "  %5u  %4.0f %%\n", count, count ? 100.0 * measures->confusion[t * measures->classes + t] / count : 0.0);
  }
  return g_string_free (text, FALSE);
}

enum { CELL = 56, MARGIN = 16, FONT = 14 };

static double
get_text_width (cairo_t *cr, const char *text)
{
  cairo_text_extents_t extents;

  cairo_text_extents (cr, text, &extents);
  return extents.x_advance;
}

static void
draw_cell (cairo_t *cr, double x, double y, guint value, guint count)
{
  const double share = count ? (double) value / count : 0;
  g_autofree char *text = g_strdup_printf ("%u", value);

  cairo_set_source_rgb (cr, 1 - 0.85 * share, 1 - 0.65 * share, 1 - 0.25 * share);
  cairo_rectangle (cr, x, y, CELL - 1, CELL - 1);
  cairo_fill (cr);
  if (value == 0)
    return;
  if (share > 0.6)
    cairo_set_source_rgb (cr, 1, 1, 1);
  else
    cairo_set_source_rgb (cr, 0, 0, 0);
  cairo_move_to (cr, x + (CELL - get_text_width (cr, text)) / 2, y + CELL / 2 + FONT / 3);
  cairo_show_text (cr, text);
}

static void
draw (cairo_t *cr, const RvmMeasures *measures, const char *const *classes, double left, double top)
{
  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_paint (cr);
  for (guint t = 0; t < measures->classes; t++) {
    cairo_set_source_rgb (cr, 0, 0, 0);
    cairo_move_to (cr, left - 8 - get_text_width (cr, classes[t]), top + t * CELL + CELL / 2 + FONT / 3);
    cairo_show_text (cr, classes[t]);
    cairo_save (cr);
    cairo_move_to (cr, left + t * CELL + CELL / 2 + FONT / 3, top - 8);
    cairo_rotate (cr, -G_PI / 2);
    cairo_show_text (cr, classes[t]);
    cairo_restore (cr);
    for (guint c = 0; c < measures->classes; c++)
      draw_cell (cr, left + c * CELL, top + t * CELL, measures->confusion[t * measures->classes + c], count_true (measures, t));
  }
}

gboolean
rvm_measures_draw_confusion (const RvmMeasures *measures, const char *const *classes, const char *path, GError **error)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, 1, 1);
  cairo_t *cr = cairo_create (surface);
  double names = 0, left, top;
  gboolean good;

  cairo_select_font_face (cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size (cr, FONT);
  for (guint c = 0; c < measures->classes; c++)
    names = MAX (names, get_text_width (cr, classes[c]));
  cairo_destroy (cr);
  cairo_surface_destroy (surface);
  left = top = ceil (names) + 8 + MARGIN;
  surface
      = cairo_image_surface_create (CAIRO_FORMAT_RGB24, left + measures->classes * CELL + MARGIN, top + measures->classes * CELL + MARGIN);
  cr = cairo_create (surface);
  cairo_select_font_face (cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size (cr, FONT);
  draw (cr, measures, classes, left, top);
  good = rvm_plot_write_png (surface, path, error);
  cairo_destroy (cr);
  cairo_surface_destroy (surface);
  return good;
}
