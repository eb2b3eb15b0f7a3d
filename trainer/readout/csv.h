/* Tables of text in CSV files: a line of column names, then a line for each row. Fields may be quoted; lines that are empty or begin with
 * '#' are skipped. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *path;
  char **columns;  /* names */
  GPtrArray *rows; /* (element-type GStrv), each with as many fields as there are columns */
  GArray *lines;   /* (element-type guint) of the file, from 1 */
} RvmCsv;

/* RVM_ERROR_FILE, _FORMAT; messages name file, line and what was expected. */
RvmCsv *rvm_csv_read (const char *path, GError **error);
void rvm_csv_free (RvmCsv *csv);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RvmCsv, rvm_csv_free)

int rvm_csv_find (const RvmCsv *csv, const char *column); /* -1: there is none */
gboolean rvm_csv_require (const RvmCsv *csv, const char *column, int *index, GError **error);
const char *rvm_csv_get (const RvmCsv *csv, guint row, int column); /* (transfer none); "" for column -1 */
/* RVM_ERROR_FORMAT: "FILE:LINE: COLUMN 'TEXT': expected ...". */
gboolean rvm_csv_refuse (const RvmCsv *csv, guint row, int column, GError **error, const char *expected);

G_END_DECLS
