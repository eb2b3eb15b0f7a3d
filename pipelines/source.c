/* Files, addresses and standard input go through uridecodebin. Pictures and animated GIFs are read here and pushed through an appsrc: GStreamer's own
 * sources of sequences end silently at the first number that is missing, and its demuxer of GIFs never ends. The pipeline owns the elements,
 * a source what it pushes. */
#include "source_private.h"

#include <glib/gstdio.h>
#include <gst/app/gstappsrc.h>
#include <gst/base/gsttypefindhelper.h>
#include <string.h>
#include <unistd.h>

struct _RvmSource {
  GstBin *pipeline; /* borrowed */
  GstPad *sink;
  GPtrArray *pictures; /* names of files, or NULL */
  GArray *packets;     /* of a GIF: Packet, or NULL */
  guint next;
  GstClockTime time, step, decoded;
  char *kind; /* media type of the pictures */
  int rate_n, rate_d;

  GMutex lock;
  guint64 frames;
  GstClockTime end;
  gboolean linked, no_video;
};

typedef struct {
  GBytes *data;
  GstClockTime duration;
} Packet;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmSource, rvm_source_free)

gboolean
rvm_source_fail (GError **error, const char *format, ...)
{
  va_list arguments;
  g_autofree char *text = NULL;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ, text);
  return FALSE;
}

/* Pads */

static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  RvmSource *source = data;
  const GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);

  g_mutex_lock (&source->lock);
  if (GST_BUFFER_PTS_IS_VALID (buffer))
    source->end = MAX (source->end, GST_BUFFER_PTS (buffer) + (GST_BUFFER_DURATION_IS_VALID (buffer) ? GST_BUFFER_DURATION (buffer) : 0));
  g_mutex_unlock (&source->lock);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_frame (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  RvmSource *source = data;

  g_mutex_lock (&source->lock);
  source->frames++;
  g_mutex_unlock (&source->lock);
  return on_buffer (pad, info, data);
}

/* avdec_gif gives all frames the time of the first. */
static GstPadProbeReturn
on_gif_frame (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  RvmSource *source = data;
  GstBuffer *buffer = gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER (info));
  const guint64 index = rvm_source_get_frames (source);

  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  GST_BUFFER_PTS (buffer) = source->decoded;
  if (index < source->packets->len)
    GST_BUFFER_DURATION (buffer) = g_array_index (source->packets, Packet, index).duration;
  source->decoded += GST_BUFFER_DURATION_IS_VALID (buffer) ? GST_BUFFER_DURATION (buffer) : 0;
  return on_frame (pad, info, data);
}

/* What is heard or read beside the video is left as it is; its times are watched all the same. */
static gboolean
on_continue (GstElement *bin, GstPad *pad, GstCaps *caps, gpointer data)
{
  g_autoptr (GstElement) element = gst_pad_get_parent_element (pad);
  const char *klass = element ? gst_element_get_metadata (element, GST_ELEMENT_METADATA_KLASS) : NULL;
  const char *name = gst_structure_get_name (gst_caps_get_structure (caps, 0));

  return klass == NULL || strstr (klass, "Demux") == NULL
      || !(g_str_has_prefix (name, "audio/") || g_str_has_prefix (name, "text/") || g_str_has_prefix (name, "subpicture/"));
}

static void
on_pad (GstElement *bin, GstPad *pad, gpointer data)
{
  RvmSource *source = data;
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps == NULL)
    caps = gst_pad_query_caps (pad, NULL);
  if (gst_structure_has_name (gst_caps_get_structure (caps, 0), "video/x-raw") && !gst_pad_is_linked (source->sink)) {
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, source, NULL);
    g_mutex_lock (&source->lock);
    source->linked = TRUE;
    g_mutex_unlock (&source->lock);
    gst_pad_link (pad, source->sink);
  } else {
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, source, NULL);
  }
}

static void
on_no_more_pads (GstElement *bin, gpointer data)
{
  RvmSource *source = data;

  g_mutex_lock (&source->lock);
  source->no_video = !source->linked;
  g_mutex_unlock (&source->lock);
}

/* Elements */

static GstElement *
add (RvmSource *source, const char *factory, GError **error)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (element == NULL)
    rvm_source_fail (error, "GStreamer's element %s is missing, which reads this kind of video", factory);
  else
    gst_bin_add (source->pipeline, element);
  return element;
}

static GstElement *
add_decoder (RvmSource *source, const char *factory, GError **error)
{
  GstElement *decoder = add (source, factory, error);

  if (decoder) {
    g_signal_connect (decoder, "autoplug-continue", G_CALLBACK (on_continue), source);
    g_signal_connect (decoder, "pad-added", G_CALLBACK (on_pad), source);
    g_signal_connect (decoder, "no-more-pads", G_CALLBACK (on_no_more_pads), source);
  }
  return decoder;
}

