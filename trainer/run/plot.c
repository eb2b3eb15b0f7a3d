/* Draws the curves with cairo. */
#include "plot.h"

#include <cairo.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/error.h"

static cairo_status_t
write_bytes (void *file, const unsigned char *data, unsigned int length)
{
  return fwrite (data, 1, length, file) == length ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

gboolean
rvm_plot_write_png (cairo_surface_t *surface, const char *path, GError **error)
{
  g_autofree char *temporary = g_strdup_printf ("%s.%d.part", path, (int) getpid ());
  FILE *file = fopen (temporary, "wbe");
  cairo_status_t status = CAIRO_STATUS_WRITE_ERROR;
  const char *reason;

  if (file) {
    status = cairo_surface_write_to_png_stream (surface, write_bytes, file);
    if (fclose (file) != 0 && status == CAIRO_STATUS_SUCCESS)
      status = CAIRO_STATUS_WRITE_ERROR;
  }
  if (status == CAIRO_STATUS_SUCCESS && rename (temporary, path) == 0)
    return TRUE;
  reason = status == CAIRO_STATUS_SUCCESS || status == CAIRO_STATUS_WRITE_ERROR ? g_strerror (errno) : cairo_status_to_string (status);
  rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, reason);
  unlink (temporary);
  return FALSE;
}

enum { WIDTH = 960, HEIGHT = 540, LEFT = 90, RIGHT = 24, TOP = 48, BOTTOM = 56 };

typedef struct {
  double first, last; /* steps */
  double high;        /* loss at the top; 0 at the bottom */
} Axes;

static double
place_x (const Axes *axes, double step)
{
  return LEFT + (step - axes->first) / MAX (axes->last - axes->first, 1) * (WIDTH - LEFT - RIGHT);
}

static double
place_y (const Axes *axes, double value)
{
  return HEIGHT - BOTTOM - MIN (value / axes->high, 1.02) * (HEIGHT - TOP - BOTTOM);
}

typedef struct {
  const char *name;
  gsize offset; /* of the value in RvmMetric */
  double red, green, blue;
} Curve;

static const Curve curves[] = {
  { "mean colour of the visible patches", offsetof (RvmMetric, mean_colour), 0.85, 0.55, 0.15 },
  { "copy of the last source frame", offsetof (RvmMetric, copy), 0.25, 0.6, 0.35 },
  { "loss over masked patches", offsetof (RvmMetric, masked), 0.15, 0.3, 0.75 },
};

static double
value_of (const RvmMetric *metric, const Curve *curve)
{
  return *(const double *) ((const guint8 *) metric + curve->offset);
}

/* Means over stretches of steps, so that there are no more points than pixels. */
static void
draw_curve (cairo_t *cr, const Axes *axes, const RvmMetric *metrics, gsize count, const Curve *curve, guint points)
{
  for (gsize p = 0; p < MIN (points, count); p++) {
    const gsize from = p * count / MIN (points, count), to = (p + 1) * count / MIN (points, count);
    double step = 0, value = 0;

    for (gsize i = from; i < to; i++) {
      step += metrics[i].step;
      value += value_of (&metrics[i], curve);
    }
    cairo_line_to (cr, place_x (axes, step / (to - from)), place_y (axes, value / (to - from)));
  }
  cairo_stroke (cr);
}

static void
text_at (cairo_t *cr, double x, double y, double align, const char *format, ...) G_GNUC_PRINTF (5, 6);

static void
text_at (cairo_t *cr, double x, double y, double align, const char *format, ...)
{
  g_autofree char *text = NULL;
  cairo_text_extents_t extents;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  cairo_text_extents (cr, text, &extents);
  cairo_move_to (cr, x - align * extents.x_advance, y);
  cairo_show_text (cr, text);
  cairo_new_path (cr); /* otherwise the next curve would begin at the end of the text */
}

/* 1, 2 or 5 times a power of ten, about a sixth of @range. */
static double
choose_tick (double range)
{
  const double raw = range / 6, power = pow (10, floor (log10 (raw)));

  return power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
}

static void
draw_axes (cairo_t *cr, const Axes *axes)
{
  const double value_tick = choose_tick (axes->high), step_tick = MAX (choose_tick (MAX (axes->last - axes->first, 6)), 1);

  cairo_set_line_width (cr, 1);
  for (double v = 0; v <= axes->high * 1.0001; v += value_tick) {
    cairo_set_source_rgb (cr, 0.88, 0.88, 0.88);
    cairo_move_to (cr, LEFT, place_y (axes, v));
    cairo_line_to (cr, WIDTH - RIGHT, place_y (axes, v));
    cairo_stroke (cr);
    cairo_set_source_rgb (cr, 0.2, 0.2, 0.2);
    text_at (cr, LEFT - 8, place_y (axes, v) + 5, 1, "%.4g", v);
  }
  cairo_set_source_rgb (cr, 0.2, 0.2, 0.2);
  for (double s = ceil (axes->first / step_tick) * step_tick; s <= axes->last; s += step_tick)
    text_at (cr, place_x (axes, s), HEIGHT - BOTTOM + 20, 0.5, "%.0f", s);
  text_at (cr, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 14, 0.5, "step");
  text_at (cr, LEFT, 26, 0, "mean squared error of a pixel, values from 0 to 1");
}

gboolean
rvm_plot_losses (const char *path, const RvmMetric *metrics, gsize count, GError **error)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, WIDTH, HEIGHT);
  cairo_t *cr = cairo_create (surface);
  Axes axes = { .first = count ? metrics[0].step : 0, .last = count ? metrics[count - 1].step : 1 };
  double baselines = 0, masked = 0;
  gboolean ok;

  for (gsize i = 0; i < count; i++) {
    baselines = MAX (baselines, MAX (metrics[i].mean_colour, metrics[i].copy));
    masked = MAX (masked, metrics[i].masked);
  }
  /* The loss of the first steps is far above all others, so the baselines set the scale. */
  axes.high = MAX (MIN (masked, 1.2 * baselines), 1e-6);
  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_paint (cr);
  cairo_select_font_face (cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size (cr, 14);
  draw_axes (cr, &axes);
  cairo_set_source_rgba (cr, curves[2].red, curves[2].green, curves[2].blue, 0.25);
  draw_curve (cr, &axes, metrics, count, &curves[2], WIDTH);
  for (guint c = 0; c < G_N_ELEMENTS (curves); c++) {
    cairo_set_source_rgb (cr, curves[c].red, curves[c].green, curves[c].blue);
    cairo_set_line_width (cr, 2);
    draw_curve (cr, &axes, metrics, count, &curves[c], 80);
    cairo_rectangle (cr, WIDTH - 310, 16 + 20 * c, 12, 12);
    cairo_fill (cr);
    text_at (cr, WIDTH - 290, 27 + 20 * c, 0, "%s", curves[c].name);
  }
  ok = rvm_plot_write_png (surface, path, error);
  cairo_destroy (cr);
  cairo_surface_destroy (surface);
  return ok;
}
