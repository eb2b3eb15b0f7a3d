/* One table describes the columns, so that writing, reading, sealing and exporting a row agree. */
#include "record.h"

#include <string.h>

#include "hash.h"
#include "kernels/error.h"

static const char *const part_names[] = { "class", "mean", "summary", "patches" };

const char *const rvm_vector_names[RVM_VECTOR_KINDS] = { "times", "class", "mean", "summary", "colours" };

char *
rvm_parts_format (RvmParts parts)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (part_names); i++)
    if (parts & 1 << i)
      g_string_append_printf (text, "%s%s", text->len ? "," : "", part_names[i]);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

gboolean
rvm_parts_parse (const char *text, RvmParts *parts, GError **error)
{
  g_auto (GStrv) words = g_strsplit (text, ",", -1);

  *parts = 0;
  for (guint w = 0; words[w]; w++) {
    guint i = 0;

    while (i < G_N_ELEMENTS (part_names) && strcmp (words[w], part_names[i]) != 0)
      i++;
    if (i == G_N_ELEMENTS (part_names)) {
      rvm_error_set (error, RVM_ERROR_ARGUMENT, "parts '%s': '%s' is none of class, mean, summary and patches", text, words[w]);
      return FALSE;
    }
    *parts |= 1 << i;
  }
  if (*parts == 0)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "parts '%s': expected some of class, mean, summary and patches, with commas", text);
  return *parts != 0;
}

void
rvm_settings_clear_fields (RvmSettings *settings)
{
  g_clear_pointer (&settings->model_id, g_free);
  g_clear_pointer (&settings->precision, g_free);
}

void
rvm_settings_copy_fields (const RvmSettings *from, RvmSettings *to)
{
  *to = *from;
  to->model_id = g_strdup (from->model_id);
  to->precision = g_strdup (from->precision);
}

static gboolean
differ (const char *where, const char *name, const char *have, const char *want, GError **error)
{
  rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: was made with %s %s, not %s; one archive has one %s: another folder can have another", where, name, have,
      want, name);
  return FALSE;
}

