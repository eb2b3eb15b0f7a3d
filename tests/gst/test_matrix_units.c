/* rvmencode with precision=bf16 on matrix units, which the emulator (tests/kernels/matrix_units_emulator.c) in this program has: features of the bundled
 * model, streams side by side, also while other threads want the processors, another model while playing, a process that forks and executes another
 * program, and what a user is told. Each test is a process of its own: a notice is given once. */
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

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

#define STREAMS 2
#define FRAMES 3
#define RIVALS 20

/* A stream of its own model, whose features are collected. */
typedef struct {
  const char *model;
  guint first;
  GBytes *features[FRAMES];
} Stream;

static gpointer
run_stream (gpointer data)
{
  Stream *stream = data;
  g_autofree char *text = g_strdup_printf ("rvmencode model-file=\"%s\" precision=bf16", stream->model);
  GstHarness *harness = gst_harness_new_parse (text);

  gst_harness_set_src_caps_str (harness, CAPS);
  for (guint i = 0; i < FRAMES; i++)
    stream->features[i] = features_at (harness, stream->first + i);
  gst_harness_teardown (harness);
  return NULL;
}

static gpointer
keep_busy (gpointer stop)
{
  while (!g_atomic_int_get ((gint *) stop))
    ;
  return NULL;
}

/* Tiles are a thread's own, and the system takes threads off their processors all the time: the features are to the bit those of streams one after the
 * other with nothing else to do. */
START_TEST (test_streams_under_load)
{
  Stream alone[STREAMS] = { { MODEL, 0, { NULL } }, { BUNDLED_MODEL, 100, { NULL } } }, loaded[STREAMS] = { { MODEL, 0, { NULL } }, { BUNDLED_MODEL, 100, { NULL } } };
  GThread *streams[STREAMS], *rivals[RIVALS];
  gint stop = FALSE;

  for (guint s = 0; s < STREAMS; s++)
    run_stream (&alone[s]);
  for (guint i = 0; i < RIVALS; i++)
    rivals[i] = g_thread_new ("rival", keep_busy, &stop);
  for (guint s = 0; s < STREAMS; s++)
    streams[s] = g_thread_new ("stream", run_stream, &loaded[s]);
  for (guint s = 0; s < STREAMS; s++)
    g_thread_join (streams[s]);
  g_atomic_int_set (&stop, TRUE);
  for (guint i = 0; i < RIVALS; i++)
    g_thread_join (rivals[i]);
  for (guint s = 0; s < STREAMS; s++)
    for (guint i = 0; i < FRAMES; i++) {
      ck_assert_msg (g_bytes_equal (alone[s].features[i], loaded[s].features[i]), "stream %u, frame %u has other features under load", s, i);
      g_bytes_unref (alone[s].features[i]);
      g_bytes_unref (loaded[s].features[i]);
    }
}
END_TEST

