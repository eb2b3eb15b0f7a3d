/* What the property `precision` does to features, and what the user is told about it. */
#include <math.h>

#include "harness.h"
#include "tests/run_cases.h"

/* The largest difference of the features of three frames from those of float32, as a part of the largest feature. */
static double
measure_error (const char *precision)
{
  g_autofree char *settings = g_strdup_printf ("precision=%s", precision);
  GstHarness *harness = start (settings, CAPS), *exact = start ("", CAPS);
  double error = 0, largest = 0;

  for (guint i = 0; i < 3; i++) {
    g_autoptr (GstBuffer) buffer = step (harness, i, i), expected_buffer = step (exact, i, i);
    g_autoptr (GBytes) features = features_of (buffer), expected = features_of (expected_buffer);
    const float *x = g_bytes_get_data (features, NULL), *y = g_bytes_get_data (expected, NULL);

    ck_assert_uint_eq (g_bytes_get_size (features), g_bytes_get_size (expected));
    for (gsize k = 0; k < g_bytes_get_size (expected) / sizeof (float); k++) {
      error = MAX (error, fabs (x[k] - y[k]));
      largest = MAX (largest, fabs (y[k]));
    }
  }
  gst_harness_teardown (harness);
  gst_harness_teardown (exact);
  return error / largest;
}

START_TEST (test_errors)
{
  const double f32 = measure_error ("f32"), f16 = measure_error ("f16"), bf16 = measure_error ("bf16");

  ck_assert_msg (f32 == 0, "f32: %g", f32);
  ck_assert_msg (f16 > 1e-5 && f16 < 3e-3, "f16: %g", f16);
  ck_assert_msg (bf16 > 2 * f16 && bf16 < 2e-2, "bf16: %g", bf16);
}
END_TEST

/* How often a pipeline that plays with @precision says that products are computed in float32. */
static guint
count_notices (const char *precision)
{
  g_autofree char *launch = g_strdup_printf ("videotestsrc num-buffers=1 ! " CAPS " ! rvmencode model-file=\"%s\" precision=%s ! fakesink", MODEL, precision);
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  guint count = 0;
  gboolean ended = FALSE;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (!ended) {
    g_autoptr (GstMessage) message =
        gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_INFO | GST_MESSAGE_WARNING);
    g_autoptr (GError) info = NULL;

    ck_assert (message != NULL && GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR);
    ended = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_INFO) {
      gst_message_parse_info (message, &info, NULL);
      count += strstr (info->message, "bf16") && strstr (info->message, "float32");
    }
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return count;
}

START_TEST (test_what_bf16_does_not_do_is_said_once)
{
  ck_assert_uint_eq (count_notices ("f32"), 0);
  ck_assert_uint_eq (count_notices ("f16"), 0);
  ck_assert_uint_eq (count_notices ("bf16"), 1);
  ck_assert_uint_eq (count_notices ("bf16"), 0);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests = tcase_create ("precision");

  gst_check_init (&argc, &argv);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_what_bf16_does_not_do_is_said_once);
  tcase_add_test (tests, test_errors);
  return run_cases ("precision", tests);
}
