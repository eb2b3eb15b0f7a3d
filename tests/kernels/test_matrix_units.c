/* When matrix units are used, and what happens when something is missing: the native provider takes over, and the reason is said. The emulator
 * (matrix_units_emulator.c) is part of this program, and the variable MATRIX_UNITS tells it what is missing.
 *
 *   test_matrix_units        the tests, each in a process of its own
 *   test_matrix_units child  another program: prints the provider that it got for bfloat16 */
#include <check.h>
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/ops/attention.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/norm.h"

unsigned long rvm_emulator_count_products (void); /* G_MAXULONG: the processor has matrix units, nothing is emulated */

static const char *program;

static RvmDevice *
open_device (void)
{
  g_autoptr (GError) error = NULL;
  RvmDevice *device = rvm_device_open (NULL, NULL, &error);

  ck_assert_msg (device != NULL, "%s", error ? error->message : "");
  return device;
}

/* The provider for weights of @type. */
static RvmGemmProvider
choose (RvmDevice *device, RvmElement type)
{
  RvmGemmProvider provider = RVM_GEMM_AUTO;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (rvm_gemm_resolve (device, &provider, type, &error), "%s", error ? error->message : "");
  return provider;
}

/* On @device: native products, a notice with @reason, and an error for who asks for matrix units by name. */
static void
check_device (RvmDevice *device, const char *reason)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *notice = NULL, *again = NULL;
  RvmGemmProvider named = RVM_GEMM_MATRIX_UNITS;

  ck_assert_int_eq (choose (device, RVM_ELEMENT_BF16), RVM_GEMM_NATIVE);
  notice = rvm_gemm_take_notice (device, RVM_GEMM_NATIVE, RVM_ELEMENT_BF16);
  ck_assert_msg (notice && strstr (notice, reason) && strstr (notice, "float32"), "%s", notice ? notice : "no notice");
  again = rvm_gemm_take_notice (device, RVM_GEMM_NATIVE, RVM_ELEMENT_BF16);
  ck_assert_ptr_null (again);
  ck_assert (!rvm_gemm_resolve (device, &named, RVM_ELEMENT_BF16, &error));
  ck_assert_msg (strstr (error->message, reason) != NULL, "%s", error->message);
}

static void
check_fallback (const char *missing, const char *reason)
{
  g_autoptr (RvmDevice) device = NULL;

  g_setenv ("MATRIX_UNITS", missing, TRUE);
  device = open_device ();
  check_device (device, reason);
}

START_TEST (test_used_for_bfloat16)
{
  g_autoptr (RvmDevice) device = open_device ();
  g_autofree char *f32 = NULL, *notice = NULL;

  ck_assert_int_eq (choose (device, RVM_ELEMENT_F32), RVM_GEMM_NATIVE);
  ck_assert_int_eq (choose (device, RVM_ELEMENT_F16), RVM_GEMM_NATIVE);
  ck_assert_msg (rvm_emulator_count_products () == 0 || rvm_emulator_count_products () == G_MAXULONG, "used before bfloat16 was asked for");
  ck_assert_int_eq (choose (device, RVM_ELEMENT_BF16), RVM_GEMM_MATRIX_UNITS);
  ck_assert (rvm_emulator_count_products () > 0);
  f32 = rvm_gemm_take_notice (device, RVM_GEMM_NATIVE, RVM_ELEMENT_F32);
  ck_assert_ptr_null (f32);
  notice = rvm_gemm_take_notice (device, RVM_GEMM_MATRIX_UNITS, RVM_ELEMENT_BF16);
  ck_assert_msg (notice && strstr (notice, "matrix units"), "%s", notice ? notice : "no notice");
}
END_TEST

START_TEST (test_native_by_choice)
{
  g_autoptr (RvmDevice) device = open_device ();
  RvmGemmProvider provider = RVM_GEMM_NATIVE;
  g_autoptr (GError) error = NULL;
  g_autofree char *notice = NULL;

  ck_assert (rvm_gemm_resolve (device, &provider, RVM_ELEMENT_BF16, &error));
  ck_assert_int_eq (provider, RVM_GEMM_NATIVE);
  notice = rvm_gemm_take_notice (device, provider, RVM_ELEMENT_BF16);
  ck_assert_msg (notice && strstr (notice, "chosen"), "%s", notice ? notice : "no notice");
  ck_assert_msg (rvm_emulator_count_products () == 0 || rvm_emulator_count_products () == G_MAXULONG, "used though another provider was chosen");
}
END_TEST

