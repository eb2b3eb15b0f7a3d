/* faults_plugin [--every N] [--gemm NAME] [--precision NAME] [--readout FILE...] [--readout-then FILE] WEIGHTS: a pipeline of rvmencode and rvmtrack, or of rvmencode
 * and an rvmreadout for each FILE, on a few frames, each of its OpenCL calls failing in turn. The pipeline must post an error and stop, or a warning
 * where a readout is set while playing; its result is a hash of the features, tracks and answers. Programs come from a cache, and once from the
 * compiler. */
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "gstrvmmeta.h"
#include "gstrvmreadout.h"
#include "gstrvmtrackmeta.h"
#include "tests/folder.h"

typedef struct {
  const char *weights, *gemm, *precision, *cache;
  char **readouts;          /* (nullable) */
  const char *readout_then; /* (nullable): the first rvmreadout's before the third frame */
} Job;

static guint64
mix (guint64 hash, gconstpointer data, gsize size)
{
  const guint8 *bytes = data;

  for (gsize i = 0; i < size; i++)
    hash = (hash ^ bytes[i]) * 1099511628211u; /* FNV-1a */
  return hash;
}

static guint64
mix_answers (guint64 hash, GstBuffer *buffer)
{
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta_filtered (buffer, &state, GST_RVM_READOUT_META_API_TYPE)) != NULL) {
    gsize size;
    gconstpointer values = g_bytes_get_data (((GstRvmReadoutMeta *) meta)->values, &size);

    hash = mix (hash, values, size);
  }
  return hash;
}

/* What is in the frames until the end of the stream, or the first error or warning. */
static guint64
collect (GstElement *pipeline, GError **error)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  guint64 hash = 14695981039346656037u;
  GstSample *sample;

  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING | GST_MESSAGE_EOS);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING) {
    gst_message_parse_warning (message, error, NULL);
    return 0;
  }
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

    hash = mix_answers (mix (hash, values, size), buffer);
    for (guint i = 0; tracks && i < tracks->n_tracks; i++)
      hash = mix (hash, &tracks->tracks[i].x, 2 * sizeof (double));
    gst_sample_unref (sample);
  }
  return hash;
}

static GstPadProbeReturn
before_frame (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  g_autoptr (GstElement) readout = gst_pad_get_parent_element (pad);

  if (GST_BUFFER_OFFSET (GST_PAD_PROBE_INFO_BUFFER (info)) == 2)
    g_object_set (readout, "readout-file", data, NULL);
  return GST_PAD_PROBE_OK;
}

/* (transfer full): what follows rvmencode. */
static char *
describe_rest (const Job *job)
{
  GString *text = g_string_new (NULL);

  if (job->readouts == NULL)
    g_string_append (text, "rvmtrack points=20,20 boxes=8,8,24,16 ! ");
  for (guint i = 0; job->readouts && job->readouts[i]; i++)
    g_string_append_printf (text, "rvmreadout name=readout%u force-model=true cache-dir=\"%s\" readout-file=\"%s\" ! ", i, job->cache, job->readouts[i]);
  return g_string_free (text, FALSE);
}

static guint64
run_pipeline (gpointer user_data, GError **error)
{
  const Job *job = user_data;
  g_autofree char *rest = describe_rest (job);
  g_autofree char *launch = g_strdup_printf (
      "videotestsrc num-buffers=%d ! video/x-raw,format=RGB,width=64,height=48 ! "
      "rvmencode model-file=\"%s\" gemm=%s precision=%s cache-dir=\"%s\" ! %sappsink name=sink sync=false wait-on-eos=false",
      job->readout_then ? 4 : 3, job->weights, job->gemm, job->precision, job->cache, rest);
  g_autoptr (GstElement) pipeline = gst_parse_launch_full (launch, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  guint64 hash;

  if (pipeline == NULL)
    return 0;
  if (job->readout_then) {
    g_autoptr (GstElement) readout = gst_bin_get_by_name (GST_BIN (pipeline), "readout0");
    g_autoptr (GstPad) pad = gst_element_get_static_pad (readout, "sink");

    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, before_frame, (gpointer) job->readout_then, NULL);
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  hash = collect (pipeline, error);
  cl_faults_close ();
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return hash;
}

int
main (int argc, char **argv)
{
  g_autofree char *gemm = NULL, *precision = NULL, *readout_then = NULL, *cache = NULL;
  g_auto (GStrv) readouts = NULL;
  gint every = 1;
  gboolean compiler = FALSE;
  const GOptionEntry entries[] = {
    { "every", 0, 0, G_OPTION_ARG_INT, &every, "fail every N-th call (1); 0: of each place in the program that calls, the first and the last", "N" },
    { "gemm", 0, 0, G_OPTION_ARG_STRING, &gemm, "auto, native, clblast or matrix-units", "NAME" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision, "f32, f16 or bf16", "NAME" },
    { "readout", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &readouts, "rvmreadout instead of rvmtrack; may be given several times", "FILE" },
    { "readout-then", 0, 0, G_OPTION_ARG_FILENAME, &readout_then, "what the first of them reads from the third frame on", "FILE" },
    { "compiler", 0, 0, G_OPTION_ARG_NONE, &compiler, "also without the cache of programs: the compiler's calls", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("WEIGHTS - fail every OpenCL call of a pipeline");
  g_autoptr (GError) error = NULL;
  Job job = { 0 };
  guint faults;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2 || every < 0
      || (readout_then && readouts == NULL)) {
    g_printerr ("faults_plugin: %s\n", error ? error->message : "expected WEIGHTS");
    return 2;
  }
  cache = g_dir_make_tmp ("faults-XXXXXX", &error);
  if (cache == NULL) {
    g_printerr ("faults_plugin: %s\n", error->message);
    return 2;
  }
  job = (Job){ .weights = argv[1], .gemm = gemm ? gemm : "auto", .precision = precision ? precision : "f32", .cache = cache, .readouts = readouts, .readout_then = readout_then };
  faults = faults_run ("pipeline", run_pipeline, &job, every);
  if (compiler) {
    job.cache = "";
    faults += faults_run_kinds ("pipeline without cache", run_pipeline, &job,
        (const char *const[]){ "clBuildProgram", "clCreateProgramWithSource", NULL });
  }
  remove_folder (cache);
  return faults ? EXIT_FAILURE : EXIT_SUCCESS;
}
