/* Mending takes out. Nothing is invented: a record is whole, as its seal says, or its file is analysed again. A damaged database is set aside, never
 * deleted, and what is whole in it is copied to a new one. */
#include "check.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/database/hash.h"
#include "archive/index/folder.h"
#include "archive/index/shards.h"
#include "archive/look/features_file.h"
#include "kernels/error.h"
#include "salvage.h"

static void
free_fault (gpointer data)
{
  RvmFault *fault = data;

  g_free (fault->name);
  g_free (fault->what);
  g_free (fault);
}

void
rvm_check_free (RvmCheck *check)
{
  if (check == NULL)
    return;
  g_ptr_array_unref (check->faults);
  g_free (check->unmerged);
  g_free (check);
}

static void
add_fault (RvmCheck *check, const char *name, const char *what, gboolean mended)
{
  RvmFault *fault = g_new (RvmFault, 1);

  *fault = (RvmFault){ g_strdup (name), g_strdup (what), mended };
  g_ptr_array_add (check->faults, fault);
}

/* What is wrong with the features of @record; NULL: nothing. */
static char *
check_features (const char *folder, const RvmRecord *record)
{
  g_autofree char *path = g_build_filename (folder, record->features, NULL);
  char hash[RVM_HASH_SIZE];
  GStatBuf status;

  if (strstr (record->features, "..") || !g_str_has_prefix (record->features, "features/"))
    return g_strdup ("its features are recorded outside of the archive");
  if (g_stat (path, &status) != 0)
    return g_strdup_printf ("%s: %s", record->features, g_strerror (errno));
  if (status.st_size != record->features_size)
    return g_strdup_printf ("%s has %" G_GINT64_FORMAT " bytes, expected %" G_GINT64_FORMAT, record->features, (gint64) status.st_size,
        record->features_size);
  if (!rvm_hash_file (path, hash, NULL) || strcmp (hash, record->features_hash) != 0)
    return g_strdup_printf ("%s: its content has changed", record->features);
  return NULL;
}

static gboolean
take_out (RvmDatabase *database, const char *folder, const RvmRecord *record, GError **error)
{
  g_autofree char *name = rvm_features_file_get_name (record->path), *path = g_build_filename (folder, name, NULL);

  if (!rvm_database_remove (database, record->id, error))
    return FALSE;
  g_unlink (path);
  return TRUE;
}

/* Checks a record, and takes it out if it is bad. */
static gboolean
check_record (RvmCheck *check, RvmDatabase *database, const char *folder, RvmRecord *record, gboolean mend, GString *all, GError **error)
{
  g_autoptr (GError) damage = NULL;
  g_autofree char *what = NULL;

  check->files++;
  if (!rvm_database_verify (database, record, &damage)) {
    if (!g_error_matches (damage, RVM_ERROR, RVM_ERROR_FORMAT)) {
      g_propagate_error (error, g_steal_pointer (&damage));
      return FALSE;
    }
    what = g_strdup (damage->message);
  } else if (record->features) {
    check->moments_files++;
    what = check_features (folder, record);
  }
  for (guint kind = 0; kind < RVM_VECTOR_KINDS; kind++)
    g_clear_pointer (&record->vectors[kind], g_bytes_unref);
  g_string_append_printf (all, "%s %s\n", record->path, record->seal);
  if (what == NULL)
    return TRUE;
  if (mend && !take_out (database, folder, record, error))
    return FALSE;
  add_fault (check, record->path, what, mend);
  return TRUE;
}

/* Files of features that no record has. */
static void
check_orphans (RvmCheck *check, const char *folder, const char *below, GHashTable *known, gboolean mend)
{
  g_autofree char *path = g_build_filename (folder, below, NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *inside = g_build_filename (below, name, NULL), *full = g_build_filename (folder, inside, NULL);

    if (g_file_test (full, G_FILE_TEST_IS_DIR) && !g_file_test (full, G_FILE_TEST_IS_SYMLINK))
      check_orphans (check, folder, inside, known, mend);
    else if (!g_hash_table_contains (known, inside))
      add_fault (check, inside, g_str_has_suffix (name, ".part") ? "is left of a process that was killed" : "belongs to no video",
          mend && g_unlink (full) == 0);
  }
}

