/* The OpenCL runtime: choosing a device, the cache of built programs, build logs, sticky errors, launches that are held back, memory that does not
 * exist, tensors of wrong shapes. Needs one OpenCL device. */
#include <string.h>
#include <utime.h>

#include "kernels/error.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/norm.h"
#include "kernels/runtime/cl.h"
#include "kernels/runtime/launch.h"
#include "kernels/runtime/program.h"
#include "kernels/runtime/processor.h"
#include "kernels/runtime/program_cache.h"
#include "runtime_fixture.h"
#include "tests/run_cases.h"

/* Doubles every element. */
static const RvmKernel twice = {
  "twice", "twice", "", "__kernel void twice (__global float *x) { x[get_global_id (0)] *= 2.0f; }"
};

/* The only file of the cache folder. */
static char *
only_entry (void)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autofree char *name = g_strdup (g_dir_read_name (dir));

  ck_assert_ptr_nonnull (name);
  ck_assert_ptr_null (g_dir_read_name (dir));
  return g_build_filename (folder, name, NULL);
}

START_TEST (test_device_by_index_and_name)
{
  g_auto (GStrv) list = rvm_device_list ();
  g_autoptr (RvmDevice) first = NULL, named = NULL, other_cache = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *part = NULL, *upper = NULL;

  ck_assert_uint_ge (g_strv_length (list), 1);
  first = rvm_device_open ("0", "", &error);
  ck_assert_ptr_nonnull (first);
  ck_assert_ptr_nonnull (strstr (list[0], rvm_device_get_name (first)) ? list[0] : NULL);
  part = g_strndup (rvm_device_get_name (first), 8);
  upper = g_utf8_strup (part, -1);
  named = rvm_device_open (upper, "", &error);
  ck_assert_ptr_nonnull (named);
  ck_assert_ptr_eq (named, first);
  other_cache = rvm_device_open ("0", folder, &error);
  ck_assert_ptr_ne (other_cache, first);
}
END_TEST

START_TEST (test_unknown_device_lists_what_there_is)
{
  static const char *const selectors[] = { "no such device", "4096", "-1" };
  g_auto (GStrv) list = rvm_device_list ();

  for (guint i = 0; i < G_N_ELEMENTS (selectors); i++) {
    g_autoptr (GError) error = NULL;
    RvmDevice *device = rvm_device_open (selectors[i], "", &error);

    ck_assert_ptr_null (device);
    ck_assert (g_error_matches (error, RVM_ERROR, RVM_ERROR_DEVICE));
    ck_assert_ptr_nonnull (strstr (error->message, selectors[i]));
    ck_assert_msg (strstr (error->message, list[0]) != NULL, "'%s' does not list '%s'", error->message, list[0]);
  }
}
END_TEST

static void
run_twice (RvmDevice *device)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmQueue) queue = rvm_queue_new (device, FALSE, &error);
  g_autoptr (RvmBuffer) buffer = rvm_buffer_new (device, 4 * sizeof (float), "test", &error);
  float values[4] = { 1, 2, 3, 4 };

  rvm_queue_write (queue, buffer, 0, values, sizeof values);
  rvm_queue_launch (queue, &twice, 1, (const gsize[]){ 4 }, NULL, 1, (const RvmArg[]){ RVM_ARG_BUFFER (buffer) });
  rvm_queue_read (queue, buffer, 0, values, sizeof values);
  ck_assert_msg (rvm_queue_finish (queue, &error), "%s", error ? error->message : "");
  for (guint i = 0; i < 4; i++)
    ck_assert_float_eq (values[i], 2 * (i + 1));
}

static void
run_in_new_device (const char *cache_dir)
{
  g_autoptr (RvmDevice) device = open_device (cache_dir);

  run_twice (device);
}

