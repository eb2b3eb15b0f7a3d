/* Many rvmencode elements in one process: the same bytes as alone, and none in the way of another, whatever happens to it. */
#include "changed_model.h"
#include "harness.h"

#define STREAMS 8
#define FRAMES 12

typedef struct {
  guint index;
  char *hash;
} Job;

/* The hash of the state after FRAMES frames of stream @index. */
static gpointer
run_stream (gpointer data)
{
  Job *job = data;
  GstHarness *harness = start (job->index % 3 == 2 ? "snapshot-count=4" : "", CAPS);

  for (guint i = 0; i < FRAMES; i++)
    gst_buffer_unref (step (harness, 1000 * job->index + i, i));
  job->hash = get_state_hash (harness);
  gst_harness_teardown (harness);
  return NULL;
}

START_TEST (test_alone_and_together_are_the_same)
{
  Job alone[STREAMS], together[STREAMS];
  GThread *threads[STREAMS];

  for (guint i = 0; i < STREAMS; i++) {
    alone[i] = together[i] = (Job){ .index = i };
    run_stream (&alone[i]);
  }
  for (guint i = 0; i < STREAMS; i++)
    threads[i] = g_thread_new ("stream", run_stream, &together[i]);
  for (guint i = 0; i < STREAMS; i++) {
    g_thread_join (threads[i]);
    ck_assert_str_eq (together[i].hash, alone[i].hash);
    for (guint other = 0; other < i; other++)
      ck_assert_str_ne (together[i].hash, together[other].hash);
  }
  for (guint i = 0; i < STREAMS; i++) {
    g_free (alone[i].hash);
    g_free (together[i].hash);
  }
}
END_TEST

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer blocked)
{
  g_atomic_int_set ((gint *) blocked, 1);
  return GST_PAD_PROBE_OK;
}

static gpointer
push_one (gpointer harness)
{
  return GINT_TO_POINTER (gst_harness_push (harness, make_frame (64 * 48 * 3, 1, 1)));
}

START_TEST (test_a_blocked_stream_blocks_no_other)
{
  GstHarness *stuck = start ("", CAPS), *harness = start ("", CAPS);
  g_autoptr (GstElement) element = gst_harness_find_element (stuck, "rvmencode");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "src");
  gint blocked = 0;
  GThread *thread;
  gulong probe;

  gst_buffer_unref (step (stuck, 0, 0));
  probe = gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, hold, &blocked, NULL);
  thread = g_thread_new ("stuck", push_one, stuck);
  while (!g_atomic_int_get (&blocked))
    g_usleep (1000);
  /* The other one runs, starts and stops, and the stuck one answers. */
  for (guint i = 0; i < FRAMES; i++)
    gst_buffer_unref (step (harness, i, i));
  gst_harness_teardown (harness);
  harness = start ("", CAPS);
  gst_buffer_unref (step (harness, 0, 0));
  ck_assert_uint_eq (get_stat (stuck, "resets"), 0);
  g_signal_emit_by_name (element, "reset-state");
  g_object_set (element, "interval", 1, NULL);
  gst_pad_remove_probe (pad, probe);
  ck_assert_int_eq (GPOINTER_TO_INT (g_thread_join (thread)), GST_FLOW_OK);
  gst_harness_teardown (harness);
  gst_harness_teardown (stuck);
}
END_TEST

typedef struct {
  const char *huge;
  guint index;
  gint *stop;
} Chaos;

/* Streams that start, fail, change and stop, over and over. */
static gpointer
run_chaos (gpointer data)
{
  Chaos *chaos = data;

  for (guint i = chaos->index; !g_atomic_int_get (chaos->stop); i++) {
    g_autofree char *launch = g_strdup_printf ("rvmencode model-file=\"%s\"", i % 3 == 0 ? chaos->huge : MODEL);
    GstHarness *harness = gst_harness_new_parse (launch);
    g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");

    gst_harness_set_src_caps_str (harness, CAPS);
    for (guint f = 0; f < 4; f++) {
      gst_harness_push (harness, make_frame (64 * 48 * 3, f, f)); /* may be an error */
      if (f == 1 && i % 4 == 1)
        g_object_set (element, "model-file", i % 8 == 1 ? "/no/such/file.npz" : chaos->huge, NULL);
      if (f == 1 && i % 4 == 2)
        g_object_set (element, "width", 16 + 16 * (i % 3), NULL);
      if (f == 1 && i % 4 == 3)
        seek (harness, FRAME_TIME);
    }
    gst_harness_teardown (harness);
  }
  return NULL;
}

START_TEST (test_others_come_and_go)
{
  g_autofree char *folder = g_dir_make_tmp ("rvm-XXXXXX", NULL), *huge = g_build_filename (folder, "huge.safetensors", NULL);
  Job alone[3], jobs[3];
  Chaos chaos[3];
  GThread *threads[3], *chaotic[3];
  gint stop = 0;

  write_changed_model (huge, OUTPUT_SCALE, 3e38f);
  for (guint i = 0; i < 3; i++) {
    alone[i] = jobs[i] = (Job){ .index = i };
    run_stream (&alone[i]);
  }
  for (guint i = 0; i < 3; i++) {
    chaos[i] = (Chaos){ huge, i, &stop };
    chaotic[i] = g_thread_new ("chaos", run_chaos, &chaos[i]);
  }
  for (guint round = 0; round < 3; round++) {
    for (guint i = 0; i < 3; i++)
      threads[i] = g_thread_new ("stream", run_stream, &jobs[i]);
    for (guint i = 0; i < 3; i++) {
      g_thread_join (threads[i]);
      ck_assert_str_eq (jobs[i].hash, alone[i].hash);
      g_clear_pointer (&jobs[i].hash, g_free);
    }
  }
  g_atomic_int_set (&stop, 1);
  for (guint i = 0; i < 3; i++) {
    g_thread_join (chaotic[i]);
    g_free (alone[i].hash);
  }
  g_unlink (huge);
  g_rmdir (folder);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_add_test (tests, test_alone_and_together_are_the_same);
  tcase_add_test (tests, test_a_blocked_stream_blocks_no_other);
  tcase_add_test (tests, test_others_come_and_go);
  return run_cases ("rvmencode-streams", tests);
}
