/* Which frames reset rvmencode's state, and the messages about it on the bus. */
#include "changed_model.h"
#include "gstrvmevent.h"
#include "harness.h"

static guint64
generation_of (GstBuffer *buffer)
{
  return gst_rvm_buffer_get_feature_meta (buffer)->generation;
}

/* Whether frame @index begins a generation. */
static gboolean
begins (GstHarness *harness, guint index)
{
  g_autoptr (GstBuffer) buffer = step (harness, index, index);

  return gst_rvm_buffer_get_feature_meta (buffer)->frames_since_reset == 1;
}

static void
push_segment (GstHarness *harness)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.base = GST_SECOND;
  ck_assert (gst_harness_push_event (harness, gst_event_new_segment (&segment)));
}

static void
push_flush (GstHarness *harness)
{
  ck_assert (gst_harness_push_event (harness, gst_event_new_flush_start ()));
  ck_assert (gst_harness_push_event (harness, gst_event_new_flush_stop (TRUE)));
  push_segment (harness);
}

static void
push_stream_start (GstHarness *harness)
{
  ck_assert (gst_harness_push_event (harness, gst_event_new_stream_start ("another")));
}

static void
push_caps (GstHarness *harness)
{
  gst_harness_set_src_caps_str (harness, "video/x-raw,format=BGR,width=64,height=48,framerate=25/1");
}

/* The stream goes on after a flush, which alone is no reason in this test. */
static void
push_eos (GstHarness *harness)
{
  ck_assert (gst_harness_push_event (harness, gst_event_new_eos ()));
  push_flush (harness);
}

static void
push_gap (GstHarness *harness)
{
  ck_assert (gst_harness_push_event (harness, gst_event_new_gap (2 * FRAME_TIME, GST_SECOND)));
}

START_TEST (test_each_flag_alone)
{
  static const struct {
    const char *flag;
    void (*push) (GstHarness *harness);
  } cases[] = {
    { "flush", push_flush }, { "segment", push_segment }, { "stream-start", push_stream_start },
    { "caps", push_caps },   { "eos", push_eos },         { "gap", push_gap },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *settings = g_strdup_printf ("reset-on=%s", cases[i].flag);
    GstHarness *with = start (settings, CAPS), *without = start ("reset-on=0", CAPS);

    ck_assert (begins (with, 0) && begins (without, 0));
    ck_assert (!begins (with, 1) && !begins (without, 1));
    cases[i].push (with);
    cases[i].push (without);
    ck_assert_msg (begins (with, 2), "'%s' did not reset", cases[i].flag);
    ck_assert_msg (!begins (without, 2), "a reset without reset-on, event of '%s'", cases[i].flag);
    ck_assert (!begins (with, 3));
    ck_assert_uint_eq (get_stat (with, "resets"), 1);
    gst_harness_teardown (with);
    gst_harness_teardown (without);
  }
}
END_TEST

START_TEST (test_gaps_and_their_threshold)
{
  GstHarness *harness = start ("reset-on=gap gap-threshold=200000000", CAPS);

  ck_assert (begins (harness, 0));
  /* 40 ms are missing, then 160, then 200. */
  ck_assert (!begins (harness, 2));
  ck_assert (!begins (harness, 7));
  ck_assert (begins (harness, 13));
  /* Two GAP events add up; a buffer between two does not let them. */
  ck_assert (gst_harness_push_event (harness, gst_event_new_gap (14 * FRAME_TIME, 100 * GST_MSECOND)));
  ck_assert (!begins (harness, 14));
  ck_assert (gst_harness_push_event (harness, gst_event_new_gap (15 * FRAME_TIME, 100 * GST_MSECOND)));
  ck_assert (!begins (harness, 15));
  ck_assert (gst_harness_push_event (harness, gst_event_new_gap (16 * FRAME_TIME, 100 * GST_MSECOND)));
  ck_assert (gst_harness_push_event (harness, gst_event_new_gap (16 * FRAME_TIME, 100 * GST_MSECOND)));
  ck_assert (begins (harness, 16));
  /* Times that go back are no gap; durations that no clock can hold are one. */
  ck_assert (!begins (harness, 3));
  for (guint i = 0; i < 2; i++)
    ck_assert (gst_harness_push_event (harness, gst_event_new_gap (4 * FRAME_TIME, G_MAXUINT64 - 2)));
  ck_assert (begins (harness, 4));
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_event_resets_on_its_frame)
{
  GstHarness *harness = start ("", CAPS), *fresh = start ("", CAPS);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  g_autoptr (GBytes) after = NULL, cold = NULL;
  GstClockTime pts;
  g_autoptr (GstEvent) parsed = gst_rvm_event_new_reset_state (TRUE, 5), other = gst_event_new_eos ();

  ck_assert (gst_rvm_event_parse_reset_state (parsed, &pts) && pts == 5);
  ck_assert (!gst_rvm_event_parse_reset_state (other, &pts));

  ck_assert (begins (harness, 0));
  /* With the stream: between the two frames where it is, and on to others downstream. */
  ck_assert (gst_harness_push_event (harness, gst_rvm_event_new_reset_state (FALSE, GST_CLOCK_TIME_NONE)));
  after = features_at (harness, 1);
  cold = features_at (fresh, 1);
  ck_assert (g_bytes_equal (after, cold));
  for (;;) {
    g_autoptr (GstEvent) event = gst_harness_pull_event (harness);
    ck_assert_msg (event != NULL, "the event did not go on downstream");
    if (gst_rvm_event_parse_reset_state (event, NULL))
      break;
  }
  ck_assert (!begins (harness, 2));
  /* Against it, and to the element: the frame that is named. */
  ck_assert (gst_harness_push_upstream_event (harness, gst_rvm_event_new_reset_state (TRUE, 5 * FRAME_TIME)));
  ck_assert (gst_element_send_event (element, gst_rvm_event_new_reset_state (FALSE, 7 * FRAME_TIME - 1)));
  for (guint i = 3; i < 9; i++)
    ck_assert_int_eq (begins (harness, i), i == 5 || i == 7);
  ck_assert (gst_element_send_event (element, gst_rvm_event_new_reset_state (TRUE, GST_CLOCK_TIME_NONE)));
  ck_assert (begins (harness, 9));
  /* A flush takes away what still waits. */
  ck_assert (gst_element_send_event (element, gst_rvm_event_new_reset_state (TRUE, 11 * FRAME_TIME)));
  push_flush (harness);
  ck_assert (begins (harness, 10));
  ck_assert (!begins (harness, 11));
  gst_harness_teardown (harness);
  gst_harness_teardown (fresh);
}
END_TEST

