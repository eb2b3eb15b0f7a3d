/* Opens databases. The schema's version is in user_version; steps[i] turns version i into the next one, in one transaction, and an empty database, version
 * 0, at once into the newest. */
#include "database_private.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "archive_schema.h"
#include "kernels/error.h"
#include "program/interrupts.h"
#include "waiting.h"

enum { APPLICATION = 0x52564d41, /* "RVMA" */ PATIENCE = 30 /* seconds, for others that write */, LONGEST_STEP = 100000 /* microseconds */ };

enum { NEWEST = 2 };

static const struct { gint64 to; const char *sql; } steps[NEWEST] = {
  { NEWEST, "/gst-rvm/archive/schema.sql" },
  { 2, "/gst-rvm/archive/schema_from_1.sql" },
};

/* Called by SQLite while another process has the database locked: 0 gives up. */
static int
wait_for_others (void *data, int tries)
{
  RvmDatabase *database = data;
  const gint64 now = g_get_monotonic_time ();

  if (tries == 0)
    database->waiting = now;
  if (now - database->waiting >= database->patience || rvm_interrupts_count ())
    return 0;
  g_usleep (MIN ((tries + 1) * 5000, LONGEST_STEP));
  return 1;
}

static gboolean
fail_locked (RvmDatabase *database, GError **error)
{
  g_autofree char *shared = g_strconcat (database->path, "-shm", NULL), *holders = rvm_waiting_describe_holders (database->path);

  if (holders == NULL)
    holders = rvm_waiting_describe_holders (shared);
  rvm_error_set (error, RVM_ERROR_FILE, "%s: is locked by %s, and was not free after %.1f s of waiting (RVM_ARCHIVE_WAIT)", database->path,
      holders ? holders : "a process that cannot be found on this computer", database->waiting ? (g_get_monotonic_time () - database->waiting) / 1e6 : 0.0);
  return FALSE;
}

gboolean
rvm_database_fail (RvmDatabase *database, GError **error)
{
  const int code = database->handle ? sqlite3_errcode (database->handle) : SQLITE_NOMEM;
  const char *reason = database->handle ? sqlite3_errmsg (database->handle) : "out of memory";

  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is damaged (%s): 'rvm-archive check --mend' keeps what can be read", database->path, reason);
  else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
    return fail_locked (database, error);
  else if (code == SQLITE_READONLY && sqlite3_extended_errcode (database->handle) == SQLITE_READONLY_ROLLBACK)
    rvm_error_set (error, RVM_ERROR_FILE, "%s: a process was ended in the middle of a change: the next 'rvm-archive index', or 'index --merge', undoes it",
        database->path);
  else if (code == SQLITE_FULL)
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", database->path, g_strerror (ENOSPC));
  else
    rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", database->path, reason);
  return FALSE;
}

gboolean
rvm_database_run (RvmDatabase *database, const char *sql, GError **error)
{
  return sqlite3_exec (database->handle, sql, NULL, NULL, NULL) == SQLITE_OK || rvm_database_fail (database, error);
}

sqlite3_stmt *
rvm_database_prepare (RvmDatabase *database, const char *sql, GError **error)
{
  sqlite3_stmt *statement = NULL;

  if (sqlite3_prepare_v2 (database->handle, sql, -1, &statement, NULL) != SQLITE_OK)
    rvm_database_fail (database, error);
  return statement;
}

gboolean
rvm_database_end (RvmDatabase *database, sqlite3_stmt *statement, GError **error)
{
  return sqlite3_finalize (statement) == SQLITE_OK || rvm_database_fail (database, error);
}

static gboolean
read_number (RvmDatabase *database, const char *sql, gint64 *number, GError **error)
{
  sqlite3_stmt *statement = rvm_database_prepare (database, sql, error);

  if (statement == NULL)
    return FALSE;
  *number = sqlite3_step (statement) == SQLITE_ROW ? sqlite3_column_int64 (statement, 0) : 0;
  return rvm_database_end (database, statement, error);
}

