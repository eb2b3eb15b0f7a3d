/* fork(): a child of a process that has used OpenCL gets an error from everything that would call it, at once, and frees what it inherited
 * without a hang; a child of a process that has not, and another program, work. And the disk that fills while kernels are compiled:
 *
 *   test_process               the tests
 *   test_process open [CACHE]  what another program does: opens a device, prints what the user should know about it, and multiplies
 *   test_process fill FOLDER   PoCL's folder, on a small file system of its own, is filled before a kernel is compiled: an error, not the end
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/runtime/cl.h"
#include "kernels/runtime/launch.h"
#include "kernels/runtime/mark.h"
#include "kernels/runtime/process.h"
#include "kernels/runtime/program.h"

#define SOURCE "__kernel void twice (__global float *x) { x[get_global_id (0)] *= 2.0f; }"

static const char *program;

/* Twice 21, on a device of its own. */
static gboolean
use_opencl (const char *cache_dir)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDevice) device = rvm_device_open (NULL, cache_dir, &error);
  g_autofree char *notice = device ? rvm_device_take_notice (device) : NULL, *again = device ? rvm_device_take_notice (device) : NULL;
  g_autoptr (RvmQueue) queue = device ? rvm_queue_new (device, FALSE, &error) : NULL;
  g_autoptr (RvmBuffer) buffer = queue ? rvm_buffer_new (device, sizeof (float), "test", &error) : NULL;
  float value = 21;
  gboolean good;

  if (buffer == NULL) {
    g_print ("error: %s\n", error->message);
    return FALSE;
  }
  if (notice)
    g_print ("notice: %s\n", notice);
  if (again)
    g_print ("again: %s\n", again);
  rvm_queue_write (queue, buffer, 0, &value, sizeof value);
  rvm_queue_launch (queue, &(RvmKernel){ "twice", "twice", "", SOURCE }, 1, (const gsize[]){ 1 }, NULL, 1, (const RvmArg[]){ RVM_ARG_BUFFER (buffer) });
  rvm_queue_read (queue, buffer, 0, &value, sizeof value);
  good = rvm_queue_finish (queue, &error) && value == 42;
  if (!good)
    g_printerr ("%s\n", error ? error->message : "wrong result");
  return good;
}

/* Of a child, which a hang ends. */
static int
run_child (gboolean (*work) (gpointer), gpointer data)
{
  const pid_t child = fork ();
  int status = -1;

  if (child == 0) {
    alarm (60);
    _exit (work (data) ? 0 : 1);
  }
  ck_assert_int_gt (child, 0);
  ck_assert_int_eq (waitpid (child, &status, 0), child);
  return status;
}

typedef struct {
  RvmDevice *device;
  RvmQueue *queue;
  RvmBuffer *buffer;
  RvmMark *mark;
} Inherited;

static gboolean
is_refused (GError *error, const char *what)
{
  const gboolean good = g_error_matches (error, RVM_ERROR, RVM_ERROR_DEVICE) && strstr (error->message, "forked");

  if (!good)
    g_printerr ("%s: %s\n", what, error ? error->message : "no error");
  g_clear_error (&error);
  return good;
}

static gboolean
try_everything (gpointer data)
{
  Inherited *own = data;
  g_auto (GStrv) list = rvm_device_list ();
  float value = 1;
  GError *error = NULL;
  gboolean good = rvm_process_is_forked () && list[0] == NULL;

  good &= rvm_device_open (NULL, NULL, &error) == NULL && is_refused (g_steal_pointer (&error), "open");
  good &= rvm_queue_new (own->device, FALSE, &error) == NULL && is_refused (g_steal_pointer (&error), "queue");
  good &= rvm_buffer_new (own->device, 16, "test", &error) == NULL && is_refused (g_steal_pointer (&error), "buffer");
  good &= rvm_buffer_map_write (own->buffer, &error) == NULL && is_refused (g_steal_pointer (&error), "map");
  good &= rvm_programs_get (rvm_device_get_programs (own->device), "twice", SOURCE, "-DX", &error) == NULL && is_refused (g_steal_pointer (&error), "build");
  /* The sticky error comes back after each finish. */
  for (guint i = 0; i < 2; i++) {
    rvm_queue_write (own->queue, own->buffer, 0, &value, sizeof value);
    rvm_queue_zero (own->queue, own->buffer, 0, sizeof value);
    rvm_queue_copy (own->queue, own->buffer, 0, own->buffer, 0, 4);
    rvm_queue_flush (own->queue);
    good &= rvm_queue_get_kernel (own->queue, "twice", SOURCE, "twice", "") == NULL && rvm_queue_mark (own->queue) == NULL;
    rvm_queue_read (own->queue, own->buffer, 0, &value, sizeof value);
    good &= !rvm_queue_finish (own->queue, &error) && is_refused (g_steal_pointer (&error), "finish");
  }
  good &= !rvm_queue_finish (own->queue, &error) && is_refused (g_steal_pointer (&error), "finish alone");
  good &= rvm_mark_is_reached (own->mark);
  /* More turns than there are at once. */
  for (guint i = 0; i < 8; i++)
    rvm_turns_take (rvm_device_get_turns (own->device));
  rvm_turns_end (rvm_device_get_turns (own->device));
  rvm_mark_free (own->mark);
  rvm_buffer_unref (own->buffer);
  rvm_queue_free (own->queue);
  rvm_device_unref (rvm_device_ref (own->device));
  rvm_device_unref (own->device);
  return good;
}

