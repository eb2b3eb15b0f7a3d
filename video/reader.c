/* The pipeline is uridecodebin ! appsink. Frames are converted as rvmencode converts them (video/analysis.c). */
#include "reader.h"

#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <string.h>

#include "kernels/error.h"
#include "video/analysis.h"
#include "video/orientation_tags.h"

#define STALL (30 * GST_SECOND) /* a file that gives no frame for so long is given up */
#define EARLY (GST_SECOND / 2)  /* between the end and the duration of a whole file there is less */

struct _RvmReader {
  char *path;
  GstElement *pipeline;
  GstAppSink *sink;
  GstVideoFormat format;
  guint short_side;    /* limit, if frames are not scaled to one size; with patch, the size that rvmencode would be given */
  guint patch;         /* sides are whole patches; 0: any */
  gboolean stretched;
  guint width, height; /* 0 before the first frame */
  RvmOrientationTags tags;
  RvmAnalysis *analysis;
  GstSample *pending; /* the first frame, read to learn the size */
  GMutex lock;
  GstClockTime end; /* of what has come of all streams */
};

void
rvm_reader_free (RvmReader *reader)
{
  if (reader == NULL)
    return;
  if (reader->pipeline)
    gst_element_set_state (reader->pipeline, GST_STATE_NULL);
  g_clear_pointer (&reader->pending, gst_sample_unref);
  g_clear_pointer (&reader->analysis, rvm_analysis_free);
  rvm_orientation_tags_clear (&reader->tags);
  g_clear_object (&reader->sink);
  gst_clear_object (&reader->pipeline);
  g_mutex_clear (&reader->lock);
  g_free (reader->path);
  g_free (reader);
}

static gboolean
fail (const RvmReader *reader, RvmError code, const char *reason, GError **error)
{
  rvm_error_set (error, code, "%s: %s", reader->path, reason);
  return FALSE;
}

/* What is heard or read beside the video is not decoded. */
static gboolean
on_continue (GstElement *decoder, GstPad *pad, GstCaps *caps, gpointer user_data)
{
  g_autoptr (GstElement) element = gst_pad_get_parent_element (pad);
  const char *klass = element ? gst_element_get_metadata (element, GST_ELEMENT_METADATA_KLASS) : NULL;
  const char *name = gst_structure_get_name (gst_caps_get_structure (caps, 0));

  return klass == NULL || strstr (klass, "Demux") == NULL
      || !(g_str_has_prefix (name, "audio/") || g_str_has_prefix (name, "text/") || g_str_has_prefix (name, "subpicture/"));
}

static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  RvmReader *reader = user_data;
  const GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);

  if (!GST_BUFFER_PTS_IS_VALID (buffer))
    return GST_PAD_PROBE_OK;
  g_mutex_lock (&reader->lock);
  reader->end = MAX (reader->end, GST_BUFFER_PTS (buffer) + (GST_BUFFER_DURATION_IS_VALID (buffer) ? GST_BUFFER_DURATION (buffer) : 0));
  g_mutex_unlock (&reader->lock);
  return GST_PAD_PROBE_OK;
}

static void
on_pad (GstElement *decoder, GstPad *pad, gpointer user_data)
{
  RvmReader *reader = user_data;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (GST_ELEMENT (reader->sink), "sink");
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps && gst_structure_has_name (gst_caps_get_structure (caps, 0), "video/x-raw") && !gst_pad_is_linked (sink))
    gst_pad_link (pad, sink);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, reader, NULL);
}

static void
on_no_more_pads (GstElement *decoder, gpointer user_data)
{
  RvmReader *reader = user_data;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (GST_ELEMENT (reader->sink), "sink");

  if (!gst_pad_is_linked (sink))
    GST_ELEMENT_ERROR (decoder, STREAM, WRONG_TYPE, ("there is no video in it"), (NULL));
}

/* The first error on the bus, as one line. */
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

/* The next sample; NULL without an error at the end of the file. Takes tags from the bus meanwhile. */
static GstSample *
pull (RvmReader *reader, GError **error)
{
  GstClockTime waited = 0;

  while (waited < STALL) {
    GstMiniObject *object = gst_app_sink_try_pull_object (reader->sink, GST_SECOND / 10);

    if (object && GST_IS_SAMPLE (object))
      return GST_SAMPLE (object);
    if (object) {
      if (GST_IS_EVENT (object))
        rvm_orientation_tags_note (&reader->tags, NULL, GST_EVENT (object));
      gst_mini_object_unref (object);
      continue;
    }
    if (!check_bus (reader, error) || gst_app_sink_is_eos (reader->sink))
      return NULL;
    waited += GST_SECOND / 10;
  }
  fail (reader, RVM_ERROR_FORMAT, "no frame was decoded in 30 seconds", error);
  return NULL;
}

