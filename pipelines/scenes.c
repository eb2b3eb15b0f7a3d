/* scenes: finds scene changes and scenes that come again, from class tokens that an appsink takes off the buffers.
 *
 *   pipelines/with-rvm build/pipelines/scenes VIDEO
 *
 * On its own, with gst-rvm installed:
 *   cc scenes.c -o scenes $(pkg-config --cflags --libs gst-rvm-1.0 gstreamer-app-1.0)
 *
 * A scene ends where the class token turns away from the one before by more than a threshold. The model's memory then starts anew, so
 * that a scene's mean token does not depend on what was before it, and equal scenes have equal ones. */
#include <glib-unix.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <math.h>

#include <gstrvmmeta.h>

typedef struct {
  GstClockTime begin, end;
  double *sum; /* of the class tokens */
} Scene;

typedef struct {
  double cut, alike; /* options */
  GstElement *encode;
  GMainLoop *loop;
  gboolean failed;

  /* streaming thread until the pipeline has stopped */
  GArray *scenes; /* Scene */
  guint dim;
  float *last;         /* class token of the frame before */
  guint64 last_number; /* frames since the reset at that frame */
} App;

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
  Scene scene = { .begin = time, .end = time, .sum = g_new0 (double, app->dim) };

  g_array_append_val (app->scenes, scene);
}

/* One frame. Runs before the next frame goes into the model, so a reset takes effect exactly there. */
static void
see_frame (App *app, const GstRvmFeatureMeta *meta, const float *token, GstClockTime begin, GstClockTime end)
{
  Scene *scene;

  if (app->dim == 0) {
    app->dim = meta->dim;
    app->last = g_new (float, app->dim);
    begin_scene (app, begin);
  } else if (meta->frames_since_reset == app->last_number + 1 && cosine (app->last, token, app->dim) < 1 - app->cut) {
    begin_scene (app, begin);
    g_signal_emit_by_name (app->encode, "reset-state");
  }
  scene = &g_array_index (app->scenes, Scene, app->scenes->len - 1);
  scene->end = end;
  /* The first frame of a scene still remembers the one before. */
  if (app->scenes->len == 1 || scene->begin != begin)
    for (guint i = 0; i < app->dim; i++)
      scene->sum[i] += token[i];
  memcpy (app->last, token, app->dim * sizeof (float));
  app->last_number = meta->frames_since_reset;
}

static GstFlowReturn
new_sample (GstAppSink *sink, gpointer data)
{
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  GstBuffer *buffer = sample ? gst_sample_get_buffer (sample) : NULL;
  const GstRvmFeatureMeta *meta = buffer ? gst_rvm_buffer_get_feature_meta (buffer) : NULL;
  g_autoptr (GBytes) token = meta ? gst_rvm_feature_meta_get_class_token (meta) : NULL;

  if (token)
    see_frame (data, meta, g_bytes_get_data (token, NULL), GST_BUFFER_PTS (buffer),
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
  g_autofree float *means = g_new (float, (gsize) app->scenes->len * app->dim + 1);

  for (guint i = 0; i < app->scenes->len; i++) {
    const Scene *scene = &g_array_index (app->scenes, Scene, i);
    float *mean = means + (gsize) i * app->dim;
    double best = -1;
    guint like = 0;

    for (guint d = 0; d < app->dim; d++)
      mean[d] = scene->sum[d]; /* a cosine does not mind the scale */
    for (guint k = 0; k < i; k++) {
      const double alike = cosine (mean, means + (gsize) k * app->dim, app->dim);
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
  App app = { .cut = 0.1, .alike = 0.97 };
  int size = 128, status = 1;
  g_autofree char *model = NULL;
  const GOptionEntry entries[] = {
    { "cut", 0, 0, G_OPTION_ARG_DOUBLE, &app.cut, "Cosine distance between frames that ends a scene (0.1)", "DISTANCE" },
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
  g_free (app.last);
  return status;
}
