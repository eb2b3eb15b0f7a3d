#include "csv.h"

#include <string.h>

#include "kernels/error.h"

void
rvm_csv_free (RvmCsv *csv)
{
  if (csv == NULL)
    return;
  g_free (csv->path);
  g_strfreev (csv->columns);
  g_ptr_array_unref (csv->rows);
  g_array_unref (csv->lines);
  g_free (csv);
}

/* The field at *@text, which is moved behind the comma, or to the end of the line. NULL: a quote that is not closed, or followed by
 * something. */
static char *
take_field (const char **text)
{
  g_autoptr (GString) field = g_string_new (NULL);
  const char *at = *text;

  if (*at != '"') {
    const gsize length = strcspn (at, ",\n");

    g_string_append_len (field, at, length);
    g_strstrip (field->str);
    *text = at + length;
    return g_string_free (g_steal_pointer (&field), FALSE);
  }
  for (at++; *at && !(at[0] == '"' && at[1] != '"'); at++) {
    g_string_append_c (field, *at);
    if (*at == '"')
      at++;
  }
  if (*at != '"' || (at[1] != ',' && at[1] != '\n' && at[1] != '\0'))
    return NULL;
  *text = at + 1;
  return g_string_free (g_steal_pointer (&field), FALSE);
}

/* The fields of a line; *@text is moved behind it, and *@line counts on. */
static char **
take_line (const char **text, guint *line)
{
  g_autoptr (GStrvBuilder) fields = g_strv_builder_new ();

  for (;;) {
    const char *begin = *text;
    g_autofree char *field = take_field (text);

    if (field == NULL)
      return NULL;
    for (; begin < *text; begin++)
      *line += *begin == '\n';
    g_strv_builder_add (fields, field);
    if (**text != ',')
      break;
    (*text)++;
  }
  if (**text == '\n')
    (*text)++;
  (*line)++;
  return g_strv_builder_end (fields);
}

static gboolean
parse (RvmCsv *csv, const char *text, GError **error)
{
  guint line = 1;

  while (*text) {
    const guint first = line;
    g_auto (GStrv) fields = NULL;

    if (*text == '\n' || *text == '#') {
      text += strcspn (text, "\n");
      text += *text == '\n';
      line++;
      continue;
    }
    fields = take_line (&text, &line);
    if (fields == NULL) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s:%u: expected a quoted field to end with a quote and a comma", csv->path, first);
      return FALSE;
    }
    if (csv->columns && g_strv_length (fields) != g_strv_length (csv->columns)) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s:%u: %u fields, expected %u as in the line of column names", csv->path, first,
                     g_strv_length (fields), g_strv_length (csv->columns));
      return FALSE;
    }
    if (csv->columns == NULL) {
      csv->columns = g_steal_pointer (&fields);
    } else {
      g_ptr_array_add (csv->rows, g_steal_pointer (&fields));
      g_array_append_val (csv->lines, first);
    }
  }
  return TRUE;
}

RvmCsv *
rvm_csv_read (const char *path, GError **error)
{
  g_autoptr (RvmCsv) csv = g_new0 (RvmCsv, 1);
  g_autofree char *content = NULL;
  g_autoptr (GError) reason = NULL;
  g_auto (GStrv) lines = NULL;
  g_autofree char *text = NULL;
  gsize size;

  csv->path = g_strdup (path);
  csv->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  csv->lines = g_array_new (FALSE, FALSE, sizeof (guint));
  if (!g_file_get_contents (path, &content, &size, &reason)) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be read: %s", path, reason->message);
    return NULL;
  }
  if (strlen (content) != size || !g_utf8_validate (content, -1, NULL)) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: expected CSV text in UTF-8", path);
    return NULL;
  }
  lines = g_strsplit (g_str_has_prefix (content, "\357\273\277") ? content + 3 : content, "\r\n", -1); /* what spreadsheets write */
  text = g_strjoinv ("\n", lines);
  if (!parse (csv, text, error))
    return NULL;
  if (csv->columns == NULL || csv->rows->len == 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: expected a line of column names and at least one row", path);
    return NULL;
  }
  return g_steal_pointer (&csv);
}

int
rvm_csv_find (const RvmCsv *csv, const char *column)
{
  for (guint i = 0; csv->columns[i]; i++)
    if (strcmp (csv->columns[i], column) == 0)
      return i;
  return -1;
}

gboolean
rvm_csv_require (const RvmCsv *csv, const char *column, int *index, GError **error)
{
  g_autofree char *names = NULL;

  *index = rvm_csv_find (csv, column);
  if (*index >= 0)
    return TRUE;
  names = g_strjoinv (", ", csv->columns);
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: expected a column '%s', found %s", csv->path, column, names);
  return FALSE;
}

const char *
rvm_csv_get (const RvmCsv *csv, guint row, int column)
{
  return column < 0 ? "" : ((char **) g_ptr_array_index (csv->rows, row))[column];
}

gboolean
rvm_csv_refuse (const RvmCsv *csv, guint row, int column, GError **error, const char *expected)
{
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s:%u: %s '%s': expected %s", csv->path, g_array_index (csv->lines, guint, row),
                 csv->columns[column], rvm_csv_get (csv, row, column), expected);
  return FALSE;
}
