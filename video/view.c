/* Sizes are computed in whole numbers, so that plugin and trainer round the same way. */
#include "view.h"

#include <string.h>

#include "orientation.h"

/* The margins of @buffer. */
static gboolean
find_visible (RvmView * view, GstBuffer * buffer, GError ** error)
{
  const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta (buffer);
  const guint width = GST_VIDEO_INFO_WIDTH (&view->info), height = GST_VIDEO_INFO_HEIGHT (&view->info);

  view->visible = (GstVideoRectangle) {.w = width, .h = height};
  if (crop == NULL)
    return TRUE;
  if (crop->width == 0 || crop->height == 0 || crop->x >= width || crop->y >= height || crop->width > width - crop->x
      || crop->height > height - crop->y) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
        "the crop metadata shows %u x %u pixels from %u,%u on, expected a part of the picture of %u x %u", crop->width, crop->height,
        crop->x, crop->y, width, height);
    return FALSE;
  }
  view->visible = (GstVideoRectangle) {crop->x, crop->y, crop->width, crop->height};
  return TRUE;
}

gboolean
rvm_view_init (RvmView * view, const GstVideoInfo * info, GstBuffer * buffer, GstVideoOrientationMethod orientation, GError ** error)
{
  const GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  const gboolean cropped = gst_buffer_get_video_crop_meta (buffer) != NULL;

  if (!rvm_orientation_is_valid (orientation)) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "orientation %i is none of the eight", orientation);
    return FALSE;
  }
  *view = (RvmView) {.info = *info, .orientation = orientation};
  if (info->interlace_mode == GST_VIDEO_INTERLACE_MODE_FIELDS || info->interlace_mode == GST_VIDEO_INTERLACE_MODE_ALTERNATE) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
        "the fields of a frame are kept apart (interlace-mode=%s), expected whole frames: put the element deinterlace before",
        gst_video_interlace_mode_to_string (info->interlace_mode));
    return FALSE;
  }
  if (meta && (meta->format != GST_VIDEO_INFO_FORMAT (info)
          || (!cropped && (meta->width < (guint) info->width || meta->height < (guint) info->height)))) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
        "the buffer of time %" GST_TIME_FORMAT " does not hold a picture of the caps: it has %u x %u pixels of %s, expected %i x %i of %s",
        GST_TIME_ARGS (GST_BUFFER_PTS (buffer)), meta->width, meta->height, gst_video_format_to_string (meta->format), info->width,
        info->height, GST_VIDEO_INFO_NAME (info));
    return FALSE;
  }
  /* With margins, the caps have the size of the visible part. Without margins, memory beyond the size of the caps is not part of the picture. */
  if (meta && cropped) {
    view->info.width = meta->width;
    view->info.height = meta->height;
  }
  view->info.interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
  view->info.fps_n = 0;
  view->info.fps_d = 1;
  return find_visible (view, buffer, error);
}

gboolean
rvm_view_is_equal (const RvmView * a, const RvmView * b)
{
  return gst_video_info_is_equal (&a->info, &b->info) && memcmp (&a->visible, &b->visible, sizeof a->visible) == 0
      && a->orientation == b->orientation;
}

void
rvm_view_get_size (const RvmView * view, guint * width, guint * height)
{
  const gboolean swap = rvm_orientation_swaps (view->orientation);

  *width = swap ? view->visible.h : view->visible.w;
  *height = swap ? view->visible.w : view->visible.h;
}

void
rvm_view_get_pixel_aspect (const RvmView * view, guint * n, guint * d)
{
  const gint stored_n = GST_VIDEO_INFO_PAR_N (&view->info), stored_d = GST_VIDEO_INFO_PAR_D (&view->info);
  const gboolean swap = rvm_orientation_swaps (view->orientation);

  *n = *d = 1;
  if (stored_n <= 0 || stored_d <= 0)
    return;
  *n = swap ? stored_d : stored_n;
  *d = swap ? stored_n : stored_d;
}

void
rvm_view_get_shape (const RvmView * view, guint64 * across, guint64 * along)
{
  guint width, height, n, d;

  rvm_view_get_size (view, &width, &height);
  rvm_view_get_pixel_aspect (view, &n, &d);
  *across = (guint64) width * n;
  *along = (guint64) height * d;
}

gboolean
rvm_view_get_square_size (const RvmView * view, guint short_side, guint * width, guint * height)
{
  guint64 across, along, to_width, to_height, shorter;
  guint own_width, own_height;

  rvm_view_get_size (view, &own_width, &own_height);
  rvm_view_get_shape (view, &across, &along);
  shorter = short_side ? MIN (across, along) : along;
  to_width = gst_util_uint64_scale_round (short_side ? short_side : own_height, across, shorter);
  to_height = gst_util_uint64_scale_round (short_side ? short_side : own_height, along, shorter);
  if (MAX (to_width, to_height) > RVM_VIEW_LONGEST_SIDE)
    return FALSE;
  *width = MAX (to_width, 1);
  *height = MAX (to_height, 1);
  return TRUE;
}

/* Turns a box. The result is a box of a picture of @to_width x @to_height pixels. */
static void
turn_box (GstVideoOrientationMethod method, guint to_width, guint to_height, gdouble * x, gdouble * y, gdouble * width, gdouble * height)
{
  gdouble left = *x, top = *y, right = *x + *width, bottom = *y + *height;

  rvm_orientation_turn_point (method, to_width, to_height, &left, &top);
  rvm_orientation_turn_point (method, to_width, to_height, &right, &bottom);
  *x = MIN (left, right);
  *y = MIN (top, bottom);
  *width = MAX (left, right) - *x;
  *height = MAX (top, bottom) - *y;
}

void
rvm_view_to_upright (const RvmView * view, gdouble * x, gdouble * y, gdouble * width, gdouble * height)
{
  guint to_width, to_height;

  rvm_view_get_size (view, &to_width, &to_height);
  *x -= view->visible.x;
  *y -= view->visible.y;
  turn_box (view->orientation, to_width, to_height, x, y, width, height);
}

void
rvm_view_to_stored (const RvmView * view, gdouble * x, gdouble * y, gdouble * width, gdouble * height)
{
  turn_box (rvm_orientation_invert (view->orientation), view->visible.w, view->visible.h, x, y, width, height);
  *x += view->visible.x;
  *y += view->visible.y;
}

GstVideoRectangle
rvm_view_get_stored_box (const RvmView * view, gdouble x, gdouble y, gdouble width, gdouble height)
{
  const GstVideoRectangle *shown = &view->visible;
  gdouble left, top, right, bottom;

  rvm_view_to_stored (view, &x, &y, &width, &height);
  left = CLAMP (x, shown->x, shown->x + shown->w);
  top = CLAMP (y, shown->y, shown->y + shown->h);
  right = CLAMP (x + width, left, shown->x + shown->w);
  bottom = CLAMP (y + height, top, shown->y + shown->h);
  return (GstVideoRectangle) {left, top, right - left, bottom - top};
}