static gboolean
migrate (RvmDatabase *database, gint64 from, GError **error)
{
  gboolean ok = rvm_database_run (database, "BEGIN IMMEDIATE", error);

  /* Another process may have done it meanwhile. */
  ok = ok && read_number (database, "PRAGMA user_version", &from, error);
  for (gint64 i = from; ok && i < NEWEST; i = steps[i].to) {
    g_autoptr (GBytes) sql = g_resource_lookup_data (rvm_archive_get_resource (), steps[i].sql, G_RESOURCE_LOOKUP_FLAGS_NONE, error);
    g_autofree char *version = g_strdup_printf ("PRAGMA user_version = %" G_GINT64_FORMAT "; PRAGMA application_id = %d", steps[i].to, APPLICATION);

    ok = sql && rvm_database_run (database, g_bytes_get_data (sql, NULL), error) && rvm_database_run (database, version, error);
  }
  if (ok)
    return rvm_database_run (database, "COMMIT", error);
  sqlite3_exec (database->handle, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

static gboolean
check_version (RvmDatabase *database, RvmDatabaseMode mode, GError **error)
{
  const gint64 newest = NEWEST;
  gint64 application, version, tables;

  if (!read_number (database, "PRAGMA application_id", &application, error) || !read_number (database, "PRAGMA user_version", &version, error)
      || !read_number (database, "SELECT count(*) FROM sqlite_schema", &tables, error))
    return FALSE;
  if (application != APPLICATION && tables > 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is the database of another program", database->path);
    return FALSE;
  }
  if (version > newest) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: has version %" G_GINT64_FORMAT " of the schema, expected at most %" G_GINT64_FORMAT
        ": it was made by a later rvm-archive", database->path, version, newest);
    return FALSE;
  }
  database->blank = version == 0 && tables == 0 && mode <= RVM_DATABASE_READ;
  if (version == newest || database->blank)
    return TRUE;
  if (mode <= RVM_DATABASE_READ) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: has version %" G_GINT64_FORMAT " of the schema, expected %" G_GINT64_FORMAT
        ": 'rvm-archive index' brings it up to date", database->path, version, newest);
    return FALSE;
  }
  return migrate (database, version, error);
}

static gboolean
read_settings (RvmDatabase *database, GError **error)
{
  RvmSettings *s = &database->settings;
  sqlite3_stmt *statement = rvm_database_prepare (database,
      "SELECT model_id, precision, dim, size, interval, rate_n, rate_d, colours, parts FROM archive", error);
  gint64 *const numbers[] = { &s->dim, &s->size, &s->interval, &s->rate_n, &s->rate_d, &s->colours };
  gboolean ok = TRUE;

  if (statement == NULL)
    return FALSE;
  if (sqlite3_step (statement) == SQLITE_ROW) {
    s->model_id = g_strdup ((const char *) sqlite3_column_text (statement, 0));
    s->precision = g_strdup ((const char *) sqlite3_column_text (statement, 1));
    for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
      *numbers[i] = sqlite3_column_int64 (statement, 2 + i);
    database->has_settings = TRUE;
    ok = s->model_id && s->precision && s->dim > 0 && s->dim < 1 << 20 && s->colours > 0 && s->colours < 1 << 20
        && rvm_parts_parse ((const char *) sqlite3_column_text (statement, 8), &s->parts, NULL);
    if (!ok)
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is damaged: its settings make no sense", database->path);
  }
  return rvm_database_end (database, statement, ok ? error : NULL) && ok;
}

static gboolean
open_still (RvmDatabase *database, const char *absolute, GError **error)
{
  g_autofree char *uri = g_filename_to_uri (absolute, NULL, error), *still = uri ? g_strconcat (uri, "?immutable=1", NULL) : NULL;

  return still && (sqlite3_open_v2 (still, &database->handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) == SQLITE_OK
      || rvm_database_fail (database, error));
}

