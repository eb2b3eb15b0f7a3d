/* scenes: finds scene changes and scenes that come again, from features that an appsink takes off the buffers.
 *
 *   pipelines/with-rvm build/pipelines/scenes VIDEO
 *
 * On its own, with gst-rvm installed:
 *   cc scenes.c -o scenes $(pkg-config --cflags --libs gst-rvm-1.0 gstreamer-app-1.0)
 *
 * A frame is described by the sums of its features over 4 x 4 regions, less the mean of them all. A scene ends where that turns away from the
 * frame before by more than a threshold. The model's memory then starts anew, so that a scene's mean does not depend on what was before
 * it, and equal scenes have equal ones. With the bundled model, 20 frames of each of DAVIS' 30 training sequences: the cosine is above 0.72
 * for all but one in 200 pairs of frames that follow each other, below it at 28 of the 29 borders; that of means of two halves of a
 * sequence is 0.96 in the median, of two sequences at most 0.954. */
#include <glib-unix.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <math.h>

#include <gstrvmmeta.h>

typedef struct {
  GstClockTime begin, end;
  double *sum; /* of the frames' descriptions */
} Scene;

typedef struct {
  double cut, alike; /* options */
  GstElement *encode;
  GMainLoop *loop;
  gboolean failed;

  /* streaming thread until the pipeline has stopped */
  GArray *scenes; /* Scene */
  guint n;             /* numbers of a description: REGIONS * REGIONS * the features' width */
  float *now, *last;   /* descriptions of this frame and the one before */
  guint64 last_number; /* frames since the reset at that frame */
} App;

enum { REGIONS = 4 }; /* along each side */

/* @patches: (rows, columns, dim). */
static void
describe (const GstRvmFeatureMeta *meta, const float *patches, float *description)
{
  const guint dim = meta->dim, count = meta->rows * meta->columns;
  g_autofree double *mean = g_new0 (double, dim);

  memset (description, 0, sizeof (float) * REGIONS * REGIONS * dim);
  for (guint p = 0; p < count; p++)
    for (guint d = 0; d < dim; d++)
      mean[d] += patches[(gsize) p * dim + d] / count;
  for (guint p = 0; p < count; p++) {
    const guint y = p / meta->columns * REGIONS / meta->rows, x = p % meta->columns * REGIONS / meta->columns;

    for (guint d = 0; d < dim; d++)
      description[(y * REGIONS + x) * dim + d] += patches[(gsize) p * dim + d] - mean[d];
  }
}

static double
cosine (const float *a, const float *b, guint n)
{
  double ab = 0, aa = 0, bb = 0;

  for (guint i = 0; i < n; i++) {
    ab += (double) a[i] * b[i];
    aa += (double) a[i] * a[i];
    bb += (double) b[i] * b[i];
  }
  return aa > 0 && bb > 0 ? ab / sqrt (aa * bb) : 0;
}

static void
clear_scene (gpointer scene)
{
  g_free (((Scene *) scene)->sum);
}

static void
begin_scene (App *app, GstClockTime time)
{
  Scene scene = { .begin = time, .end = time, .sum = g_new0 (double, app->n) };

  g_array_append_val (app->scenes, scene);
}

/* One frame. Runs before the next frame goes into the model, so a reset takes effect exactly there. */
static void
see_frame (App *app, const GstRvmFeatureMeta *meta, const float *patches, GstClockTime begin, GstClockTime end)
{
  const gboolean first = app->n == 0;
  Scene *scene;

  if (first) {
    app->n = REGIONS * REGIONS * meta->dim;
    app->now = g_new (float, app->n);
    app->last = g_new (float, app->n);
  }
  describe (meta, patches, app->now);
  if (first) {
    begin_scene (app, begin);
  } else if (meta->frames_since_reset == app->last_number + 1 && cosine (app->last, app->now, app->n) < 1 - app->cut) {
    begin_scene (app, begin);
    g_signal_emit_by_name (app->encode, "reset-state");
  }
  scene = &g_array_index (app->scenes, Scene, app->scenes->len - 1);
  scene->end = end;
  /* The first frame of a scene still remembers the one before. */
  if (app->scenes->len == 1 || scene->begin != begin)
    for (guint i = 0; i < app->n; i++)
      scene->sum[i] += app->now[i];
  memcpy (app->last, app->now, app->n * sizeof (float));
  app->last_number = meta->frames_since_reset;
}