/* The next picture's bytes, checked to be of the kind of the ones before. */
static GBytes *
read_picture (RvmSource *source, const char *path, GError **error)
{
  g_autofree char *content = NULL;
  g_autoptr (GstCaps) caps = NULL;
  const char *kind;
  gsize size;

  if (!g_file_get_contents (path, &content, &size, error))
    return NULL;
  caps = gst_type_find_helper_for_data (NULL, (guint8 *) content, size, NULL);
  kind = caps ? gst_structure_get_name (gst_caps_get_structure (caps, 0)) : "of no known kind";
  if (!g_str_has_prefix (kind, "image/") || (source->kind && strcmp (kind, source->kind) != 0)) {
    rvm_source_fail (error, "%s is %s, expected %s", path, size ? kind : "empty", source->kind ? source->kind : "a picture");
    return NULL;
  }
  if (source->kind == NULL)
    source->kind = g_strdup (kind);
  return g_bytes_new_take (g_steal_pointer (&content), size);
}

static void
on_need_data (GstAppSrc *appsrc, guint length, gpointer data)
{
  RvmSource *source = data;
  const gboolean first = source->next == 0;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  GstBuffer *buffer;

  if (source->pictures && source->next < source->pictures->len) {
    bytes = read_picture (source, source->pictures->pdata[source->next], &error);
    if (error)
      GST_ELEMENT_ERROR (appsrc, RESOURCE, READ, ("%s", error->message), (NULL));
  } else if (source->packets && source->next < source->packets->len) {
    bytes = g_bytes_ref (g_array_index (source->packets, Packet, source->next).data);
    source->step = g_array_index (source->packets, Packet, source->next).duration;
  }
  if (bytes == NULL) {
    gst_app_src_end_of_stream (appsrc);
    return;
  }
  if (first && source->pictures) {
    g_autoptr (GstCaps) caps = gst_caps_new_simple (source->kind, "framerate", GST_TYPE_FRACTION, source->rate_n, source->rate_d, NULL);
    gst_app_src_set_caps (appsrc, caps);
  }
  buffer = gst_buffer_new_wrapped_bytes (bytes);
  GST_BUFFER_PTS (buffer) = source->time;
  GST_BUFFER_DURATION (buffer) = source->step;
  source->time += source->step;
  source->next++;
  gst_app_src_push_buffer (appsrc, buffer);
}

static GstElement *
add_appsrc (RvmSource *source, GError **error)
{
  GstAppSrcCallbacks callbacks = { .need_data = on_need_data };
  GstElement *appsrc = add (source, "appsrc", error);

  if (appsrc) {
    g_object_set (appsrc, "format", GST_FORMAT_TIME, NULL);
    gst_app_src_set_callbacks (GST_APP_SRC (appsrc), &callbacks, source, NULL);
  }
  return appsrc;
}

static guint
read_16 (const guint8 *data)
{
  return data[0] | data[1] << 8;
}

/* Past the blocks of data at @at, which an empty one ends; @size where they do not end. */
static gsize
skip_blocks (const guint8 *data, gsize size, gsize at)
{
  while (at < size && data[at])
    at += data[at] + 1;
  return MIN (at + 1, size);
}

static void
packet_clear (gpointer packet)
{
  g_bytes_unref (((Packet *) packet)->data);
}

/* The frames of a GIF, the header with the first. What is damaged ends it. */
static void
split_gif (RvmSource *source, GBytes *bytes)
{
  gsize size, begin = 0, at = 13;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  GstClockTime duration = 100 * GST_MSECOND;

  source->packets = g_array_new (FALSE, FALSE, sizeof (Packet));
  g_array_set_clear_func (source->packets, packet_clear);
  if (size > at && data[10] & 128)
    at += 3u << ((data[10] & 7) + 1);
  while (at + 10 < size && data[at] != 0x3b) {
    if (data[at] == 0x21) {
      if (data[at + 1] == 0xf9) {
        const guint delay = read_16 (data + at + 4);
        /* Browsers, too, show frames that ask for less than 0.02 s for 0.1 s. */
        duration = delay > 1 ? delay * 10 * GST_MSECOND : 100 * GST_MSECOND;
      }
      at = skip_blocks (data, size, at + 2);
    } else if (data[at] == 0x2c) {
      Packet packet = { .duration = duration };

      at = skip_blocks (data, size, at + 11 + (data[at + 9] & 128 ? 3u << ((data[at + 9] & 7) + 1) : 0));
      packet.data = g_bytes_new_from_bytes (bytes, begin, at - begin);
      g_array_append_val (source->packets, packet);
      begin = at;
    } else {
      break;
    }
  }
}