static void
digest (RvmCheck *check, const RvmSettings *s, GString *all)
{
  g_autofree char *parts = rvm_parts_format (s->parts);

  g_string_append_printf (all, "%s %s %s", s->model_id, s->precision, parts);
  g_string_append_printf (all, " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "/%" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", s->size,
      s->interval, s->rate_n, s->rate_d, s->colours);
  rvm_hash_bytes (all->str, all->len, check->digest);
}

static gboolean
check_all (RvmCheck *check, RvmDatabase *database, const char *folder, gboolean mend, GError **error)
{
  g_autoptr (GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) records = rvm_database_list (database, error);
  g_autoptr (GString) all = g_string_new (NULL);

  if (records == NULL)
    return FALSE;
  for (guint i = 0; i < records->len; i++) {
    RvmRecord *record = g_ptr_array_index (records, i);

    if (!check_record (check, database, folder, record, mend, all, error))
      return FALSE;
    if (record->features)
      g_hash_table_add (known, record->features);
  }
  /* A process that writes has files that are not recorded yet. */
  if (mend || !rvm_folder_is_locked (folder))
    check_orphans (check, folder, "features", known, mend);
  if (check->faults->len == 0 && rvm_database_get_settings (database))
    digest (check, rvm_database_get_settings (database), all);
  return TRUE;
}

static RvmDatabase *
open_checked (const char *path, gboolean mend, GError **error)
{
  g_autoptr (RvmDatabase) database = rvm_database_open (path, mend ? RVM_DATABASE_WRITE : RVM_DATABASE_READ, error);

  if (database && rvm_database_is_blank (database)) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: has no tables: it was cut, or a process makes it now or was ended while it did", path);
    return NULL;
  }
  return database && rvm_database_check (database, error) ? g_steal_pointer (&database) : NULL;
}

/* Notes what is not merged. FALSE: nothing else is there. */
static gboolean
note_shards (RvmCheck *check, RvmDatabase *database, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) shards = rvm_shards_list (folder);

  if (shards->len == 0)
    return TRUE;
  check->unmerged = rvm_shards_explain (folder, shards);
  if (rvm_database_get_settings (database))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: no video is in this archive yet: %s", folder, check->unmerged);
  return FALSE;
}

RvmCheck *
rvm_check_run (const char *folder, gboolean mend, GError **error)
{
  g_autoptr (RvmCheck) check = g_new0 (RvmCheck, 1);
  g_autofree char *path = rvm_folder_get_database (folder), *name = g_path_get_basename (path);
  g_autoptr (RvmDatabase) database = NULL;
  g_autoptr (GError) damage = NULL;
  g_autoptr (RvmFolderLock) lock = NULL;

  check->faults = g_ptr_array_new_with_free_func (free_fault);
  if (g_access (path, F_OK) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: is not the folder of an archive: there is no archive.sqlite", folder);
    return NULL;
  }
  if (mend && (lock = rvm_folder_lock (folder, error)) == NULL)
    return NULL;
  database = open_checked (path, mend, &damage);
  if (damage && g_error_matches (damage, RVM_ERROR, RVM_ERROR_FORMAT)) {
    g_autofree char *saved = NULL;

    if (mend && (saved = rvm_salvage (path, error)) == NULL)
      return NULL;
    add_fault (check, name, damage->message, mend);
    if (!mend)
      return g_steal_pointer (&check);
    add_fault (check, name, saved, TRUE);
    g_clear_error (&damage);
    database = open_checked (path, mend, &damage);
  }
  if (damage) {
    g_propagate_error (error, g_steal_pointer (&damage));
    return NULL;
  }
  return note_shards (check, database, folder, error) && check_all (check, database, folder, mend, error) ? g_steal_pointer (&check) : NULL;
}
