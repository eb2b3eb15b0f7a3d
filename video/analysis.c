/* The picture is first resized as it is stored, and then turned. So few pixels have to be moved, and none if the picture is upright already. */
#include "analysis.h"

#include "conversion.h"
#include "orientation.h"

struct _RvmAnalysis
{
  RvmView view;
  RvmConversion *conversion;
  gsize stride;                 /* bytes of an upright row */
  guint pixel;                  /* bytes of a pixel */
  guint8 *stored;               /* as converted; NULL if that is upright */
  guint8 *upright;
};

static guint
round_to_patch (guint64 length, guint patch)
{
  return MAX (1, (length + patch / 2) / patch) * patch;
}

/* The size that was asked for. If only one side was, the other follows from the shape of the visible part. */
static gboolean
fill_size (const RvmView * view, guint size, guint64 * width, guint64 * height)
{
  guint64 across, along;
  guint w = 0, h = 0;

  rvm_view_get_shape (view, &across, &along);
  if (*width == 0 && *height == 0) {
    if (!rvm_view_get_square_size (view, size, &w, &h))
      return FALSE;
    *width = w;
    *height = h;
  } else if (*width == 0) {
    *width = gst_util_uint64_scale_round (*height, across, along);
  } else if (*height == 0) {
    *height = gst_util_uint64_scale_round (*width, along, across);
  }
  return MAX (*width, *height) <= RVM_VIEW_LONGEST_SIDE;
}

gboolean
rvm_analysis_choose_size (const RvmView * view, guint patch, guint size,
    guint width, guint height, guint * out_width, guint * out_height,
    GError ** error)
{
  guint64 to_width = width, to_height = height;
  guint w, h, n, d;

  rvm_view_get_size (view, &w, &h);
  rvm_view_get_pixel_aspect (view, &n, &d);
  if (w < patch || h < patch) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
        "frames of %u x %u pixels are smaller than a patch of the model,"
        " %u x %u", w, h, patch, patch);
    return FALSE;
  }
  if (!fill_size (view, size, &to_width, &to_height)) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
        "frames of %u x %u pixels with a pixel aspect ratio of %u/%u have a side"
        " of more than %u square pixels: set width and height", w, h, n, d,
        RVM_VIEW_LONGEST_SIDE);
    return FALSE;
  }
  *out_width = round_to_patch (to_width, patch);
  *out_height = round_to_patch (to_height, patch);
  return TRUE;
}

RvmAnalysis *
rvm_analysis_new (const RvmView * view, GstVideoFormat format, guint width,
    guint height, GError ** error)
{
  g_autoptr (RvmAnalysis) analysis = g_new0 (RvmAnalysis, 1);
  const gboolean swap = rvm_orientation_swaps (view->orientation);
  gsize size;

  analysis->view = *view;
  analysis->conversion = rvm_conversion_new (&view->info, &view->visible,
      format, swap ? height : width, swap ? width : height, error);
  if (analysis->conversion == NULL)
    return NULL;
  size = rvm_conversion_get_size (analysis->conversion);
  analysis->stride = size / height;
  analysis->pixel = analysis->stride / width;
  analysis->upright = g_try_malloc (size);
  if (view->orientation != GST_VIDEO_ORIENTATION_IDENTITY)
    analysis->stored = g_try_malloc (size);
  if (analysis->upright && (analysis->stored
          || view->orientation == GST_VIDEO_ORIENTATION_IDENTITY))
    return g_steal_pointer (&analysis);
  g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
      "no memory for a picture of %u x %u pixels", width, height);
  return NULL;
}

void
rvm_analysis_free (RvmAnalysis * analysis)
{
  if (analysis == NULL)
    return;
  g_clear_pointer (&analysis->conversion, rvm_conversion_free);
  g_free (analysis->stored);
  g_free (analysis->upright);
  g_free (analysis);
}

const RvmView *
rvm_analysis_get_view (const RvmAnalysis * analysis)
{
  return &analysis->view;
}

gsize
rvm_analysis_get_stride (const RvmAnalysis * analysis)
{
  return analysis->stride;
}

const guint8 *
rvm_analysis_convert (RvmAnalysis * analysis, GstBuffer * buffer,
    GError ** error)
{
  const gsize stored_stride = rvm_conversion_get_stride (analysis->conversion);

  if (analysis->stored == NULL)
    return rvm_conversion_run (analysis->conversion, buffer, analysis->upright,
        error) ? analysis->upright : NULL;
  if (!rvm_conversion_run (analysis->conversion, buffer, analysis->stored,
          error))
    return NULL;
  rvm_orientation_turn_pixels (analysis->view.orientation, analysis->stored,
      stored_stride, stored_stride / analysis->pixel,
      rvm_conversion_get_size (analysis->conversion) / stored_stride,
      analysis->pixel, analysis->upright, analysis->stride);
  return analysis->upright;
}