static gboolean
open_gif (RvmSource *source, GBytes *bytes, GError **error)
{
  GstElement *appsrc = add_appsrc (source, error), *decoder = appsrc ? add (source, "avdec_gif", error) : NULL;
  const guint8 *data = g_bytes_get_data (bytes, NULL);
  g_autoptr (GstCaps) caps = NULL;
  g_autoptr (GstPad) pad = NULL;

  if (decoder == NULL)
    return FALSE;
  caps = gst_caps_new_simple ("image/gst-libav-gif", "parsed", G_TYPE_BOOLEAN, TRUE, "width", G_TYPE_INT, read_16 (data + 6), "height", G_TYPE_INT,
      read_16 (data + 8), NULL);
  g_object_set (appsrc, "caps", caps, NULL);
  split_gif (source, bytes);
  if (source->packets->len == 0)
    return rvm_source_fail (error, "there is no picture in it");
  gst_element_link (appsrc, decoder);
  pad = gst_element_get_static_pad (decoder, "src");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_gif_frame, source, NULL);
  source->linked = TRUE;
  gst_pad_link (pad, source->sink);
  return TRUE;
}

/* The address of a file; its content, if it is a GIF. */
static char *
address_of (const char *video, GBytes **gif, GError **error)
{
  g_autofree char *path = NULL;
  g_autoptr (GMappedFile) map = NULL;
  GStatBuf info;

  if (strcmp (video, "-") == 0) {
    if (isatty (STDIN_FILENO)) {
      rvm_source_fail (error, "standard input is a terminal: give it a video, as in: cat video.webm | scenes -");
      return NULL;
    }
    return g_strdup ("fd://0");
  }
  if (strstr (video, "://") && !g_str_has_prefix (video, "file://"))
    return g_strdup (video);
  path = g_str_has_prefix (video, "file://") ? g_filename_from_uri (video, NULL, error) : g_canonicalize_filename (video, NULL);
  if (path == NULL)
    return NULL;
  if (g_stat (path, &info) != 0 || g_access (path, R_OK) != 0) {
    rvm_source_fail (error, "%s", g_strerror (errno));
    return NULL;
  }
  if (S_ISREG (info.st_mode)) {
    /* GStreamer may wait for ever for the type of an empty file. */
    if (info.st_size == 0) {
      rvm_source_fail (error, "the file is empty");
      return NULL;
    }
    map = g_mapped_file_new (path, FALSE, NULL);
    if (map && info.st_size > 13 && memcmp (g_mapped_file_get_contents (map), "GIF8", 4) == 0)
      *gif = g_mapped_file_get_bytes (map);
  }
  return g_filename_to_uri (path, NULL, error);
}

static gboolean
open_source (RvmSource *source, const char *video, GError **error)
{
  g_autoptr (GBytes) gif = NULL;
  g_autofree char *uri = NULL;
  GstElement *appsrc, *decoder;
  gboolean pictures;

  if (rvm_source_is_set (video)) {
    source->pictures = rvm_source_choose (video, &pictures, error);
    if (source->pictures == NULL || !(appsrc = add_appsrc (source, error)) || !(decoder = add_decoder (source, "decodebin", error)))
      return FALSE;
    source->step = gst_util_uint64_scale (GST_SECOND, source->rate_d, source->rate_n);
    return gst_element_link (appsrc, decoder);
  }
  uri = address_of (video, &gif, error);
  if (uri == NULL)
    return FALSE;
  if (gif)
    return open_gif (source, gif, error);
  decoder = add_decoder (source, "uridecodebin", error);
  if (decoder)
    g_object_set (decoder, "uri", uri, NULL);
  return decoder != NULL;
}

RvmSource *
rvm_source_new (GstBin *pipeline, const char *video, int rate_n, int rate_d, GstPad *sink, GError **error)
{
  g_autoptr (RvmSource) source = g_new0 (RvmSource, 1);

  g_mutex_init (&source->lock);
  source->pipeline = pipeline;
  source->rate_n = rate_n;
  source->rate_d = rate_d;
  source->sink = gst_object_ref (sink);
  if (!open_source (source, video, error)) {
    g_prefix_error (error, "%s: ", video);
    return NULL;
  }
  return g_steal_pointer (&source);
}

void
rvm_source_free (RvmSource *source)
{
  gst_object_unref (source->sink);
  g_clear_pointer (&source->pictures, g_ptr_array_unref);
  g_clear_pointer (&source->packets, g_array_unref);
  g_free (source->kind);
  g_mutex_clear (&source->lock);
  g_free (source);
}

guint64
rvm_source_get_frames (RvmSource *source)
{
  guint64 frames;

  g_mutex_lock (&source->lock);
  frames = source->frames;
  g_mutex_unlock (&source->lock);
  return frames;
}

GstClockTime
rvm_source_get_end (RvmSource *source)
{
  GstClockTime end;

  g_mutex_lock (&source->lock);
  end = source->end;
  g_mutex_unlock (&source->lock);
  return end;
}

gboolean
rvm_source_has_no_video (RvmSource *source)
{
  gboolean no_video;

  g_mutex_lock (&source->lock);
  no_video = source->no_video;
  g_mutex_unlock (&source->lock);
  return no_video;
}