START_TEST (test_child_is_refused)
{
  g_autoptr (GError) error = NULL;
  Inherited own = { .device = rvm_device_open (NULL, NULL, &error) };
  float value = 3, back = 0;

  ck_assert_msg (own.device != NULL, "%s", error ? error->message : "");
  own.queue = rvm_queue_new (own.device, FALSE, NULL);
  own.buffer = rvm_buffer_new (own.device, 64, "test", NULL);
  rvm_queue_write (own.queue, own.buffer, 0, &value, sizeof value);
  own.mark = rvm_queue_mark (own.queue);
  ck_assert_ptr_nonnull (own.mark);
  ck_assert_int_eq (run_child (try_everything, &own), 0);
  /* The parent goes on. */
  rvm_queue_read (own.queue, own.buffer, 0, &back, sizeof back);
  ck_assert (rvm_queue_finish (own.queue, NULL));
  ck_assert_float_eq (back, 3);
  rvm_mark_free (own.mark);
  rvm_buffer_unref (own.buffer);
  rvm_queue_free (own.queue);
  rvm_device_unref (own.device);
}
END_TEST

/* Threads that open and give back, so that a fork finds locks that no thread of the child gives back. */
static gint ends;

static gpointer
open_and_close (gpointer data)
{
  while (!g_atomic_int_get (&ends)) {
    RvmDevice *device = rvm_device_open (NULL, NULL, NULL);
    rvm_device_unref (device);
  }
  return NULL;
}

static gboolean
only_open (gpointer device)
{
  GError *error = NULL;
  const gboolean good = rvm_device_open (NULL, NULL, &error) == NULL && is_refused (error, "open");

  rvm_device_unref (device);
  return good;
}

START_TEST (test_child_takes_no_lock)
{
  RvmDevice *device = rvm_device_open (NULL, NULL, NULL);
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("open", open_and_close, NULL);
  for (guint i = 0; i < 50; i++)
    ck_assert_int_eq (run_child (only_open, device), 0);
  g_atomic_int_set (&ends, 1);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  rvm_device_unref (device);
}
END_TEST

static gboolean
use_opencl_in_child (gpointer data)
{
  return use_opencl (NULL);
}

START_TEST (test_fork_before_works)
{
  ck_assert_int_eq (run_child (use_opencl_in_child, NULL), 0);
  ck_assert (use_opencl (NULL));
}
END_TEST

static gboolean
become_program (gpointer data)
{
  execl (program, program, "open", NULL);
  return FALSE;
}

START_TEST (test_another_program_works)
{
  ck_assert (use_opencl (NULL));
  ck_assert_int_eq (run_child (become_program, NULL), 0);
}
END_TEST

static int
fill (const char *folder)
{
  g_autofree char *pocl = g_build_filename (folder, "pocl", NULL), *file = g_build_filename (folder, "rest", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDevice) device = NULL;
  g_autofree char *block = g_malloc0 (4096);
  int fd;

  g_setenv ("POCL_CACHE_DIR", pocl, TRUE);
  device = rvm_device_open (NULL, "", &error);
  fd = open (file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  while (device && fd >= 0 && write (fd, block, 4096) > 0)
    ;
  if (device == NULL || fd < 0 || errno != ENOSPC) {
    g_printerr ("the folder could not be filled: %s\n", error ? error->message : g_strerror (errno));
    return 2;
  }
  close (fd);
  if (rvm_programs_get (rvm_device_get_programs (device), "twice", SOURCE, "", &error)) {
    g_printerr ("built on a full disk\n");
    return 1;
  }
  g_print ("%s\n", error->message);
  /* The disk is emptied, and it goes on. */
  g_unlink (file);
  return rvm_programs_get (rvm_device_get_programs (device), "twice", SOURCE, "", NULL) ? 0 : 1;
}

int
main (int argc, char **argv)
{
  Suite *suite;
  TCase *tests;
  SRunner *runner;
  int failed;

  if (argc > 1 && strcmp (argv[1], "open") == 0)
    return use_opencl (argv[2]) ? 0 : 1;
  if (argc == 3 && strcmp (argv[1], "fill") == 0)
    return fill (argv[2]);
  program = "/proc/self/exe";
  suite = suite_create ("process");
  tests = tcase_create ("all");
  runner = srunner_create (suite);
  suite_add_tcase (suite, tests);
  tcase_set_timeout (tests, 240);
  tcase_add_test (tests, test_child_is_refused);
  tcase_add_test (tests, test_child_takes_no_lock);
  tcase_add_test (tests, test_fork_before_works);
  tcase_add_test (tests, test_another_program_works);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
