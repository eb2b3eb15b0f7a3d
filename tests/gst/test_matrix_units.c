/* rvmencode with precision=bf16 on matrix units, which the emulator (tests/kernels/matrix_units_emulator.c) in this program has: features of the bundled
 * model, streams side by side, another model while playing, and what a user is told. Each test is a process of its own: a notice is given once. */
#include <math.h>

#include "harness.h"

unsigned long rvm_emulator_count_products (void); /* G_MAXULONG: the processor has matrix units, nothing is emulated */

/* Frames @first to @first + @count - 1 of @harness and @exact: the root mean square of the differences of their features, as a part of that of the features.
 * The largest one says little of the bundled model, whose update gate is sharp: where a patch is nearly covered, rounding may decide whether the state stays,
 * and one patch of a hundred then has the features of an earlier frame. */
static double
compare_frames (GstHarness *harness, GstHarness *exact, guint first, guint count)
{
  double error = 0, all = 1e-30;

  for (guint i = first; i < first + count; i++) {
    g_autoptr (GBytes) features = features_at (harness, i), expected = features_at (exact, i);
    const float *x = g_bytes_get_data (features, NULL), *y = g_bytes_get_data (expected, NULL);

    ck_assert_uint_eq (g_bytes_get_size (features), g_bytes_get_size (expected));
    for (gsize k = 0; k < g_bytes_get_size (expected) / sizeof (float); k++) {
      error += pow (x[k] - y[k], 2);
      all += pow (y[k], 2);
    }
  }
  return isfinite (error) ? sqrt (error / all) : INFINITY;
}

static double
measure_error (const char *model, const char *settings)
{
  g_autofree char *text = g_strdup_printf ("rvmencode model-file=\"%s\" %s", model, settings);
  g_autofree char *exact_text = g_strdup_printf ("rvmencode model-file=\"%s\"", model);
  GstHarness *harness = gst_harness_new_parse (text), *exact = gst_harness_new_parse (exact_text);
  double error;

  gst_harness_set_src_caps_str (harness, CAPS);
  gst_harness_set_src_caps_str (exact, CAPS);
  error = compare_frames (harness, exact, 0, 4);
  gst_harness_teardown (harness);
  gst_harness_teardown (exact);
  return error;
}

static void
check_models (const char *precision)
{
  const double tiny = measure_error (MODEL, precision), bundled = measure_error (BUNDLED_MODEL, precision);

  g_print ("%s: tests' model %.1e, bundled model %.1e\n", precision, tiny, bundled);
  ck_assert_msg (tiny > 1e-4 && tiny < 1e-2, "tests' model, %s: %g", precision, tiny);
  ck_assert_msg (bundled > 1e-5 && bundled < 3e-2, "bundled model, %s: %g", precision, bundled);
}

START_TEST (test_features)
{
  check_models ("precision=bf16");
  ck_assert (rvm_emulator_count_products () > 1000);
}
END_TEST

/* Another way to the same: the error of weights of bfloat16 alone. */
START_TEST (test_native)
{
  check_models ("precision=bf16 gemm=native");
  ck_assert (rvm_emulator_count_products () == 0 || rvm_emulator_count_products () == G_MAXULONG);
}
END_TEST

START_TEST (test_two_streams)
{
  GstHarness *one = start ("precision=bf16", CAPS), *two = start ("precision=bf16", CAPS), *exact = start ("", CAPS), *other = start ("", CAPS);

  for (guint i = 0; i < 6; i++) {
    ck_assert (compare_frames (one, exact, 2 * i, 1) < 1e-2);
    ck_assert (compare_frames (two, other, 100 + i, 1) < 1e-2);
  }
  gst_harness_teardown (one);
  gst_harness_teardown (two);
  gst_harness_teardown (exact);
  gst_harness_teardown (other);
}
END_TEST

