/* Metadata of readout files: a table of their entries, so that reading, writing and copying agree. */
#include "info.h"

#include <math.h>
#include <string.h>

#include "kernels/cl/flags.h"
#include "kernels/error.h"
#include "model/format/weights.h"

#define FORMAT "rvm-readout"
#define VERSION "1"
#define MODEL_DIGITS 32
#define MOST_CLASSES 4096

/* An entry that is one of a few words, a whole number from least to most, or text. */
typedef struct {
  const char *name;
  gsize offset;
  enum { WORD, NUMBER, TEXT, LINES } type;
  gboolean optional;
  const char *words[4]; /* WORD: by the value of the enumeration */
  guint least, most;    /* NUMBER */
} Entry;

#define AT(field) G_STRUCT_OFFSET (RvmReadoutInfo, field)

static const Entry entries[] = {
  { "kind", AT (kind), TEXT, FALSE, { NULL }, 0, 0 },
  { "model", AT (model), TEXT, FALSE, { NULL }, 0, 0 },
  { "features", AT (features), WORD, FALSE, { "state", "encoder" }, 0, 0 },
  { "width", AT (width), NUMBER, FALSE, { NULL }, 1, G_MAXUINT16 },
  { "height", AT (height), NUMBER, FALSE, { NULL }, 1, G_MAXUINT16 },
  { "window", AT (window), NUMBER, FALSE, { NULL }, 1, RVM_WINDOW_STATES },
  { "stride", AT (stride), NUMBER, FALSE, { NULL }, 1, 1000 },
  { "reference", AT (reference), WORD, FALSE, { "none", "first", "mean" }, 0, 0 },
  { "cells", AT (cells), NUMBER, TRUE, { NULL }, 1, 64 },
  { "classes", AT (classes), LINES, TRUE, { NULL }, 0, 0 },
  { "target", AT (target), TEXT, TRUE, { NULL }, 0, 0 },
  { "unit", AT (unit), TEXT, TRUE, { NULL }, 0, 0 },
  { "material", AT (material), TEXT, TRUE, { NULL }, 0, 0 },
  { "licence", AT (licence), TEXT, TRUE, { NULL }, 0, 0 },
  { "measured", AT (measured), TEXT, TRUE, { NULL }, 0, 0 },
};

static gboolean G_GNUC_PRINTF (4, 5)
refuse (const char *path, const char *name, GError **error, const char *format, ...)
{
  g_autofree char *expected = NULL;
  va_list args;

  va_start (args, format);
  expected = g_strdup_vprintf (format, args);
  va_end (args);
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata '%s': expected %s", path, name, expected);
  return FALSE;
}

static gboolean
read_word (const Entry *entry, const char *text, gpointer field, const char *path, GError **error)
{
  g_autoptr (GString) words = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (entry->words) && entry->words[i]; i++) {
    if (strcmp (entry->words[i], text) == 0) {
      *(guint *) field = i;
      return TRUE;
    }
    g_string_append_printf (words, "%s%s", i ? ", " : "", entry->words[i]);
  }
  return refuse (path, entry->name, error, "one of %s, found '%s'", words->str, text);
}

/* Names are lines of text, none empty and none twice. */
static gboolean
read_lines (const Entry *entry, const char *text, gpointer field, const char *path, GError **error)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", MOST_CLASSES + 1);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; lines[i]; i++)
    if (*lines[i] == '\0' || !g_hash_table_add (seen, lines[i]))
      return refuse (path, entry->name, error, "different names, one a line, found '%s' as number %u", lines[i], i + 1);
  if (g_hash_table_size (seen) == 0 || g_hash_table_size (seen) > MOST_CLASSES)
    return refuse (path, entry->name, error, "1 to %d names", MOST_CLASSES);
  *(char ***) field = g_steal_pointer (&lines);
  return TRUE;
}

static gboolean
read_entry (RvmReadoutInfo *info, const Entry *entry, GHashTable *metadata, const char *path, GError **error)
{
  const char *text = g_hash_table_lookup (metadata, entry->name);
  gpointer field = G_STRUCT_MEMBER_P (info, entry->offset);
  guint64 number;

  if (text == NULL)
    return entry->optional || refuse (path, entry->name, error, "this entry, found none");
  switch (entry->type) {
    case WORD:
      return read_word (entry, text, field, path, error);
    case NUMBER:
      if (!g_ascii_string_to_unsigned (text, 10, entry->least, entry->most, &number, NULL))
        return refuse (path, entry->name, error, "a number from %u to %u, found '%s'", entry->least, entry->most, text);
      *(guint *) field = number;
      return TRUE;
    case LINES:
      return read_lines (entry, text, field, path, error);
    default:
      *(char **) field = g_strdup (text);
      return TRUE;
  }
}

static gboolean
read_rate (RvmReadoutInfo *info, GHashTable *metadata, const char *path, GError **error)
{
  const char *text = g_hash_table_lookup (metadata, "frame-rate");
  char *end;

  if (text == NULL)
    return TRUE;
  info->frame_rate = g_ascii_strtod (text, &end);
  if (end == text || *end != '\0' || !isfinite (info->frame_rate) || info->frame_rate <= 0 || info->frame_rate > 1e6)
    return refuse (path, "frame-rate", error, "frames per second, found '%s'", text);
  return TRUE;
}

