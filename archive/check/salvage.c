/* Rows are asked for one by one, by number, because a list of all ends at the first page that is damaged. */
#include "salvage.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/database/database.h"
#include "kernels/error.h"

enum { GIVE_UP = 1000 /* numbers in a row that have no record, after the last one that is known */ };

/* NULL if the settings cannot be read: then there is nothing to be saved. */
static RvmDatabase *
open_damaged (const char *path)
{
  RvmDatabase *damaged = rvm_database_open (path, RVM_DATABASE_READ, NULL);

  if (damaged && rvm_database_get_settings (damaged) == NULL)
    g_clear_pointer (&damaged, rvm_database_free);
  return damaged;
}

static gboolean
copy (RvmDatabase *damaged, RvmDatabase *made, guint *n, GError **error)
{
  const gint64 last = rvm_database_get_last (damaged);
  guint missing = 0;

  if (!rvm_database_set_settings (made, rvm_database_get_settings (damaged), error))
    return FALSE;
  for (gint64 id = 1; id <= last || missing < GIVE_UP; id++) {
    g_autoptr (RvmRecord) record = rvm_database_get (damaged, id, NULL);

    missing = record ? 0 : missing + 1;
    if (record == NULL || !rvm_database_verify (damaged, record, NULL))
      continue;
    if (!rvm_database_put (made, record, error))
      return FALSE;
    ++*n;
  }
  return TRUE;
}

/* The first name of its kind that is free. */
static char *
choose_aside (const char *path)
{
  for (guint i = 1;; i++) {
    g_autofree char *aside = g_strdup_printf ("%s.damaged-%u", path, i);

    if (g_access (aside, F_OK) != 0)
      return g_steal_pointer (&aside);
  }
}

static gboolean
move (const char *from, const char *to, const char *suffix, GError **error)
{
  g_autofree char *a = g_strconcat (from, suffix, NULL), *b = g_strconcat (to, suffix, NULL);

  if (g_rename (a, b) == 0 || (errno == ENOENT && *suffix))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", a, g_strerror (errno));
  return FALSE;
}

char *
rvm_salvage (const char *path, GError **error)
{
  g_autofree char *part = g_strconcat (path, ".part", NULL), *aside = choose_aside (path), *name = g_path_get_basename (aside);
  g_autoptr (RvmDatabase) damaged = open_damaged (path), made = NULL;
  guint n = 0;

  g_unlink (part);
  made = rvm_database_open (part, RVM_DATABASE_MAKE, error);
  if (made == NULL || (damaged && !copy (damaged, made, &n, error)))
    return NULL;
  g_clear_pointer (&made, rvm_database_free);
  g_clear_pointer (&damaged, rvm_database_free);
  if (!move (path, aside, "", error) || !move (path, aside, "-wal", error) || !move (path, aside, "-shm", error) || !move (part, path, "", error))
    return NULL;
  return g_strdup_printf ("was made again with the %u records that are whole ('index' finds the others again); the damaged one is %s", n, name);
}
