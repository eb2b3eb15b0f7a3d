/* RvmTable: the vectors of one kind of all moments of an archive, in memory, as halves, by path and time. */
#pragma once

#include "archive/database/database.h"

G_BEGIN_DECLS

typedef struct {
  const RvmRecord *record;
  gsize first, count; /* rows */
} RvmTableSpan;

typedef struct {
  GPtrArray *records; /* RvmRecord: all files */
  GArray *spans;      /* RvmTableSpan: of files with moments, in order */
  gsize n;
  guint dim;
  guint16 *halves; /* (n, dim) */
  gint64 *times;   /* of each row, nanoseconds */
} RvmTable;

/* Tables that are loaded while the database is held have the same rows. RVM_VECTOR_TIMES: without vectors.
 * RVM_ERROR_ARGUMENT if the archive does not have that kind, RVM_ERROR_FORMAT if something is damaged, RVM_ERROR_MEMORY. */
RvmTable *rvm_table_load (RvmDatabase *database, RvmVectorOf kind, GError **error);
void rvm_table_free (RvmTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmTable, rvm_table_free)

/* The span that row @row is in. */
const RvmTableSpan *rvm_table_find (const RvmTable *table, gsize row);

G_END_DECLS