gboolean
rvm_settings_check_equal (const RvmSettings *have, const RvmSettings *want, const char *where, GError **error)
{
  g_autofree char *have_parts = rvm_parts_format (have->parts), *want_parts = rvm_parts_format (want->parts);
  g_autofree char *have_rate = g_strdup_printf ("%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, have->rate_n, have->rate_d);
  g_autofree char *want_rate = g_strdup_printf ("%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, want->rate_n, want->rate_d);
  const struct { const char *name; gint64 have, want; } numbers[] = {
    { "dim", have->dim, want->dim }, { "size", have->size, want->size }, { "interval", have->interval, want->interval },
    { "number of colours", have->colours, want->colours },
  };

  if (strcmp (have->model_id, want->model_id) != 0)
    return differ (where, "model", have->model_id, want->model_id, error);
  if (strcmp (have->precision, want->precision) != 0)
    return differ (where, "precision", have->precision, want->precision, error);
  if (strcmp (have_parts, want_parts) != 0)
    return differ (where, "parts", have_parts, want_parts, error);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (numbers[i].have != numbers[i].want) {
      g_autofree char *a = g_strdup_printf ("%" G_GINT64_FORMAT, numbers[i].have), *b = g_strdup_printf ("%" G_GINT64_FORMAT, numbers[i].want);
      return differ (where, numbers[i].name, a, b, error);
    }
  return strcmp (have_rate, want_rate) == 0 || differ (where, "rate", have_rate, want_rate, error);
}

gsize
rvm_vector_get_size (const RvmSettings *settings, RvmVectorOf kind)
{
  if (kind == RVM_VECTOR_TIMES)
    return sizeof (gint64);
  return (kind == RVM_VECTOR_COLOURS ? settings->colours : kind == RVM_VECTOR_SUMMARY ? 2 * settings->dim : settings->dim) * sizeof (guint16);
}

gboolean
rvm_record_is_address (const char *name)
{
  return !g_str_has_prefix (name, "file://") && strstr (name, "://") && !g_file_test (name, G_FILE_TEST_EXISTS);
}

char *
rvm_record_get_path_of (const char *name, GError **error)
{
  g_autoptr (GError) reason = NULL;
  char *path;

  if (rvm_record_is_address (name))
    return g_strdup (name);
  if (!g_str_has_prefix (name, "file://"))
    return g_canonicalize_filename (name, NULL);
  path = g_filename_from_uri (name, NULL, &reason);
  if (path == NULL)
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "%s: %s", name, reason->message);
  return path;
}

RvmRecord *
rvm_record_new (const char *path)
{
  RvmRecord *record = g_new0 (RvmRecord, 1);

  for (guint i = 0; i < rvm_record_n_columns; i++)
    if (rvm_record_columns[i].type == RVM_COLUMN_INTEGER)
      G_STRUCT_MEMBER (gint64, record, rvm_record_columns[i].offset) = RVM_UNKNOWN;
  record->features_error = RVM_UNKNOWN;
  record->moments = 0;
  record->path = g_strdup (path);
  record->state = g_strdup ("failed");
  return record;
}

void
rvm_record_free (RvmRecord *record)
{
  if (record == NULL)
    return;
  for (guint i = 0; i < rvm_record_n_columns; i++)
    if (rvm_record_columns[i].type <= RVM_COLUMN_TEXT)
      g_free (G_STRUCT_MEMBER (char *, record, rvm_record_columns[i].offset));
  for (guint kind = 0; kind < RVM_VECTOR_KINDS; kind++)
    g_clear_pointer (&record->vectors[kind], g_bytes_unref);
  g_free (record);
}

#define COLUMN(name, type, sealed) { #name, RVM_COLUMN_##type, G_STRUCT_OFFSET (RvmRecord, name), sealed }

const RvmColumn rvm_record_columns[] = {
  COLUMN (path, BYTES, TRUE), COLUMN (size, INTEGER, TRUE), COLUMN (modified, INTEGER, FALSE), COLUMN (hash, TEXT, TRUE),
  COLUMN (state, TEXT, TRUE), COLUMN (reason, TEXT, FALSE), COLUMN (width, INTEGER, TRUE), COLUMN (height, INTEGER, TRUE),
  COLUMN (pixel_n, INTEGER, TRUE), COLUMN (pixel_d, INTEGER, TRUE), COLUMN (analysis_width, INTEGER, TRUE),
  COLUMN (analysis_height, INTEGER, TRUE), COLUMN (rows, INTEGER, TRUE), COLUMN (columns, INTEGER, TRUE), COLUMN (duration, INTEGER, TRUE),
  COLUMN (frames, INTEGER, TRUE), COLUMN (moments, INTEGER, TRUE), COLUMN (features, TEXT, TRUE), COLUMN (features_size, INTEGER, TRUE),
  COLUMN (features_hash, TEXT, TRUE), COLUMN (features_error, REAL, TRUE), COLUMN (seal, TEXT, FALSE),
};
const guint rvm_record_n_columns = G_N_ELEMENTS (rvm_record_columns);

char *
rvm_record_make_seal (const RvmRecord *record, const char *hashes)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char number[G_ASCII_DTOSTR_BUF_SIZE], *seal = g_malloc (RVM_HASH_SIZE);

  for (guint i = 0; i < rvm_record_n_columns; i++) {
    const RvmColumn *column = &rvm_record_columns[i];
    gconstpointer field = (const guint8 *) record + column->offset;

    if (!column->sealed)
      continue;
    g_string_append_printf (text, "%s ", column->name);
    if (column->type == RVM_COLUMN_INTEGER)
      g_string_append_printf (text, "%" G_GINT64_FORMAT, *(const gint64 *) field);
    else if (column->type == RVM_COLUMN_REAL)
      g_string_append (text, g_ascii_dtostr (number, sizeof number, *(const double *) field));
    else if (*(char *const *) field)
      g_string_append (text, *(char *const *) field);
    g_string_append_c (text, '\n');
  }
  g_string_append (text, hashes);
  rvm_hash_bytes (text->str, text->len, seal);
  return seal;
}
