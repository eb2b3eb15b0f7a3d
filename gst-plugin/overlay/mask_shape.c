/* The contour is that of marching squares: between the middles of four pixels it
 * is one of sixteen cases, so that corners are cut and no tracing is needed. */
#include "mask_shape.h"

#include <string.h>

gboolean
rvm_mask_shape_find (RvmMaskShape * shape, const guint8 * mask, guint width, guint height, guint8 value)
{
  *shape = (RvmMaskShape) {.mask = mask, .width = width, .height = height, .value = value, .left = width, .top = height};
  for (guint y = 0; y < height; y++) {
    const guint8 *line = mask + (gsize) y * width;
    const guint8 *first = memchr (line, value, width);

    if (first == NULL)
      continue;
    shape->left = MIN (shape->left, (guint) (first - line));
    for (guint x = width; x > shape->right; x--)
      if (line[x - 1] == value)
        shape->right = x;
    shape->top = MIN (shape->top, y);
    shape->bottom = y + 1;
  }
  return shape->bottom > 0;
}

cairo_surface_t *
rvm_mask_shape_stencil (const RvmMaskShape * shape)
{
  cairo_surface_t *stencil = cairo_image_surface_create (CAIRO_FORMAT_A8, shape->right - shape->left, shape->bottom - shape->top);
  guint8 *data = cairo_image_surface_get_data (stencil);
  const gsize stride = cairo_image_surface_get_stride (stencil);

  cairo_surface_flush (stencil);
  for (guint y = shape->top; y < shape->bottom; y++)
    for (guint x = shape->left; x < shape->right; x++)
      data[(y - shape->top) * stride + x - shape->left] =
          shape->mask[(gsize) y * shape->width + x] == shape->value ? 255 : 0;
  cairo_surface_mark_dirty (stencil);
  return stencil;
}

static gboolean
is_inside (const RvmMaskShape * shape, gint x, gint y)
{
  return x >= 0 && y >= 0 && x < (gint) shape->width && y < (gint) shape->height
      && shape->mask[(gsize) y * shape->width + x] == shape->value;
}

void
rvm_mask_shape_contour (const RvmMaskShape * shape, cairo_t * cr)
{
  /* Sides of the square, 0 top, 1 right, 2 bottom, 3 left, that a line joins, in pairs; corners count 1 top left, 2 top right,
   * 4 bottom right, 8 bottom left. */
  static const gint8 sides[16][5] = {
    {-1}, {3, 0, -1}, {0, 1, -1}, {3, 1, -1}, {1, 2, -1}, {3, 0, 1, 2, -1}, {0, 2, -1}, {3, 2, -1},
    {2, 3, -1}, {0, 2, -1}, {0, 1, 2, 3, -1}, {1, 2, -1}, {1, 3, -1}, {0, 1, -1}, {0, 3, -1}, {-1}
  };
  static const gdouble middles[4][2] = { {0.5, 0}, {1, 0.5}, {0.5, 1}, {0, 0.5} };

  for (gint y = (gint) shape->top - 1; y < (gint) shape->bottom; y++)
    for (gint x = (gint) shape->left - 1; x < (gint) shape->right; x++) {
      const guint corners = is_inside (shape, x, y) | is_inside (shape, x + 1, y) << 1
          | is_inside (shape, x + 1, y + 1) << 2 | is_inside (shape, x, y + 1) << 3;

      for (const gint8 * side = sides[corners]; side[0] >= 0; side += 2) {
        cairo_move_to (cr, x + 0.5 + middles[side[0]][0], y + 0.5 + middles[side[0]][1]);
        cairo_line_to (cr, x + 0.5 + middles[side[1]][0], y + 0.5 + middles[side[1]][1]);
      }
    }
}