START_TEST (test_cache_is_used_and_damage_is_mended)
{
  g_autofree char *path = NULL, *whole = NULL, *again = NULL, *damaged = NULL;
  gsize size, again_size;
  GStatBuf before, after;

  run_in_new_device (folder);
  path = only_entry ();
  ck_assert (g_file_get_contents (path, &whole, &size, NULL));

  /* A hit only changes the entry's time, which is when it was last used. */
  ck_assert_int_eq (g_utime (path, &(struct utimbuf){ .actime = 1, .modtime = 1 }), 0);
  ck_assert_int_eq (g_stat (path, &before), 0);
  run_in_new_device (folder);
  ck_assert_int_eq (g_stat (path, &after), 0);
  ck_assert_uint_eq (before.st_ino, after.st_ino);
  ck_assert_int_eq (before.st_mtim.tv_sec, 1);
  ck_assert_int_gt (after.st_mtim.tv_sec, 1);

  /* Truncated, empty, foreign, with one bit flipped in key, checksum or binary: it is built and written again. */
  for (guint i = 0; i < 6; i++) {
    static const gsize flips[] = { 25, 100, 200 };
    gsize length = i == 0 ? size / 2 : i == 1 ? 0 : size;

    g_free (damaged);
    damaged = g_memdup2 (whole, size);
    if (i == 2)
      memset (damaged, 'x', size);
    if (i >= 3)
      damaged[MIN (flips[i - 3], size - 1)] ^= 1;
    ck_assert (g_file_set_contents (path, damaged, length, NULL));
    run_in_new_device (folder);
    g_clear_pointer (&again, g_free);
    ck_assert (g_file_get_contents (path, &again, &again_size, NULL));
    ck_assert_msg (again_size != length || memcmp (again, damaged, length) != 0, "damage %u stayed", i);
    ck_assert_int_eq (memcmp (again, whole, 18), 0);
  }
}
END_TEST

static guint
count_entries (void)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir))
    n++;
  return n;
}

/* A cache folder may be shared by machines whose devices have one name, and a runtime can be held to fewer instructions: what was compiled for more of
 * them would stop the process. */
START_TEST (test_cache_knows_the_processor)
{
  g_autofree char *whole = rvm_processor_describe (), *again = rvm_processor_describe (), *held = NULL;

  ck_assert_str_eq (whole, again);
#if defined __x86_64__
  ck_assert_ptr_nonnull (strstr (whole, "7.0: "));
  ck_assert_ptr_nonnull (strstr (whole, "xcr0: "));
#endif
  run_in_new_device (folder);
  run_in_new_device (folder);
  ck_assert_uint_eq (count_entries (), 1);
  g_setenv ("CL_CONFIG_CPU_TARGET_ARCH", "corei7-avx", TRUE);
  held = rvm_processor_describe ();
  ck_assert_str_ne (whole, held);
  run_in_new_device (folder);
  g_unsetenv ("CL_CONFIG_CPU_TARGET_ARCH");
  ck_assert_uint_eq (count_entries (), 2);
}
END_TEST

/* Six files of 100 bytes, last used in the order 2, 0, 4, 1, 3; number 5 is not an entry, and is the oldest. */
START_TEST (test_cache_keeps_what_was_used_last)
{
  static const guint used[] = { 20, 40, 10, 50, 30, 1 };
  static const gboolean stays[] = { TRUE, TRUE, FALSE, TRUE, TRUE, TRUE };
  char *paths[G_N_ELEMENTS (used)], content[100] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (used); i++) {
    g_autofree char *key = g_strnfill (RVM_PROGRAM_KEY_LENGTH, 'a' + i), *name = g_strconcat (key, i == 5 ? ".txt" : i == 4 ? ".bin.K3X1ZQ" : ".bin", NULL);

    paths[i] = g_build_filename (folder, name, NULL);
    ck_assert (g_file_set_contents (paths[i], content, sizeof content, NULL));
    ck_assert_int_eq (g_utime (paths[i], &(struct utimbuf){ .actime = used[i], .modtime = used[i] }), 0);
  }
  rvm_program_cache_prune (folder, 500);
  for (guint i = 0; i < G_N_ELEMENTS (used); i++)
    ck_assert (g_file_test (paths[i], G_FILE_TEST_EXISTS));
  rvm_program_cache_prune (folder, 499);
  for (guint i = 0; i < G_N_ELEMENTS (used); i++)
    ck_assert_int_eq (g_file_test (paths[i], G_FILE_TEST_EXISTS), stays[i]);
  rvm_program_cache_prune (folder, 150);
  for (guint i = 0; i < G_N_ELEMENTS (used); i++) {
    ck_assert_int_eq (g_file_test (paths[i], G_FILE_TEST_EXISTS), i == 3 || i == 5);
    g_free (paths[i]);
  }
  rvm_program_cache_prune ("/no/such/place", 0);
}
END_TEST

