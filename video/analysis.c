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

/* Adds a step from @in to RGB of @width x @height. */
static gboolean
add_step (RvmAnalysis * analysis, GstVideoInfo * in, guint width, guint height)
{
  RvmAnalysisStep *step = &analysis->steps[analysis->n_steps++];
  GstStructure *config;

  gst_video_info_set_format (&step->rgb, GST_VIDEO_FORMAT_RGB, width, height);
  /* The analysis picture is one moment of the stream: no field order, the
   * rate only matters to the converter's check that both agree. */
  step->rgb.interlace_mode = in->interlace_mode;
  step->rgb.fps_n = in->fps_n;
  step->rgb.fps_d = in->fps_d;
  config = gst_structure_new ("RvmAnalysis",
      GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD,
      GST_VIDEO_RESAMPLER_METHOD_LINEAR,
      GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD,
      GST_VIDEO_DITHER_NONE, GST_VIDEO_CONVERTER_OPT_THREADS, G_TYPE_UINT, 1,
      NULL);
  step->converter = gst_video_converter_new (in, &step->rgb, config);
  step->buffer = gst_buffer_new_allocate (NULL,
      GST_VIDEO_INFO_SIZE (&step->rgb), NULL);
  if (step->converter && step->buffer && gst_video_frame_map (&step->frame,
          &step->rgb, step->buffer, GST_MAP_READWRITE))
    return TRUE;
  gst_clear_buffer (&step->buffer);
  return FALSE;
}

/* GstVideoConverter (1.22) works on more than 8 bits by shrinking rows of memory
 * that it never wrote when a picture grows in width and shrinks in height: what
 * comes out depends on what was there. */
static gboolean
needs_two_steps (const GstVideoInfo * in, guint width, guint height)
{
  const GstVideoFormatInfo *worked_on =
      gst_video_format_get_info (in->finfo->unpack_format);

  return GST_VIDEO_FORMAT_INFO_BITS (worked_on) > 8
      && width > (guint) GST_VIDEO_INFO_WIDTH (in)
      && height < (guint) GST_VIDEO_INFO_HEIGHT (in);
}

RvmAnalysis *
rvm_analysis_new (const GstVideoInfo * in, guint width, guint height)
{
  RvmAnalysis *analysis = g_new0 (RvmAnalysis, 1);
  gboolean good = TRUE;

  analysis->in = *in;
  if (needs_two_steps (in, width, height))
    good = add_step (analysis, &analysis->in, GST_VIDEO_INFO_WIDTH (in),
        height) && add_step (analysis, &analysis->steps[0].rgb, width, height);
  else
    good = add_step (analysis, &analysis->in, width, height);
  if (!good)
    g_clear_pointer (&analysis, rvm_analysis_free);
  return analysis;
}

void
rvm_analysis_free (RvmAnalysis * analysis)
{
  if (analysis == NULL)
    return;
  for (guint i = 0; i < analysis->n_steps; i++) {
    RvmAnalysisStep *step = &analysis->steps[i];

    if (step->buffer) {
      gst_video_frame_unmap (&step->frame);
      gst_clear_buffer (&step->buffer);
    }
    g_clear_pointer (&step->converter, gst_video_converter_free);
  }
  g_free (analysis);
}

const guint8 *
rvm_analysis_convert (RvmAnalysis * analysis, GstBuffer * buffer,
    gsize * stride)
{
  RvmAnalysisStep *last = &analysis->steps[analysis->n_steps - 1];
  GstVideoFrame frame;

  if (!gst_video_frame_map (&frame, &analysis->in, buffer,
          GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF))
    return NULL;
  for (guint i = 0; i < analysis->n_steps; i++) {
    RvmAnalysisStep *step = &analysis->steps[i];

    gst_video_converter_frame (step->converter,
        i ? &analysis->steps[i - 1].frame : &frame, &step->frame);
  }
  gst_video_frame_unmap (&frame);
  *stride = GST_VIDEO_FRAME_PLANE_STRIDE (&last->frame, 0);
  return GST_VIDEO_FRAME_PLANE_DATA (&last->frame, 0);
}
