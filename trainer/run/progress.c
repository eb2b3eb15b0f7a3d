/* Rates are means of all steps at first, and then exponential averages, which follow the present speed. The first step is left out as soon as there
 * is another, because it compiles kernels. */
#include "progress.h"

#include <math.h>
#include <unistd.h>

#define PLAIN_SECONDS 30 /* between two lines, if standard output is not a terminal */

struct _RvmProgress {
  guint64 step, last;
  guint updates;
  gint64 start, updated, printed;
  double seconds, waited; /* of a step, averages */
  gboolean terminal, line_open;
};

RvmProgress *
rvm_progress_new (guint64 first, guint64 last, gboolean rewrite)
{
  RvmProgress *progress = g_new0 (RvmProgress, 1);

  progress->step = first;
  progress->last = last;
  progress->start = progress->updated = g_get_monotonic_time ();
  progress->terminal = rewrite && isatty (STDOUT_FILENO);
  return progress;
}

void
rvm_progress_free (RvmProgress *progress)
{
  if (progress == NULL)
    return;
  if (progress->line_open)
    g_print ("\n");
  g_free (progress);
}

static char *
format_time (double seconds)
{
  if (!(seconds < 1e8))
    return g_strdup ("?");
  if (seconds < 3600)
    return g_strdup_printf ("%d:%02d", (int) seconds / 60, (int) seconds % 60);
  return g_strdup_printf ("%d h %02d min", (int) seconds / 3600, (int) seconds / 60 % 60);
}

void
rvm_progress_update (RvmProgress *progress, guint64 step, double waited, const char *text)
{
  const gint64 now = g_get_monotonic_time ();
  const double steps = MAX (step - progress->step, 1), seconds = (now - progress->updated) / 1e6 / steps;
  const double forget = progress->updates < 2 ? 1 : MAX (1.0 / progress->updates, 0.05);
  g_autofree char *left = NULL;

  progress->seconds += forget * (seconds - progress->seconds);
  progress->waited += forget * (waited / steps - progress->waited);
  progress->updates++;
  progress->step = step;
  progress->updated = now;
  if (!progress->terminal && step < progress->last && progress->printed && now - progress->printed < PLAIN_SECONDS * G_USEC_PER_SEC)
    return;
  progress->printed = now;
  left = format_time ((progress->last - step) * progress->seconds);
  g_print ("%sstep %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT "  %s  %.2f steps/s  device %.0f %%  %s left%s", progress->terminal ? "\r\033[K" : "",
      step, progress->last, text, rvm_progress_get_rate (progress), 100 * rvm_progress_get_utilisation (progress), left,
      progress->terminal ? "" : "\n");
  progress->line_open = progress->terminal;
}

double
rvm_progress_get_rate (const RvmProgress *progress)
{
  return progress->seconds > 0 ? 1 / progress->seconds : 0;
}

double
rvm_progress_get_utilisation (const RvmProgress *progress)
{
  return progress->seconds > 0 ? CLAMP (1 - progress->waited / progress->seconds, 0, 1) : 0;
}
