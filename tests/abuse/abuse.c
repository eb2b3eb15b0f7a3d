/* abuse [--seed N] [--actions N] [--seconds S] [--pipelines N] [--hang S] WEIGHTS...: pipelines of all elements on the same weights, to which random things
 * are done in random order: seeks, flushes, changes of caps, of state, of properties, of the model, resets, states saved and loaded, tracks
 * added and removed, events. The order follows from the seed, which is printed.
 *
 * What must hold: no crash, no warning of GLib or GStreamer, no hang (when nothing moves for two minutes the process ends with what was done last), the
 * metadata of every buffer whole and finite, and whenever all pipelines are gone, no file descriptor and no thread more than when the first ones
 * were, and little more of the heap in use. Error messages are allowed, many actions ask for them; the pipeline then starts again. */
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "gstrvmmeta.h"
#include "gstrvmtrackmeta.h"

#define MOST_PIPELINES 8
#define GENERATION 400 /* actions between two times that everything is taken down */
#define MOST_GROWTH 12288 /* kB of the heap: what drivers and GStreamer take for kinds of action not met before */

static gint64 progress; /* time of the last, atomic */
static gint buffers;
static gint started;
static gint hang = 120; /* seconds */

static void
note_progress (void)
{
  __atomic_store_n (&progress, g_get_monotonic_time (), __ATOMIC_RELAXED);
}

static gpointer
watch (gpointer data)
{
  for (;;) {
    g_usleep (G_USEC_PER_SEC);
    if (g_get_monotonic_time () - __atomic_load_n (&progress, __ATOMIC_RELAXED) > hang * (gint64) G_USEC_PER_SEC) {
      g_printerr ("abuse: nothing has moved for %d seconds\n", hang);
      actions_print_last ();
      abort ();
    }
  }
  return NULL;
}

/* Warnings of libraries are faults here. */
static void
on_log (const char *domain, GLogLevelFlags level, const char *message, gpointer user_data)
{
  g_printerr ("%s: %s\n", domain ? domain : "?", message);
  if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)) {
    actions_print_last ();
    abort ();
  }
}

static void
require (gboolean good, const char *what)
{
  if (good)
    return;
  g_printerr ("abuse: %s\n", what);
  actions_print_last ();
  abort ();
}

static void
check_features (const GstRvmFeatureMeta *meta)
{
  gsize size, n = 0;
  const float *values = g_bytes_get_data (meta->data, &size);

  if (meta->parts & GST_RVM_FEATURE_CLASS)
    n += 1;
  if (meta->parts & GST_RVM_FEATURE_PATCHES)
    n += (gsize) meta->rows * meta->columns;
  require (size == n * meta->dim * sizeof (float), "features have the wrong size");
  for (gsize i = 0; i < size / sizeof (float); i++)
    require (isfinite (values[i]), "features are not finite");
  require (meta->generation > 0 && meta->frames_since_reset > 0, "features without origin");
}

static void
check_tracks (const GstRvmTrackMeta *meta)
{
  for (guint i = 0; i < meta->n_tracks; i++) {
    const GstRvmTrack *track = &meta->tracks[i];

    require (track->id > 0 && isfinite (track->x + track->y + track->width + track->height), "a track is not whole");
    require (track->confidence >= 0 && track->confidence <= 1.001, "a track's confidence is not between 0 and 1");
  }
}

static void
on_buffer (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user_data)
{
  const GstRvmFeatureMeta *features = gst_rvm_buffer_get_feature_meta (buffer);
  const GstRvmTrackMeta *tracks = gst_rvm_buffer_get_track_meta (buffer);

  if (features)
    check_features (features);
  if (tracks)
    check_tracks (tracks);
  g_atomic_int_inc (&buffers);
  note_progress ();
}

