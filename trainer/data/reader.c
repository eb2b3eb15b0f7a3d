/* uridecodebin ! videoflip ! appsink; GstVideoConverter makes the pixels, as in rvmencode. */
#include "reader.h"

#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include "kernels/error.h"

#define STALL (30 * GST_SECOND) /* no frame for so long: the file is given up */

struct _RvmReader {
  char *path;
  GstElement *pipeline, *flip; /* @flip: owned by the pipeline */
  GstAppSink *sink;
  GstVideoInfo in, out;
  GstVideoConverter *converter;
  GstBuffer *pixels;
  GstMapInfo map;
  gboolean mapped;
  GstSample *pending; /* read to learn the size */
};

void
rvm_reader_free (RvmReader *reader)
{
  if (reader == NULL)
    return;
  if (reader->pipeline)
    gst_element_set_state (reader->pipeline, GST_STATE_NULL);
  g_clear_pointer (&reader->pending, gst_sample_unref);
  if (reader->mapped)
    gst_buffer_unmap (reader->pixels, &reader->map);
  g_clear_pointer (&reader->pixels, gst_buffer_unref);
  g_clear_pointer (&reader->converter, gst_video_converter_free);
  g_clear_object (&reader->sink);
  gst_clear_object (&reader->pipeline);
  g_free (reader->path);
  g_free (reader);
}

static gboolean
fail (const RvmReader *reader, RvmError code, const char *reason, GError **error)
{
  g_set_error (error, RVM_ERROR, code, "%s: %s", reader->path, reason);
  return FALSE;
}

static void
on_pad (GstElement *decoder, GstPad *pad, gpointer user_data)
{
  RvmReader *reader = user_data;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (reader->flip, "sink");
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps && gst_structure_has_name (gst_caps_get_structure (caps, 0), "video/x-raw") && !gst_pad_is_linked (sink))
    gst_pad_link (pad, sink);
}

static void
on_no_more_pads (GstElement *decoder, gpointer user_data)
{
  RvmReader *reader = user_data;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (reader->flip, "sink");

  if (!gst_pad_is_linked (sink))
    GST_ELEMENT_ERROR (decoder, STREAM, WRONG_TYPE, ("there is no video in it"), (NULL));
}

/* Whatever went wrong first, in one line. */
static gboolean
check_bus (RvmReader *reader, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (reader->pipeline);
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) reason = NULL;

  if (message == NULL)
    return TRUE;
  gst_message_parse_error (message, &reason, NULL);
  return fail (reader, RVM_ERROR_FORMAT, reason->message, error);
}

/* NULL without an error at the end. */
static GstSample *
pull (RvmReader *reader, GError **error)
{
  GstClockTime waited = 0;

  while (waited < STALL) {
    GstSample *sample = gst_app_sink_try_pull_sample (reader->sink, GST_SECOND / 10);

    if (sample)
      return sample;
    if (!check_bus (reader, error) || gst_app_sink_is_eos (reader->sink))
      return NULL;
    waited += GST_SECOND / 10;
  }
  fail (reader, RVM_ERROR_FORMAT, "no frame was decoded in 30 seconds", error);
  return NULL;
}

/* Square pixels, shorter side at most @short_side. */
static void
choose_size (const GstVideoInfo *in, guint short_side, guint *width, guint *height)
{
  double w = (double) GST_VIDEO_INFO_WIDTH (in) * GST_VIDEO_INFO_PAR_N (in) / GST_VIDEO_INFO_PAR_D (in);
  double h = GST_VIDEO_INFO_HEIGHT (in), scale = 1;

  if (short_side && MIN (w, h) > short_side)
    scale = short_side / MIN (w, h);
  *width = MAX (w * scale + 0.5, 1);
  *height = MAX (h * scale + 0.5, 1);
}

static gboolean
take_first (RvmReader *reader, RvmReaderFormat format, guint short_side, GError **error)
{
  g_autoptr (GError) reason = NULL;
  guint width, height;

  reader->pending = pull (reader, &reason);
  if (reader->pending == NULL) {
    if (reason)
      g_propagate_error (error, g_steal_pointer (&reason));
    else
      fail (reader, RVM_ERROR_FORMAT, "there is no frame in it", error);
    return FALSE;
  }
  if (!gst_video_info_from_caps (&reader->in, gst_sample_get_caps (reader->pending)))
    return fail (reader, RVM_ERROR_FORMAT, "its frames have no known format", error);
  /* The converter insists on one rate and one interlacing for both sides, and uses neither. */
  reader->in.fps_n = 0;
  reader->in.fps_d = 1;
  reader->in.interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
  choose_size (&reader->in, short_side, &width, &height);
  gst_video_info_set_format (&reader->out, format == RVM_READER_RGB ? GST_VIDEO_FORMAT_RGB : GST_VIDEO_FORMAT_BGRA, width, height);
  /* Rows without padding: what the callers index. */
  reader->out.fps_n = 0;
  reader->out.fps_d = 1;
  reader->out.stride[0] = width * (format == RVM_READER_RGB ? 3 : 4);
  reader->out.size = (gsize) reader->out.stride[0] * height;
  /* One thread: frames are prepared while the device computes on all cores. */
  reader->converter = gst_video_converter_new (&reader->in, &reader->out,
      gst_structure_new ("options", GST_VIDEO_CONVERTER_OPT_THREADS, G_TYPE_UINT, 1, NULL));
  if (reader->converter == NULL)
    return fail (reader, RVM_ERROR_FORMAT, "its frames cannot be converted to RGB", error);
  reader->pixels = gst_buffer_new_allocate (NULL, reader->out.size, NULL);
  return TRUE;
}

