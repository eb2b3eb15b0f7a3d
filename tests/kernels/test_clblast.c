/* What CLBlast keeps of a device, and when it is told to forget it. Needs one OpenCL device. */
#include "kernels/ops/linear.h"
#include "kernels/runtime/cl.h"
#include "runtime_fixture.h"
#include "tests/run_cases.h"

/* A 16 x 16 product by CLBlast. */
static void
run_clblast (RvmDevice *device)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmQueue) queue = rvm_queue_new (device, FALSE, &error);
  g_autoptr (RvmLinear) weights = rvm_linear_new (device, RVM_GEMM_CLBLAST, RVM_ELEMENT_F32, 16, 16, FALSE, &error);
  g_autoptr (RvmBuffer) a = rvm_buffer_new (device, 16 * 16 * sizeof (float), "a", &error);
  g_autoptr (RvmBuffer) out = rvm_buffer_new (device, 16 * 16 * sizeof (float), "out", &error);
  float kernel[16 * 16] = { 0 }, values[16 * 16], result[16 * 16];

  ck_assert_msg (weights && a && out, "%s", error ? error->message : "");
  for (guint i = 0; i < 16 * 16; i++)
    values[i] = i;
  for (guint i = 0; i < 16; i++)
    kernel[i * 16 + i] = 2;
  ck_assert (rvm_linear_begin (weights, &error));
  rvm_linear_set_kernel (weights, 0, 0, 16, 16, kernel);
  ck_assert (rvm_linear_end (weights, &error));
  rvm_queue_write (queue, a, 0, values, sizeof values);
  rvm_linear_forward (queue, weights, rvm_tensor (a, 16, 16), rvm_tensor (out, 16, 16), NULL);
  rvm_queue_read (queue, out, 0, result, sizeof result);
  ck_assert_msg (rvm_queue_finish (queue, &error), "%s", error ? error->message : "");
  for (guint i = 0; i < 16 * 16; i++)
    ck_assert_float_eq (result[i], 2 * values[i]);
}

static cl_uint
count_references (cl_context context)
{
  cl_uint count = 0;

  ck_assert_int_eq (clGetContextInfo (context, CL_CONTEXT_REFERENCE_COUNT, sizeof count, &count, NULL), CL_SUCCESS);
  return count;
}

/* CLBlast keeps programs until the process ends, unless it is told to forget all of them. */
START_TEST (test_clblast_gives_contexts_back)
{
  RvmDevice *first = open_device (""), *second = open_device (folder);
  cl_context contexts[2] = { rvm_device_get_context (first), rvm_device_get_context (second) };
  cl_uint kept;

  /* As long as these references are held, no other context can have the address of one of them. */
  for (guint i = 0; i < 2; i++)
    clRetainContext (contexts[i]);
  run_clblast (first);
  run_clblast (second);

  /* While the first device has users, it keeps its programs, and the second keeps its context and is the same when it is opened again. */
  kept = count_references (contexts[0]);
  ck_assert_uint_gt (kept, 2);
  rvm_device_unref (second);
  ck_assert_uint_eq (count_references (contexts[0]), kept);
  second = open_device (folder);
  ck_assert_ptr_eq (rvm_device_get_context (second), contexts[1]);
  run_clblast (second);
  rvm_device_unref (second);

  rvm_device_unref (first);
  for (guint i = 0; i < 2; i++) {
    ck_assert_uint_eq (count_references (contexts[i]), 1);
    clReleaseContext (contexts[i]);
  }
  first = open_device ("");
  run_clblast (first);
  rvm_device_unref (first);
}
END_TEST

/* Opens a device, uses CLBlast and closes it, again and again. Returns the last context, with a reference. */
static gpointer
come_and_go (gpointer cache_dir)
{
  cl_context context = NULL;

  for (guint i = 0; i < 4; i++) {
    RvmDevice *device = open_device (cache_dir);

    if (context)
      clReleaseContext (context);
    context = rvm_device_get_context (device);
    clRetainContext (context);
    run_clblast (device);
    rvm_device_unref (device);
  }
  return context;
}

/* Threads that open and close two devices at any moment: CLBlast's forgetting disturbs no product, and nothing is kept in the end. */
START_TEST (test_clblast_forgets_beside_threads)
{
  GThread *threads[4];
  cl_context contexts[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("stream", come_and_go, i % 2 ? folder : (char *) "");
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    contexts[i] = g_thread_join (threads[i]);
  for (guint i = 0; i < G_N_ELEMENTS (contexts); i++) {
    guint ours = 0;

    for (guint k = i; k < G_N_ELEMENTS (contexts); k++)
      ours += contexts[k] == contexts[i];
    ck_assert_uint_eq (count_references (contexts[i]), ours);
    clReleaseContext (contexts[i]);
  }
}
END_TEST

int
main (void)
{
  TCase *tests = tcase_create ("all");

  tcase_add_checked_fixture (tests, setup, teardown);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_clblast_gives_contexts_back);
  tcase_add_test (tests, test_clblast_forgets_beside_threads);
  return run_cases ("clblast", tests);
}