/* Whole patches, or the size with square pixels, and at most the limit on the shorter side. */
static gboolean
choose_size (const RvmReader *reader, const RvmView *view, guint *width, guint *height, GError **error)
{
  g_autoptr (GError) reason = NULL;
  gboolean good;

  if (reader->patch)
    return rvm_analysis_choose_size (view, reader->patch, reader->short_side, 0, 0, width, height, &reason)
        || fail (reader, RVM_ERROR_FORMAT, reason->message, error);
  good = rvm_view_get_square_size (view, 0, width, height);
  if (reader->short_side && !(good && MIN (*width, *height) <= reader->short_side))
    good = rvm_view_get_square_size (view, reader->short_side, width, height);
  return good || fail (reader, RVM_ERROR_FORMAT, "its frames are too large with square pixels", error);
}

/* Prepares the conversion of frames like that of @sample. */
static gboolean
prepare (RvmReader *reader, GstSample *sample, GError **error)
{
  g_autoptr (GError) reason = NULL;
  GstVideoInfo info;
  RvmView view;
  guint width, height;

  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample)))
    return fail (reader, RVM_ERROR_FORMAT, "its frames have no known format", error);
  if (!rvm_view_init (&view, &info, gst_sample_get_buffer (sample), rvm_orientation_tags_get (&reader->tags), &reason))
    return fail (reader, RVM_ERROR_FORMAT, reason->message, error);
  if (reader->analysis && rvm_view_is_equal (rvm_analysis_get_view (reader->analysis), &view))
    return TRUE;
  if (!reader->stretched) {
    if (!choose_size (reader, &view, &width, &height, error))
      return FALSE;
    if (reader->width && (width != reader->width || height != reader->height))
      return fail (reader, RVM_ERROR_FORMAT, "its frames change size", error);
    reader->width = width;
    reader->height = height;
  }
  g_clear_pointer (&reader->analysis, rvm_analysis_free);
  reader->analysis = rvm_analysis_new (&view, reader->format, reader->width, reader->height, &reason);
  return reader->analysis || fail (reader, RVM_ERROR_FORMAT, reason->message, error);
}

static gboolean
take_first (RvmReader *reader, GError **error)
{
  g_autoptr (GError) reason = NULL;

  reader->pending = pull (reader, &reason);
  if (reader->pending)
    return prepare (reader, reader->pending, error);
  if (reason)
    g_propagate_error (error, g_steal_pointer (&reason));
  else
    fail (reader, RVM_ERROR_FORMAT, "there is no frame in it", error);
  return FALSE;
}

static gboolean
build (RvmReader *reader, const char *uri, GError **error)
{
  g_autoptr (GstCaps) raw = gst_caps_new_empty_simple ("video/x-raw");
  GstElement *decoder = gst_element_factory_make ("uridecodebin", NULL), *sink = gst_element_factory_make ("appsink", NULL);

  if (decoder == NULL || sink == NULL) {
    gst_clear_object (&decoder);
    gst_clear_object (&sink);
    return fail (reader, RVM_ERROR_FILE, "GStreamer's elements uridecodebin and appsink are needed to read it", error);
  }
  reader->pipeline = gst_pipeline_new (NULL);
  gst_bin_add_many (GST_BIN (reader->pipeline), decoder, sink, NULL);
  reader->sink = g_object_ref (GST_APP_SINK (sink));
  g_object_set (decoder, "uri", uri, NULL);
  g_object_set (sink, "caps", raw, "sync", FALSE, "max-buffers", 4, NULL);
  g_signal_connect (decoder, "autoplug-continue", G_CALLBACK (on_continue), reader);
  g_signal_connect (decoder, "pad-added", G_CALLBACK (on_pad), reader);
  g_signal_connect (decoder, "no-more-pads", G_CALLBACK (on_no_more_pads), reader);
  return TRUE;
}