START_TEST (test_cache_that_cannot_be_written)
{
  g_autofree char *file = g_build_filename (folder, "a-file", NULL), *below = g_build_filename (file, "cache", NULL);

  ck_assert (g_file_set_contents (file, "", 0, NULL));
  run_in_new_device (below);
  run_in_new_device ("/proc/no-such-place/cache");
}
END_TEST

START_TEST (test_build_failure_shows_the_log)
{
  g_autoptr (RvmDevice) device = open_device ("");
  g_autoptr (GError) error = NULL;

  ck_assert_ptr_null (
      rvm_programs_get (rvm_device_get_programs (device), "broken", "__kernel void f (void) { undeclared_name = 1; }", "-DX=1", &error));
  ck_assert (g_error_matches (error, RVM_ERROR, RVM_ERROR_BUILD));
  ck_assert_ptr_nonnull (strstr (error->message, "broken.cl"));
  ck_assert_ptr_nonnull (strstr (error->message, "-DX=1"));
  ck_assert_msg (strstr (error->message, "undeclared_name") != NULL, "no log in '%s'", error->message);
}
END_TEST

START_TEST (test_first_error_sticks_until_it_is_reported)
{
  g_autoptr (RvmDevice) device = open_device ("");
  g_autoptr (GError) error = NULL, later = NULL;
  g_autoptr (RvmQueue) queue = rvm_queue_new (device, FALSE, &error);
  g_autoptr (RvmBuffer) buffer = rvm_buffer_new (device, 64, "test", &error);
  float value = 7, back = 0;

  rvm_queue_write (queue, buffer, 0, &value, sizeof value);
  rvm_queue_fail (queue, g_error_new (RVM_ERROR, RVM_ERROR_LAUNCH, "the first"));
  rvm_queue_fail (queue, g_error_new (RVM_ERROR, RVM_ERROR_LAUNCH, "the second"));
  rvm_queue_zero (queue, buffer, 0, 64);
  ck_assert (!rvm_queue_finish (queue, &error));
  ck_assert_str_eq (error->message, "the first");
  /* Once it has been reported, the queue works again. What came after the failure did not run. */
  rvm_queue_read (queue, buffer, 0, &back, sizeof back);
  ck_assert (rvm_queue_finish (queue, &later));
  ck_assert_float_eq (back, 7);
}
END_TEST

START_TEST (test_ranges_are_checked)
{
  static const gsize ranges[][2] = { { 0, 65 }, { 64, 1 }, { 65, 0 }, { G_MAXSIZE, 2 }, { 2, G_MAXSIZE } };
  g_autoptr (RvmDevice) device = open_device ("");
  g_autoptr (RvmQueue) queue = rvm_queue_new (device, FALSE, NULL);
  g_autoptr (RvmBuffer) buffer = rvm_buffer_new (device, 64, "test", NULL);
  guint8 bytes[128] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (ranges); i++) {
    g_autoptr (GError) error = NULL;

    rvm_queue_write (queue, buffer, ranges[i][0], bytes, ranges[i][1]);
    ck_assert_msg (!rvm_queue_finish (queue, &error), "range %u was taken", i);
    ck_assert_ptr_nonnull (error);
  }
}
END_TEST

START_TEST (test_memory_that_does_not_exist)
{
  g_autoptr (RvmDevice) device = open_device ("");
  g_autoptr (GError) error = NULL;

  ck_assert_ptr_null (rvm_buffer_new (device, G_MAXSIZE / 4, "state of a giant", &error));
  ck_assert (g_error_matches (error, RVM_ERROR, RVM_ERROR_MEMORY));
  ck_assert_ptr_nonnull (strstr (error->message, "state of a giant"));
}
END_TEST

