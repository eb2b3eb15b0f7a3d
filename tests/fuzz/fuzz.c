/* What the fuzz targets share. */
#define _GNU_SOURCE /* memfd_create() */
#include "fuzz.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void
fuzz_fail (const char *file, int line, const char *condition)
{
  g_printerr ("%s:%d: %s does not hold\n", file, line, condition);
  abort ();
}

static void
abort_on_warning (const char *domain, GLogLevelFlags level, const char *message, gpointer user_data)
{
  if ((level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)) == 0)
    return;
  g_printerr ("%s: %s\n", domain ? domain : "?", message);
  abort ();
}

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  g_log_set_default_handler (abort_on_warning, NULL);
  return 0;
}

const char *
fuzz_file (const guint8 *data, gsize size)
{
  static char path[64];
  static int file = -1;

  if (file < 0) {
    file = memfd_create ("fuzz", MFD_CLOEXEC);
    fuzz_assert (file >= 0);
    g_snprintf (path, sizeof path, "/proc/self/fd/%d", file);
  }
  fuzz_assert (ftruncate (file, 0) == 0 && pwrite (file, data, size, 0) == (gssize) size);
  return path;
}

void
fuzz_check_error (gboolean good, GError **error)
{
  fuzz_assert (good == (*error == NULL));
  if (*error)
    fuzz_assert (*(*error)->message != '\0' && g_utf8_validate ((*error)->message, -1, NULL));
  g_clear_error (error);
}
