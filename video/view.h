/* RvmView: how the pictures of a stream are meant to be seen. A picture in memory may have margins that are not shown (GstVideoCropMeta), may have
 * pixels that are not square (pixel-aspect-ratio in the caps), and may be turned or mirrored (the tag image-orientation). The "upright" picture is
 * the visible part after it has been turned, still in its own pixels, as the element videoflip makes it. Plugin and trainer both use this file, so
 * that they agree. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

#define RVM_VIEW_LONGEST_SIDE 32767     /* the limit of GStreamer's own scaler */

typedef struct
{
  GstVideoInfo info;            /* of the whole stored picture with its margins; without frame rate and fields, which a single picture does not have */
  GstVideoRectangle visible;    /* the part of it that is shown */
  GstVideoOrientationMethod orientation;        /* what makes that part upright (orientation.h) */
} RvmView;

/* Describes the picture of @buffer, which came with caps of @info. GST_STREAM_ERROR if @buffer is not one of those caps, shows nothing, or keeps
 * its two fields apart. */
gboolean rvm_view_init (RvmView * view, const GstVideoInfo * info,
    GstBuffer * buffer, GstVideoOrientationMethod orientation, GError ** error);
gboolean rvm_view_is_equal (const RvmView * a, const RvmView * b);

/* Pixels of the upright picture. */
void rvm_view_get_size (const RvmView * view, guint * width, guint * height);
/* The aspect ratio of a pixel of the upright picture. An unknown one (0/1) is square. */
void rvm_view_get_pixel_aspect (const RvmView * view, guint * n, guint * d);
/* The aspect ratio of the upright picture as it is shown, with square pixels. */
void rvm_view_get_shape (const RvmView * view, guint64 * across,
    guint64 * along);
/* The size of the upright picture with square pixels: @short_side is the shorter side, 0: its own height is kept. FALSE if a side would be longer
 * than RVM_VIEW_LONGEST_SIDE. */
gboolean rvm_view_get_square_size (const RvmView * view, guint short_side,
    guint * width, guint * height);

/* Convert a box, or a point without size, from pixels of the stored picture to pixels of the upright one, and back. */
void rvm_view_to_upright (const RvmView * view, gdouble * x, gdouble * y,
    gdouble * width, gdouble * height);
void rvm_view_to_stored (const RvmView * view, gdouble * x, gdouble * y,
    gdouble * width, gdouble * height);

/* A box of the upright picture as whole pixels of the stored one, cut at the border of what is shown. */
GstVideoRectangle rvm_view_get_stored_box (const RvmView * view, gdouble x,
    gdouble y, gdouble width, gdouble height);

G_END_DECLS