/* An application's event through a whole pipeline, sent to its source and to its sink. */
START_TEST (test_event_through_a_pipeline)
{
  static const char *const targets[] = { "source", "sink", "middle" };

  for (guint i = 0; i < G_N_ELEMENTS (targets); i++) {
    g_autoptr (GstElement) pipeline = gst_parse_launch ("appsrc name=source format=time caps=" CAPS " ! identity ! rvmencode name=middle model-file=\"" MODEL "\""
                                                        " ! queue ! appsink name=sink sync=false", NULL);
    g_autoptr (GstElement) source = gst_bin_get_by_name (GST_BIN (pipeline), "source"), sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
    g_autoptr (GstElement) target = gst_bin_get_by_name (GST_BIN (pipeline), targets[i]);
    GstFlowReturn flow;

    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    for (guint f = 0; f < 8; f++) {
      g_autoptr (GstSample) sample = NULL;
      g_autoptr (GstBuffer) frame = make_frame (64 * 48 * 3, f, f);

      if (f == 2)
        ck_assert (gst_element_send_event (target, gst_rvm_event_new_reset_state (i == 1, 5 * FRAME_TIME)));
      g_signal_emit_by_name (source, "push-buffer", frame, &flow);
      ck_assert_int_eq (flow, GST_FLOW_OK);
      g_signal_emit_by_name (sink, "pull-sample", &sample);
      ck_assert_ptr_ne (sample, NULL);
      ck_assert_uint_eq (generation_of (gst_sample_get_buffer (sample)), f < 5 ? 1 : 2);
    }
    gst_element_set_state (pipeline, GST_STATE_NULL);
  }
}
END_TEST

/* Two scenes of moving shapes with a little noise. */
static GstBuffer *
make_scene (guint scene, guint index)
{
  GstBuffer *buffer = make_frame (64 * 48 * 3, index, index);
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_READWRITE);
  for (guint y = 0; y < 48; y++)
    for (guint x = 0; x < 64; x++)
      for (guint c = 0; c < 3; c++) {
        const guint a = x + index, b = y + 20;
        const guint value = scene == 0 ? 20 + (a / 16 + y / 12) % 2 * 180 : (a * a + b * b * (c + 1)) / 40 % 220;
        guint8 *pixel = &map.data[(y * 64 + x) * 3 + c];
        *pixel = value + *pixel % 8;
      }
  gst_buffer_unmap (buffer, &map);
  return buffer;
}

START_TEST (test_scene_cut)
{
  GstHarness *harness = start ("reset-on=scene scene-threshold=0.7", CAPS), *without = start ("reset-on=0", CAPS), *fresh = start ("", CAPS);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");
  g_autoptr (GstElement) fresh_element = gst_harness_find_element (fresh, "rvmencode");

  for (guint i = 0; i < 12; i++) {
    const guint scene = i >= 5 && i < 9;
    g_autoptr (GstBuffer) buffer = gst_harness_push_and_pull (harness, make_scene (scene, i));
    g_autoptr (GstBuffer) other = gst_harness_push_and_pull (without, make_scene (scene, i));
    g_autoptr (GstStructure) stats = NULL;
    double similarity;

    g_object_get (element, "stats", &stats, NULL);
    ck_assert (gst_structure_get_double (stats, "scene-similarity", &similarity));
    ck_assert_msg (generation_of (buffer) == (i < 5 ? 1 : i < 9 ? 2 : 3), "frame %u, similarity %g, generation %u", i, similarity,
        (guint) generation_of (buffer));
    ck_assert_uint_eq (generation_of (other), 1);
    if (i == 5 || i == 9) { /* as if the frame had been the first */
      g_autoptr (GstBuffer) first = NULL;
      g_autoptr (GBytes) a = features_of (buffer), b = NULL;

      gst_element_send_event (fresh_element, gst_rvm_event_new_reset_state (TRUE, GST_CLOCK_TIME_NONE));
      first = gst_harness_push_and_pull (fresh, make_scene (scene, i));
      b = features_of (first);
      ck_assert (g_bytes_equal (a, b));
    }
  }
  gst_harness_teardown (harness);
  gst_harness_teardown (without);
  gst_harness_teardown (fresh);
}
END_TEST