static GstFlowReturn
new_sample (GstAppSink *sink, gpointer data)
{
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  GstBuffer *buffer = sample ? gst_sample_get_buffer (sample) : NULL;
  const GstRvmFeatureMeta *meta = buffer ? gst_rvm_buffer_get_feature_meta (buffer) : NULL;
  g_autoptr (GBytes) patches = meta ? gst_rvm_feature_meta_get_patches (meta) : NULL;

  if (patches)
    see_frame (data, meta, g_bytes_get_data (patches, NULL), GST_BUFFER_PTS (buffer),
        GST_BUFFER_PTS (buffer) + (GST_BUFFER_DURATION_IS_VALID (buffer) ? GST_BUFFER_DURATION (buffer) : 0));
  return GST_FLOW_OK;
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  App *app = data;
  g_autoptr (GError) error = NULL;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("scenes: %s\n", error->message);
    app->failed = TRUE;
  }
  if (app->failed || GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    g_main_loop_quit (app->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_interrupt (gpointer data)
{
  g_printerr ("scenes: interrupted; this is what was seen until now\n");
  g_main_loop_quit (((App *) data)->loop);
  return G_SOURCE_CONTINUE;
}

static void
print_scenes (const App *app)
{
  g_autofree float *means = g_new (float, (gsize) app->scenes->len * app->n + 1);

  for (guint i = 0; i < app->scenes->len; i++) {
    const Scene *scene = &g_array_index (app->scenes, Scene, i);
    float *mean = means + (gsize) i * app->n;
    double best = -1;
    guint like = 0;

    for (guint d = 0; d < app->n; d++)
      mean[d] = scene->sum[d]; /* a cosine does not mind the scale */
    for (guint k = 0; k < i; k++) {
      const double alike = cosine (mean, means + (gsize) k * app->n, app->n);
      if (alike > best) {
        best = alike;
        like = k;
      }
    }
    g_print ("scene %u  %.3f s to %.3f s", i + 1, scene->begin / 1e9, scene->end / 1e9);
    if (best >= app->alike)
      g_print ("  like scene %u (%.4f)", like + 1, best);
    g_print ("\n");
  }
}

static gboolean
run (App *app, const char *video, const char *model, int size, GError **error)
{
  g_autoptr (GstElement) pipeline = gst_parse_launch ("filesrc name=file ! decodebin ! videoconvert ! rvmencode name=encode warm-up=8"
      " ! appsink name=sink sync=false", error);
  g_autoptr (GstElement) file = NULL, sink = NULL;
  GstAppSinkCallbacks callbacks = { .new_sample = new_sample };
  guint watch, interrupt;

  if (pipeline == NULL)
    return FALSE;
  file = gst_bin_get_by_name (GST_BIN (pipeline), "file");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  app->encode = gst_bin_get_by_name (GST_BIN (pipeline), "encode");
  g_object_set (file, "location", video, NULL);
  g_object_set (app->encode, "size", size, NULL);
  if (model)
    g_object_set (app->encode, "model-file", model, NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, app, NULL);
  {
    g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
    watch = gst_bus_add_watch (bus, on_message, app);
  }
  interrupt = g_unix_signal_add (SIGINT, on_interrupt, app);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_main_loop_run (app->loop);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  g_source_remove (interrupt);
  g_source_remove (watch);
  gst_clear_object (&app->encode);
  return TRUE;
}

int
main (int argc, char **argv)
{
  App app = { .cut = 0.25, .alike = 0.97 };
  int size = 128, status = 1;
  g_autofree char *model = NULL;
  const GOptionEntry entries[] = {
    { "cut", 0, 0, G_OPTION_ARG_DOUBLE, &app.cut, "Cosine distance between frames that ends a scene (0.25)", "DISTANCE" },
    { "alike", 0, 0, G_OPTION_ARG_DOUBLE, &app.alike, "Cosine from which a scene counts as one seen before (0.97)", "COSINE" },
    { "size", 0, 0, G_OPTION_ARG_INT, &size, "Shorter side of the picture that the model sees (128)", "PIXELS" },
    { "model", 0, 0, G_OPTION_ARG_FILENAME, &model, "Other weights than the bundled ones", "FILE" },
    G_OPTION_ENTRY_NULL
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("VIDEO - scene changes, and scenes that come again");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2) {
    g_printerr ("scenes: %s\n", error ? error->message : "which VIDEO? (see --help)");
    return 2;
  }
  if (size < 0) {
    g_printerr ("scenes: --size is %i, expected 0 or more\n", size);
    return 2;
  }
  if (!g_file_test (argv[1], G_FILE_TEST_EXISTS)) {
    g_printerr ("scenes: no such file: %s\n", argv[1]);
    return 1;
  }
  app.loop = g_main_loop_new (NULL, FALSE);
  app.scenes = g_array_new (FALSE, FALSE, sizeof (Scene));
  g_array_set_clear_func (app.scenes, clear_scene);
  if (!run (&app, argv[1], model, size, &error)) {
    g_printerr ("scenes: %s\n", error->message);
  } else if (!app.failed) {
    print_scenes (&app);
    status = 0;
  }
  g_array_unref (app.scenes);
  g_main_loop_unref (app.loop);
  g_free (app.now);
  g_free (app.last);
  return status;
}
