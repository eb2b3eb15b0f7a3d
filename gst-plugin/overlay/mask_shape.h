/* The shape of one object in a picture of masks, for cairo: its pixels and its contour. */
#pragma once

#include <cairo.h>
#include <glib.h>

G_BEGIN_DECLS

/* One object in a picture: the pixels of @value in @mask, @width * @height bytes. None lie outside the rectangle @left, @top to
 * @right, @bottom (exclusive). */
typedef struct
{
  const guint8 *mask;
  guint width, height;
  guint8 value;
  guint left, top, right, bottom;
} RvmMaskShape;

/* Finds the object. FALSE if no pixel has @value. */
gboolean rvm_mask_shape_find (RvmMaskShape * shape, const guint8 * mask,
    guint width, guint height, guint8 value);
/* A stencil for cairo_mask_surface(), of the rectangle: opaque on the object. */
cairo_surface_t *rvm_mask_shape_stencil (const RvmMaskShape * shape);
/* Adds the contour to the current path, in pixels of the mask: half-way between pixels that are the object and those that are
 * not, and along the border of the picture. */
void rvm_mask_shape_contour (const RvmMaskShape * shape, cairo_t * cr);

G_END_DECLS
