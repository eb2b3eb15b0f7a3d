/* Conversion through GstVideoConverter, which respects colour matrix, range and
 * strides. A picture that already is RGB of the analysis size passes through it
 * unchanged. Shrinking uses linear interpolation over the covered area
 * (GstVideoConverter widens the filter), which is what the model's own data
 * loader does. */
#include "analysis.h"

static guint
round_to_patch (guint64 length, guint patch)
{
  return MAX (1, (length + patch / 2) / patch) * patch;
}

gboolean
rvm_analysis_choose_size (const GstVideoInfo * in, guint patch, guint size,
    guint width, guint height, guint * out_width, guint * out_height)
{
  const guint64 w = GST_VIDEO_INFO_WIDTH (in), h = GST_VIDEO_INFO_HEIGHT (in);
  guint64 to_w = width, to_h = height;

  if (w < patch || h < patch)
    return FALSE;
  if (to_w == 0 && to_h == 0) {
    const guint64 side = size ? size : MIN (w, h);

    to_w = gst_util_uint64_scale_round (side, w, MIN (w, h));
    to_h = gst_util_uint64_scale_round (side, h, MIN (w, h));
  } else if (to_w == 0) {
    to_w = gst_util_uint64_scale_round (to_h, w, h);
  } else if (to_h == 0) {
    to_h = gst_util_uint64_scale_round (to_w, h, w);
  }
  *out_width = round_to_patch (to_w, patch);
  *out_height = round_to_patch (to_h, patch);
  return TRUE;
}

RvmAnalysis *
rvm_analysis_new (const GstVideoInfo * in, guint width, guint height)
{
  RvmAnalysis *analysis = g_new0 (RvmAnalysis, 1);
  GstStructure *config;

  analysis->in = *in;
  gst_video_info_set_format (&analysis->rgb, GST_VIDEO_FORMAT_RGB, width,
      height);
  /* The analysis picture is one moment of the stream: no field order, the
   * rate only matters to the converter's check that both agree. */
  analysis->rgb.interlace_mode = in->interlace_mode;
  analysis->rgb.fps_n = in->fps_n;
  analysis->rgb.fps_d = in->fps_d;
  config = gst_structure_new ("RvmAnalysis",
      GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD,
      GST_VIDEO_RESAMPLER_METHOD_LINEAR,
      GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD,
      GST_VIDEO_DITHER_NONE, GST_VIDEO_CONVERTER_OPT_THREADS, G_TYPE_UINT, 1,
      NULL);
  analysis->converter =
      gst_video_converter_new (&analysis->in, &analysis->rgb, config);
  analysis->buffer =
      gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (&analysis->rgb),
      NULL);
  if (analysis->converter == NULL || analysis->buffer == NULL
      || !gst_video_frame_map (&analysis->frame, &analysis->rgb,
          analysis->buffer, GST_MAP_READWRITE)) {
    gst_clear_buffer (&analysis->buffer);
    rvm_analysis_free (analysis);
    return NULL;
  }
  return analysis;
}

void
rvm_analysis_free (RvmAnalysis * analysis)
{
  if (analysis == NULL)
    return;
  if (analysis->buffer) {
    gst_video_frame_unmap (&analysis->frame);
    gst_clear_buffer (&analysis->buffer);
  }
  g_clear_pointer (&analysis->converter, gst_video_converter_free);
  g_free (analysis);
}

const guint8 *
rvm_analysis_convert (RvmAnalysis * analysis, GstBuffer * buffer,
    gsize * stride)
{
  GstVideoFrame frame;

  if (!gst_video_frame_map (&frame, &analysis->in, buffer,
          GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF))
    return NULL;
  gst_video_converter_frame (analysis->converter, &frame, &analysis->frame);
  gst_video_frame_unmap (&frame);
  *stride = GST_VIDEO_FRAME_PLANE_STRIDE (&analysis->frame, 0);
  return GST_VIDEO_FRAME_PLANE_DATA (&analysis->frame, 0);
}
