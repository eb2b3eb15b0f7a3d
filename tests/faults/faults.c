/* Failing one call after the other. A run that does not end is a hang: the alarm ends the process, naming the call. */
#include "faults.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define HANG 400       /* ticks of a second, of which a halted process gets one: a busy or halted machine is no hang */
#define TRY_AGAIN 50   /* failures between two runs that must work */

typedef struct {
  const char *name;
  FaultsJob job;
  gpointer user_data;
  guint64 expected; /* the job's result */
  guint errors, passed, faults;
  GHashTable *calls; /* names of those that failed, borrowed */
} Run;

static volatile sig_atomic_t ticks_left;

static void
set_ticks (gint ticks)
{
  const struct itimerval every_second = { { ticks > 0, 0 }, { ticks > 0, 0 } };

  ticks_left = ticks;
  setitimer (ITIMER_REAL, &every_second, NULL);
}

static void
on_alarm (int number)
{
  const char *failed;

  if (--ticks_left > 0)
    return;
  failed = cl_faults_get_failed ();
  /* Only what is safe in a signal handler. */
  (void) !write (STDERR_FILENO, "hangs after a failure of ", 25);
  (void) !write (STDERR_FILENO, failed ? failed : "nothing", strlen (failed ? failed : "nothing"));
  (void) !write (STDERR_FILENO, "\n", 1);
  abort ();
}

static void
fault (Run *run, guint number, const char *format, const char *detail)
{
  g_print ("%s: call %u (%s): ", run->name, number, cl_faults_get_failed () ? cl_faults_get_failed () : "none failed");
  g_print (format, detail);
  g_print ("\n");
  run->faults++;
}

/* FALSE when there is no call @number any more. */
static gboolean
run_once (Run *run, guint number, const char *only)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *alive = NULL;
  const char *failed;
  guint64 result;

  set_ticks (HANG);
  cl_faults_arm (number, only);
  result = run->job (run->user_data, &error);
  set_ticks (0);
  failed = cl_faults_get_failed ();
  alive = cl_faults_list_alive ();
  if (alive)
    fault (run, number, "leaves alive: %s", alive);
  if (failed == NULL) {
    if (error || result != run->expected)
      fault (run, number, "does not work: %s", error ? error->message : "other values");
    return FALSE;
  }
  g_hash_table_add (run->calls, (gpointer) failed);
  if (error) {
    run->errors++;
    if (strstr (error->message, failed) == NULL && strstr (error->message, "CLBlast") == NULL)
      fault (run, number, "is not named in the error: %s", error->message);
  } else {
    run->passed++;
    if (!cl_faults_may_pass ())
      fault (run, number, "is passed over%s", "");
    else if (result != run->expected)
      fault (run, number, "changes the values%s", "");
  }
  return TRUE;
}

static guint
begin (Run *run)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *alive = NULL;

  signal (SIGALRM, on_alarm);
  /* Twice: the first fills the cache of programs. */
  for (guint i = 0; i < 2; i++) {
    g_clear_error (&error);
    cl_faults_record_places (i > 0);
    cl_faults_arm (0, NULL);
    run->expected = run->job (run->user_data, &error);
  }
  run->calls = g_hash_table_new (g_str_hash, g_str_equal);
  alive = cl_faults_list_alive ();
  if (error || run->expected == 0 || alive) {
    g_print ("%s: does not work at all: %s\n", run->name, error ? error->message : alive ? alive : "no result");
    return 0;
  }
  return cl_faults_get_calls ();
}

static guint
finish (Run *run, guint calls)
{
  run_once (run, 0, NULL);
  g_print ("%s: %u OpenCL calls; failed %u, of %u kinds: %u errors, %u passed over rightly, %u faults\n", run->name, calls,
      run->errors + run->passed, g_hash_table_size (run->calls), run->errors, run->passed, run->faults);
  g_hash_table_unref (run->calls);
  return run->faults;
}

static void
run_kinds (Run *run, const char *const *kinds)
{
  for (guint k = 0; kinds[k]; k++)
    for (guint number = 1; number <= 2 && run_once (run, number, kinds[k]); number++)
      ;
}

static void
run_every (Run *run, guint every)
{
  for (guint number = every, i = 1; run_once (run, number, NULL); number += every, i++)
    if (i % TRY_AGAIN == 0)
      run_once (run, 0, NULL);
}

static void
run_places (Run *run)
{
  g_autoptr (GArray) numbers = cl_faults_list_places ();

  for (guint i = 0; i < numbers->len; i++) {
    run_once (run, g_array_index (numbers, guint, i), NULL);
    if (i % TRY_AGAIN == TRY_AGAIN - 1)
      run_once (run, 0, NULL);
  }
}

guint
faults_run (const char *name, FaultsJob job, gpointer user_data, guint every)
{
  Run run = { .name = name, .job = job, .user_data = user_data };
  const guint calls = begin (&run);

  if (calls == 0)
    return 1;
  cl_faults_record_places (FALSE);
  if (every)
    run_every (&run, every);
  else
    run_places (&run);
  run_kinds (&run, cl_faults_list_calls ());
  return finish (&run, calls);
}

guint
faults_run_kinds (const char *name, FaultsJob job, gpointer user_data, const char *const *kinds)
{
  Run run = { .name = name, .job = job, .user_data = user_data };
  const guint calls = begin (&run);

  if (calls == 0)
    return 1;
  run_kinds (&run, kinds);
  return finish (&run, calls);
}
