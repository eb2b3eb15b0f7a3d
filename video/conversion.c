/* Uses GstVideoConverter, which respects colour matrix, range and strides. A picture that already has the wanted format and size passes unchanged.
 * When a picture shrinks, the filter is widened to the covered area, as in the data loader of the published model. */
#include "conversion.h"

typedef struct
{
  GstVideoConverter *converter;
  GstVideoInfo out;
  guint8 *between;              /* pixels for the next step; NULL for the last */
} Step;

struct _RvmConversion
{
  GstVideoInfo in;
  Step steps[2];                /* each on the picture of the one before */
  guint n_steps;
};

/* Describes packed pixels. GstVideoConverter wants the frame rate and the fields of its output to be those of its input. */
static gboolean
set_packed (GstVideoInfo * info, GstVideoFormat format, guint width, guint height)
{
  if (!gst_video_info_set_format (info, format, width, height))
    return FALSE;
  info->stride[0] = width * GST_VIDEO_INFO_COMP_PSTRIDE (info, 0);
  info->size = (gsize) info->stride[0] * height;
  info->fps_n = 0;
  info->fps_d = 1;
  return TRUE;
}

static gboolean
add_step (RvmConversion * conversion, const GstVideoInfo * in, const GstVideoRectangle * part, GstVideoFormat format, guint width,
    guint height)
{
  Step *step = &conversion->steps[conversion->n_steps++];

  if (!set_packed (&step->out, format, width, height))
    return FALSE;
  step->converter = gst_video_converter_new (in, &step->out, gst_structure_new ("RvmConversion",
          GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_LINEAR,
          GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE,
          GST_VIDEO_CONVERTER_OPT_SRC_X, G_TYPE_INT, part->x, GST_VIDEO_CONVERTER_OPT_SRC_Y, G_TYPE_INT, part->y,
          GST_VIDEO_CONVERTER_OPT_SRC_WIDTH, G_TYPE_INT, part->w, GST_VIDEO_CONVERTER_OPT_SRC_HEIGHT, G_TYPE_INT, part->h,
          GST_VIDEO_CONVERTER_OPT_THREADS, G_TYPE_UINT, 1, NULL));
  return step->converter != NULL;
}

/* GstVideoConverter (1.22) works on more than 8 bits by shrinking rows of memory
 * that it never wrote when a picture grows in width and shrinks in height: what
 * comes out depends on what was there. */
static gboolean
needs_two_steps (const GstVideoInfo * in, const GstVideoRectangle * part, guint width, guint height)
{
  const GstVideoFormatInfo *worked_on = gst_video_format_get_info (in->finfo->unpack_format);

  return GST_VIDEO_FORMAT_INFO_BITS (worked_on) > 8 && width > (guint) part->w && height < (guint) part->h;
}

RvmConversion *
rvm_conversion_new (const GstVideoInfo * in, const GstVideoRectangle * part, GstVideoFormat format, guint width, guint height,
    GError ** error)
{
  const GstVideoRectangle whole = {.w = GST_VIDEO_INFO_WIDTH (in), .h = GST_VIDEO_INFO_HEIGHT (in)};
  g_autoptr (RvmConversion) conversion = g_new0 (RvmConversion, 1);
  Step *first = &conversion->steps[0];
  gboolean good;

  if (part == NULL)
    part = &whole;
  conversion->in = *in;
  conversion->in.fps_n = 0;
  conversion->in.fps_d = 1;
  conversion->in.interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
  if (needs_two_steps (in, part, width, height)) {
    const GstVideoRectangle all = {.w = part->w, .h = height};

    good = add_step (conversion, &conversion->in, part, format, part->w, height);
    if (good)
      first->between = g_try_malloc (first->out.size);
    good = good && first->between && add_step (conversion, &first->out, &all, format, width, height);
  } else {
    good = add_step (conversion, &conversion->in, part, format, width, height);
  }
  if (good)
    return g_steal_pointer (&conversion);
  g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "pictures of %i x %i pixels of %s cannot be converted to %u x %u of %s",
      part->w, part->h, GST_VIDEO_INFO_NAME (in), width, height, gst_video_format_to_string (format));
  return NULL;
}

void
rvm_conversion_free (RvmConversion * conversion)
{
  if (conversion == NULL)
    return;
  for (guint i = 0; i < conversion->n_steps; i++) {
    g_clear_pointer (&conversion->steps[i].converter, gst_video_converter_free);
    g_free (conversion->steps[i].between);
  }
  g_free (conversion);
}

static const GstVideoInfo *
get_out (const RvmConversion * conversion)
{
  return &conversion->steps[conversion->n_steps - 1].out;
}

gsize
rvm_conversion_get_stride (const RvmConversion * conversion)
{
  return get_out (conversion)->stride[0];
}

gsize
rvm_conversion_get_size (const RvmConversion * conversion)
{
  return get_out (conversion)->size;
}

/* GstVideoConverter takes frames that are not const, but writes to their pixels only. */
static GstVideoFrame
frame_of (const GstVideoInfo * info, guint8 * pixels)
{
  GstVideoFrame frame = {.info = *info };

  frame.data[0] = pixels;
  return frame;
}

gboolean
rvm_conversion_run (RvmConversion * conversion, GstBuffer * buffer, guint8 * pixels, GError ** error)
{
  GstVideoFrame frame, from;

  if (!gst_video_frame_map (&frame, &conversion->in, buffer, GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF)) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED,
        "the buffer of time %" GST_TIME_FORMAT " does not hold a picture of the caps", GST_TIME_ARGS (GST_BUFFER_PTS (buffer)));
    return FALSE;
  }
  from = frame;
  /* The metadata of a buffer may say that its fields are stored apart although the caps do not. */
  from.flags &= ~GST_VIDEO_FRAME_FLAG_INTERLACED;
  for (guint i = 0; i < conversion->n_steps; i++) {
    const Step *step = &conversion->steps[i];
    GstVideoFrame to = frame_of (&step->out, step->between ? step->between : pixels);

    gst_video_converter_frame (step->converter, &from, &to);
    from = to;
  }
  gst_video_frame_unmap (&frame);
  return TRUE;
}
