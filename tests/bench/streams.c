/* streams [--model FILE] [--size WxH] [--seconds S] [--rounds N]: how many frames a second one process puts through 1, 2, 4 and 8 rvmencode
 * elements that share a model, each in a thread of its own; and what memory a stream costs.
 *
 * The numbers of streams take turns, so that a machine that slows down slows them all: medians over the rounds, of rates and of the rate over
 * that of one stream in the same round. Fairness is the frames of the
 * stream that got the fewest over those of the one that got the most. */
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_STREAMS 8

static const guint counts[] = { 1, 2, 4, 8 };
static char *model, *size_text;
static double seconds = 1;
static int rounds = 7;

static const GOptionEntry options[] = {
  { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model, "Weights", "FILE" },
  { "size", 's', 0, G_OPTION_ARG_STRING, &size_text, "Pixels of the pictures (64x64)", "WxH" },
  { "seconds", 't', 0, G_OPTION_ARG_DOUBLE, &seconds, "Of each measurement (1)", "S" },
  { "rounds", 'r', 0, G_OPTION_ARG_INT, &rounds, "Measurements of each number of streams (7)", "N" },
  { 0 },
};

typedef struct {
  GstHarness *harness;
  GstBuffer *frame;
  gint64 until; /* monotonic time */
  guint frames;
} Stream;

static GstHarness *
make_stream (guint width, guint height)
{
  g_autofree char *launch = g_strdup_printf ("rvmencode model-file=\"%s\"", model);
  g_autofree char *caps = g_strdup_printf ("video/x-raw,format=RGB,width=%u,height=%u,framerate=25/1", width, height);
  GstHarness *harness = gst_harness_new_parse (launch);

  gst_harness_set_drop_buffers (harness, TRUE);
  gst_harness_set_src_caps_str (harness, caps);
  return harness;
}

static gboolean
push (Stream *stream)
{
  return gst_harness_push (stream->harness, gst_buffer_ref (stream->frame)) == GST_FLOW_OK;
}

static gpointer
run (gpointer data)
{
  Stream *stream = data;

  while (g_get_monotonic_time () < stream->until && push (stream))
    stream->frames++;
  return NULL;
}

/* Frames a second of @n streams together. */
static double
measure (Stream *streams, guint n, double *fairness)
{
  GThread *threads[MAX_STREAMS];
  const gint64 start = g_get_monotonic_time ();
  guint total = 0, fewest = G_MAXUINT, most = 0;
  double taken;

  for (guint i = 0; i < n; i++) {
    streams[i].frames = 0;
    streams[i].until = start + seconds * G_USEC_PER_SEC;
    threads[i] = g_thread_new ("stream", run, &streams[i]);
  }
  for (guint i = 0; i < n; i++)
    g_thread_join (threads[i]);
  taken = (g_get_monotonic_time () - start) / (double) G_USEC_PER_SEC;
  for (guint i = 0; i < n; i++) {
    total += streams[i].frames;
    fewest = MIN (fewest, streams[i].frames);
    most = MAX (most, streams[i].frames);
  }
  *fairness = (double) fewest / most;
  return total / taken;
}

/* Resident memory of this process, bytes. */
static double
get_memory (void)
{
  g_autofree char *text = NULL;
  unsigned long pages = 0;

  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    sscanf (text, "%*u %lu", &pages);
  return (double) pages * sysconf (_SC_PAGESIZE);
}

static int
compare (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return x < y ? -1 : x > y;
}

static double
median (double *values, guint n)
{
  qsort (values, n, sizeof *values, compare);
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static guint64
get_stream_bytes (GstHarness *harness)
{
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  g_autoptr (GstStructure) stats = NULL;
  guint64 bytes = 0;

  g_object_get (element, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "stream-bytes", &bytes);
  return bytes;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("- throughput of streams that share a model");
  g_autoptr (GError) error = NULL;
  Stream streams[MAX_STREAMS];
  double *rates[G_N_ELEMENTS (counts)], *ratios[G_N_ELEMENTS (counts)], fairness[G_N_ELEMENTS (counts)], before = 0;
  guint width = 64, height = 64;

  g_option_context_add_main_entries (context, options, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error)
      || (size_text && sscanf (size_text, "%ux%u", &width, &height) != 2) || model == NULL || rounds < 1) {
    g_printerr ("%s\n", error ? error->message : "--model FILE and --size WxH are needed");
    return 2;
  }
  for (guint i = 0; i < MAX_STREAMS; i++) {
    streams[i] = (Stream){ .harness = make_stream (width, height), .frame = gst_buffer_new_allocate (NULL, 3 * width * height, NULL) };
    gst_buffer_memset (streams[i].frame, 0, 16 * i, -1);
    for (guint f = 0; f < 20; f++)
      if (!push (&streams[i])) {
        g_printerr ("the model does not run (GST_DEBUG=2 says why)\n");
        return 1;
      }
    if (i == 0)
      before = get_memory ();
  }
  printf ("a stream: %.2f MB of resident memory, of which state and scratch on the device %.2f MB\n",
      (get_memory () - before) / (MAX_STREAMS - 1) / 1e6, get_stream_bytes (streams[0].harness) / 1e6);
  for (guint c = 0; c < G_N_ELEMENTS (counts); c++) {
    rates[c] = g_new (double, rounds);
    ratios[c] = g_new (double, rounds);
    fairness[c] = 1;
  }
  for (int r = 0; r < rounds; r++)
    for (guint c = 0; c < G_N_ELEMENTS (counts); c++) {
      double fair;
      rates[c][r] = measure (streams, counts[c], &fair);
      ratios[c][r] = rates[c][r] / rates[0][r];
      fairness[c] = MIN (fairness[c], fair);
    }
  for (guint c = 0; c < G_N_ELEMENTS (counts); c++) {
    const double rate = median (rates[c], rounds), ratio = median (ratios[c], rounds);

    printf ("%u stream%s: %.1f frames a second in all, %.3f of one alone (rounds %.2f..%.2f), fairness at worst %.3f\n", counts[c],
        counts[c] > 1 ? "s" : "", rate, ratio, ratios[c][0], ratios[c][rounds - 1], fairness[c]);
    g_free (rates[c]);
    g_free (ratios[c]);
  }
  for (guint i = 0; i < MAX_STREAMS; i++) {
    gst_harness_teardown (streams[i].harness);
    gst_buffer_unref (streams[i].frame);
  }
  return 0;
}
