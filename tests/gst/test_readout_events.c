/* When events begin and end in answers whose truth is written down here: hysteresis, smoothing, least duration, classes that follow each other. */
#include <gst/gst.h>
#include <math.h>

#include "gst-plugin/readout/readout_events.h"
#include "tests/run_cases.h"

#define STEP (100 * GST_MSECOND)

static const RvmEventSettings plain = { .on = 0.6, .off = 0.4 };

/* Pushes one value for each of the two channels. */
static void
push (RvmEventDetector *detector, const RvmEventSettings *settings, guint frame, gfloat first, gfloat second, GArray *events)
{
  rvm_event_detector_push (detector, settings, (const gfloat[]){ first, second }, frame * STEP, events);
}

static const RvmReadoutEvent *
event_at (GArray *events, guint i)
{
  ck_assert_uint_lt (i, events->len);
  return &g_array_index (events, RvmReadoutEvent, i);
}

START_TEST (test_a_value_between_the_thresholds_keeps_an_event_and_begins_none)
{
  static const gfloat values[] = { 0.5, 0.55, 0.7, 0.5, 0.45, 0.55, 0.39, 0.5, 0.59 };
  g_autoptr (RvmEventDetector) detector = rvm_event_detector_new (2);
  g_autoptr (GArray) events = g_array_new (FALSE, FALSE, sizeof (RvmReadoutEvent));

  for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
    push (detector, &plain, i, values[i], 0, events);
    ck_assert_int_eq (rvm_event_detector_get_current (detector) != NULL, i >= 2 && i < 6);
  }
  ck_assert_uint_eq (events->len, 2);
  ck_assert (!event_at (events, 0)->ends && event_at (events, 0)->class == 1 && event_at (events, 0)->start == 2 * STEP);
  ck_assert (event_at (events, 1)->ends && event_at (events, 1)->class == 1 && event_at (events, 1)->start == 2 * STEP);
  ck_assert_uint_eq (event_at (events, 1)->end, 6 * STEP);
  ck_assert_double_eq_tol (event_at (events, 1)->confidence, 0.7, 1e-6);
}
END_TEST

START_TEST (test_short_events_are_none)
{
  const RvmEventSettings settings = { .on = 0.6, .off = 0.4, .least = 250 * GST_MSECOND };
  g_autoptr (RvmEventDetector) detector = rvm_event_detector_new (2);
  g_autoptr (GArray) events = g_array_new (FALSE, FALSE, sizeof (RvmReadoutEvent));

  /* Two frames, then three more, which are too few, then five. */
  for (guint i = 0; i < 15; i++)
    push (detector, &settings, i, i < 2 || (i >= 3 && i < 6) || i >= 9 ? 0.9 : 0.1, 0, events);
  rvm_event_detector_finish (detector, events);
  ck_assert_uint_eq (events->len, 2);
  ck_assert_uint_eq (event_at (events, 0)->start, 9 * STEP);
  ck_assert_uint_eq (event_at (events, 1)->end, 14 * STEP);
}
END_TEST

START_TEST (test_one_class_ends_where_another_takes_over)
{
  g_autoptr (RvmEventDetector) detector = rvm_event_detector_new (2);
  g_autoptr (GArray) events = g_array_new (FALSE, FALSE, sizeof (RvmReadoutEvent));

  push (detector, &plain, 0, 0.9, 0.1, events);
  push (detector, &plain, 1, 0.1, 0.9, events);
  push (detector, &plain, 2, 0.1, 0.9, events);
  rvm_event_detector_finish (detector, events);
  ck_assert_uint_eq (events->len, 4);
  ck_assert (event_at (events, 0)->class == 1 && !event_at (events, 0)->ends);
  ck_assert (event_at (events, 1)->class == 1 && event_at (events, 1)->ends && event_at (events, 1)->end == STEP);
  ck_assert (event_at (events, 2)->class == 2 && event_at (events, 2)->start == STEP && event_at (events, 2)->end == GST_CLOCK_TIME_NONE);
  ck_assert (event_at (events, 3)->class == 2 && event_at (events, 3)->ends && event_at (events, 3)->end == 2 * STEP);
}
END_TEST

