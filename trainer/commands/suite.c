/* rvm-cl-train evaluate --suite: prints the results of the suite. */
#include <unistd.h>

#include "commands.h"

typedef struct {
  gboolean terminal;
  gint64 told;
} Progress;

/* One line that is rewritten on a terminal; otherwise a line every 30 seconds. */
static void
show_progress (const char *text, gpointer user_data)
{
  Progress *progress = user_data;
  const gint64 now = g_get_monotonic_time ();

  if (progress->terminal)
    g_printerr ("\r\033[K%s", text);
  else if (now - progress->told >= 30 * G_USEC_PER_SEC) {
    g_printerr ("rvm-cl-train: %s\n", text);
    progress->told = now;
  }
}

int
rvm_command_run_suite (const RvmSuite *suite, gboolean json)
{
  Progress progress = { .terminal = isatty (STDERR_FILENO), .told = g_get_monotonic_time () };
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmResults) results = NULL;
  g_autofree char *text = NULL;
  RvmSuite used = *suite;

  used.progress = show_progress;
  used.user_data = &progress;
  results = rvm_suite_run (&used, &error);
  if (progress.terminal)
    g_printerr ("\r\033[K");
  if (results == NULL)
    return rvm_command_fail (error, 1);
  text = json ? rvm_results_to_json (results) : rvm_results_to_text (results);
  g_print ("%s%s", text, json ? "\n" : "");
  return 0;
}