START_TEST (test_other_precisions)
{
  static const RvmElement types[] = { RVM_ELEMENT_F32, RVM_ELEMENT_F16 };
  g_autoptr (RvmDevice) device = open_device ();

  for (guint i = 0; i < G_N_ELEMENTS (types); i++) {
    RvmGemmProvider provider = RVM_GEMM_MATRIX_UNITS;
    g_autoptr (GError) error = NULL;

    ck_assert (!rvm_gemm_resolve (device, &provider, types[i], &error));
    ck_assert_msg (strstr (error->message, "bf16") != NULL, "%s", error->message);
  }
}
END_TEST

START_TEST (test_no_processor)
{
  check_fallback ("absent", "the processor has no matrix units");
}
END_TEST

START_TEST (test_no_system)
{
  check_fallback ("unsaved", "does not save the registers");
}
END_TEST

START_TEST (test_refused)
{
  check_fallback ("refused", "sigaltstack");
}
END_TEST

START_TEST (test_denied)
{
  check_fallback ("denied", "does not permit");
}
END_TEST

/* What the system itself does when a thread has a signal stack on which the registers have no room. */
START_TEST (test_small_signal_stack)
{
  static char memory[4096];
  const stack_t small = { .ss_sp = memory, .ss_size = sizeof memory };
  g_autoptr (RvmDevice) device = open_device (); /* where LLVM gives the thread a larger one */

  ck_assert_int_eq (sigaltstack (&small, NULL), 0);
  check_device (device, "sigaltstack");
}
END_TEST

START_TEST (test_wrong_products)
{
  if (rvm_emulator_count_products () != G_MAXULONG)
    check_fallback ("wrong", "came out wrong");
}
END_TEST

/* What a compiler makes of a mnemonic that it does not know. */
START_TEST (test_dropped_instructions)
{
  if (rvm_emulator_count_products () != G_MAXULONG)
    check_fallback ("dropped", "came out wrong");
}
END_TEST

/* Where the processor has them, whoever made it. */
START_TEST (test_dot_products)
{
  g_autoptr (RvmDevice) device = NULL;
  g_autofree char *notice = NULL;
  guint a, b, c, d;

  if (!__get_cpuid_count (7, 1, &a, &b, &c, &d) || !(a & bit_AVX512BF16)) {
    check_fallback ("absent", "nor fast products of bfloat16");
    return;
  }
  g_setenv ("MATRIX_UNITS", "absent dot-products", TRUE);
  device = open_device ();
  if (strstr (rvm_device_get_name (device), "(Portable Computing Language)") == NULL) {
    check_device (device, "with PoCL only");
    return;
  }
  ck_assert_int_eq (choose (device, RVM_ELEMENT_BF16), RVM_GEMM_MATRIX_UNITS);
  notice = rvm_gemm_take_notice (device, RVM_GEMM_MATRIX_UNITS, RVM_ELEMENT_BF16);
  ck_assert_msg (notice && strstr (notice, "AVX-512"), "%s", notice ? notice : "no notice");
}
END_TEST

static char *
find_nothing (gpointer data)
{
  *(gboolean *) data = TRUE;
  return NULL;
}

