/* Contact sheets: pixels are copied into a cairo surface, which writes the PNG and the labels. */
#include "sheet.h"

#include <cairo.h>
#include <math.h>
#include <string.h>

#include "plot.h"

enum {
  GAP = 4,    /* pixels between pictures */
  COLUMNS = 3 /* pictures of a target: masked, reconstructed, true */
};

typedef struct {
  guint32 *pixels;
  guint stride, scale;
} Sheet;

static guint32
pack_rgb (const guint8 *rgb)
{
  return 0xff000000u | (guint32) rgb[0] << 16 | (guint32) rgb[1] << 8 | rgb[2];
}

/* @pixels (height, width, 3), every pixel @sheet->scale times as large. */
static void
put_picture (const Sheet *sheet, guint left, guint top, const guint8 *pixels, guint width, guint height)
{
  for (guint y = 0; y < height * sheet->scale; y++)
    for (guint x = 0; x < width * sheet->scale; x++)
      sheet->pixels[(gsize) (top + y) * sheet->stride + left + x] =
          pack_rgb (pixels + ((gsize) (y / sheet->scale) * width + x / sheet->scale) * 3);
}

static void
make_pictures (const RvmStepShape *shape, guint patch, const guint8 *truth, const guint32 *visible, const float *predicted, guint8 *masked,
    guint8 *reconstructed)
{
  const guint width = shape->columns * patch, line = patch * 3;
  g_autofree gboolean *seen = g_new0 (gboolean, shape->rows * shape->columns);

  for (guint i = 0; i < shape->kept; i++)
    seen[visible[i]] = TRUE;
  for (guint p = 0; p < shape->rows * shape->columns; p++)
    for (guint i = 0; i < patch * line; i++) {
      const gsize at = ((gsize) (p / shape->columns * patch + i / line) * width + p % shape->columns * patch) * 3 + i % line;
      const float value = predicted[(gsize) (1 + p) * patch * line + i];

      masked[at] = seen[p] ? truth[at] : 128;
      reconstructed[at] = seen[p] ? truth[at] : (guint8) lrintf (255 * CLAMP (value, 0.0f, 1.0f));
    }
}

gboolean
rvm_sheet_reconstruction (const char *path, const RvmStepShape *shape, guint patch, const RvmBatch *batch, guint samples,
    const float *predicted, GError **error)
{
  const guint width = shape->columns * patch, height = shape->rows * patch, shown = MIN (shape->targets, 4);
  const gsize picture = (gsize) width * height * 3, rows = (gsize) shape->rows * shape->columns + 1;
  const guint scale = MAX (1, 128 / MAX (width, height));
  const guint cell_x = width * scale + GAP, cell_y = height * scale + GAP;
  const guint across = 1 + shown, n = MIN (samples, shape->samples);
  cairo_surface_t *surface =
      cairo_image_surface_create (CAIRO_FORMAT_RGB24, across * cell_x + GAP, n * (COLUMNS * cell_y + GAP) + GAP);
  g_autofree guint8 *masked = g_malloc (picture), *reconstructed = g_malloc (picture);
  Sheet sheet = { .scale = scale };
  gboolean ok;

  cairo_surface_flush (surface);
  sheet.pixels = (guint32 *) (void *) cairo_image_surface_get_data (surface);
  sheet.stride = cairo_image_surface_get_stride (surface) / 4;
  for (guint s = 0; sheet.pixels && s < n; s++) {
    const guint top = s * (COLUMNS * cell_y + GAP) + GAP;

    put_picture (&sheet, GAP, top + cell_y, batch->source + ((gsize) s * batch->sources + batch->sources - 1) * picture, width, height);
    for (guint t = 0; t < shown; t++) {
      const gsize target = (gsize) s * shape->targets + t;
      const guint8 *truth = batch->target + target * picture;
      const guint left = GAP + (1 + t) * cell_x;

      make_pictures (shape, patch, truth, batch->visible + target * shape->kept, predicted + target * rows * patch * patch * 3, masked,
          reconstructed);
      put_picture (&sheet, left, top, masked, width, height);
      put_picture (&sheet, left, top + cell_y, reconstructed, width, height);
      put_picture (&sheet, left, top + 2 * cell_y, truth, width, height);
    }
  }
  cairo_surface_mark_dirty (surface);
  ok = rvm_plot_write_png (surface, path, error);
  cairo_surface_destroy (surface);
  return ok;
}

static void
put_label (cairo_surface_t *surface, guint left, guint top, guint gap)
{
  cairo_t *cr = cairo_create (surface);
  g_autofree char *text = g_strdup_printf ("+%u", gap);

  cairo_select_font_face (cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
  cairo_set_font_size (cr, 14);
  cairo_move_to (cr, left + 4, top + 16);
  cairo_text_path (cr, text);
  cairo_set_source_rgb (cr, 0, 0, 0);
  cairo_set_line_width (cr, 3);
  cairo_stroke_preserve (cr);
  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_fill (cr);
  cairo_destroy (cr);
}

/* The visible patches of @truth on grey. */
static void
make_masked (const RvmStepShape *shape, guint patch, const guint8 *truth, const guint32 *visible, guint8 *masked)
{
  const gsize line = (gsize) shape->columns * patch * 3;

  memset (masked, 128, line * shape->rows * patch);
  for (guint i = 0; i < shape->kept; i++)
    for (guint y = 0; y < patch; y++) {
      const gsize at = (visible[i] / shape->columns * patch + y) * line + (gsize) (visible[i] % shape->columns) * patch * 3;
      memcpy (masked + at, truth + at, patch * 3);
    }
}

gboolean
rvm_sheet_samples (const char *path, const RvmStepShape *shape, guint patch, const RvmBatch *batch, GError **error)
{
  const guint width = shape->columns * patch, height = shape->rows * patch, scale = MAX (1, 128 / MAX (width, height));
  const guint cell_x = width * scale + GAP, cell_y = height * scale + GAP, block = 2 * cell_y + 2 * GAP;
  const gsize picture = (gsize) width * height * 3;
  cairo_surface_t *surface =
      cairo_image_surface_create (CAIRO_FORMAT_RGB24, (batch->sources + shape->targets) * cell_x + 4 * GAP, shape->samples * block + GAP);
  g_autofree guint8 *masked = g_malloc (picture);
  Sheet sheet = { .scale = scale, .stride = cairo_image_surface_get_stride (surface) / 4 };
  gboolean ok;

  sheet.pixels = (guint32 *) (void *) cairo_image_surface_get_data (surface);
  for (guint s = 0; sheet.pixels && s < shape->samples; s++) {
    const guint top = s * block + GAP;

    for (guint i = 0; i < batch->sources; i++)
      put_picture (&sheet, GAP + i * cell_x, top, batch->source + ((gsize) s * batch->sources + i) * picture, width, height);
    for (guint t = 0; t < shape->targets; t++) {
      const gsize target = (gsize) s * shape->targets + t;
      const guint left = 3 * GAP + (batch->sources + t) * cell_x;

      make_masked (shape, patch, batch->target + target * picture, batch->visible + target * shape->kept, masked);
      put_picture (&sheet, left, top, batch->target + target * picture, width, height);
      put_picture (&sheet, left, top + cell_y, masked, width, height);
      cairo_surface_mark_dirty (surface);
      put_label (surface, left, top, batch->gaps[target]);
      cairo_surface_flush (surface);
    }
  }
  cairo_surface_mark_dirty (surface);
  ok = rvm_plot_write_png (surface, path, error);
  cairo_surface_destroy (surface);
  return ok;
}
