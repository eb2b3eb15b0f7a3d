/* A table of actions; each takes its arguments from the random numbers and leaves a line about itself. */
#include "actions.h"

#include <glib/gstdio.h>
#include <string.h>

#include "gstrvmevent.h"

#define KEPT 24 /* lines about the last actions */
#define LENGTH (8 * GST_SECOND)

static GMutex lock; /* of the lines: the watch prints them, too */
static char last[KEPT][200];
static guint n_last;

static void
note (const char *format, ...) G_GNUC_PRINTF (1, 2);

static void
note (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_mutex_lock (&lock);
  g_vsnprintf (last[n_last++ % KEPT], sizeof last[0], format, args);
  g_mutex_unlock (&lock);
  va_end (args);
}

void
actions_print_last (void)
{
  g_mutex_lock (&lock);
  g_printerr ("the last actions, the newest at the end:\n");
  for (guint i = n_last > KEPT ? n_last - KEPT : 0; i < n_last; i++)
    g_printerr ("  %s\n", last[i % KEPT]);
  g_mutex_unlock (&lock);
}

void
actions_prepare (Abuse *abuse)
{
  abuse->state = g_build_filename (abuse->folder, "state.safetensors", NULL);
  abuse->broken = g_build_filename (abuse->folder, "broken.safetensors", NULL);
  g_file_set_contents (abuse->broken, "\x10\0\0\0\0\0\0\0{\"x\":[1,2,3]}   garbage", 30, NULL);
}

void
actions_clear (Abuse *abuse)
{
  g_autoptr (GDir) folder = g_dir_open (abuse->folder, 0, NULL);
  const char *name;

  while (folder && (name = g_dir_read_name (folder)) != NULL) {
    g_autofree char *path = g_build_filename (abuse->folder, name, NULL);
    g_unlink (path);
  }
  g_rmdir (abuse->folder);
  g_free (abuse->state);
  g_free (abuse->broken);
  g_free (abuse->folder);
  g_rand_free (abuse->rand);
}

static guint
below (Abuse *abuse, guint n)
{
  return g_rand_int_range (abuse->rand, 0, n);
}

static GstElement *
get (GstElement *pipeline, const char *name)
{
  return gst_bin_get_by_name (GST_BIN (pipeline), name);
}

static void
do_seek (Abuse *abuse, GstElement *pipeline)
{
  static const double rates[] = { 1, 1, 1, 2, 0.5, -1 };
  const double rate = rates[below (abuse, G_N_ELEMENTS (rates))];
  const GstClockTime time = g_rand_double (abuse->rand) * LENGTH;
  GstSeekFlags flags = below (abuse, 4) ? GST_SEEK_FLAG_FLUSH : 0;
  GstState state;

  /* Without a flush a seek waits for the source with the pipeline's state lock, which a pipeline that is not playing yet needs to get there. */
  if (gst_element_get_state (pipeline, &state, NULL, 0) != GST_STATE_CHANGE_SUCCESS || state != GST_STATE_PLAYING)
    flags = GST_SEEK_FLAG_FLUSH;
  note ("seek to %" GST_TIME_FORMAT ", rate %g%s", GST_TIME_ARGS (time), rate, flags ? ", flushing" : "");
  gst_element_seek (pipeline, rate, GST_FORMAT_TIME, flags, GST_SEEK_TYPE_SET, rate > 0 ? time : 0, GST_SEEK_TYPE_SET,
      rate > 0 ? LENGTH : time + GST_SECOND);
}

static void
do_state (Abuse *abuse, GstElement *pipeline)
{
  static const GstState states[] = { GST_STATE_PAUSED, GST_STATE_PAUSED, GST_STATE_READY, GST_STATE_NULL };
  const GstState state = states[below (abuse, G_N_ELEMENTS (states))];

  note ("state %s, then playing", gst_element_state_get_name (state));
  gst_element_set_state (pipeline, state);
  if (below (abuse, 2))
    g_usleep (below (abuse, 20000));
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
}

static void
do_caps (Abuse *abuse, GstElement *pipeline)
{
  static const char *const formats[] = { "RGB", "I420", "NV12", "GRAY8", "BGRx", "v210", "Y444", "RGBA64_LE" };
  g_autoptr (GstElement) filter = get (pipeline, "caps");
  g_autofree char *text = g_strdup_printf ("video/x-raw,format=%s,width=%u,height=%u,framerate=25/1",
      formats[below (abuse, G_N_ELEMENTS (formats))], below (abuse, 8) ? 16 + below (abuse, 80) : 1 + below (abuse, 16), 16 + below (abuse, 80));
  g_autoptr (GstCaps) caps = gst_caps_from_string (text);

  note ("caps %s", text);
  g_object_set (filter, "caps", caps, NULL);
}