START_TEST (test_known_runtimes)
{
  static const struct {
    const char *name;
    gboolean is_cpu, known;
  } devices[] = {
    { "pthread-haswell-AMD EPYC (Portable Computing Language)", TRUE, TRUE },
    { "cpu-sapphirerapids-Intel(R) Xeon(R) Platinum 8488C (Portable Computing Language)", TRUE, TRUE },
    { "Intel(R) Xeon(R) Platinum 8488C (Intel(R) OpenCL)", TRUE, TRUE },
    { "Intel(R) Graphics (Intel(R) OpenCL Graphics)", FALSE, FALSE },
    { "pocl-remote 0 (Portable Computing Language)", TRUE, FALSE },
    { "NVIDIA H200 (Portable Computing Language)", FALSE, FALSE },
    { "Oclgrind Simulator (Oclgrind)", TRUE, FALSE },
    { "llvmpipe (rusticl)", TRUE, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (devices); i++) {
    RvmMatrixUnits *units = rvm_matrix_units_new (devices[i].name, devices[i].is_cpu);
    gboolean tested = FALSE;
    const char *problem;

    ck_assert (!rvm_matrix_units_are_usable (units));
    problem = rvm_matrix_units_find_problem (units, find_nothing, &tested);
    ck_assert_msg ((problem == NULL) == devices[i].known && tested == devices[i].known, "%s: %s", devices[i].name, problem ? problem : "used");
    ck_assert (problem == NULL || strstr (problem, devices[i].name) != NULL);
    ck_assert_ptr_eq (rvm_matrix_units_find_problem (units, find_nothing, &tested), problem);
    ck_assert (rvm_matrix_units_are_usable (units) == devices[i].known);
    rvm_matrix_units_free (units);
  }
}
END_TEST

static gpointer
choose_in_thread (gpointer data)
{
  return GINT_TO_POINTER (choose (data, RVM_ELEMENT_BF16));
}

START_TEST (test_threads)
{
  g_autoptr (RvmDevice) device = open_device ();
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("choose", choose_in_thread, device);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    ck_assert_int_eq (GPOINTER_TO_INT (g_thread_join (threads[i])), RVM_GEMM_MATRIX_UNITS);
}
END_TEST

/* The permission is lost when another program is executed, which asks again. */
START_TEST (test_fork_and_exec)
{
  g_autoptr (RvmDevice) device = open_device ();
  g_autofree char *output = NULL;
  const char *arguments[] = { program, "child", NULL };
  g_autoptr (GError) error = NULL;
  int status;

  ck_assert_int_eq (choose (device, RVM_ELEMENT_BF16), RVM_GEMM_MATRIX_UNITS);
  ck_assert_msg (g_spawn_sync (NULL, (char **) arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL, &status, &error), "%s",
      error ? error->message : "");
  ck_assert_int_eq (status, 0);
  ck_assert_str_eq (output, "matrix-units\n");
}
END_TEST

/* Tensors of bfloat16 are errors where there is nothing to read them, not numbers. */
START_TEST (test_bfloats_without_units)
{
  g_autoptr (RvmDevice) device = NULL;
  g_autoptr (RvmQueue) queue = NULL;
  g_autoptr (RvmBuffer) buffer = NULL, other = NULL;
  g_autoptr (RvmLinear) linear = NULL;
  RvmTensor x, y;

  g_setenv ("MATRIX_UNITS", "absent", TRUE);
  device = open_device ();
  ck_assert_int_eq (choose (device, RVM_ELEMENT_BF16), RVM_GEMM_NATIVE);
  queue = rvm_queue_new (device, FALSE, NULL);
  buffer = rvm_buffer_new (device, 4096, "test", NULL);
  other = rvm_buffer_new (device, 4096, "test", NULL);
  linear = rvm_linear_new (device, RVM_GEMM_NATIVE, RVM_ELEMENT_BF16, 8, 8, FALSE, NULL);
  ck_assert_int_eq (rvm_linear_get_activations (linear), RVM_ELEMENT_F32);
  x = rvm_tensor (buffer, 4, 8);
  y = rvm_tensor (other, 4, 8);
  y.type = RVM_ELEMENT_BF16;
  for (guint i = 0; i < 4; i++) {
    g_autoptr (GError) error = NULL;

    if (i == 0)
      rvm_linear_forward (queue, linear, x, y, NULL);
    else if (i == 1)
      rvm_linear_forward (queue, linear, y, x, NULL);
    else if (i == 2)
      rvm_layernorm (queue, x, buffer, NULL, y, 1e-6f);
    else
      rvm_attention (queue, &(RvmAttention){ .query = y, .key = y, .value = y, .out = y, .log_sum_exp = rvm_tensor (buffer, 1, 4), .batch = 1, .heads = 1 });
    ck_assert (!rvm_queue_finish (queue, &error));
    ck_assert_msg (strstr (error->message, "bf16") != NULL, "%s", error->message);
  }
}
END_TEST

static int
run_child (void)
{
  g_autoptr (RvmDevice) device = rvm_device_open (NULL, NULL, NULL);
  RvmGemmProvider provider = RVM_GEMM_AUTO;

  if (device == NULL || !rvm_gemm_resolve (device, &provider, RVM_ELEMENT_BF16, NULL))
    return 1;
  g_print ("%s\n", rvm_gemm_get_name (provider));
  return 0;
}

int
main (int argc, char **argv)
{
  Suite *suite;
  TCase *tests;
  SRunner *runner;
  int failed;

  program = argv[0];
  if (argc > 1 && strcmp (argv[1], "child") == 0)
    return run_child ();
  suite = suite_create ("matrix units");
  tests = tcase_create ("matrix units");
  tcase_set_timeout (tests, 120);
  tcase_add_test (tests, test_used_for_bfloat16);
  tcase_add_test (tests, test_native_by_choice);
  tcase_add_test (tests, test_other_precisions);
  tcase_add_test (tests, test_no_processor);
  tcase_add_test (tests, test_no_system);
  tcase_add_test (tests, test_refused);
  tcase_add_test (tests, test_denied);
  tcase_add_test (tests, test_small_signal_stack);
  tcase_add_test (tests, test_wrong_products);
  tcase_add_test (tests, test_dropped_instructions);
  tcase_add_test (tests, test_dot_products);
  tcase_add_test (tests, test_known_runtimes);
  tcase_add_test (tests, test_threads);
  tcase_add_test (tests, test_fork_and_exec);
  tcase_add_test (tests, test_bfloats_without_units);
  suite_add_tcase (suite, tests);
  runner = srunner_create (suite);
  srunner_set_fork_status (runner, CK_FORK); /* a notice is given once in a process, and the permission is the process's */
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed != 0;
}
