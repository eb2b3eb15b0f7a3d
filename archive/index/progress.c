/* How long the files are is known only when they have been read. The time that is left follows from their bytes, and from their number, because each takes
 * some time to be opened. */
#include "progress.h"

#include <unistd.h>

enum { PLAIN_SECONDS = 10 };

struct _RvmIndexProgress {
  gboolean terminal, line_open;
  gint64 printed;
};

RvmIndexProgress *
rvm_index_progress_new (void)
{
  RvmIndexProgress *progress = g_new0 (RvmIndexProgress, 1);

  progress->terminal = isatty (STDERR_FILENO);
  progress->printed = g_get_monotonic_time ();
  return progress;
}

void
rvm_index_progress_free (RvmIndexProgress *progress)
{
  if (progress && progress->line_open)
    g_printerr ("\n");
  g_free (progress);
}

static void
append_left (GString *text, const RvmIndexState *state)
{
  const double of_files = (double) state->files / MAX (state->of_files, 1);
  const double share = state->of_bytes ? ((double) state->bytes / state->of_bytes + of_files) / 2 : of_files;
  const double left = share > 0 ? state->elapsed / share * (1 - share) : 0;

  if (state->files == 0 || state->files == state->of_files)
    return;
  if (left >= 3600)
    g_string_append_printf (text, ", %.0f h %02d min left", left / 3600 - 0.5, (int) left / 60 % 60);
  else
    g_string_append_printf (text, ", %d:%02d left", (int) left / 60, (int) left % 60);
}

char *
rvm_index_progress_format (const RvmIndexState *state)
{
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_append_printf (text, "%u of %u files, %.2f h of video, %.1f times real time", state->files, state->of_files, state->video / 3600,
      state->elapsed > 0 ? state->video / state->elapsed : 0);
  append_left (text, state);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

void
rvm_index_progress_show (const RvmIndexState *state, const char *news, gpointer user_data)
{
  RvmIndexProgress *progress = user_data;
  const gint64 now = g_get_monotonic_time ();
  g_autofree char *text = NULL;

  if (news) {
    g_printerr ("%s%s\n", progress->line_open ? "\r\033[K" : "", news);
    progress->line_open = FALSE;
    return;
  }
  if (!progress->terminal && now - progress->printed < PLAIN_SECONDS * G_USEC_PER_SEC)
    return;
  progress->printed = now;
  text = rvm_index_progress_format (state);
  g_printerr ("%s%s%s", progress->terminal ? "\r\033[K" : "", text, progress->terminal ? "" : "\n");
  progress->line_open = progress->terminal;
}
