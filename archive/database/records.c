/* Rows of "files" and "vectors". The statements are made from the table of columns. */
#include <string.h>

#include "database_private.h"
#include "hash.h"
#include "kernels/error.h"

static void
bind_column (sqlite3_stmt *statement, int at, const RvmColumn *column, const RvmRecord *record)
{
  gconstpointer field = (const guint8 *) record + column->offset;
  const char *text = column->type <= RVM_COLUMN_TEXT ? *(char *const *) field : NULL;

  if (column->type == RVM_COLUMN_INTEGER && *(const gint64 *) field != RVM_UNKNOWN)
    sqlite3_bind_int64 (statement, at, *(const gint64 *) field);
  else if (column->type == RVM_COLUMN_REAL && *(const double *) field >= 0)
    sqlite3_bind_double (statement, at, *(const double *) field);
  else if (text && column->type == RVM_COLUMN_BYTES)
    sqlite3_bind_blob (statement, at, text, strlen (text), SQLITE_TRANSIENT);
  else if (text)
    sqlite3_bind_text (statement, at, text, -1, SQLITE_TRANSIENT);
  else
    sqlite3_bind_null (statement, at);
}

static gboolean
put_piece (RvmDatabase *database, gint64 file, RvmVectorOf kind, gint64 first, gint64 count, gconstpointer data, gsize size, const char *hash,
    GError **error)
{
  sqlite3_stmt *statement = rvm_database_prepare (database, "INSERT INTO vectors (file, kind, first, count, data, hash) VALUES (?, ?, ?, ?, ?, ?)",
      error);

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_int64 (statement, 1, file);
  sqlite3_bind_text (statement, 2, rvm_vector_names[kind], -1, SQLITE_STATIC);
  sqlite3_bind_int64 (statement, 3, first);
  sqlite3_bind_int64 (statement, 4, count);
  sqlite3_bind_blob64 (statement, 5, data, size, SQLITE_STATIC);
  sqlite3_bind_text (statement, 6, hash, -1, SQLITE_STATIC);
  sqlite3_step (statement);
  return rvm_database_end (database, statement, error);
}

/* Calls put_piece() for each piece; with @file 0 only notes the hashes in @hashes. */
static gboolean
each_piece (RvmDatabase *database, const RvmRecord *record, gint64 file, GString *hashes, GError **error)
{
  for (guint kind = 0; kind < RVM_VECTOR_KINDS; kind++) {
    const gsize size = rvm_vector_get_size (&database->settings, kind);
    const guint8 *data = record->vectors[kind] ? g_bytes_get_data (record->vectors[kind], NULL) : NULL;

    for (gint64 first = 0; data && first < record->moments; first += RVM_PIECE) {
      const gint64 count = MIN (record->moments - first, RVM_PIECE);
      char hash[RVM_HASH_SIZE];

      rvm_hash_bytes (data + first * size, count * size, hash);
      g_string_append_printf (hashes, "%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s\n", rvm_vector_names[kind], first, count, hash);
      if (file && !put_piece (database, file, kind, first, count, data + first * size, count * size, hash, error))
        return FALSE;
    }
  }
  return TRUE;
}

static gboolean
put_rows (RvmDatabase *database, RvmRecord *record, GError **error)
{
  g_autoptr (GString) sql = g_string_new ("INSERT INTO files ("), values = g_string_new (") VALUES ("), hashes = g_string_new (NULL);
  sqlite3_stmt *statement = rvm_database_prepare (database, "DELETE FROM files WHERE path = ?", error);

  if (statement == NULL)
    return FALSE;
  bind_column (statement, 1, &rvm_record_columns[0], record);
  sqlite3_step (statement);
  if (!rvm_database_end (database, statement, error))
    return FALSE;
  each_piece (database, record, 0, hashes, NULL);
  g_free (record->seal);
  record->seal = rvm_record_make_seal (record, hashes->str);
  for (guint i = 0; i < rvm_record_n_columns; i++) {
    g_string_append_printf (sql, "%s%s", i ? ", " : "", rvm_record_columns[i].name);
    g_string_append (values, i ? ", ?" : "?");
  }
  g_string_append_printf (sql, "%s)", values->str);
  statement = rvm_database_prepare (database, sql->str, error);
  for (guint i = 0; statement && i < rvm_record_n_columns; i++)
    bind_column (statement, 1 + i, &rvm_record_columns[i], record);
  if (statement)
    sqlite3_step (statement);
  if (statement == NULL || !rvm_database_end (database, statement, error))
    return FALSE;
  record->id = sqlite3_last_insert_rowid (database->handle);
  return each_piece (database, record, record->id, hashes, error);
}

