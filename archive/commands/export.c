/* rvm-archive export: all vectors of one kind, or of all kinds as JSON lines. A result has its name only when it is whole; it may be standard output. */
#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "kernels/error.h"
#include "kernels/half.h"
#include "kernels/text.h"
#include "model/format/npy.h"

static char *archive, *output, *kind_name, *format;
static gboolean json;

static const GOptionEntry entries[] = {
  { "archive", 'a', 0, G_OPTION_ARG_FILENAME, &archive, "folder of the archive", "FOLDER" },
  { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "where to: a name that ends with .jsonl, .csv or .npy (default: JSON lines to standard output)", "FILE" },
  { "kind", 0, 0, G_OPTION_ARG_STRING, &kind_name, "class, mean, summary or colours (JSON lines: default all that there are)", "KIND" },
  { "json", 0, 0, G_OPTION_ARG_NONE, &json, "the same as without --output", NULL },
  G_OPTION_ENTRY_NULL,
};

typedef struct {
  FILE *file;
  RvmDatabase *database;
  const RvmSettings *settings;
  guint kinds; /* bits */
  guint64 moments;
} Export;

/* One file, as JSON lines, CSV or rows of an array. @values: of each kind, or NULL. */
static void
write_lines (Export *e, const RvmRecord *record, const gint64 *times, const guint16 *const *values)
{
  g_autofree char *name = rvm_name_escape (record->path), *quoted = NULL;
  g_autoptr (JsonNode) node = json_node_init_string (json_node_alloc (), name);
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  quoted = json_to_string (node, FALSE);
  for (gint64 i = 0; i < record->moments; i++) {
    fprintf (e->file, "{\"path\":%s,\"moment\":%" G_GINT64_FORMAT ",\"time\":%" G_GINT64_FORMAT, quoted, i, times[i]);
    for (guint kind = RVM_VECTOR_CLASS; kind < RVM_VECTOR_KINDS; kind++) {
      const gsize n = rvm_vector_get_size (e->settings, kind) / sizeof (guint16);

      if (values[kind] == NULL)
        continue;
      fprintf (e->file, ",\"%s\":[", rvm_vector_names[kind]);
      for (gsize c = 0; c < n; c++)
        fprintf (e->file, "%s%s", c ? "," : "", g_ascii_formatd (number, sizeof number, "%.6g", rvm_half_to_float (values[kind][i * n + c])));
      fputc (']', e->file);
    }
    fputs ("}\n", e->file);
  }
}

/* Quoted as RFC 4180 has it; the name is escaped as in JSON, so that a row is a line. */
static void
write_rows (Export *e, const RvmRecord *record, const gint64 *times, const guint16 *const *values)
{
  g_autofree char *name = rvm_name_escape (record->path);
  g_auto (GStrv) halves = g_strsplit (name, "\"", -1);
  g_autofree char *quoted = g_strjoinv ("\"\"", halves);
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  for (gint64 i = 0; i < record->moments; i++) {
    fprintf (e->file, "\"%s\",%" G_GINT64_FORMAT ",%s", quoted, i, g_ascii_formatd (number, sizeof number, "%.9f", times[i] / 1e9));
    for (guint kind = RVM_VECTOR_CLASS; kind < RVM_VECTOR_KINDS; kind++) {
      const gsize n = rvm_vector_get_size (e->settings, kind) / sizeof (guint16);

      for (gsize c = 0; values[kind] && c < n; c++)
        fprintf (e->file, ",%s", g_ascii_formatd (number, sizeof number, "%.6g", rvm_half_to_float (values[kind][i * n + c])));
    }
    fputc ('\n', e->file);
  }
}

typedef void (*Write) (Export *e, const RvmRecord *record, const gint64 *times, const guint16 *const *values);

static void
write_array (Export *e, const RvmRecord *record, const gint64 *times, const guint16 *const *values)
{
  for (guint kind = RVM_VECTOR_CLASS; kind < RVM_VECTOR_KINDS; kind++)
    if (values[kind])
      fwrite (values[kind], rvm_vector_get_size (e->settings, kind), record->moments, e->file);
}

static gboolean
write_record (Export *e, const RvmRecord *record, Write write, GError **error)
{
  g_autoptr (GPtrArray) read = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  const guint16 *values[RVM_VECTOR_KINDS] = { NULL };
  const gint64 *times = NULL;

  for (guint kind = 0; kind < RVM_VECTOR_KINDS; kind++) {
    GBytes *bytes;

    if (kind != RVM_VECTOR_TIMES && !(e->kinds & 1u << kind))
      continue;
    bytes = rvm_database_read_vectors (e->database, record, kind, error);
    if (bytes == NULL)
      return FALSE;
    g_ptr_array_add (read, bytes);
    if (kind == RVM_VECTOR_TIMES)
      times = g_bytes_get_data (bytes, NULL);
    else
      values[kind] = g_bytes_get_data (bytes, NULL);
  }
  write (e, record, times, values);
  return TRUE;
}