START_TEST (test_the_background_is_no_event)
{
  const RvmEventSettings settings = { .on = 0.6, .off = 0.4, .ignored = 1 };
  g_autoptr (RvmEventDetector) detector = rvm_event_detector_new (2);
  g_autoptr (GArray) events = g_array_new (FALSE, FALSE, sizeof (RvmReadoutEvent));

  push (detector, &settings, 0, 1, 0, events);
  ck_assert_uint_eq (events->len, 0);
  push (detector, &settings, 1, 0, 1, events);
  ck_assert_uint_eq (events->len, 1);
  ck_assert_uint_eq (event_at (events, 0)->class, 2);
}
END_TEST

/* From 0 to 1: after n half-lives the smoothed value is 1 - 2^-n. */
START_TEST (test_half_life)
{
  const RvmEventSettings settings = { .on = 0.7, .off = 0.3, .half_life = STEP };
  g_autoptr (RvmEventDetector) detector = rvm_event_detector_new (2);
  g_autoptr (GArray) events = g_array_new (FALSE, FALSE, sizeof (RvmReadoutEvent));

  push (detector, &settings, 0, 0, 0, events);
  push (detector, &settings, 1, 1, 0, events); /* 0.5 */
  ck_assert_uint_eq (events->len, 0);
  push (detector, &settings, 3, 1, 0, events); /* two half-lives later: 0.875 */
  ck_assert_uint_eq (events->len, 1);
  ck_assert_double_eq_tol (rvm_event_detector_get_current (detector)->confidence, 0.875, 1e-9);
  push (detector, &settings, 4, 0, 0, events); /* 0.4375 */
  ck_assert_uint_eq (events->len, 1);
  push (detector, &settings, 5, 0, 0, events); /* 0.21875 */
  ck_assert_uint_eq (events->len, 2);
  ck_assert_double_eq_tol (event_at (events, 1)->confidence, 0.875, 1e-9);
}
END_TEST

START_TEST (test_frames_without_times_have_events)
{
  const RvmEventSettings settings = { .on = 0.7, .off = 0.3, .half_life = STEP, .least = STEP };
  g_autoptr (RvmEventDetector) detector = rvm_event_detector_new (1);
  g_autoptr (GArray) events = g_array_new (FALSE, FALSE, sizeof (RvmReadoutEvent));

  rvm_event_detector_push (detector, &settings, (const gfloat[]){ 1 }, GST_CLOCK_TIME_NONE, events);
  ck_assert_uint_eq (events->len, 1);
  ck_assert_uint_eq (event_at (events, 0)->start, GST_CLOCK_TIME_NONE);
}
END_TEST

/* What was smoothed before does not leak into what comes after. */
START_TEST (test_finish_forgets)
{
  const RvmEventSettings settings = { .on = 0.6, .off = 0.4, .half_life = 100 * STEP };
  g_autoptr (RvmEventDetector) detector = rvm_event_detector_new (1);
  g_autoptr (GArray) events = g_array_new (FALSE, FALSE, sizeof (RvmReadoutEvent));

  rvm_event_detector_push (detector, &settings, (const gfloat[]){ 1 }, 0, events);
  rvm_event_detector_finish (detector, events);
  ck_assert_uint_eq (events->len, 2);
  rvm_event_detector_push (detector, &settings, (const gfloat[]){ 0 }, STEP, events);
  ck_assert_uint_eq (events->len, 2);
  rvm_event_detector_push (detector, &settings, (const gfloat[]){ 0.1 }, 2 * STEP, events);
  ck_assert_ptr_null (rvm_event_detector_get_current (detector));
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("events");

  gst_init (&argc, &argv);
  tcase_add_test (tests, test_a_value_between_the_thresholds_keeps_an_event_and_begins_none);
  tcase_add_test (tests, test_short_events_are_none);
  tcase_add_test (tests, test_one_class_ends_where_another_takes_over);
  tcase_add_test (tests, test_the_background_is_no_event);
  tcase_add_test (tests, test_half_life);
  tcase_add_test (tests, test_frames_without_times_have_events);
  tcase_add_test (tests, test_finish_forgets);
  return run_cases ("events", tests);
}
