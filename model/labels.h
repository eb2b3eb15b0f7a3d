/* Converts masks and points to soft maps on a grid of features, and back (docs/model.md, section 7). The conventions are those of the published
 * evaluation, which resizes like OpenCV (bilinear, half-pixel centres) and draws points as small Gaussians.
 *
 * Maps are float32 (rows * columns, channels), where channel 0 is the background. Masks are uint8 (height, width), where 0 and values
 * from @channels on are the background. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

void rvm_labels_from_mask (const guint8 *mask, guint width, guint height, float *labels, guint rows, guint columns, guint channels);
/* The strongest channel at each pixel; of equal ones, the lowest. */
void rvm_labels_to_mask (const float *labels, guint rows, guint columns, guint channels, guint8 *mask, guint width, guint height);
/* @points: (n_points) pairs x, y in cells (pixels * columns / width); @labels has 1 + n_points channels. A point whose stamp lies outside
 * the grid has an empty channel. */
void rvm_labels_from_points (const float *points, guint n_points, float *labels, guint rows, guint columns);
/* The point in @channel: the mean of its 5 largest cells, weighted by their values. FALSE if the channel is all zero. @confidence
 * (nullable): the largest value. */
gboolean rvm_labels_get_point (const float *labels, guint rows, guint columns, guint channels, guint channel, float *x, float *y,
    float *confidence);

G_END_DECLS