static gboolean
open_handle (RvmDatabase *database, RvmDatabaseMode mode, GError **error)
{
  const int flags = mode == RVM_DATABASE_READ ? SQLITE_OPEN_READONLY
      : mode == RVM_DATABASE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  g_autofree char *absolute = g_canonicalize_filename (database->path, NULL), *log = g_strconcat (absolute, "-wal", NULL);
  gint64 version;

  /* SQLite would make it, or say no more than that it cannot be opened. */
  if (mode <= RVM_DATABASE_WRITE && g_access (database->path, F_OK) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", database->path, g_strerror (errno));
    return FALSE;
  }
  if (mode == RVM_DATABASE_STILL)
    return open_still (database, absolute, error);
  if (sqlite3_open_v2 (absolute, &database->handle, flags, NULL) != SQLITE_OK)
    return rvm_database_fail (database, error);
  sqlite3_busy_handler (database->handle, wait_for_others, database);
  if (mode != RVM_DATABASE_READ || read_number (database, "PRAGMA user_version", &version, NULL))
    return TRUE;
  /* Where nothing can be written, a database in write-ahead mode can be read only as one that does not change. */
  if (sqlite3_errcode (database->handle) != SQLITE_CANTOPEN || g_access (log, F_OK) == 0)
    return rvm_database_fail (database, error);
  sqlite3_close (g_steal_pointer (&database->handle));
  return open_still (database, absolute, error);
}

RvmDatabase *
rvm_database_open (const char *path, RvmDatabaseMode mode, GError **error)
{
  g_autoptr (RvmDatabase) database = g_new0 (RvmDatabase, 1);
  /* NORMAL: with a write-ahead log, a power cut may take the last records, whose files are then analysed again, and never more. */
  const char *settings = mode <= RVM_DATABASE_READ ? "PRAGMA foreign_keys = ON"
      : mode == RVM_DATABASE_SHARD ? "PRAGMA page_size = 16384; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"
      : "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON";
  double patience;

  database->path = g_strdup (path);
  if (!rvm_waiting_get_seconds (PATIENCE, &patience, error))
    return NULL;
  database->patience = patience * G_USEC_PER_SEC;
  if (!open_handle (database, mode, error) || !rvm_database_run (database, settings, error) || !check_version (database, mode, error)
      || (!database->blank && !read_settings (database, error)))
    return NULL;
  return g_steal_pointer (&database);
}

void
rvm_database_free (RvmDatabase *database)
{
  if (database == NULL)
    return;
  sqlite3_close (database->handle);
  rvm_settings_clear_fields (&database->settings);
  g_free (database->path);
  g_free (database);
}

const char *
rvm_database_get_path (const RvmDatabase *database)
{
  return database->path;
}

gboolean
rvm_database_is_blank (const RvmDatabase *database)
{
  return database->blank;
}

const RvmSettings *
rvm_database_get_settings (const RvmDatabase *database)
{
  return database->has_settings ? &database->settings : NULL;
}

gboolean
rvm_database_set_settings (RvmDatabase *database, const RvmSettings *s, GError **error)
{
  const gint64 numbers[] = { s->dim, s->size, s->interval, s->rate_n, s->rate_d, s->colours };
  g_autofree char *parts = rvm_parts_format (s->parts);
  sqlite3_stmt *statement = rvm_database_prepare (database,
      "INSERT INTO archive (only, model_id, precision, dim, size, interval, rate_n, rate_d, colours, parts) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)", error);

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_text (statement, 1, s->model_id, -1, SQLITE_TRANSIENT);
  sqlite3_bind_text (statement, 2, s->precision, -1, SQLITE_TRANSIENT);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    sqlite3_bind_int64 (statement, 3 + i, numbers[i]);
  sqlite3_bind_text (statement, 9, parts, -1, SQLITE_TRANSIENT);
  sqlite3_step (statement);
  if (!rvm_database_end (database, statement, error))
    return FALSE;
  rvm_settings_copy_fields (s, &database->settings);
  database->has_settings = TRUE;
  return TRUE;
}

gboolean
rvm_database_check (RvmDatabase *database, GError **error)
{
  sqlite3_stmt *statement = rvm_database_prepare (database, "PRAGMA integrity_check(1)", error);
  gboolean ok = statement != NULL;

  if (ok && sqlite3_step (statement) == SQLITE_ROW && g_strcmp0 ((const char *) sqlite3_column_text (statement, 0), "ok") != 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is damaged (%s): 'rvm-archive check --mend' keeps what can be read", database->path,
        sqlite3_column_text (statement, 0));
    ok = FALSE;
  }
  return statement && rvm_database_end (database, statement, ok ? error : NULL) && ok;
}

gboolean
rvm_database_hold (RvmDatabase *database, GError **error)
{
  return rvm_database_run (database, "BEGIN", error);
}

gboolean
rvm_database_let_go (RvmDatabase *database, GError **error)
{
  return rvm_database_run (database, "COMMIT", error);
}