/* What a pipeline that plays says about bfloat16, or NULL; it must say so no more than once. */
static char *
play (const char *settings)
{
  g_autofree char *launch = g_strdup_printf ("videotestsrc num-buffers=2 ! " CAPS " ! rvmencode model-file=\"%s\" %s ! fakesink", MODEL, settings);
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autofree char *said = NULL;
  gboolean ended = FALSE;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (!ended) {
    g_autoptr (GstMessage) message =
        gst_bus_timed_pop_filtered (bus, WAIT_SECONDS * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_INFO | GST_MESSAGE_WARNING);
    g_autoptr (GError) info = NULL;

    ck_assert (message != NULL);
    ended = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS || GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR;
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_INFO)
      gst_message_parse_info (message, &info, NULL);
    else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
      gst_message_parse_error (message, &info, NULL);
    if (info && strstr (info->message, "matrix units")) {
      ck_assert_msg (said == NULL, "%s, and then %s", said, info->message);
      said = g_strdup (info->message);
    }
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return g_steal_pointer (&said);
}

START_TEST (test_said_once)
{
  g_autofree char *f32 = play (""), *first = play ("precision=bf16"), *second = play ("precision=bf16");

  ck_assert (f32 == NULL);
  ck_assert_msg (first && strstr (first, "multiply"), "%s", first ? first : "nothing");
  ck_assert (second == NULL);
}
END_TEST

/* Without permission the element plays on in float32, and says why; who asked for matrix units by name gets an error. */
START_TEST (test_refused)
{
  g_autofree char *said = NULL, *named = NULL;

  g_setenv ("MATRIX_UNITS", "refused", TRUE);
  said = play ("precision=bf16");
  ck_assert_msg (said && strstr (said, "float32") && strstr (said, "sigaltstack"), "%s", said ? said : "nothing");
  named = play ("precision=bf16 gemm=matrix-units");
  ck_assert_msg (named && strstr (named, "cannot be used") && strstr (named, "sigaltstack"), "%s", named ? named : "nothing");
  ck_assert_msg (measure_error (MODEL, "precision=bf16") < 1e-2, "the features are wrong");
}
END_TEST

START_TEST (test_model_changes)
{
  GstHarness *harness = start ("precision=bf16", CAPS), *exact = NULL;
  g_autoptr (GstElement) encode = gst_harness_find_element (harness, "rvmencode");
  g_autofree char *exact_text = g_strdup_printf ("rvmencode model-file=\"%s\"", BUNDLED_MODEL);
  guint index = 0;
  gsize size = 0, before;

  g_bytes_unref (features_at (harness, index++));
  {
    g_autoptr (GBytes) features = features_at (harness, index++);
    before = g_bytes_get_size (features);
  }
  g_object_set (encode, "model-file", BUNDLED_MODEL, NULL);
  for (const gint64 end = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC; size == 0 || size == before;) {
    g_autoptr (GBytes) features = features_at (harness, index++);

    size = g_bytes_get_size (features);
    ck_assert_msg (g_get_monotonic_time () < end, "the other model was never used");
    g_usleep (20000);
  }
  /* The frame that had the new model first began a new state. */
  exact = gst_harness_new_parse (exact_text);
  gst_harness_set_src_caps_str (exact, CAPS);
  g_bytes_unref (features_at (exact, index - 1));
  ck_assert (compare_frames (harness, exact, index, 3) < 3e-2);
  gst_harness_teardown (harness);
  gst_harness_teardown (exact);
}
END_TEST

int
main (int argc, char **argv)
{
  Suite *suite = suite_create ("matrix units");
  TCase *tests = tcase_create ("matrix units");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 300);
  tcase_add_test (tests, test_features);
  tcase_add_test (tests, test_native);
  tcase_add_test (tests, test_two_streams);
  tcase_add_test (tests, test_said_once);
  tcase_add_test (tests, test_refused);
  tcase_add_test (tests, test_model_changes);
  suite_add_tcase (suite, tests);
  return gst_check_run_suite (suite, "matrix units", __FILE__);
}
