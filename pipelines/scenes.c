/* scenes: finds scene changes and scenes that come again, from features that an appsink takes off the buffers.
 *
 *   pipelines/with-rvm build/pipelines/scenes VIDEO
 *
 * On its own, with gst-rvm installed:
 *   cc scenes.c source*.c -o scenes $(pkg-config --cflags --libs gst-rvm-1.0 gstreamer-app-1.0) -lm
 *
 * A frame is described by the sums of its features over 4 x 4 regions, less the mean of them all. A scene ends where that turns away from the
 * frame before by more than a threshold. The model's memory is then reset, so that a scene's mean does not depend on what was before
 * it, and equal scenes have equal ones. With the bundled model, 20 frames of each of DAVIS' 30 training sequences: the cosine is at least 0.89
 * for frames that follow each other, at most 0.69 at 28 of the 29 borders; that of means of two halves of a sequence is 0.94 in the median, of two
 * sequences at most 0.90. */
#include <glib-unix.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <math.h>
#include <stdio.h>

#include <gstrvmmeta.h>

#include "source.h"

typedef struct {
  GstClockTime begin, end;
  double *sum; /* of the frames' descriptions */
} Scene;

typedef struct {
  double cut, alike; /* options */
  int size, timeout;
  int rate_n, rate_d;
  char *model;
  GMainLoop *loop;
  gboolean interrupted;

  /* of the video that runs */
  const char *video;
  GstElement *pipeline, *encode;
  RvmSource *source;
  char *missing; /* a decoder that is not installed */
  gboolean failed;
  guint64 seen;   /* frames, at the last tick */
  int idle, ticks; /* seconds */
  gint analysed;  /* atomic */

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

  g_atomic_int_inc (&((App *) data)->analysed);
  if (patches)
    see_frame (data, meta, g_bytes_get_data (patches, NULL), GST_BUFFER_PTS (buffer),
        GST_BUFFER_PTS (buffer) + (GST_BUFFER_DURATION_IS_VALID (buffer) ? GST_BUFFER_DURATION (buffer) : 0));
  return GST_FLOW_OK;
}

/* Ends the run of this video. */
static void
give_up (App *app, const char *why)
{
  if (!app->failed)
    g_printerr ("scenes: %s: %s\n", app->video, why);
  app->failed = TRUE;
  g_main_loop_quit (app->loop);
}

/* No @what in it. */
static void
give_up_empty (App *app, const char *what)
{
  if (!app->failed)
    g_printerr ("scenes: no %s in %s\n", what, app->video);
  app->failed = TRUE;
  g_main_loop_quit (app->loop);
}

static void
give_up_without_video (App *app)
{
  g_autofree char *text = app->missing ? g_strdup_printf ("there is no %s here", app->missing) : NULL;

  if (text)
    give_up (app, text);
  else
    give_up_empty (app, "video");
}

static void
on_error (App *app, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *debug = NULL;

  gst_message_parse_error (message, &error, &debug);
  if (rvm_source_get_frames (app->source) == 0 && (app->missing || (debug && strstr (debug, "not-linked"))))
    give_up_without_video (app);
  else
    give_up (app, error->message);
}

/* A file whose streams all end before the duration that it says it has was cut short. */
static void
check_length (App *app)
{
  const GstClockTime end = rvm_source_get_end (app->source);
  gint64 duration;

  if (end > 0 && gst_element_query_duration (app->pipeline, GST_FORMAT_TIME, &duration) && duration > (gint64) (end + GST_SECOND / 2))
    g_printerr ("scenes: warning: %s ended after %" G_GUINT64_FORMAT " frames (%.1f s) but should last %.1f s: it seems to be cut short\n", app->video,
        rvm_source_get_frames (app->source), end / 1e9, duration / 1e9);
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  App *app = data;
  const GstStructure *structure = gst_message_get_structure (message);

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    on_error (app, message);
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS) {
    if (rvm_source_get_frames (app->source) == 0)
      give_up_empty (app, "picture");
    else
      check_length (app);
    g_main_loop_quit (app->loop);
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ELEMENT && structure && gst_structure_has_name (structure, "missing-plugin")) {
    g_free (app->missing);
    app->missing = g_strdup (gst_structure_get_string (structure, "name"));
  }
  return G_SOURCE_CONTINUE;
}

