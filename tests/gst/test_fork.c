/* Elements that a process inherits by fork(), as multiprocessing does in Python: the child gets an error message from each that would use OpenCL, at
 * once, can stop and free them, and an element of its own refuses to start. The parent goes on. */
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

typedef struct
{
  GstHarness *encode, *track;
  GstBuffer *tracked;           /* a buffer with features for track */
} Inherited;

static GstBus *
listen (GstHarness * harness)
{
  GstBus *bus = gst_bus_new ();

  gst_element_set_bus (harness->element, bus);
  return bus;
}

/* The one error message on @bus says why. */
static gboolean
is_explained (GstBus * bus)
{
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR), more = NULL;
  g_autoptr (GError) error = NULL;

  if (message)
    gst_message_parse_error (message, &error, NULL);
  more = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  if (error && strstr (error->message, "forked") && more == NULL)
    return TRUE;
  g_printerr ("%s\n", error ? error->message : "no error message");
  return FALSE;
}

static gboolean
try_in_child (Inherited * own)
{
  g_autoptr (GstBus) encode = listen (own->encode), track = listen (own->track), fresh = gst_bus_new ();
  GstElement *element = gst_element_factory_make ("rvmtrack", NULL);
  gboolean good = TRUE;

  good &= gst_harness_push (own->encode, make_frame (64 * 48 * 3, 9, 2)) == GST_FLOW_ERROR && is_explained (encode);
  good &= gst_harness_push (own->track, gst_buffer_ref (own->tracked)) == GST_FLOW_ERROR && is_explained (track);
  gst_element_set_bus (element, fresh);
  good &= gst_element_set_state (element, GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE && is_explained (fresh);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (element);
  gst_buffer_unref (own->tracked);
  gst_harness_teardown (own->encode);
  gst_harness_teardown (own->track);
  return good;
}

START_TEST (test_inherited_elements)
{
  /* With a thread that looks after the file. */
  Inherited own = { start ("watch-model=true", CAPS), gst_harness_new_parse ("rvmtrack points=20,20"), NULL };
  GstBuffer *first = step (own.encode, 1, 0);
  pid_t child;
  int status;

  own.tracked = step (own.encode, 2, 1);
  gst_harness_set_src_caps_str (own.track, CAPS);
  gst_buffer_unref (gst_harness_push_and_pull (own.track, first));
  child = fork ();
  if (child == 0) {
    alarm (60);
    _exit (try_in_child (&own) ? 0 : 1);
  }
  fail_unless (child > 0 && waitpid (child, &status, 0) == child);
  fail_unless_equals_int (status, 0);
  gst_buffer_unref (gst_harness_push_and_pull (own.track, own.tracked));
  gst_buffer_unref (step (own.encode, 3, 2));
  gst_harness_teardown (own.encode);
  gst_harness_teardown (own.track);
}
END_TEST

/* Until its end or an error, whose message must say why if @forked. */
static gboolean
run_pipeline (gboolean forked)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch ("videotestsrc num-buffers=2 ! video/x-raw,width=64,height=64 ! rvmencode model-file=\"" MODEL "\""
      " ! rvmtrack ! fakesink", &error);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, WAIT_SECONDS * GST_SECOND, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  if (message == NULL || GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    return message && !forked;
  gst_message_parse_error (message, &error, NULL);
  g_printerr ("%s\n", error->message);
  return forked && strstr (error->message, "forked");
}

/* As multiprocessing does by itself before Python 3.14. */
START_TEST (test_pipeline_after_pipeline)
{
  pid_t child;
  int status;

  fail_unless (run_pipeline (FALSE));
  child = fork ();
  if (child == 0) {
    alarm (60);
    _exit (run_pipeline (TRUE) ? 0 : 1);
  }
  fail_unless (child > 0 && waitpid (child, &status, 0) == child);
  fail_unless_equals_int (status, 0);
}
END_TEST

int
main (int argc, char **argv)
{
  TCase *tests;

  gst_check_init (&argc, &argv);
  tests = tcase_create ("all");
  tcase_add_test (tests, test_inherited_elements);
  tcase_add_test (tests, test_pipeline_after_pipeline);
  return run_cases ("fork", tests);
}
