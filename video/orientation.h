/* The eight orientations of a picture, GST_VIDEO_ORIENTATION_IDENTITY to GST_VIDEO_ORIENTATION_UR_LL. An orientation says what has to be done to a
 * stored picture to make it upright, and is named after what the element videoflip does. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Whether @value is one of the eight, rather than "auto", "custom" or anything else. */
gboolean rvm_orientation_is_valid (guint value);
/* GStreamer's nick, such as "90r". */
const gchar *rvm_orientation_to_string (GstVideoOrientationMethod method);

/* Whether width and height are exchanged. */
gboolean rvm_orientation_swaps (GstVideoOrientationMethod method);
/* The orientation that undoes @method. */
GstVideoOrientationMethod rvm_orientation_invert (GstVideoOrientationMethod
    method);
/* Moves the point @x, @y as @method does. The resulting picture is @width x @height. */
void rvm_orientation_turn_point (GstVideoOrientationMethod method,
    gdouble width, gdouble height, gdouble * x, gdouble * y);

/* Turns a picture of @width x @height pixels of @bytes bytes each. Strides are in bytes. @to must not overlap @from. */
void rvm_orientation_turn_pixels (GstVideoOrientationMethod method,
    const guint8 * from, gsize from_stride, guint width, guint height,
    guint bytes, guint8 * to, gsize to_stride);

G_END_DECLS