START_TEST (test_profile_counts_on_request)
{
  g_autoptr (RvmDevice) device = open_device ("");
  g_autoptr (RvmQueue) queue = rvm_queue_new (device, TRUE, NULL), plain = rvm_queue_new (device, FALSE, NULL);
  g_autoptr (RvmBuffer) buffer = rvm_buffer_new (device, 1024 * sizeof (float), "test", NULL);
  g_autoptr (GArray) profile = NULL, none = NULL;

  for (guint i = 0; i < 3; i++) {
    rvm_queue_launch (queue, &twice, 1, (const gsize[]){ 1024 }, NULL, 1, (const RvmArg[]){ RVM_ARG_BUFFER (buffer) });
    rvm_queue_launch (plain, &twice, 1, (const gsize[]){ 1024 }, NULL, 1, (const RvmArg[]){ RVM_ARG_BUFFER (buffer) });
  }
  ck_assert (rvm_queue_finish (queue, NULL));
  ck_assert (rvm_queue_finish (plain, NULL));
  profile = rvm_queue_get_profile (queue);
  none = rvm_queue_get_profile (plain);
  ck_assert_uint_eq (profile->len, 1);
  ck_assert_str_eq (g_array_index (profile, RvmProfileEntry, 0).name, "twice");
  ck_assert_uint_eq (g_array_index (profile, RvmProfileEntry, 0).launches, 3);
  ck_assert_uint_gt (g_array_index (profile, RvmProfileEntry, 0).nanoseconds, 0);
  ck_assert_uint_eq (none->len, 0);
  ck_assert_uint_eq (rvm_queue_get_launches (plain), 3);
}
END_TEST

/* A launch that is held back until something else is done with the queue. */
typedef struct {
  RvmBuffer *buffer;
  guint waiting, flushed;
} Held;

static void
flush_held (RvmQueue *queue, gpointer data)
{
  Held *held = data;
  const guint n = held->waiting;

  held->waiting = 0; /* launching flushes */
  held->flushed += n > 0;
  for (guint i = 0; i < n; i++)
    rvm_queue_launch (queue, &twice, 1, (const gsize[]){ 4 }, NULL, 1, (const RvmArg[]){ RVM_ARG_BUFFER (held->buffer) });
}

static void
free_held (gpointer data)
{
  rvm_buffer_unref (((Held *) data)->buffer);
  g_free (data);
}

START_TEST (test_held_launches_come_before_anything_else)
{
  g_autoptr (RvmDevice) device = open_device ("");
  g_autoptr (RvmQueue) queue = rvm_queue_new (device, FALSE, NULL);
  Held *held = g_new0 (Held, 1);
  float values[4] = { 1, 2, 3, 4 }, result[4];

  held->buffer = rvm_buffer_new (device, sizeof values, "test", NULL);
  ck_assert_ptr_null (rvm_queue_get_held (queue, flush_held));
  rvm_queue_hold (queue, flush_held, held, free_held);
  ck_assert_ptr_eq (rvm_queue_get_held (queue, flush_held), held);
  rvm_queue_write (queue, held->buffer, 0, values, sizeof values);

  held->waiting = 1;
  rvm_queue_read (queue, held->buffer, 0, result, sizeof result);
  held->waiting = 2;
  ck_assert (rvm_queue_finish (queue, NULL));
  ck_assert_uint_eq (held->flushed, 2);
  for (guint i = 0; i < 4; i++)
    ck_assert_float_eq (result[i], 2 * values[i]);

  held->waiting = 1; /* before a launch, too */
  rvm_queue_launch (queue, &twice, 1, (const gsize[]){ 4 }, NULL, 1, (const RvmArg[]){ RVM_ARG_BUFFER (held->buffer) });
  ck_assert_uint_eq (held->flushed, 3);
  rvm_queue_read (queue, held->buffer, 0, result, sizeof result);
  ck_assert (rvm_queue_finish (queue, NULL));
  for (guint i = 0; i < 4; i++)
    ck_assert_float_eq (result[i], 32 * values[i]);
  ck_assert_uint_eq (rvm_queue_get_launches (queue), 5);
}
END_TEST

/* That @queue has failed because of @tensor of @operation. */
static void
expect_wrong_tensor (RvmQueue *queue, const char *operation, const char *tensor)
{
  g_autoptr (GError) error = NULL;

  ck_assert_msg (!rvm_queue_finish (queue, &error), "%s: a wrong '%s' was accepted", operation, tensor);
  ck_assert (g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT));
  ck_assert_msg (g_str_has_prefix (error->message, operation) && strstr (error->message, tensor), "%s", error->message);
}

