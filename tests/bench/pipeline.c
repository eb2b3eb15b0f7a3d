/* What rvmencode adds to the bare model: `pipeline --model FILE` runs the model alone and a pipeline with the element in turn, in one process
 * and on one copy of the weights, and prints one JSON line. The element's time is that between a buffer's arrival at its sink pad and its
 * departure from its source pad: conversion, upload, metadata and locking are in it, source and sink are not.
 *
 * With --interval N it also shows a live 1920 x 1080 source of 60 frames a second at the element's other frames: those that are skipped. */
#include <gst/gst.h>
#include <json-glib/json-glib.h>
#include <math.h>

#include "model/stream.h"
#include "quantile.h"

static char *model_file, *device_name;
static int size = 256, n_frames = 20, n_rounds = 5, interval;

typedef struct {
  gint64 arrived;
  GArray *ms; /* of double */
} Probe;

static GstPadProbeReturn
buffer_arrives (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  ((Probe *) data)->arrived = g_get_monotonic_time ();
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
buffer_leaves (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Probe *probe = data;
  const double ms = (g_get_monotonic_time () - probe->arrived) / 1e3;

  g_array_append_val (probe->ms, ms);
  return GST_PAD_PROBE_OK;
}

/* Runs @description, in which the element is called e, to its end. */
static gboolean
run_pipeline (const char *description, Probe *probe, GError **error)
{
  g_autoptr (GstElement) pipeline = gst_parse_launch (description, error);
  g_autoptr (GstElement) element = NULL;
  g_autoptr (GstPad) sink = NULL, src = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;

  if (pipeline == NULL)
    return FALSE;
  element = gst_bin_get_by_name (GST_BIN (pipeline), "e");
  g_object_set (element, "model-file", model_file, "device", device_name, "size", size, NULL);
  sink = gst_element_get_static_pad (element, "sink");
  src = gst_element_get_static_pad (element, "src");
  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_BUFFER, buffer_arrives, probe, NULL);
  gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_BUFFER, buffer_leaves, probe, NULL);
  bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, error, NULL);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
}

static gboolean
run_bare (RvmStream *stream, GArray *ms, GError **error)
{
  const gsize bytes = (gsize) size * size * 3;
  g_autofree guint8 *pixels = g_malloc (bytes);
  g_autofree float *features = g_new (float, (gsize) rvm_stream_get_tokens (stream) * rvm_stream_get_dim (stream));

  for (gsize i = 0; i < bytes; i++)
    pixels[i] = (guint8) (i * 2654435761u >> 13);
  for (int i = -2; i < n_frames; i++) {
    const gint64 start = g_get_monotonic_time ();
    double took;

    if (!rvm_stream_push (stream, pixels, (gsize) size * 3, 1, features, NULL, error))
      return FALSE;
    took = (g_get_monotonic_time () - start) / 1e3;
    if (i >= 0)
      g_array_append_val (ms, took);
  }
  return TRUE;
}

static void
add_number (JsonBuilder *json, const char *name, double value)
{
  json_builder_set_member_name (json, name);
  if (isfinite (value))
    json_builder_add_double_value (json, value);
  else
    json_builder_add_null_value (json);
}

/* Both ways in turn; the first two frames of a pipeline make the element's stream and are left out. */
static gboolean
measure_overhead (JsonBuilder *json, RvmModel *model, GError **error)
{
  g_autoptr (RvmStream) stream = rvm_stream_new (model, size, size, RVM_STREAM_DEFAULT, error);
  g_autoptr (GArray) bare = g_array_new (FALSE, FALSE, sizeof (double)), element = g_array_new (FALSE, FALSE, sizeof (double));
  g_autofree char *description = g_strdup_printf ("videotestsrc num-buffers=%d ! video/x-raw,format=I420,width=640,height=480 ! videocrop"
                                                  " left=80 right=80 ! rvmencode name=e ! fakesink",
      n_frames + 2);

  if (stream == NULL)
    return FALSE;
  for (int round = 0; round < n_rounds; round++) {
    Probe probe = { .ms = g_array_new (FALSE, FALSE, sizeof (double)) };
    const gboolean ok = run_bare (stream, bare, error) && run_pipeline (description, &probe, error);

    if (ok && probe.ms->len > 2)
      g_array_append_vals (element, &g_array_index (probe.ms, double, 2), probe.ms->len - 2);
    g_array_unref (probe.ms);
    if (!ok)
      return FALSE;
  }
  add_number (json, "bare_ms", quantile (bare, 0.5));
  add_number (json, "element_ms", quantile (element, 0.5));
  add_number (json, "overhead", quantile (element, 0.5) / quantile (bare, 0.5) - 1);
  return TRUE;
}