/* A value of @spec's type within its range, mostly small. FALSE for types that have none (strings). */
static gboolean
make_value (Abuse *abuse, GParamSpec *spec, GValue *value)
{
  g_value_init (value, G_PARAM_SPEC_VALUE_TYPE (spec));
  if (G_IS_PARAM_SPEC_BOOLEAN (spec)) {
    g_value_set_boolean (value, below (abuse, 2));
  } else if (G_IS_PARAM_SPEC_UINT (spec)) {
    const GParamSpecUInt *number = G_PARAM_SPEC_UINT (spec);
    const guint range = below (abuse, 2) ? 4 : 96;
    g_value_set_uint (value, number->minimum + below (abuse, 1 + MIN (number->maximum - number->minimum, range)));
  } else if (G_IS_PARAM_SPEC_UINT64 (spec)) {
    const GParamSpecUInt64 *number = G_PARAM_SPEC_UINT64 (spec);
    const guint64 time = below (abuse, 1000) * GST_MSECOND;
    g_value_set_uint64 (value, number->minimum + MIN (number->maximum - number->minimum, time));
  } else if (G_IS_PARAM_SPEC_DOUBLE (spec)) {
    const GParamSpecDouble *number = G_PARAM_SPEC_DOUBLE (spec);
    g_value_set_double (value, number->minimum + g_rand_double (abuse->rand) * MIN (number->maximum - number->minimum, 10));
  } else if (G_IS_PARAM_SPEC_ENUM (spec)) {
    const GEnumClass *choices = G_PARAM_SPEC_ENUM (spec)->enum_class;
    g_value_set_enum (value, choices->values[below (abuse, choices->n_values)].value);
  } else if (G_IS_PARAM_SPEC_FLAGS (spec)) {
    g_value_set_flags (value, g_rand_int (abuse->rand) & G_PARAM_SPEC_FLAGS (spec)->flags_class->mask);
  } else {
    return FALSE;
  }
  return TRUE;
}

static void
do_property (Abuse *abuse, GstElement *pipeline)
{
  static const char *const names[] = { "encode", "encode", "track", "overlay" };
  g_autoptr (GstElement) element = get (pipeline, names[below (abuse, G_N_ELEMENTS (names))]);
  guint count;
  g_autofree GParamSpec **specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &count);
  GParamSpec *spec = specs[below (abuse, count)];
  GValue value = G_VALUE_INIT;

  if (spec->flags & G_PARAM_READABLE) {
    g_auto (GValue) old = G_VALUE_INIT;
    g_object_get_property (G_OBJECT (element), spec->name, &old);
  }
  if ((spec->flags & G_PARAM_WRITABLE) && make_value (abuse, spec, &value)) {
    g_autofree char *text = gst_value_serialize (&value);

    note ("%s.%s = %s", GST_OBJECT_NAME (element), spec->name, text);
    g_object_set_property (G_OBJECT (element), spec->name, &value);
  }
  if (G_IS_VALUE (&value))
    g_value_unset (&value);
}

static void
do_model (Abuse *abuse, GstElement *pipeline)
{
  g_autoptr (GstElement) element = get (pipeline, "encode");
  const guint which = below (abuse, abuse->n_weights + 1);
  const char *file = which < abuse->n_weights ? abuse->weights[which] : abuse->broken;

  note ("model-file = %s", file);
  g_object_set (element, "model-file", file, NULL);
  /* What the next start would fail at for ever. */
  if (which == abuse->n_weights) {
    g_usleep (below (abuse, 20000));
    g_object_set (element, "model-file", abuse->weights[0], NULL);
  }
}

static void
do_reset (Abuse *abuse, GstElement *pipeline)
{
  g_autoptr (GstElement) element = get (pipeline, "encode");

  note ("reset-state");
  g_signal_emit_by_name (element, "reset-state");
}

static void
do_save (Abuse *abuse, GstElement *pipeline)
{
  g_autoptr (GstElement) element = get (pipeline, "encode");
  gboolean good;

  note ("save-state");
  g_signal_emit_by_name (element, "save-state", abuse->state, &good);
}

static void
do_load (Abuse *abuse, GstElement *pipeline)
{
  g_autoptr (GstElement) element = get (pipeline, "encode");
  const char *file = below (abuse, 5) ? abuse->state : abuse->broken;
  gboolean good;

  note ("load-state %s", file);
  g_signal_emit_by_name (element, "load-state", file, &good);
}