static GstMessage *
pop_element_message (GstBus *bus, const char *name)
{
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT);

  ck_assert_msg (message != NULL, "no message, expected %s", name);
  ck_assert_str_eq (gst_structure_get_name (gst_message_get_structure (message)), name);
  return message;
}

START_TEST (test_messages_on_request)
{
  GstHarness *quiet = start ("", CAPS), *harness = start ("messages=reset+health health-interval=2", CAPS);
  g_autoptr (GstBus) quiet_bus = add_bus (quiet), bus = add_bus (harness);
  static const struct {
    const char *name, *reason; /* NULL: rvm-health */
  } expected[] = {
    { "rvm-reset", "segment+stream-start" }, { "rvm-health", NULL }, { "rvm-health", NULL }, { "rvm-reset", "signal" }, { "rvm-reset", "size" },
    { "rvm-health", NULL },
  };
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");

  for (guint i = 0; i < 3; i++) {
    gst_buffer_unref (step (quiet, i, i));
    gst_buffer_unref (step (harness, i, i));
  }
  g_signal_emit_by_name (element, "reset-state");
  gst_buffer_unref (step (harness, 3, 3));
  g_object_set (element, "width", 32, "height", 32, NULL);
  gst_buffer_unref (step (harness, 4, 4));

  ck_assert_ptr_eq (gst_bus_pop_filtered (quiet_bus, GST_MESSAGE_ELEMENT), NULL);
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++) {
    g_autoptr (GstMessage) message = pop_element_message (bus, expected[i].name);
    const GstStructure *structure = gst_message_get_structure (message);

    if (expected[i].reason) {
      ck_assert_str_eq (gst_structure_get_string (structure, "reason"), expected[i].reason);
      ck_assert (gst_structure_has_field_typed (structure, "generation", G_TYPE_UINT64));
    } else {
      double norm, update, reset;
      gboolean finite;

      ck_assert (gst_structure_get (structure, "state-norm", G_TYPE_DOUBLE, &norm, "mean-update-gate", G_TYPE_DOUBLE, &update, "mean-reset-gate",
          G_TYPE_DOUBLE, &reset, "finite", G_TYPE_BOOLEAN, &finite, NULL));
      ck_assert (finite && norm > 0 && update > 0 && update < 1 && reset > 0 && reset < 1);
    }
  }
  ck_assert_ptr_eq (gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT), NULL);
  gst_harness_teardown (quiet);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_infinite_state_is_an_error)
{
  g_autofree char *folder = g_dir_make_tmp ("rvm-XXXXXX", NULL), *path = g_build_filename (folder, "huge.safetensors", NULL);
  g_autofree char *launch = g_strdup_printf ("rvmencode messages=health health-interval=1 model-file=\"%s\"", path);
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;
  GstFlowReturn flow = GST_FLOW_OK;
  GstHarness *harness;
  gboolean finite;

  write_changed_model (path, OUTPUT_SCALE, 3e38f);
  harness = gst_harness_new_parse (launch);
  gst_harness_set_src_caps_str (harness, CAPS);
  bus = add_bus (harness);
  for (guint i = 0; i < 20 && flow == GST_FLOW_OK; i++) {
    flow = gst_harness_push (harness, make_frame (64 * 48 * 3, i, i));
    if (message)
      gst_message_unref (message);
    message = pop_element_message (bus, "rvm-health");
  }
  ck_assert_int_eq (flow, GST_FLOW_ERROR);
  ck_assert (gst_structure_get_boolean (gst_message_get_structure (message), "finite", &finite) && !finite);
  expect_message (bus, GST_MESSAGE_ERROR, "at the frame of time", "infinite");
  gst_harness_teardown (harness);
  g_unlink (path);
  g_rmdir (folder);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_add_test (tests, test_each_flag_alone);
  tcase_add_test (tests, test_gaps_and_their_threshold);
  tcase_add_test (tests, test_event_resets_on_its_frame);
  tcase_add_test (tests, test_event_through_a_pipeline);
  tcase_add_test (tests, test_scene_cut);
  tcase_add_test (tests, test_messages_on_request);
  tcase_add_test (tests, test_infinite_state_is_an_error);
  return run_cases ("rvmencode-resets", tests);
}
