/* Still frames, which rvmencode can leave out: which they are, what they carry, and what ends a row of them. */
#include "harness.h"
#include "tests/run_cases.h"

/* Frame @index, grey, of which the pixel at the left end of @row is @level in all channels. */
static GstBuffer *
make_grey (guint row, guint level, guint index)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64 * 48 * 3, NULL);
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  memset (map.data, 100, map.size);
  memset (map.data + row * 64 * 3, level, 3);
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_PTS (buffer) = index * FRAME_TIME;
  GST_BUFFER_DURATION (buffer) = FRAME_TIME;
  return buffer;
}

/* Pushes it. @carried: whether it must be. Returns its update. */
static guint64
push (GstHarness *harness, guint row, guint level, guint index, gboolean carried)
{
  g_autoptr (GstBuffer) buffer = gst_harness_push_and_pull (harness, make_grey (row, level, index));
  const GstRvmFeatureMeta *meta = gst_rvm_buffer_get_feature_meta (buffer);

  ck_assert_msg (meta->carried == carried, "frame %u is %scarried", index, meta->carried ? "" : "not ");
  return meta->update;
}

#define SETTLED 4 /* frames after a reset that are computed, still or not */

/* The frames @first to @first + SETTLED - 1, after a reset. */
static void
settle (GstHarness *harness, guint first)
{
  for (guint i = 0; i < SETTLED; i++)
    push (harness, 0, 100, first + i, FALSE);
}

static void
set (GstHarness *harness, const char *name, const char *value)
{
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");

  gst_util_set_object_arg (G_OBJECT (element), name, value);
}

/* The mean of a block changes by a sixteenth of its pixel. */
START_TEST (test_threshold)
{
  GstHarness *harness = start ("reuse=still reuse-threshold=2", CAPS);

  settle (harness, 0);
  ck_assert_uint_eq (push (harness, 0, 132, 4, TRUE), 4); /* by 2 */
  ck_assert_uint_eq (push (harness, 0, 133, 5, FALSE), 5);
  ck_assert_uint_eq (push (harness, 0, 101, 6, TRUE), 5);
  /* Not from frame to frame, but since the last one that was computed: slow changes add up. */
  ck_assert_uint_eq (push (harness, 0, 165, 7, TRUE), 5);
  ck_assert_uint_eq (push (harness, 0, 166, 8, FALSE), 6);
  ck_assert_uint_eq (push (harness, 47, 255, 9, FALSE), 7); /* another block, at the other end */
  ck_assert_uint_eq (get_stat (harness, "still"), 3);
  ck_assert_uint_eq (get_stat (harness, "carried"), 3);
  ck_assert_uint_eq (get_stat (harness, "skipped"), 3);
  ck_assert_uint_eq (get_stat (harness, "frames"), 10);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_off_and_on_while_playing)
{
  GstHarness *harness = start ("", CAPS);

  settle (harness, 0);
  push (harness, 0, 100, 4, FALSE);
  set (harness, "reuse", "still");
  push (harness, 0, 100, 5, FALSE); /* the one to compare with */
  push (harness, 0, 100, 6, TRUE);
  set (harness, "reuse", "none");
  push (harness, 0, 200, 7, FALSE);
  set (harness, "reuse", "still");
  push (harness, 0, 200, 8, FALSE); /* not with frame 5 */
  push (harness, 0, 200, 9, TRUE);
  set (harness, "reuse-threshold", "0");
  push (harness, 0, 200, 10, TRUE);
  push (harness, 0, 201, 11, FALSE);
  ck_assert_uint_eq (get_stat (harness, "still"), 3);
  gst_harness_teardown (harness);
}
END_TEST

START_TEST (test_longest)
{
  GstHarness *harness = start ("reuse=still reuse-longest=3", CAPS);

  settle (harness, 0);
  for (guint i = 0; i < 8; i++)
    push (harness, 0, 100, SETTLED + i, i % 4 != 3);
  set (harness, "reuse-longest", "1");
  for (guint i = 8; i < 12; i++)
    push (harness, 0, 100, SETTLED + i, i % 2 == 0);
  gst_harness_teardown (harness);
}
END_TEST

/* Every second frame is looked at; of those, still ones are left out. */
START_TEST (test_with_interval)
{
  GstHarness *harness = start ("reuse=still reuse-longest=2", CAPS);

  settle (harness, 0);
  set (harness, "interval", "1");
  push (harness, 0, 200, 4, FALSE);
  for (guint i = 1; i < 12; i++)
    push (harness, 0, 200, SETTLED + i, i % 6 != 0);
  ck_assert_uint_eq (get_stat (harness, "still"), 4);
  ck_assert_uint_eq (get_stat (harness, "carried"), 10);
  gst_harness_teardown (harness);
}
END_TEST

/* What makes the features old ends a row of still frames: a reset, another analysis size, another stream. */
START_TEST (test_what_is_computed_anyway)
{
  GstHarness *harness = start ("reuse=still reset-on=flush", CAPS);
  g_autoptr (GstElement) element = gst_harness_find_element (harness, "rvmencode");

  settle (harness, 0);
  push (harness, 0, 100, 4, TRUE);
  g_signal_emit_by_name (element, "reset-state");
  settle (harness, 5);
  push (harness, 0, 100, 9, TRUE);
  set (harness, "size", "32");
  settle (harness, 10);
  push (harness, 0, 100, 14, TRUE);
  gst_harness_push_event (harness, gst_event_new_stream_start ("another"));
  gst_harness_set_src_caps_str (harness, CAPS);
  push (harness, 0, 100, 15, FALSE); /* the state goes on, so it has settled */
  push (harness, 0, 100, 16, TRUE);
  gst_harness_teardown (harness);
}
END_TEST

/* Frames that are computed see the state that the ones before them left: still frames change nothing in it. */
START_TEST (test_state_is_that_of_the_computed_frames)
{
  GstHarness *some = start ("reuse=still", CAPS), *all = start ("", CAPS);
  const guint levels[] = { 100, 200, 200, 200, 50, 50, 250 };
  guint last = 0;

  settle (some, 0);
  settle (all, 0);
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++) {
    g_autoptr (GstBuffer) buffer = gst_harness_push_and_pull (some, make_grey (0, levels[i], 4 + i)), expected = NULL;
    g_autoptr (GBytes) features = features_of (buffer), expected_features = NULL;

    if (levels[i] == last || levels[i] == 100) {
      ck_assert (gst_rvm_buffer_get_feature_meta (buffer)->carried);
      continue;
    }
    last = levels[i];
    expected = gst_harness_push_and_pull (all, make_grey (0, levels[i], 4 + i));
    expected_features = features_of (expected);
    ck_assert (g_bytes_equal (features, expected_features));
  }
  ck_assert_uint_eq (get_stat (some, "still"), 4);
  gst_harness_teardown (some);
  gst_harness_teardown (all);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("reuse");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_threshold);
  tcase_add_test (tests, test_off_and_on_while_playing);
  tcase_add_test (tests, test_longest);
  tcase_add_test (tests, test_with_interval);
  tcase_add_test (tests, test_what_is_computed_anyway);
  tcase_add_test (tests, test_state_is_that_of_the_computed_frames);
  return run_cases ("reuse", tests);
}