static GstElement *
make_pipeline (const char *weights, guint index)
{
  g_autofree char *launch = g_strdup_printf (
      "videotestsrc name=source pattern=%u num-buffers=200 ! "
      "capsfilter name=caps caps=video/x-raw,format=RGB,width=64,height=48,framerate=25/1 ! "
      "rvmencode name=encode model-file=\"%s\" ! queue max-size-buffers=4 ! rvmtrack name=track ! "
      "rvmoverlay name=overlay ! rvmexport name=export location=/dev/null ! fakesink name=sink sync=false signal-handoffs=true",
      index ? 18 : 0, weights);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch_full (launch, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  g_autoptr (GstElement) sink = NULL;

  if (pipeline == NULL)
    g_error ("%s", error->message);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_signal_connect (sink, "handoff", G_CALLBACK (on_buffer), NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_atomic_int_inc (&started);
  return pipeline;
}

static guint
count_files (const char *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  guint count = 0;

  while (folder && g_dir_read_name (folder))
    count++;
  return count;
}

/* Threads of a pool go a while after their last task, so an end is waited for. */
static gboolean
settles_at (const char *path, guint most)
{
  for (guint i = 0; i < 200; i++) {
    if (count_files (path) <= most)
      return TRUE;
    g_usleep (50000);
    note_progress ();
  }
  return FALSE;
}

typedef struct {
  guint64 in_use, resident; /* kB */
} Memory;

/* What of the heap is in use, and what is resident when what free() got back has been given to the system, as far as malloc can. @in_use is 0
 * where the C library does not tell. */
static Memory
measure_memory (void)
{
  g_autofree char *text = NULL;
  Memory memory = { 0 };
  const char *line;
#ifdef HAVE_MALLINFO2
  struct mallinfo2 info;

  malloc_trim (0);
  info = mallinfo2 ();
  memory.in_use = (info.uordblks + info.hblkhd) / 1024;
#endif
  if (g_file_get_contents ("/proc/self/status", &text, NULL, NULL) && (line = strstr (text, "VmRSS:")) != NULL)
    memory.resident = g_ascii_strtoull (line + strlen ("VmRSS:"), NULL, 10);
  return memory;
}

/* Everything up, @actions done to it or until @deadline, everything down. */
static guint
run_generation (Abuse *abuse, guint n_pipelines, guint actions, gint64 deadline)
{
  GstElement *pipelines[MOST_PIPELINES];
  guint done = 0;

  for (guint i = 0; i < n_pipelines; i++)
    pipelines[i] = make_pipeline (abuse->weights[0], i);
  for (; done < actions && g_get_monotonic_time () < deadline; done++) {
    actions_do_one (abuse, pipelines[g_rand_int_range (abuse->rand, 0, n_pipelines)]);
    note_progress ();
  }
  for (guint i = 0; i < n_pipelines; i++) {
    gst_element_set_state (pipelines[i], GST_STATE_NULL);
    gst_object_unref (pipelines[i]);
    note_progress ();
  }
  return done;
}

int
main (int argc, char **argv)
{
  gint64 seed = g_get_real_time () & G_MAXUINT32;
  gint actions = G_MAXINT, seconds = 3600, n_pipelines = 2;
  const GOptionEntry entries[] = {
    { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of the random order (the time)", "N" },
    { "actions", 0, 0, G_OPTION_ARG_INT, &actions, "stop after N", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "stop after S seconds (3600)", "S" },
    { "hang", 0, 0, G_OPTION_ARG_INT, &hang, "seconds without progress that are a hang (120)", "S" },
    { "pipelines", 0, 0, G_OPTION_ARG_INT, &n_pipelines, "at the same time, 1 to 8 (2)", "N" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("WEIGHTS [WEIGHTS...] - do random things to pipelines");
  g_autoptr (GError) error = NULL;
  guint done = 0, files = 0, threads = 0, most_files = 0;
  Memory first = { 0 }, last = { 0 };
  gint64 deadline;
  Abuse abuse = { 0 };

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc < 2 || n_pipelines < 1 || n_pipelines > MOST_PIPELINES) {
    g_printerr ("abuse: %s\n", error ? error->message : "expected WEIGHTS");
    return 2;
  }
  g_print ("seed %" G_GINT64_FORMAT "\n", seed);
  g_log_set_default_handler (on_log, NULL);
  deadline = g_get_monotonic_time () + (gint64) seconds * G_USEC_PER_SEC;
  abuse = (Abuse){ .rand = g_rand_new_with_seed (seed), .weights = (const char *const *) argv + 1, .n_weights = argc - 1 };
  abuse.folder = g_dir_make_tmp ("abuse-XXXXXX", NULL);
  actions_prepare (&abuse);
  note_progress ();
  g_thread_unref (g_thread_new ("watch", watch, NULL));

  for (guint i = 0; done < (guint) actions && g_get_monotonic_time () < deadline; i++) {
    done += run_generation (&abuse, n_pipelines, i ? MIN (GENERATION, (guint) actions - done) : MIN (20, (guint) actions), deadline);
    /* The first time, drivers and pools have taken what they keep. */
    if (i == 0) {
      files = count_files ("/proc/self/fd");
      threads = count_files ("/proc/self/task");
      first = last = measure_memory ();
      continue;
    }
    most_files = MAX (most_files, count_files ("/proc/self/fd"));
    require (settles_at ("/proc/self/fd", files), "file descriptors are left open");
    require (settles_at ("/proc/self/task", threads + 4), "threads are left");
    last = measure_memory ();
    g_print ("%u actions, everything down: %" G_GUINT64_FORMAT " kB of the heap in use, %" G_GUINT64_FORMAT " kB resident\n", done, last.in_use,
        last.resident);
    require (last.in_use <= first.in_use + MOST_GROWTH, "memory is kept");
  }
  actions_print_counts ();
  g_print ("%u actions, %d pipelines started, %d buffers, %u errors posted; file descriptors %u, at most %u; in use %" G_GUINT64_FORMAT
      " kB after the first pipelines, %" G_GUINT64_FORMAT " kB at the end; resident %" G_GUINT64_FORMAT " kB and %" G_GUINT64_FORMAT " kB\n",
      done, g_atomic_int_get (&started), g_atomic_int_get (&buffers), abuse.errors, files, most_files, first.in_use, last.in_use, first.resident,
      last.resident);
  require (g_atomic_int_get (&buffers) > 0, "no buffer arrived at all");
  actions_clear (&abuse);
  return EXIT_SUCCESS;
}
