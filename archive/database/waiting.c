/* Linux lists all locks in /proc/locks, by device and inode. Reading them from there does not touch the file: whoever opens and closes a file loses
 * the locks that SQLite has on it in the same process. */
#include "waiting.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernels/error.h"

enum { LONGEST = 1000000 /* seconds */ };

gboolean
rvm_waiting_get_seconds (double usual, double *seconds, GError **error)
{
  const char *text = g_getenv ("RVM_ARCHIVE_WAIT");
  char *end;

  *seconds = usual;
  if (text == NULL || *text == '\0')
    return TRUE;
  *seconds = g_ascii_strtod (text, &end);
  if (*end == '\0' && *seconds >= 0 && *seconds <= LONGEST)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "RVM_ARCHIVE_WAIT is '%s' in the environment, expected seconds from 0 to %d", text, LONGEST);
  return FALSE;
}

/* (transfer full): "process 1234 (rvm-archive, stopped)". */
static char *
describe (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid), *content = NULL, *name = NULL;
  char *begin, *end;

  /* "PID (NAME) STATE ...", where the name may have brackets. */
  if (!g_file_get_contents (path, &content, NULL, NULL) || !(begin = strchr (content, '(')) || !(end = strrchr (content, ')')) || end[1] != ' ')
    return g_strdup_printf ("process %d", pid);
  name = g_strndup (begin + 1, end - begin - 1);
  return g_strdup_printf ("process %d (%s%s)", pid, name, end[2] == 'T' || end[2] == 't' ? ", stopped" : "");
}

char *
rvm_waiting_describe_holders (const char *path)
{
  g_autofree char *content = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  g_auto (GStrv) lines = NULL;
  GStatBuf status;

  if (g_stat (path, &status) != 0 || !g_file_get_contents ("/proc/locks", &content, NULL, NULL))
    return NULL;
  lines = g_strsplit (content, "\n", -1);
  for (guint i = 0; lines[i]; i++) {
    char type[16];
    int pid;
    unsigned int on_major, on_minor;
    guint64 inode;

    /* Those that wait themselves have an arrow before the type. */
    if (sscanf (lines[i], "%*d: %15s %*s %*s %d %x:%x:%" G_GUINT64_FORMAT, type, &pid, &on_major, &on_minor, &inode) != 5 || strcmp (type, "->") == 0)
      continue;
    if (inode == status.st_ino && on_major == major (status.st_dev) && on_minor == minor (status.st_dev) && pid > 0 && pid != getpid ()
        && g_hash_table_add (seen, GINT_TO_POINTER (pid))) {
      g_autofree char *process = describe (pid);
      g_string_append_printf (text, "%s%s", text->len ? ", " : "", process);
    }
  }
  return text->len ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}