START_TEST (test_wrong_tensors_are_errors)
{
  g_autoptr (RvmDevice) device = open_device ("");
  g_autoptr (RvmQueue) queue = rvm_queue_new (device, FALSE, NULL);
  g_autoptr (RvmBuffer) small = rvm_buffer_new (device, 8 * 4 * sizeof (float), "test", NULL);
  g_autoptr (RvmBuffer) large = rvm_buffer_new (device, 8 * 12 * sizeof (float), "test", NULL);
  g_autoptr (RvmLinear) linear = rvm_linear_new (device, RVM_GEMM_NATIVE, RVM_ELEMENT_F32, 4, 12, FALSE, NULL);
  const RvmTensor x = rvm_tensor (small, 8, 4), y = rvm_tensor (large, 8, 12);
  RvmTensor wrong;

  rvm_queue_zero (queue, small, 0, rvm_buffer_get_size (small));
  rvm_layernorm (queue, x, large, NULL, rvm_tensor (large, 8, 5), 1e-6f);
  expect_wrong_tensor (queue, "layer norm", "'output'");
  rvm_layernorm (queue, rvm_tensor_columns (y, 1, 4), large, NULL, x, 1e-6f);
  expect_wrong_tensor (queue, "layer norm", "'input'");
  rvm_layernorm (queue, rvm_tensor (small, 9, 4), large, NULL, rvm_tensor (large, 9, 4), 1e-6f);
  expect_wrong_tensor (queue, "layer norm", "'input'");

  rvm_linear_forward (queue, linear, rvm_tensor (large, 8, 5), y, NULL);
  expect_wrong_tensor (queue, "linear layer", "'input'");
  wrong = x;
  wrong.type = RVM_ELEMENT_F16;
  rvm_linear_forward (queue, linear, wrong, y, NULL);
  expect_wrong_tensor (queue, "linear layer", "'input'");
  rvm_linear_forward (queue, linear, x, rvm_tensor_rows (y, 1, 8), NULL);
  expect_wrong_tensor (queue, "linear layer", "'output'");
  rvm_linear_forward (queue, linear, x, y, &(RvmEpilogue){ .residual = x });
  expect_wrong_tensor (queue, "linear layer", "'residual'");
  rvm_linear_forward (queue, linear, x, y, &(RvmEpilogue){ .gelu_slope = TRUE });
  expect_wrong_tensor (queue, "linear layer", "'input of GELU'");

  rvm_attention (queue, &(RvmAttention){
                            .query = rvm_tensor_columns (y, 0, 4), .key = rvm_tensor_columns (y, 4, 4), .value = rvm_tensor_columns (y, 9, 4),
                            .out = x, .log_sum_exp = rvm_tensor (small, 2, 8), .batch = 1, .heads = 2,
                        });
  expect_wrong_tensor (queue, "attention", "'value'");
  ck_assert (rvm_queue_finish (queue, NULL));
}
END_TEST

int
main (void)
{
  TCase *tests = tcase_create ("all");

  tcase_add_checked_fixture (tests, setup, teardown);
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_device_by_index_and_name);
  tcase_add_test (tests, test_unknown_device_lists_what_there_is);
  tcase_add_test (tests, test_cache_is_used_and_damage_is_mended);
  tcase_add_test (tests, test_cache_knows_the_processor);
  tcase_add_test (tests, test_cache_keeps_what_was_used_last);
  tcase_add_test (tests, test_cache_that_cannot_be_written);
  tcase_add_test (tests, test_build_failure_shows_the_log);
  tcase_add_test (tests, test_first_error_sticks_until_it_is_reported);
  tcase_add_test (tests, test_ranges_are_checked);
  tcase_add_test (tests, test_memory_that_does_not_exist);
  tcase_add_test (tests, test_profile_counts_on_request);
  tcase_add_test (tests, test_held_launches_come_before_anything_else);
  tcase_add_test (tests, test_wrong_tensors_are_errors);
  return run_cases ("runtime", tests);
}
