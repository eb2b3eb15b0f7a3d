/* faults_plugin [--every N] [--gemm NAME] WEIGHTS: a pipeline of rvmencode and rvmtrack on a few frames, each of its OpenCL calls failing in
 * turn. The pipeline must post an error and stop; its result is a hash of the features and the tracks. Programs come from a cache, and once from
 * the compiler. */
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "gstrvmmeta.h"
#include "gstrvmtrackmeta.h"

typedef struct {
  const char *weights, *gemm, *cache;
  char *folder;
} Job;

static guint64
mix (guint64 hash, gconstpointer data, gsize size)
{
  const guint8 *bytes = data;

  for (gsize i = 0; i < size; i++)
    hash = (hash ^ bytes[i]) * 1099511628211u; /* FNV-1a */
  return hash;
}

/* What is in the frames until the end of the stream or the first error. */
static guint64
collect (GstElement *pipeline, GError **error)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  guint64 hash = 14695981039346656037u;
  GstSample *sample;

  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, error, NULL);
    return 0;
  }
  while ((sample = gst_app_sink_try_pull_sample (GST_APP_SINK (sink), 0)) != NULL) {
    GstBuffer *buffer = gst_sample_get_buffer (sample);
    const GstRvmFeatureMeta *features = gst_rvm_buffer_get_feature_meta (buffer);
    const GstRvmTrackMeta *tracks = gst_rvm_buffer_get_track_meta (buffer);
    gsize size = 0;
    gconstpointer values = features ? g_bytes_get_data (features->data, &size) : NULL;

    hash = mix (hash, values, size);
    for (guint i = 0; tracks && i < tracks->n_tracks; i++)
      hash = mix (hash, &tracks->tracks[i].x, 2 * sizeof (double));
    gst_sample_unref (sample);
  }
  return hash;
}

static guint64
run_pipeline (gpointer user_data, GError **error)
{
  const Job *job = user_data;
  g_autofree char *launch = g_strdup_printf (
      "videotestsrc num-buffers=3 ! video/x-raw,format=RGB,width=64,height=48 ! "
      "rvmencode model-file=\"%s\" gemm=%s cache-dir=\"%s\" ! rvmtrack points=20,20 boxes=8,8,24,16 ! "
      "appsink name=sink sync=false wait-on-eos=false",
      job->weights, job->gemm, job->cache);
  g_autoptr (GstElement) pipeline = gst_parse_launch_full (launch, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  guint64 hash;

  if (pipeline == NULL)
    return 0;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  hash = collect (pipeline, error);
  cl_faults_close ();
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return hash;
}

int
main (int argc, char **argv)
{
  g_autofree char *gemm = NULL, *cache = g_dir_make_tmp ("faults-XXXXXX", NULL);
  gint every = 1;
  gboolean compiler = FALSE;
  const GOptionEntry entries[] = {
    { "every", 0, 0, G_OPTION_ARG_INT, &every, "fail every N-th call (1); 0: of each place in the program that calls, the first and the last", "N" },
    { "gemm", 0, 0, G_OPTION_ARG_STRING, &gemm, "auto, native or clblast", "NAME" },
    { "compiler", 0, 0, G_OPTION_ARG_NONE, &compiler, "also without the cache of programs: the compiler's calls", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("WEIGHTS - fail every OpenCL call of a pipeline");
  g_autoptr (GError) error = NULL;
  Job job = { 0 };
  guint faults;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2 || every < 0) {
    g_printerr ("faults_plugin: %s\n", error ? error->message : "expected WEIGHTS");
    return 2;
  }
  job = (Job){ .weights = argv[1], .gemm = gemm ? gemm : "auto", .cache = cache };
  faults = faults_run ("pipeline", run_pipeline, &job, every);
  if (compiler) {
    job.cache = "";
    faults += faults_run_kinds ("pipeline without cache", run_pipeline, &job,
        (const char *const[]){ "clBuildProgram", "clCreateProgramWithSource", NULL });
  }
  return faults ? EXIT_FAILURE : EXIT_SUCCESS;
}
