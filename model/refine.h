/* Soft labels on a grid of cells, made finer by the picture: the guided filter (He, Sun, Tang, PAMI 2013), with the colours as guide. Within a window, a
 * label is a linear function of the colour, so that its edges lie on those of the picture.
 *
 *   q = mean (a) . I + mean (b),   a = (covariance (I) + epsilon)^-1 covariance (I, p),   b = mean (p) - a . mean (I)
 *
 * where p is a channel of the labels, interpolated to the pixels of the picture I (colours from 0 to 1), means are over windows of (2 radius + 1)^2 pixels,
 * cut at the border, and epsilon is 1e-5: edges of less contrast are passed over. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define RVM_REFINE_MOST 16.0 /* cells */

/* @cells: the radius, in cells; it is at least one pixel. @rgb: (rows * patch, columns * patch, 3), without padding. @labels: (rows * columns, channels).
 * @fine: (rows * patch * columns * patch, channels); values may be a little below 0 or above the highest label. */
void rvm_labels_refine (double cells, const guint8 *rgb, guint patch, const float *labels, guint rows, guint columns, guint channels, float *fine);

G_END_DECLS
