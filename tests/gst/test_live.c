/* rvmencode in live pipelines: what it says of its latency, and frames that it leaves out because they are late. */
#include "harness.h"

START_TEST (test_latency_is_measured)
{
  GstHarness *harness = start ("", CAPS);
  g_autoptr (GstBus) bus = add_bus (harness);
  g_autoptr (GstMessage) message = NULL;
  GstClockTime before, after;

  gst_harness_set_upstream_latency (harness, 7 * GST_MSECOND);
  before = gst_harness_query_latency (harness);
  ck_assert_uint_eq (before, 7 * GST_MSECOND); /* nothing was measured */
  for (guint i = 0; i < 20; i++)
    gst_buffer_unref (step (harness, i, i));
  after = gst_harness_query_latency (harness);
  ck_assert_uint_eq (after, 7 * GST_MSECOND + get_stat (harness, "latency-us") * GST_USECOND);
  ck_assert_uint_gt (after, before);
  /* Enough for every frame but the first, whatever the machine does: their most is in max-us, which has the first as well. */
  ck_assert_uint_le (get_stat (harness, "latency-us"), 1.25 * get_stat (harness, "max-us") + 1);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_LATENCY);
  ck_assert_msg (message != NULL, "the pipeline was not told of a latency");
  gst_harness_teardown (harness);
}
END_TEST

/* Downstream was @late at running time @time. */
static void
push_qos (GstHarness *harness, GstClockTime time, GstClockTimeDiff late)
{
  gst_harness_push_upstream_event (harness, gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 1.5, late, time));
}

START_TEST (test_late_frames_are_counted)
{
  GstHarness *harness = start ("qos=true", CAPS), *patient = start ("", CAPS);
  g_autoptr (GstBus) bus = add_bus (harness);
  g_autoptr (GstMessage) message = NULL;
  GstFormat format;
  guint64 processed, dropped;

  for (guint i = 0; i < 10; i++) {
    g_autoptr (GstBuffer) buffer = NULL, other = NULL;
    const GstRvmFeatureMeta *meta;

    if (i == 3) { /* late by one frame: what comes before 3 + 2 frames will be late too */
      push_qos (harness, 3 * FRAME_TIME, FRAME_TIME);
      push_qos (patient, 3 * FRAME_TIME, FRAME_TIME);
    }
    if (i == 7) { /* late again, but a flush resets the clock of lateness */
      push_qos (harness, 7 * FRAME_TIME, GST_SECOND);
      seek (harness, 0);
    }
    buffer = step (harness, i, i);
    other = step (patient, i, i);
    meta = gst_rvm_buffer_get_feature_meta (buffer);
    ck_assert_msg (meta->carried == (i == 3 || i == 4), "frame %u", i);
    ck_assert_uint_eq (meta->dropped_count, i < 3 ? 0 : i == 3 ? 1 : 2);
    ck_assert_uint_eq (meta->carried_count, meta->dropped_count);
    ck_assert (!gst_rvm_buffer_get_feature_meta (other)->carried);
  }
  ck_assert_uint_eq (get_stat (harness, "dropped"), 2);
  ck_assert_uint_eq (get_stat (harness, "carried"), 2);
  message = gst_bus_pop_filtered (bus, GST_MESSAGE_QOS);
  ck_assert_ptr_ne (message, NULL);
  gst_message_parse_qos_stats (message, &format, &processed, &dropped);
  ck_assert_int_eq (format, GST_FORMAT_BUFFERS);
  ck_assert_uint_eq (processed, 3);
  ck_assert_uint_eq (dropped, 1);
  gst_harness_teardown (harness);
  gst_harness_teardown (patient);
}
END_TEST

START_TEST (test_interval_and_lateness)
{
  GstHarness *harness = start ("qos=true interval=1", CAPS);

  for (guint i = 0; i < 6; i++) { /* analysed: 0, 2, then 4 would be late, 5 is next */
    g_autoptr (GstBuffer) buffer = NULL;
    const GstRvmFeatureMeta *meta;

    if (i == 4)
      push_qos (harness, 3 * FRAME_TIME, FRAME_TIME);
    buffer = step (harness, i, i);
    meta = gst_rvm_buffer_get_feature_meta (buffer);
    ck_assert_int_eq (meta->carried, i == 1 || i == 3 || i == 4);
    ck_assert_uint_eq (meta->carried_count, i == 0 ? 0 : i < 3 ? 1 : i == 3 ? 2 : 3);
    ck_assert_uint_eq (meta->dropped_count, i >= 4);
  }
  gst_harness_teardown (harness);
}
END_TEST

/* Downstream is hopelessly late: a frame of every second is analysed all the same. */
START_TEST (test_never_in_time)
{
  GstHarness *harness = start ("qos=true", CAPS);
  guint analysed = 0;

  for (guint i = 0; i < 78; i++) {
    g_autoptr (GstBuffer) buffer = NULL;

    if (i == 1)
      push_qos (harness, FRAME_TIME, 3600 * GST_SECOND);
    buffer = step (harness, i, i);
    if (!gst_rvm_buffer_get_feature_meta (buffer)->carried) {
      /* The first frame, then that which comes a second after the first one left out: 1 + 25, and 27 + 25. */
      ck_assert_uint_eq (i, analysed == 0 ? 0 : 26 * analysed);
      analysed++;
    }
  }
  ck_assert_uint_eq (analysed, 3);
  ck_assert_uint_eq (get_stat (harness, "dropped"), 75);
  gst_harness_teardown (harness);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("all");

  gst_check_init (&argc, &argv);
  tcase_add_test (tests, test_latency_is_measured);
  tcase_add_test (tests, test_late_frames_are_counted);
  tcase_add_test (tests, test_interval_and_lateness);
  tcase_add_test (tests, test_never_in_time);
  return run_cases ("rvmencode-live", tests);
}