static gboolean
choose_kinds (Export *e, gboolean one, GError **error)
{
  guint there = 1u << RVM_VECTOR_COLOURS;

  there |= e->settings->parts & RVM_PART_CLASS ? 1u << RVM_VECTOR_CLASS : 0;
  there |= e->settings->parts & RVM_PART_MEAN ? 1u << RVM_VECTOR_MEAN : 0;
  there |= e->settings->parts & RVM_PART_SUMMARY ? 1u << RVM_VECTOR_SUMMARY : 0;
  e->kinds = kind_name ? 0 : there;
  for (guint kind = RVM_VECTOR_CLASS; kind_name && kind < RVM_VECTOR_KINDS; kind++)
    if (strcmp (kind_name, rvm_vector_names[kind]) == 0)
      e->kinds = there & 1u << kind;
  if (kind_name && e->kinds == 0)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--kind %s: this archive has none of that kind", kind_name);
  else if (one && kind_name == NULL)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s holds vectors of one kind: --kind says which", output);
  else
    return TRUE;
  return FALSE;
}

static gboolean
write_header (Export *e, const GPtrArray *records, GError **error)
{
  RvmArray array = { .dtype = RVM_DTYPE_F16, .n_dims = 2 };
  g_autoptr (GBytes) header = NULL;
  gsize width = 0;

  for (guint kind = RVM_VECTOR_CLASS; kind < RVM_VECTOR_KINDS; kind++)
    if (e->kinds & 1u << kind)
      width = rvm_vector_get_size (e->settings, kind) / sizeof (guint16);
  if (strcmp (format, "csv") == 0) {
    fputs ("path,moment,seconds", e->file);
    for (gsize c = 0; c < width; c++)
      fprintf (e->file, ",%s_%" G_GSIZE_FORMAT, kind_name, c);
    fputc ('\n', e->file);
  } else if (strcmp (format, "npy") == 0) {
    for (guint i = 0; i < records->len; i++)
      array.dims[0] += ((const RvmRecord *) g_ptr_array_index (records, i))->moments;
    array.dims[1] = width;
    header = rvm_npy_format_header (&array, 0);
    fwrite (g_bytes_get_data (header, NULL), 1, g_bytes_get_size (header), e->file);
  }
  return TRUE;
}

static gboolean
export_all (Export *e, const char *path, GError **error)
{
  const Write write = strcmp (format, "jsonl") == 0 ? write_lines : strcmp (format, "csv") == 0 ? write_rows : write_array;
  g_autoptr (GPtrArray) records = rvm_database_list (e->database, error);

  if (records == NULL || !choose_kinds (e, write != write_lines, error) || !write_header (e, records, error))
    return FALSE;
  for (guint i = 0; i < records->len; i++) {
    const RvmRecord *record = g_ptr_array_index (records, i);

    if (record->moments && !write_record (e, record, write, error))
      return FALSE;
    e->moments += record->moments;
  }
  if (fflush (e->file) == 0 && !ferror (e->file))
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", path, g_strerror (errno));
  return FALSE;
}

/* Writes to FILE.part, and gives it its name. */
static gboolean
export_to_file (Export *e, GError **error)
{
  g_autofree char *part = g_strconcat (output, ".part", NULL);
  gboolean ok;

  e->file = fopen (part, "wbe");
  if (e->file == NULL) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", output, g_strerror (errno));
    return FALSE;
  }
  ok = export_all (e, output, error);
  if ((fclose (e->file) != 0 || (ok && g_rename (part, output) != 0)) && ok) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be written: %s", output, g_strerror (errno));
    ok = FALSE;
  }
  if (!ok)
    g_unlink (part);
  return ok;
}

int
rvm_archive_export (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDatabase) database = NULL;
  Export e = { .file = stdout };
  const int status = rvm_archive_parse (&argc, &argv, entries, "--archive FOLDER [--output FILE]",
      "Writes vectors of all moments, by path and time. Rows of .npy have the order of those of .csv and of .jsonl.", NULL);
  const char *end = output ? strrchr (output, '.') : ".jsonl";

  if (status >= 0)
    return status;
  format = (char *) (end ? end + 1 : "");
  if (strcmp (format, "jsonl") != 0 && strcmp (format, "csv") != 0 && strcmp (format, "npy") != 0) {
    g_printerr ("rvm-archive: %s: expected a name that ends with .jsonl, .csv or .npy\n", output);
    return 2;
  }
  e.database = database = rvm_archive_open (archive, &error);
  if (database)
    e.settings = rvm_database_get_settings (database);
  if (database && (output ? export_to_file (&e, &error) : export_all (&e, "standard output", &error)))
    return 0;
  return rvm_archive_fail (error, g_error_matches (error, RVM_ERROR, RVM_ERROR_ARGUMENT) ? 2 : 1);
}
