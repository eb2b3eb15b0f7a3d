/* One query reads everything in the order of its rows, which is that of the disk; the spans are put in order afterwards, not the vectors. */
#include "table.h"

#include <string.h>

#include "archive/database/database_private.h"
#include "archive/database/hash.h"
#include "kernels/error.h"

void
rvm_table_free (RvmTable *table)
{
  if (table == NULL)
    return;
  g_clear_pointer (&table->records, g_ptr_array_unref);
  g_clear_pointer (&table->spans, g_array_unref);
  g_free (table->halves);
  g_free (table->times);
  g_free (table);
}

/* Rows follow the paths. */
static GHashTable *
make_spans (RvmTable *table)
{
  GHashTable *found = g_hash_table_new (g_int64_hash, g_int64_equal);

  for (guint i = 0; i < table->records->len; i++) {
    const RvmRecord *record = g_ptr_array_index (table->records, i);
    const RvmTableSpan span = { record, table->n, record->moments };

    if (record->moments <= 0)
      continue;
    g_array_append_val (table->spans, span);
    table->n += record->moments;
    g_hash_table_insert (found, (gpointer) &record->id, GUINT_TO_POINTER (table->spans->len));
  }
  return found;
}

static gboolean
fail (RvmDatabase *database, const RvmRecord *record, RvmVectorOf kind, GError **error)
{
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: %s of %s are damaged: 'rvm-archive check --mend' takes the file out, and 'index' analyses it again",
      database->path, rvm_vector_names[kind], record->path);
  return FALSE;
}

/* Copies each piece of @kind to @values, which has room for table->n of @size bytes. */
static gboolean
read_pieces (RvmTable *table, RvmDatabase *database, RvmVectorOf kind, gsize size, guint8 *values, GHashTable *spans, GError **error)
{
  sqlite3_stmt *statement = rvm_database_prepare (database, "SELECT file, first, count, data, hash FROM vectors WHERE kind = ?", error);
  gsize rows = 0;
  gboolean ok = TRUE;

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_text (statement, 1, rvm_vector_names[kind], -1, SQLITE_STATIC);
  while (ok && sqlite3_step (statement) == SQLITE_ROW) {
    const gint64 file = sqlite3_column_int64 (statement, 0), first = sqlite3_column_int64 (statement, 1), count = sqlite3_column_int64 (statement, 2);
    const guint at = GPOINTER_TO_UINT (g_hash_table_lookup (spans, &file));
    const RvmTableSpan *span = at ? &g_array_index (table->spans, RvmTableSpan, at - 1) : NULL;
    const void *data = sqlite3_column_blob (statement, 3);
    const gsize bytes = sqlite3_column_bytes (statement, 3);
    char hash[RVM_HASH_SIZE];

    if (span == NULL)
      continue; /* recorded since the files were listed */
    rvm_hash_bytes (data, bytes, hash);
    if (first < 0 || count <= 0 || (guint64) count > span->count || (guint64) first > span->count - count || bytes != count * size
        || g_strcmp0 (hash, (const char *) sqlite3_column_text (statement, 4)) != 0) {
      ok = fail (database, span->record, kind, error);
      continue;
    }
    memcpy (values + (span->first + first) * size, data, bytes);
    rows += count;
  }
  if (!rvm_database_end (database, statement, ok ? error : NULL) || !ok)
    return FALSE;
  if (rows == table->n)
    return TRUE;
  if (rows == 0)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: has no vectors of kind %s", database->path, rvm_vector_names[kind]);
  else
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is damaged: %s are missing of some moments ('rvm-archive check' says of which)", database->path,
        rvm_vector_names[kind]);
  return FALSE;
}

static gboolean
load (RvmTable *table, RvmDatabase *database, RvmVectorOf kind, GError **error)
{
  g_autoptr (GHashTable) spans = NULL;
  const gsize size = rvm_vector_get_size (&database->settings, kind);

  table->spans = g_array_new (FALSE, FALSE, sizeof (RvmTableSpan));
  table->records = rvm_database_list (database, error);
  if (table->records == NULL)
    return FALSE;
  spans = make_spans (table);
  table->dim = kind == RVM_VECTOR_TIMES ? 0 : size / sizeof (guint16);
  table->halves = kind == RVM_VECTOR_TIMES ? NULL : g_try_malloc_n (MAX (table->n, 1), size);
  table->times = g_try_new (gint64, MAX (table->n, 1));
  if ((table->halves == NULL && table->dim) || table->times == NULL) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "there is no memory for the vectors of %" G_GSIZE_FORMAT " moments", table->n);
    return FALSE;
  }
  return (table->dim == 0 || read_pieces (table, database, kind, size, (guint8 *) table->halves, spans, error))
      && read_pieces (table, database, RVM_VECTOR_TIMES, sizeof (gint64), (guint8 *) table->times, spans, error);
}

RvmTable *
rvm_table_load (RvmDatabase *database, RvmVectorOf kind, GError **error)
{
  g_autoptr (RvmTable) table = g_new0 (RvmTable, 1);

  return load (table, database, kind, error) ? g_steal_pointer (&table) : NULL;
}

const RvmTableSpan *
rvm_table_find (const RvmTable *table, gsize row)
{
  guint low = 0, high = table->spans->len;

  while (high - low > 1) {
    const guint middle = low + (high - low) / 2;

    if (g_array_index (table->spans, RvmTableSpan, middle).first <= row)
      low = middle;
    else
      high = middle;
  }
  return &g_array_index (table->spans, RvmTableSpan, low);
}