gboolean
rvm_database_put (RvmDatabase *database, RvmRecord *record, GError **error)
{
  if (!rvm_database_run (database, "BEGIN IMMEDIATE", error))
    return FALSE;
  if (put_rows (database, record, error) && rvm_database_run (database, "COMMIT", error))
    return TRUE;
  sqlite3_exec (database->handle, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

gboolean
rvm_database_set_modified (RvmDatabase *database, const char *path, gint64 modified, GError **error)
{
  sqlite3_stmt *statement = rvm_database_prepare (database, "UPDATE files SET modified = ? WHERE path = ?", error);

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_int64 (statement, 1, modified);
  sqlite3_bind_blob (statement, 2, path, strlen (path), SQLITE_STATIC);
  sqlite3_step (statement);
  return rvm_database_end (database, statement, error);
}

gboolean
rvm_database_remove (RvmDatabase *database, gint64 id, GError **error)
{
  sqlite3_stmt *statement = rvm_database_prepare (database, "DELETE FROM files WHERE id = ?", error);

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_int64 (statement, 1, id);
  sqlite3_step (statement);
  return rvm_database_end (database, statement, error);
}

/* The columns of "files" after id, as bytes that end with 0. */
static char *
copy_bytes (sqlite3_stmt *statement, int at)
{
  const void *data = sqlite3_column_blob (statement, at);

  return data ? g_strndup (data, sqlite3_column_bytes (statement, at)) : NULL;
}

static RvmRecord *
read_row (sqlite3_stmt *statement)
{
  RvmRecord *record = g_new0 (RvmRecord, 1);

  record->id = sqlite3_column_int64 (statement, 0);
  for (guint i = 0; i < rvm_record_n_columns; i++) {
    const RvmColumn *column = &rvm_record_columns[i];
    const gboolean is_null = sqlite3_column_type (statement, 1 + i) == SQLITE_NULL;
    gpointer field = (guint8 *) record + column->offset;

    if (column->type == RVM_COLUMN_INTEGER)
      *(gint64 *) field = is_null ? RVM_UNKNOWN : sqlite3_column_int64 (statement, 1 + i);
    else if (column->type == RVM_COLUMN_REAL)
      *(double *) field = is_null ? RVM_UNKNOWN : sqlite3_column_double (statement, 1 + i);
    else
      *(char **) field = is_null ? NULL : copy_bytes (statement, 1 + i);
  }
  if (record->path == NULL)
    record->path = g_strdup ("");
  return record;
}

static sqlite3_stmt *
select_files (RvmDatabase *database, const char *rest, GError **error)
{
  g_autoptr (GString) sql = g_string_new ("SELECT id");

  for (guint i = 0; i < rvm_record_n_columns; i++)
    g_string_append_printf (sql, ", %s", rvm_record_columns[i].name);
  g_string_append_printf (sql, " FROM files %s", rest);
  return rvm_database_prepare (database, sql->str, error);
}

static RvmRecord *
take_one (RvmDatabase *database, sqlite3_stmt *statement, GError **error)
{
  RvmRecord *record = NULL;

  if (sqlite3_step (statement) == SQLITE_ROW)
    record = read_row (statement);
  if (!rvm_database_end (database, statement, error))
    g_clear_pointer (&record, rvm_record_free);
  return record;
}

RvmRecord *
rvm_database_find (RvmDatabase *database, const char *path, GError **error)
{
  sqlite3_stmt *statement = select_files (database, "WHERE path = ?", error);

  if (statement == NULL)
    return NULL;
  sqlite3_bind_blob (statement, 1, path, strlen (path), SQLITE_STATIC);
  return take_one (database, statement, error);
}

RvmRecord *
rvm_database_get (RvmDatabase *database, gint64 id, GError **error)
{
  sqlite3_stmt *statement = select_files (database, "WHERE id = ?", error);

  if (statement == NULL)
    return NULL;
  sqlite3_bind_int64 (statement, 1, id);
  return take_one (database, statement, error);
}

gint64
rvm_database_get_last (RvmDatabase *database)
{
  sqlite3_stmt *statement = rvm_database_prepare (database, "SELECT max(id) FROM files", NULL);
  gint64 last = 0;

  if (statement && sqlite3_step (statement) == SQLITE_ROW)
    last = sqlite3_column_int64 (statement, 0);
  sqlite3_finalize (statement);
  return last;
}

GPtrArray *
rvm_database_list (RvmDatabase *database, GError **error)
{
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func ((GDestroyNotify) rvm_record_free);
  sqlite3_stmt *statement = database->blank ? NULL : select_files (database, "ORDER BY path", error);

  if (database->blank)
    return g_steal_pointer (&records);
  if (statement == NULL)
    return NULL;
  while (sqlite3_step (statement) == SQLITE_ROW)
    g_ptr_array_add (records, read_row (statement));
  return rvm_database_end (database, statement, error) ? g_steal_pointer (&records) : NULL;
}

/* Appends a piece to @all, if it is the next one and whole. */
static gboolean
take_piece (RvmDatabase *database, const RvmRecord *record, RvmVectorOf kind, sqlite3_stmt *statement, gint64 *next, GByteArray *all, GString *hashes,
    GError **error)
{
  const gint64 first = sqlite3_column_int64 (statement, 0), count = sqlite3_column_int64 (statement, 1);
  const void *data = sqlite3_column_blob (statement, 2);
  const gsize size = sqlite3_column_bytes (statement, 2);
  const char *expected = (const char *) sqlite3_column_text (statement, 3);
  char hash[RVM_HASH_SIZE];

  rvm_hash_bytes (data, data ? size : 0, hash);
  if (first != *next || count <= 0 || size != count * rvm_vector_get_size (&database->settings, kind) || g_strcmp0 (hash, expected) != 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: %s of %s are damaged: 'rvm-archive check --mend' takes the file out, and 'index' analyses it again",
        database->path, rvm_vector_names[kind], record->path);
    return FALSE;
  }
  *next += count;
  g_byte_array_append (all, data, size);
  g_string_append_printf (hashes, "%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s\n", rvm_vector_names[kind], first, count, hash);
  return TRUE;
}

static GBytes *
read_vectors (RvmDatabase *database, const RvmRecord *record, RvmVectorOf kind, GString *hashes, GError **error)
{
  g_autoptr (GByteArray) all = g_byte_array_new ();
  sqlite3_stmt *statement = rvm_database_prepare (database, "SELECT first, count, data, hash FROM vectors WHERE file = ? AND kind = ? ORDER BY first", error);
  gboolean ok = TRUE;
  gint64 next = 0;

  if (statement == NULL)
    return NULL;
  sqlite3_bind_int64 (statement, 1, record->id);
  sqlite3_bind_text (statement, 2, rvm_vector_names[kind], -1, SQLITE_STATIC);
  while (ok && sqlite3_step (statement) == SQLITE_ROW)
    ok = take_piece (database, record, kind, statement, &next, all, hashes, error);
  if (!rvm_database_end (database, statement, ok ? error : NULL) || !ok)
    return NULL;
  return g_byte_array_free_to_bytes (g_steal_pointer (&all));
}

GBytes *
rvm_database_read_vectors (RvmDatabase *database, const RvmRecord *record, RvmVectorOf kind, GError **error)
{
  g_autoptr (GString) hashes = g_string_new (NULL);
  g_autoptr (GBytes) bytes = read_vectors (database, record, kind, hashes, error);

  if (bytes == NULL || g_bytes_get_size (bytes) == record->moments * rvm_vector_get_size (&database->settings, kind))
    return g_steal_pointer (&bytes);
  if (g_bytes_get_size (bytes) == 0)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: has no vectors of kind %s", database->path, rvm_vector_names[kind]);
  else
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: %s of %s are damaged: some are missing", database->path, rvm_vector_names[kind], record->path);
  return NULL;
}

gboolean
rvm_database_verify (RvmDatabase *database, RvmRecord *record, GError **error)
{
  g_autoptr (GString) hashes = g_string_new (NULL);
  g_autofree char *seal = NULL;

  for (guint kind = 0; kind < RVM_VECTOR_KINDS; kind++) {
    g_autoptr (GBytes) bytes = read_vectors (database, record, kind, hashes, error);

    if (bytes == NULL)
      return FALSE;
    g_clear_pointer (&record->vectors[kind], g_bytes_unref);
    if (g_bytes_get_size (bytes))
      record->vectors[kind] = g_steal_pointer (&bytes);
  }
  seal = rvm_record_make_seal (record, hashes->str);
  if (g_strcmp0 (seal, record->seal) == 0)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: the record of %s is damaged: its seal is %s, expected %s", database->path, record->path,
      record->seal ? record->seal : "missing", seal);
  return FALSE;
}
