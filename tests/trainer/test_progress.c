/* Checks the rate that a run shows: it leaves out the first step, which is long because kernels are compiled. */
#include <check.h>
#include <stdlib.h>

#include "trainer/run/progress.h"

#define MILLISECOND 1000 /* microseconds */

static void
take_step (RvmProgress *progress, guint64 step, gulong milliseconds)
{
  g_usleep (milliseconds * MILLISECOND);
  rvm_progress_update (progress, step, 0.001 * milliseconds / 2, "a step");
}

START_TEST (test_first_step_is_left_out)
{
  g_autoptr (RvmProgress) progress = rvm_progress_new (7, 12, FALSE);

  take_step (progress, 8, 1500);
  ck_assert_double_gt (rvm_progress_get_rate (progress), 0); /* of one step alone there is nothing else to say */
  ck_assert_double_le (rvm_progress_get_rate (progress), 1 / 1.5);
  take_step (progress, 9, 20);
  take_step (progress, 10, 20);
  /* With the first step it would be below 3 steps a second. The bound leaves room for a busy machine. */
  ck_assert_double_gt (rvm_progress_get_rate (progress), 5);
  ck_assert_double_le (rvm_progress_get_rate (progress), 50);
  ck_assert_double_ge (rvm_progress_get_utilisation (progress), 0.5 - 1e-6);
}
END_TEST

START_TEST (test_few_steps_count_alike)
{
  g_autoptr (RvmProgress) progress = rvm_progress_new (0, 4, FALSE);

  take_step (progress, 1, 1);
  take_step (progress, 2, 300);
  take_step (progress, 3, 20);
  take_step (progress, 4, 20);
  /* Steps 2 to 4 take 0.34 s: 8.8 a second. With a weight of 0.05 for the later two it would be 3.6. */
  ck_assert_double_gt (rvm_progress_get_rate (progress), 5);
  ck_assert_double_le (rvm_progress_get_rate (progress), 3 / 0.34);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("progress");
  TCase *cases = tcase_create ("rate");
  SRunner *runner;
  int failed;

  tcase_add_test (cases, test_first_step_is_left_out);
  tcase_add_test (cases, test_few_steps_count_alike);
  suite_add_tcase (suite, cases);
  runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