static char *
get_uri (const char *name, GError **error)
{
  g_autofree char *absolute = NULL;

  if (strstr (name, "://") && gst_uri_is_valid (name))
    return g_strdup (name);
  absolute = g_canonicalize_filename (name, NULL);
  return g_filename_to_uri (absolute, NULL, error);
}

/* Frames are scaled to @width x @height unless these are 0. */
static RvmReader *
open_file (const char *path, RvmReaderFormat format, guint patch, guint short_side, guint width, guint height, GError **error)
{
  g_autoptr (RvmReader) reader = g_new0 (RvmReader, 1);
  g_autofree char *uri = get_uri (path, error);

  g_mutex_init (&reader->lock);
  reader->path = g_strdup (path);
  reader->format = format == RVM_READER_RGB ? GST_VIDEO_FORMAT_RGB : GST_VIDEO_FORMAT_BGRA;
  reader->patch = patch;
  reader->short_side = short_side;
  reader->stretched = width > 0;
  reader->width = width;
  reader->height = height;
  if (uri == NULL || !build (reader, uri, error))
    return NULL;
  gst_element_set_state (reader->pipeline, GST_STATE_PLAYING);
  return take_first (reader, error) ? g_steal_pointer (&reader) : NULL;
}

RvmReader *
rvm_reader_new (const char *path, RvmReaderFormat format, guint short_side, GError **error)
{
  return open_file (path, format, 0, short_side, 0, 0, error);
}

RvmReader *
rvm_reader_new_patches (const char *name, guint patch, guint size, GError **error)
{
  return open_file (name, RVM_READER_RGB, patch, size, 0, 0, error);
}

RvmReader *
rvm_reader_new_stretched (const char *path, RvmReaderFormat format, guint width, guint height, GError **error)
{
  return open_file (path, format, 0, 0, width, height, error);
}

guint
rvm_reader_get_width (const RvmReader *reader)
{
  return reader->width;
}

guint
rvm_reader_get_height (const RvmReader *reader)
{
  return reader->height;
}

const RvmView *
rvm_reader_get_view (const RvmReader *reader)
{
  return rvm_analysis_get_view (reader->analysis);
}

gboolean
rvm_reader_ended_early (RvmReader *reader, guint64 *end, guint64 *duration)
{
  gint64 known;

  g_mutex_lock (&reader->lock);
  *end = reader->end;
  g_mutex_unlock (&reader->lock);
  if (!gst_element_query_duration (reader->pipeline, GST_FORMAT_TIME, &known) || known <= 0)
    return FALSE;
  *duration = known;
  return *duration > *end && *duration - *end > EARLY;
}

gboolean
rvm_reader_peek (RvmReader *reader, guint64 *pts, GError **error)
{
  if (reader->pending == NULL)
    reader->pending = pull (reader, error);
  if (reader->pending == NULL)
    return FALSE;
  *pts = GST_BUFFER_PTS (gst_sample_get_buffer (reader->pending));
  return TRUE;
}

void
rvm_reader_drop (RvmReader *reader)
{
  g_clear_pointer (&reader->pending, gst_sample_unref);
}

const guint8 *
rvm_reader_next (RvmReader *reader, guint64 *pts, GError **error)
{
  g_autoptr (GstSample) sample = g_steal_pointer (&reader->pending);
  g_autoptr (GError) reason = NULL;
  const guint8 *pixels;

  if (sample == NULL)
    sample = pull (reader, error);
  if (sample == NULL || !prepare (reader, sample, error))
    return NULL;
  pixels = rvm_analysis_convert (reader->analysis, gst_sample_get_buffer (sample), &reason);
  if (pixels == NULL)
    fail (reader, RVM_ERROR_FORMAT, reason->message, error);
  else if (pts)
    *pts = GST_BUFFER_PTS (gst_sample_get_buffer (sample));
  return pixels;
}

gboolean
rvm_reader_seek (RvmReader *reader, guint64 pts, GError **error)
{
  g_clear_pointer (&reader->pending, gst_sample_unref);
  /* To the key frame before it: an accurate seek would clip an earlier frame and give it the time asked for. Seeking is possible only after the
   * first frame. */
  gst_element_get_state (reader->pipeline, NULL, NULL, STALL);
  if (!gst_element_seek_simple (reader->pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT | GST_SEEK_FLAG_SNAP_BEFORE,
          pts))
    return check_bus (reader, error) && fail (reader, RVM_ERROR_FORMAT, "it cannot be seeked in", error);
  return TRUE;
}
