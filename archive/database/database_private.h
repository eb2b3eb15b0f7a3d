/* Between database.c, records.c and archive/search/table.c. */
#pragma once

#include <sqlite3.h>

#include "database.h"

struct _RvmDatabase {
  char *path;
  sqlite3 *handle;
  RvmSettings settings;
  gboolean has_settings, blank;
  gint64 patience, waiting; /* microseconds that others are waited for, and when this began; 0: it did not */
};

/* Sets @error from the last call; always FALSE. */
gboolean rvm_database_fail (RvmDatabase *database, GError **error);
/* Runs SQL without results. */
gboolean rvm_database_run (RvmDatabase *database, const char *sql, GError **error);
/* NULL on error. */
sqlite3_stmt *rvm_database_prepare (RvmDatabase *database, const char *sql, GError **error);
/* Ends @statement, which is expected to have no more rows than were taken. */
gboolean rvm_database_end (RvmDatabase *database, sqlite3_stmt *statement, GError **error);