/* Ten seconds of a live source. Frames that took less than a tenth of the slowest are the skipped ones. */
static gboolean
measure_interval (JsonBuilder *json, GError **error)
{
  g_autofree char *description = g_strdup_printf ("videotestsrc is-live=true num-buffers=600 ! video/x-raw,format=I420,width=1920,height=1080,"
                                                  "framerate=60/1 ! queue ! rvmencode name=e interval=%d ! fakesink sync=false",
      interval);
  g_autoptr (GArray) skipped = g_array_new (FALSE, FALSE, sizeof (double)), analysed = g_array_new (FALSE, FALSE, sizeof (double));
  Probe probe = { .ms = g_array_new (FALSE, FALSE, sizeof (double)) };
  const gint64 start = g_get_monotonic_time ();
  gboolean ok = run_pipeline (description, &probe, error);
  const double seconds = (g_get_monotonic_time () - start) / 1e6;

  for (guint i = 0; i < probe.ms->len; i++)
    g_array_append_val (i % (interval + 1) == 0 ? analysed : skipped, g_array_index (probe.ms, double, i));
  if (ok) {
    add_number (json, "interval", interval);
    add_number (json, "live_frames", probe.ms->len);
    add_number (json, "live_seconds", seconds);
    add_number (json, "analysed_ms", quantile (analysed, 0.5));
    add_number (json, "skipped_ms", quantile (skipped, 0.5));
    add_number (json, "skipped_ms_p99", quantile (skipped, 0.99));
  }
  g_array_unref (probe.ms);
  return ok;
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model_file, "weights, .npz or .safetensors", "FILE" },
    { "size", 's', 0, G_OPTION_ARG_INT, &size, "side of the analysed picture (256)", "PIXELS" },
    { "frames", 'n', 0, G_OPTION_ARG_INT, &n_frames, "frames of a round (20)", "N" },
    { "rounds", 'r', 0, G_OPTION_ARG_INT, &n_rounds, "rounds (5)", "N" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &device_name, "OpenCL device: index or part of its name", "DEVICE" },
    { "interval", 'i', 0, G_OPTION_ARG_INT, &interval, "also a live 1080p60 source, N frames skipped between two", "N" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- time rvmencode in a pipeline");
  g_autoptr (JsonBuilder) json = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autoptr (RvmModel) model = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("pipeline: %s\n", error->message);
    return 2;
  }
  if (model_file == NULL || n_frames < 1 || n_rounds < 1) {
    g_printerr ("pipeline: --model FILE is needed, and at least one frame and round\n");
    return 2;
  }
  gst_registry_scan_path (gst_registry_get (), RVM_PLUGIN_FOLDER);
  /* The element finds this one in the process's table. */
  model = rvm_model_load (model_file, &(RvmModelOptions){ .device = device_name }, &error);
  json_builder_begin_object (json);
  if (model == NULL || !measure_overhead (json, model, &error) || (interval > 0 && !measure_interval (json, &error))) {
    g_printerr ("pipeline: %s\n", error ? error->message : "nothing was measured");
    return 1;
  }
  json_builder_end_object (json);
  root = json_builder_get_root (json);
  text = json_to_string (root, FALSE);
  g_print ("%s\n", text);
  return 0;
}
