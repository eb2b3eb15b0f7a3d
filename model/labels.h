/* Masks and points to soft maps on a grid of features, and back (docs/model.md, section 7): the conventions of the published evaluation, which resizes
 * like OpenCV (bilinear, half-pixel centres) and stamps points as small Gaussians.
 *
 * Maps are float32 (rows * columns, channels), channel 0 the background. Masks are uint8 (height, width), 0 the background, values of
 * @channels and more count as background. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

void rvm_labels_from_mask (const guint8 *mask, guint width, guint height, float *labels, guint rows, guint columns, guint channels);
/* The strongest channel at each pixel, the lower of equal ones. */
void rvm_labels_to_mask (const float *labels, guint rows, guint columns, guint channels, guint8 *mask, guint width, guint height);
/* @points: (n_points) pairs x, y in cells (pixels * columns / width); @labels has 1 + n_points channels. A point whose stamp lies outside
 * the grid has an empty channel. */
void rvm_labels_from_points (const float *points, guint n_points, float *labels, guint rows, guint columns);
/* The point in @channel: the mean of its 5 largest cells, weighted by their values. FALSE if the channel is all zero. @confidence
 * (nullable): the largest value. */
gboolean rvm_labels_get_point (const float *labels, guint rows, guint columns, guint channels, guint channel, float *x, float *y,
    float *confidence);

G_END_DECLS