/* Every second: says how far it is, and gives up a video from which nothing comes while the model waits. */
static gboolean
on_tick (gpointer data)
{
  App *app = data;
  const guint64 frames = rvm_source_get_frames (app->source);
  const gboolean waits = (guint64) g_atomic_int_get (&app->analysed) >= frames;

  app->idle = frames == app->seen && waits ? app->idle + 1 : 0;
  app->seen = frames;
  if (++app->ticks % 10 == 0)
    g_printerr ("scenes: %s: %" G_GUINT64_FORMAT " frames\n", app->video, frames);
  if (rvm_source_has_no_video (app->source)) {
    give_up_without_video (app);
  } else if (app->timeout > 0 && app->idle >= app->timeout) {
    g_autofree char *text = g_strdup_printf ("no picture for %i s", app->timeout);
    give_up (app, text);
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
on_interrupt (gpointer data)
{
  App *app = data;

  g_printerr ("scenes: interrupted; this is what was seen until now\n");
  app->interrupted = TRUE;
  g_main_loop_quit (app->loop);
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

/* Plays app->video to its end. */
static gboolean
play (App *app, GError **error)
{
  g_autoptr (GstElement) pipeline = gst_parse_launch ("videoconvert name=first ! rvmencode name=encode warm-up=8 ! appsink name=sink sync=false", error);
  g_autoptr (GstElement) first = NULL, sink = NULL, encode = NULL;
  g_autoptr (GstPad) pad = NULL;
  GstAppSinkCallbacks callbacks = { .new_sample = new_sample };
  guint watch, interrupt, tick;

  if (pipeline == NULL)
    return FALSE;
  first = gst_bin_get_by_name (GST_BIN (pipeline), "first");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  encode = gst_bin_get_by_name (GST_BIN (pipeline), "encode");
  pad = gst_element_get_static_pad (first, "sink");
  app->source = rvm_source_new (GST_BIN (pipeline), app->video, app->rate_n, app->rate_d, pad, error);
  if (app->source == NULL)
    return FALSE;
  app->pipeline = pipeline;
  app->encode = encode;
  g_object_set (encode, "size", app->size, NULL);
  if (app->model)
    g_object_set (encode, "model-file", app->model, NULL);
  gst_app_sink_set_callbacks (GST_APP_SINK (sink), &callbacks, app, NULL);
  {
    g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
    watch = gst_bus_add_watch (bus, on_message, app);
  }
  interrupt = g_unix_signal_add (SIGINT, on_interrupt, app);
  tick = g_timeout_add_seconds (1, on_tick, app);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_main_loop_run (app->loop);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  g_source_remove (tick);
  g_source_remove (interrupt);
  g_source_remove (watch);
  g_clear_pointer (&app->source, rvm_source_free);
  return !app->failed;
}

/* The scenes of one video. */
static gboolean
run (App *app, const char *video)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;

  app->video = video;
  app->failed = FALSE;
  app->n = app->seen = app->last_number = 0;
  app->idle = app->ticks = app->analysed = 0;
  app->scenes = g_array_new (FALSE, FALSE, sizeof (Scene));
  g_array_set_clear_func (app->scenes, clear_scene);
  ok = play (app, &error);
  if (error)
    g_printerr ("scenes: %s\n", error->message);
  if (ok)
    print_scenes (app);
  g_array_unref (app->scenes);
  g_clear_pointer (&app->now, g_free);
  g_clear_pointer (&app->last, g_free);
  g_clear_pointer (&app->missing, g_free);
  return ok;
}

/* The exit status: how many of the videos failed. */
static int
run_all (App *app, char **videos)
{
  const guint count = g_strv_length (videos);
  int failed = 0;

  for (guint i = 0; i < count && !app->interrupted; i++) {
    if (count > 1)
      g_print ("%s%s\n", i ? "\n" : "", videos[i]);
    failed += !run (app, videos[i]);
  }
  if (count > 1 && failed)
    g_printerr ("scenes: %i of %u videos failed\n", failed, count);
  return MIN (failed, 100);
}

/* GLib's own would put question marks for letters that the locale lacks, and no locale is set here. */
static void
print_out (const char *text)
{
  fputs (text, stdout);
  fflush (stdout);
}

static void
print_error (const char *text)
{
  fputs (text, stderr);
}

/* Frames a second: 25, 29.97 or 30000/1001. */
static gboolean
parse_rate (App *app, const char *text)
{
  double rate;
  char *end;

  app->rate_d = 1;
  if (sscanf (text, "%d/%d", &app->rate_n, &app->rate_d) == 2)
    return app->rate_n > 0 && app->rate_d > 0;
  rate = g_ascii_strtod (text, &end);
  gst_util_double_to_fraction (rate, &app->rate_n, &app->rate_d);
  return end != text && *end == '\0' && app->rate_n > 0 && app->rate_d > 0;
}

int
main (int argc, char **argv)
{
  App app = { .cut = 0.25, .alike = 0.92, .size = 128, .timeout = 30, .rate_n = 25, .rate_d = 1 };
  int status = 1;
  g_autofree char *rate = NULL;
  g_auto (GStrv) videos = NULL;
  const GOptionEntry entries[] = {
    { "cut", 0, 0, G_OPTION_ARG_DOUBLE, &app.cut, "Cosine distance between frames that ends a scene (0.25)", "DISTANCE" },
    { "alike", 0, 0, G_OPTION_ARG_DOUBLE, &app.alike, "Cosine from which a scene counts as one seen before (0.92)", "COSINE" },
    { "size", 0, 0, G_OPTION_ARG_INT, &app.size, "Shorter side of the picture that the model sees (128)", "PIXELS" },
    { "model", 0, 0, G_OPTION_ARG_FILENAME, &app.model, "Other weights than the bundled ones", "FILE" },
    { "rate", 0, 0, G_OPTION_ARG_STRING, &rate, "Frames a second of a video that is pictures (25)", "RATE" },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &app.timeout, "Give a video up after that long without a picture (30; 0: never)", "SECONDS" },
    G_OPTION_ENTRY_NULL
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("VIDEO - scene changes, and scenes that come again");
  g_autoptr (GError) error = NULL;

  g_set_print_handler (print_out);
  g_set_printerr_handler (print_error);
  g_option_context_set_summary (context, "VIDEO is a file, an address, - for standard input, pictures in order (frame_%05d.png, 'frames/*.png' or their\n"
      "folder), or a folder of videos, whose scenes are printed one video after the other.");
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2) {
    g_printerr ("scenes: %s\n", error ? error->message : "which VIDEO? (see --help)");
    return 2;
  }
  if (app.size < 0 || app.timeout < 0 || (rate && !parse_rate (&app, rate))) {
    g_printerr (app.size < 0 || app.timeout < 0 ? "scenes: --size and --timeout are 0 or more\n" : "scenes: --rate is frames a second, such as 25 or 30000/1001\n");
    return 2;
  }
  app.loop = g_main_loop_new (NULL, FALSE);
  videos = rvm_source_find (argv[1], &error);
  if (videos)
    status = run_all (&app, videos);
  else
    g_printerr ("scenes: %s\n", error->message);
  g_main_loop_unref (app.loop);
  g_free (app.model);
  return status;
}