RvmReadoutInfo *
rvm_readout_info_from_metadata (GHashTable *metadata, const char *path, GError **error)
{
  g_autoptr (RvmReadoutInfo) info = g_new0 (RvmReadoutInfo, 1);
  const char *version = g_hash_table_lookup (metadata, "version");

  if (g_strcmp0 (g_hash_table_lookup (metadata, "format"), FORMAT) != 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is not a readout: metadata 'format' is not '" FORMAT "'", path);
    return NULL;
  }
  if (g_strcmp0 (version, VERSION) != 0) {
    refuse (path, "version", error, "'" VERSION "', found '%s'", version ? version : "");
    return NULL;
  }
  for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
    if (!read_entry (info, &entries[i], metadata, path, error))
      return NULL;
  if (!read_rate (info, metadata, path, error))
    return NULL;
  if (strlen (info->model) != MODEL_DIGITS || strspn (info->model, "0123456789abcdef") != MODEL_DIGITS) {
    refuse (path, "model", error, "%d hexadecimal digits, found '%s'", MODEL_DIGITS, info->model);
    return NULL;
  }
  return g_steal_pointer (&info);
}

RvmReadoutInfo *
rvm_readout_info_open (const char *path, GError **error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (path, error);

  return weights ? rvm_readout_info_from_metadata (rvm_weights_get_metadata (weights), path, error) : NULL;
}

GHashTable *
rvm_readout_info_to_metadata (const RvmReadoutInfo *info)
{
  GHashTable *metadata = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);

  g_hash_table_insert (metadata, (gpointer) "format", g_strdup (FORMAT));
  g_hash_table_insert (metadata, (gpointer) "version", g_strdup (VERSION));
  for (guint i = 0; i < G_N_ELEMENTS (entries); i++) {
    const Entry *entry = &entries[i];
    gconstpointer field = G_STRUCT_MEMBER_P (info, entry->offset);
    char *text = NULL;

    if (entry->type == WORD)
      text = g_strdup (entry->words[*(const guint *) field]);
    else if (entry->type == NUMBER)
      text = *(const guint *) field || !entry->optional ? g_strdup_printf ("%u", *(const guint *) field) : NULL;
    else if (entry->type == LINES)
      text = *(char ***) field ? g_strjoinv ("\n", *(char ***) field) : NULL;
    else
      text = g_strdup (*(char *const *) field);
    if (text)
      g_hash_table_insert (metadata, (gpointer) entry->name, text);
  }
  if (info->frame_rate > 0) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_hash_table_insert (metadata, (gpointer) "frame-rate", g_strdup (g_ascii_dtostr (text, sizeof text, info->frame_rate)));
  }
  return metadata;
}

RvmReadoutInfo *
rvm_readout_info_copy (const RvmReadoutInfo *info)
{
  RvmReadoutInfo *copy = g_memdup2 (info, sizeof *info);

  for (guint i = 0; i < G_N_ELEMENTS (entries); i++) {
    gpointer field = G_STRUCT_MEMBER_P (copy, entries[i].offset);

    if (entries[i].type == TEXT)
      *(char **) field = g_strdup (*(char **) field);
    else if (entries[i].type == LINES)
      *(char ***) field = g_strdupv (*(char ***) field);
  }
  return copy;
}

void
rvm_readout_info_free (RvmReadoutInfo *info)
{
  if (info == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (entries); i++) {
    gpointer field = G_STRUCT_MEMBER_P (info, entries[i].offset);

    if (entries[i].type == TEXT)
      g_free (*(char **) field);
    else if (entries[i].type == LINES)
      g_strfreev (*(char ***) field);
  }
  g_free (info);
}

guint
rvm_readout_info_count_classes (const RvmReadoutInfo *info)
{
  return info->classes ? g_strv_length (info->classes) : 0;
}

gboolean
rvm_readout_info_check_model (const RvmReadoutInfo *info, const char *model_id, const char *what, GError **error)
{
  if (strcmp (info->model, model_id) == 0)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_MODEL, "%s: is a readout of model %s, expected one of %s, whose features it was given", what, info->model, model_id);
  return FALSE;
}

char *
rvm_readout_info_describe (const RvmReadoutInfo *info)
{
  g_autoptr (GHashTable) metadata = rvm_readout_info_to_metadata (info);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (entries); i++) {
    const char *value = g_hash_table_lookup (metadata, entries[i].name);

    if (value && entries[i].type == LINES) {
      g_autofree char *list = g_strjoinv (", ", info->classes);
      g_string_append_printf (text, "%-12s %s\n", entries[i].name, list);
    } else if (value) {
      g_string_append_printf (text, "%-12s %s\n", entries[i].name, value);
    }
  }
  if (info->frame_rate > 0)
    g_string_append_printf (text, "%-12s %.6g\n", "frame-rate", info->frame_rate);
  return g_string_free (text, FALSE);
}