static void
do_tracks (Abuse *abuse, GstElement *pipeline)
{
  g_autoptr (GstElement) element = get (pipeline, "track");
  const double x = g_rand_double (abuse->rand), y = g_rand_double (abuse->rand);
  guint id = 0;

  switch (below (abuse, 4)) {
    case 0:
      note ("add-point %g, %g", x, y);
      g_signal_emit_by_name (element, "add-point", x, y, &id);
      break;
    case 1:
      note ("add-box at %g, %g", x / 2, y / 2);
      g_signal_emit_by_name (element, "add-box", x / 2, y / 2, 0.2, 0.3, &id);
      break;
    case 2:
      id = below (abuse, 50);
      note ("remove %u", id);
      g_signal_emit_by_name (element, "remove", id);
      break;
    default:
      note ("points = ...");
      g_object_set (element, "points", below (abuse, 6) ? "0.2,0.2;0.5,0.75" : "900,1;x", NULL);
      if (below (abuse, 2))
        g_object_set (element, "points", NULL, NULL);
      break;
  }
}

/* As a demuxer would, with the segment again; the stream lock keeps buffers out in between. */
static void
do_flush (Abuse *abuse, GstElement *element)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  GstEvent *segment = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);

  if (segment == NULL)
    return;
  note ("event flush");
  gst_pad_send_event (pad, gst_event_new_flush_start ());
  GST_PAD_STREAM_LOCK (pad);
  gst_pad_send_event (pad, gst_event_new_flush_stop (below (abuse, 2)));
  gst_pad_send_event (pad, segment);
  GST_PAD_STREAM_UNLOCK (pad);
}

static void
do_event (Abuse *abuse, GstElement *pipeline)
{
  g_autoptr (GstElement) source = get (pipeline, "source"), element = get (pipeline, "encode");
  g_autoptr (GstPad) pad = NULL;
  const GstClockTime time = g_rand_double (abuse->rand) * LENGTH;
  GstQuery *query;

  switch (below (abuse, 5)) {
    case 0:
      note ("event reset-state");
      gst_element_send_event (source, gst_rvm_event_new_reset_state (FALSE, below (abuse, 2) ? time : GST_CLOCK_TIME_NONE));
      break;
    case 1:
      note ("event gap");
      gst_element_send_event (source, gst_event_new_gap (time, GST_SECOND));
      break;
    case 2:
      note ("event qos");
      pad = gst_element_get_static_pad (element, "src");
      gst_pad_send_event (pad, gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 1, below (abuse, 100) * GST_MSECOND, time));
      break;
    case 3:
      do_flush (abuse, element);
      break;
    default:
      note ("query latency");
      query = gst_query_new_latency ();
      gst_element_query (pipeline, query);
      gst_query_unref (query);
      break;
  }
}

typedef struct {
  const char *name;
  void (*run) (Abuse *abuse, GstElement *pipeline);
  guint weight;
  guint count;
} Action;

static Action actions[] = {
  { "seeks", do_seek, 4, 0 },       { "states", do_state, 2, 0 }, { "caps", do_caps, 3, 0 },  { "properties", do_property, 10, 0 },
  { "models", do_model, 2, 0 },     { "resets", do_reset, 2, 0 }, { "saves", do_save, 2, 0 }, { "loads", do_load, 2, 0 },
  { "tracks", do_tracks, 4, 0 },    { "events", do_event, 4, 0 },
};

/* What else an error left behind: settings with which no start can succeed. */
static void
start_again (Abuse *abuse, GstElement *pipeline)
{
  g_autoptr (GstElement) encode = get (pipeline, "encode"), track = get (pipeline, "track");

  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_util_set_object_arg (G_OBJECT (encode), "gemm", "auto");
  g_object_set (encode, "width", 0, "height", 0, "size", 0, "model-file", abuse->weights[0], NULL);
  g_object_set (track, "points", NULL, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
}

static void
read_messages (Abuse *abuse, GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  gboolean again = FALSE, ended = FALSE;
  GstMessage *message;

  while ((message = gst_bus_pop (bus)) != NULL) {
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
      g_autoptr (GError) error = NULL;

      gst_message_parse_error (message, &error, NULL);
      note ("  error of %s: %s", GST_MESSAGE_SRC_NAME (message), error->message);
      abuse->errors++;
      again = TRUE;
    }
    ended |= GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
    gst_message_unref (message);
  }
  if (again) {
    start_again (abuse, pipeline);
  } else if (ended) {
    note ("  end of stream, seek to the start");
    gst_element_seek_simple (pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0);
  }
}

void
actions_do_one (Abuse *abuse, GstElement *pipeline)
{
  guint total = 0, chosen;

  read_messages (abuse, pipeline);
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    total += actions[i].weight;
  chosen = below (abuse, total);
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++) {
    if (chosen < actions[i].weight) {
      actions[i].count++;
      actions[i].run (abuse, pipeline);
      break;
    }
    chosen -= actions[i].weight;
  }
  if (below (abuse, 3))
    g_usleep (below (abuse, 30000));
}

void
actions_print_counts (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    g_print ("%s%u %s", i ? ", " : "", actions[i].count, actions[i].name);
  g_print ("\n");
}
