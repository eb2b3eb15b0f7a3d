/* check_reader MODEL: what the trainer reads of a video is what rvmencode analyses of it, so that their features are the same bytes: of a telephone's
 * video (stored on its side, with a tag), of pixels that are not square, of fields, of a picture that is enlarged. And the trainer's bound on the
 * shorter side means the same as rvmencode's size. */
#include <glib/gstdio.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <string.h>

#include "gstrvmmeta.h"
#include "model/stream.h"
#include "video/reader.h"

enum { FRAMES = 3 };

typedef struct {
  const char *name, *elements, *caps;
  guint size;                     /* of rvmencode */
  guint width, height;            /* that it should analyse */
  guint orientation;              /* that it should find */
} Case;

/* jpegenc and raw video are exact enough to be decoded alike twice; sizes are whole patches of 16. */
static const Case cases[] = {
  { "plain.avi", "jpegenc ! avimux", "I420,width=96,height=64", 32, 48, 32, 0 },
  { "own-size.avi", "jpegenc ! avimux", "I420,width=96,height=64", 0, 96, 64, 0 },
  { "large.avi", "jpegenc ! avimux", "I420,width=48,height=32", 64, 96, 64, 0 },
  { "telephone.mov", "jpegenc ! qtmux", "I420,width=96,height=64", 32, 32, 48, 1 },
  { "upside-down.mov", "jpegenc ! qtmux", "I420,width=96,height=64", 32, 48, 32, 2 },
  { "narrow.mkv", "matroskamux", "I420,width=48,height=64,pixel-aspect-ratio=2/1", 32, 48, 32, 0 },
  { "telephone-wide.mov", "avenc_mpeg4 ! qtmux", "I420,width=64,height=64,pixel-aspect-ratio=1/2", 32, 64, 32, 3 },
  { "fields.mkv", "matroskamux", "I420,width=96,height=64,interlace-mode=interleaved", 32, 48, 32, 0 },
};

static gboolean
fail (GstElement *pipeline, const char *what)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;

  if (message)
    gst_message_parse_error (message, &error, NULL);
  g_printerr ("%s: %s\n", what, error ? error->message : "something is missing");
  return FALSE;
}

/* Gives a track of QuickTime the matrix that a telephone writes for a picture that is @orientation, which qtmux (1.22) does not. */
static gboolean
turn_track (const char *path, guint orientation)
{
  static const gint32 matrices[][4] = { { 1, 0, 0, 1 }, { 0, 1, -1, 0 }, { -1, 0, 0, -1 }, { 0, -1, 1, 0 } };
  g_autofree char *data = NULL;
  gsize size, at = 0;

  if (orientation == 0)
    return TRUE;
  if (!g_file_get_contents (path, &data, &size, NULL))
    return FALSE;
  while (at + 84 < size && memcmp (data + at, "tkhd", 4) != 0)
    at++;
  if (at + 84 >= size)
    return FALSE;
  /* Behind the name, version, times, number, duration, layer and volume: a, b, u, c, d, v, x, y, w, with 16 bits behind the point. */
  for (guint i = 0; i < 4; i++) {
    const guint32 value = GUINT32_TO_BE ((guint32) (matrices[orientation][i] * 65536));
    memcpy (data + at + 44 + 4 * (i < 2 ? i : i + 1), &value, 4);
  }
  return g_file_set_contents (path, data, size, NULL);
}

static gboolean
make_video (const Case *video, const char *path)
{
  g_autofree char *launch = g_strdup_printf ("videotestsrc num-buffers=%d pattern=pinwheel horizontal-speed=5 ! video/x-raw,framerate=25/1,format=%s ! %s"
      " ! filesink name=file", FRAMES, video->caps, video->elements);
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, NULL), file = pipeline ? gst_bin_get_by_name (GST_BIN (pipeline), "file") : NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;
  gboolean good;

  if (file == NULL)
    return FALSE;
  g_object_set (file, "location", path, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  bus = gst_element_get_bus (pipeline);
  message = gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  good = message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return good && turn_track (path, video->orientation);
}

