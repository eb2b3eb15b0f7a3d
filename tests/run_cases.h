/* The end of main () in tests that use libcheck. */
#pragma once

#include <check.h>

/* Runs @tests in this process, because a fork would open the device again for each. Returns the exit status. */
__attribute__ ((unused)) static int
run_cases (const char *name, TCase *tests)
{
  Suite *suite = suite_create (name);
  SRunner *runner;
  int failed;

  suite_add_tcase (suite, tests);
  runner = srunner_create (suite);
  srunner_set_fork_status (runner, CK_NOFORK);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed != 0;
}