RvmReader *
rvm_reader_new (const char *path, RvmReaderFormat format, guint short_side, GError **error)
{
  g_autoptr (RvmReader) reader = g_new0 (RvmReader, 1);
  g_autofree char *absolute = g_canonicalize_filename (path, NULL), *uri = g_filename_to_uri (absolute, NULL, error);
  g_autoptr (GstCaps) raw = gst_caps_new_empty_simple ("video/x-raw");
  GstElement *decoder, *sink;

  reader->path = g_strdup (path);
  if (uri == NULL)
    return NULL;
  reader->pipeline = gst_pipeline_new (NULL);
  decoder = gst_element_factory_make ("uridecodebin", NULL);
  reader->flip = gst_element_factory_make ("videoflip", NULL);
  sink = gst_element_factory_make ("appsink", NULL);
  if (decoder == NULL || reader->flip == NULL || sink == NULL) {
    fail (reader, RVM_ERROR_FILE, "GStreamer's elements uridecodebin, videoflip and appsink are needed to read it", error);
    gst_clear_object (&decoder);
    gst_clear_object (&reader->flip);
    gst_clear_object (&sink);
    return NULL;
  }
  gst_bin_add_many (GST_BIN (reader->pipeline), decoder, reader->flip, sink, NULL);
  reader->sink = g_object_ref (GST_APP_SINK (sink));
  gst_util_set_object_arg (G_OBJECT (reader->flip), "video-direction", "auto");
  g_object_set (decoder, "uri", uri, NULL);
  g_object_set (sink, "caps", raw, "sync", FALSE, "max-buffers", 4, NULL);
  gst_element_link (reader->flip, sink);
  g_signal_connect (decoder, "pad-added", G_CALLBACK (on_pad), reader);
  g_signal_connect (decoder, "no-more-pads", G_CALLBACK (on_no_more_pads), reader);
  gst_element_set_state (reader->pipeline, GST_STATE_PLAYING);
  if (!take_first (reader, format, short_side, error))
    return NULL;
  return g_steal_pointer (&reader);
}

guint
rvm_reader_get_width (const RvmReader *reader)
{
  return GST_VIDEO_INFO_WIDTH (&reader->out);
}

guint
rvm_reader_get_height (const RvmReader *reader)
{
  return GST_VIDEO_INFO_HEIGHT (&reader->out);
}

static gboolean
convert (RvmReader *reader, GstSample *sample, GError **error)
{
  GstVideoInfo info;
  GstVideoFrame from, to;

  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample)) || GST_VIDEO_INFO_WIDTH (&info) != GST_VIDEO_INFO_WIDTH (&reader->in)
      || GST_VIDEO_INFO_HEIGHT (&info) != GST_VIDEO_INFO_HEIGHT (&reader->in)
      || GST_VIDEO_INFO_FORMAT (&info) != GST_VIDEO_INFO_FORMAT (&reader->in))
    return fail (reader, RVM_ERROR_FORMAT, "its frames change size or format on the way", error);
  if (!gst_video_frame_map (&from, &info, gst_sample_get_buffer (sample), GST_MAP_READ))
    return fail (reader, RVM_ERROR_FORMAT, "a frame cannot be mapped", error);
  if (!gst_video_frame_map (&to, &reader->out, reader->pixels, GST_MAP_WRITE)) {
    gst_video_frame_unmap (&from);
    return fail (reader, RVM_ERROR_MEMORY, "a frame cannot be mapped", error);
  }
  gst_video_converter_frame (reader->converter, &from, &to);
  gst_video_frame_unmap (&to);
  gst_video_frame_unmap (&from);
  return TRUE;
}

const guint8 *
rvm_reader_next (RvmReader *reader, guint64 *pts, GError **error)
{
  g_autoptr (GstSample) sample = g_steal_pointer (&reader->pending);

  if (reader->mapped) {
    gst_buffer_unmap (reader->pixels, &reader->map);
    reader->mapped = FALSE;
  }
  if (sample == NULL)
    sample = pull (reader, error);
  if (sample == NULL || !convert (reader, sample, error))
    return NULL;
  if (pts)
    *pts = GST_BUFFER_PTS (gst_sample_get_buffer (sample));
  reader->mapped = gst_buffer_map (reader->pixels, &reader->map, GST_MAP_READ);
  return reader->mapped ? reader->map.data : NULL;
}

gboolean
rvm_reader_seek (RvmReader *reader, guint64 pts, GError **error)
{
  g_clear_pointer (&reader->pending, gst_sample_unref);
  /* To the key frame before, not accurately: that would cut the end of an earlier frame out and give it the time asked for.
   * Seeking is only possible once the first frame has come through. */
  gst_element_get_state (reader->pipeline, NULL, NULL, STALL);
  if (!gst_element_seek_simple (reader->pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT | GST_SEEK_FLAG_SNAP_BEFORE,
          pts))
    return check_bus (reader, error) && fail (reader, RVM_ERROR_FORMAT, "it cannot be entered in the middle", error);
  return TRUE;
}