/* The features that rvmencode finds, a GBytes for each frame. */
static GPtrArray *
run_plugin (const Case *video, const char *path, const char *model)
{
  g_autofree char *launch = g_strdup_printf ("filesrc name=file ! decodebin ! rvmencode name=encode size=%u ! appsink name=sink sync=false", video->size);
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, NULL);
  g_autoptr (GPtrArray) features = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (GstElement) file = NULL, encode = NULL, sink = NULL;
  GstSample *sample;
  gboolean good = TRUE;

  if (pipeline == NULL)
    return NULL;
  file = gst_bin_get_by_name (GST_BIN (pipeline), "file");
  encode = gst_bin_get_by_name (GST_BIN (pipeline), "encode");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_object_set (file, "location", path, NULL);
  g_object_set (encode, "model-file", model, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while ((sample = gst_app_sink_pull_sample (GST_APP_SINK (sink)))) {
    const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (gst_sample_get_buffer (sample));

    if (meta == NULL || meta->analysis_width != video->width || meta->analysis_height != video->height
        || meta->orientation != video->orientation) {
      if (meta)
        g_printerr ("%s: rvmencode analyses %u x %u, orientation %u\n", video->name, meta->analysis_width, meta->analysis_height, meta->orientation);
      good = FALSE;
    } else {
      g_ptr_array_add (features, gst_rvm_feature_meta_get_data (meta));
    }
    gst_sample_unref (sample);
  }
  good = good && features->len >= FRAMES - 1; /* MPEG-4's last frame may not be shown */
  if (!good)
    fail (pipeline, video->name);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return good ? g_steal_pointer (&features) : NULL;
}

/* Whether the frames of @reader have these features. */
static gboolean
compare (const Case *video, RvmReader *reader, RvmModel *model, const GPtrArray *expected, GError **error)
{
  g_autoptr (RvmStream) stream = rvm_stream_new (model, video->width, video->height, 0, error);
  g_autofree float *features = NULL;
  const guint8 *pixels;
  gsize size;
  guint n = 0;

  if (stream == NULL || reader == NULL)
    return FALSE;
  if (rvm_reader_get_width (reader) != video->width || rvm_reader_get_height (reader) != video->height) {
    g_printerr ("%s: the trainer reads %u x %u\n", video->name, rvm_reader_get_width (reader), rvm_reader_get_height (reader));
    return FALSE;
  }
  size = (gsize) rvm_stream_get_tokens (stream) * rvm_stream_get_dim (stream) * sizeof (float);
  features = g_malloc (size);
  for (; (pixels = rvm_reader_next (reader, NULL, error)); n++) {
    if (!rvm_stream_push (stream, pixels, video->width * 3, 1, features, NULL, error))
      return FALSE;
    if (n >= expected->len || g_bytes_get_size (expected->pdata[n]) != size || memcmp (g_bytes_get_data (expected->pdata[n], NULL), features, size) != 0) {
      g_printerr ("%s: frame %u has other features\n", video->name, n);
      return FALSE;
    }
  }
  return n == expected->len;
}

static gboolean
check (const Case *video, const char *folder, const char *model_file, RvmModel *model, GError **error)
{
  g_autofree char *path = g_build_filename (folder, video->name, NULL);
  g_autoptr (GPtrArray) expected = make_video (video, path) ? run_plugin (video, path, model_file) : NULL;
  g_autoptr (RvmReader) stretched = expected ? rvm_reader_new_stretched (path, RVM_READER_RGB, video->width, video->height, error) : NULL;
  g_autoptr (RvmReader) bounded = NULL;
  gboolean good = stretched && compare (video, stretched, model, expected, error);

  /* The trainer never enlarges. */
  if (good && !g_str_has_prefix (video->name, "large")) {
    bounded = rvm_reader_new (path, RVM_READER_RGB, video->size, error);
    good = compare (video, bounded, model, expected, error);
  }
  g_unlink (path);
  g_print ("%s: %s\n", video->name, good ? "as rvmencode analyses it" : "differs");
  return good;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = NULL;
  g_autoptr (RvmModel) model = NULL;
  gboolean good;

  if (argc != 2)
    return 2;
  gst_init (NULL, NULL);
  folder = g_dir_make_tmp ("rvm-reader-XXXXXX", &error);
  model = folder ? rvm_model_load (argv[1], &(RvmModelOptions){ 0 }, &error) : NULL;
  good = model != NULL;
  for (guint i = 0; model && i < G_N_ELEMENTS (cases); i++) {
    good = check (&cases[i], folder, argv[1], model, &error) && good;
    if (error)
      g_printerr ("%s\n", error->message);
    g_clear_error (&error);
  }
  if (folder)
    g_rmdir (folder);
  return !good;
}