/* What a pipeline that plays says about bfloat16, or NULL, and how often. Asserts nothing: it is used outside of tests, too. */
static char *
listen (const char *settings, guint *times)
{
  g_autofree char *launch = g_strdup_printf ("videotestsrc num-buffers=2 ! " CAPS " ! rvmencode model-file=\"%s\" %s ! fakesink", MODEL, settings);
  g_autoptr (GstElement) pipeline = gst_parse_launch (launch, NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autofree char *said = NULL;
  gboolean ended = FALSE;

  *times = 0;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (!ended) {
    g_autoptr (GstMessage) message =
        gst_bus_timed_pop_filtered (bus, WAIT_SECONDS * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_INFO | GST_MESSAGE_WARNING);
    g_autoptr (GError) info = NULL;

    if (message == NULL) {
      g_printerr ("the pipeline neither ends nor fails\n");
      *times = G_MAXUINT;
      break;
    }
    ended = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS || GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR;
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_INFO)
      gst_message_parse_info (message, &info, NULL);
    else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
      gst_message_parse_error (message, &info, NULL);
    if (info && strstr (info->message, "matrix units")) {
      g_free (said);
      said = g_strdup (info->message);
      *times += 1;
    }
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return g_steal_pointer (&said);
}

/* The same; it must say so no more than once. */
static char *
play (const char *settings)
{
  guint times;
  char *said = listen (settings, &times);

  ck_assert_msg (times <= 1, "said %u times: %s", times, said ? said : "nothing");
  return said;
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

/* The same when the test product fails, and with the very features of a processor without matrix units. */
START_TEST (test_wrong_products)
{
  static const char *const faults[] = { "absent", "wrong", "dropped" };
  g_autoptr (GBytes) expected = NULL;

  if (rvm_emulator_count_products () == G_MAXULONG)
    return; /* the processor's own products are right */
  for (guint i = 0; i < G_N_ELEMENTS (faults); i++) {
    GstHarness *harness;
    g_autoptr (GBytes) features = NULL;

    g_setenv ("MATRIX_UNITS", faults[i], TRUE);
    harness = start ("precision=bf16", CAPS);
    features = features_at (harness, 0);
    gst_harness_teardown (harness);
    if (expected == NULL)
      expected = g_steal_pointer (&features);
    else
      ck_assert_msg (g_bytes_equal (features, expected), "%s: other features than in float32", faults[i]);
  }
}
END_TEST

START_TEST (test_wrong_products_are_said)
{
  g_autofree char *said = NULL, *named = NULL;

  if (rvm_emulator_count_products () == G_MAXULONG)
    return;
  g_setenv ("MATRIX_UNITS", "wrong", TRUE);
  said = play ("precision=bf16");
  ck_assert_msg (said && strstr (said, "float32") && strstr (said, "came out wrong"), "%s", said ? said : "nothing");
  named = play ("precision=bf16 gemm=matrix-units");
  ck_assert_msg (named && strstr (named, "cannot be used") && strstr (named, "came out wrong"), "%s", named ? named : "nothing");
}
END_TEST

/* As a program does that starts others while it plays: the permission is the process's, and lost with the program. The program that is executed asks
 * anew, and the parent's stream goes on. (A child by fork() alone may not use OpenCL, with or without matrix units: test_fork.c.) */
START_TEST (test_fork_and_exec)
{
  GstHarness *harness = start ("precision=bf16", CAPS), *other = start ("precision=bf16", CAPS);
  int status;
  pid_t child;

  for (guint i = 0; i < 4; i++) {
    g_autoptr (GBytes) features = features_at (harness, i), expected = features_at (other, i);

    ck_assert (g_bytes_equal (features, expected));
    if (i != 1)
      continue;
    child = fork ();
    if (child == 0) {
      execl ("/proc/self/exe", "test_matrix_units", "child", NULL);
      _exit (3);
    }
    ck_assert (child > 0 && waitpid (child, &status, 0) == child);
    ck_assert_msg (WIFEXITED (status) && WEXITSTATUS (status) == 0, "the child ends with status %x", status);
  }
  gst_harness_teardown (harness);
  gst_harness_teardown (other);
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

/* The program that test_fork_and_exec() executes: plays on matrix units. */
static int
run_child (void)
{
  guint times;
  g_autofree char *said = listen ("precision=bf16", &times);

  return times == 1 && strstr (said, "multiply") && rvm_emulator_count_products () > 0 ? 0 : 1;
}

int
main (int argc, char **argv)
{
  Suite *suite;
  TCase *tests;

  gst_check_init (&argc, &argv);
  if (argc > 1 && strcmp (argv[1], "child") == 0)
    return run_child ();
  suite = suite_create ("matrix units");
  tests = tcase_create ("matrix units");
  tcase_set_timeout (tests, 300);
  tcase_add_test (tests, test_features);
  tcase_add_test (tests, test_native);
  tcase_add_test (tests, test_two_streams);
  tcase_add_test (tests, test_said_once);
  tcase_add_test (tests, test_streams_under_load);
  tcase_add_test (tests, test_refused);
  tcase_add_test (tests, test_wrong_products);
  tcase_add_test (tests, test_wrong_products_are_said);
  tcase_add_test (tests, test_fork_and_exec);
  tcase_add_test (tests, test_model_changes);
  suite_add_tcase (suite, tests);
  return gst_check_run_suite (suite, "matrix units", __FILE__);
}
