/* rvm-archive status: counts, sizes, settings, what is not merged yet, and with --files a line for each file. */
#include <glib/gstdio.h>
#include <string.h>

#include "archive/index/folder.h"
#include "archive/index/shards.h"
#include "commands.h"
#include "kernels/text.h"

static char *archive;
static gboolean json, files, failed;

static const GOptionEntry entries[] = {
  { "archive", 'a', 0, G_OPTION_ARG_FILENAME, &archive, "folder of the archive", "FOLDER" },
  { "files", 0, 0, G_OPTION_ARG_NONE, &files, "name each file", NULL },
  { "failed", 0, 0, G_OPTION_ARG_NONE, &failed, "name each file that failed or broke off, and why", NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &json, "print JSON", NULL },
  G_OPTION_ENTRY_NULL,
};

typedef struct {
  guint done, partial, failed;
  gint64 moments, features, database;
  double video;
  GPtrArray *shards; /* RvmShard */
  char *writers;     /* NULL: nobody writes */
} Counts;

static void
counts_clear (Counts *counts)
{
  g_clear_pointer (&counts->shards, g_ptr_array_unref);
  g_clear_pointer (&counts->writers, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Counts, counts_clear)

static gboolean
is_named (const RvmRecord *record)
{
  return files || (failed && strcmp (record->state, "done") != 0);
}

static gint64
size_of (const char *path)
{
  GStatBuf status;

  return g_stat (path, &status) == 0 ? status.st_size : 0;
}

static void
count (const GPtrArray *records, Counts *counts)
{
  g_autofree char *path = rvm_folder_get_database (archive), *log = g_strconcat (path, "-wal", NULL);

  for (guint i = 0; i < records->len; i++) {
    const RvmRecord *record = g_ptr_array_index (records, i);

    counts->done += strcmp (record->state, "done") == 0;
    counts->partial += strcmp (record->state, "partial") == 0;
    counts->failed += strcmp (record->state, "failed") == 0;
    counts->moments += record->moments;
    counts->video += record->duration > 0 ? record->duration / 1e9 : 0;
    counts->features += MAX (record->features_size, 0);
  }
  counts->database = size_of (path) + size_of (log);
  counts->shards = rvm_shards_list (archive);
  counts->writers = rvm_folder_describe_writers (archive);
}

static void
add_record (JsonBuilder *builder, const RvmRecord *record)
{
  json_builder_begin_object (builder);
  for (guint i = 0; i < rvm_record_n_columns; i++) {
    const RvmColumn *column = &rvm_record_columns[i];
    gconstpointer field = (const guint8 *) record + column->offset;

    if (column->type == RVM_COLUMN_BYTES)
      rvm_archive_add_bytes (builder, column->name, *(char *const *) field);
    else if (column->type == RVM_COLUMN_TEXT)
      rvm_archive_add_text (builder, column->name, *(char *const *) field);
    else if (column->type == RVM_COLUMN_INTEGER)
      rvm_archive_add_number (builder, column->name, *(const gint64 *) field);
    else if (*(const double *) field >= 0)
      rvm_archive_add_real (builder, column->name, *(const double *) field);
    else
      rvm_archive_add_text (builder, column->name, NULL);
  }
  json_builder_end_object (builder);
}

static void
add_shard (JsonBuilder *builder, const RvmShard *shard)
{
  json_builder_begin_object (builder);
  rvm_archive_add_bytes (builder, "name", shard->name);
  rvm_archive_add_number (builder, "rank", shard->rank);
  rvm_archive_add_number (builder, "ranks", shard->size);
  rvm_archive_add_number (builder, "done", shard->done);
  rvm_archive_add_number (builder, "partial", shard->partial);
  rvm_archive_add_number (builder, "failed", shard->failed);
  rvm_archive_add_number (builder, "moments", shard->moments);
  rvm_archive_add_real (builder, "video_seconds", shard->video);
  rvm_archive_add_text (builder, "reason", shard->reason);
  json_builder_end_object (builder);
}

static void
add_settings (JsonBuilder *builder, const RvmSettings *s)
{
  g_autofree char *parts = rvm_parts_format (s->parts);

  rvm_archive_add_text (builder, "model_id", s->model_id);
  rvm_archive_add_text (builder, "precision", s->precision);
  rvm_archive_add_text (builder, "parts", parts);
  rvm_archive_add_number (builder, "dim", s->dim);
  rvm_archive_add_number (builder, "size", s->size);
  rvm_archive_add_number (builder, "interval", s->interval);
  rvm_archive_add_number (builder, "rate_n", s->rate_n);
  rvm_archive_add_number (builder, "rate_d", s->rate_d);
  rvm_archive_add_number (builder, "colours", s->colours);
}

/* @s (nullable): NULL while nothing is merged. */
static void
print_json (const RvmSettings *s, const GPtrArray *records, const Counts *counts)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  rvm_archive_add_number (builder, "done", counts->done);
  rvm_archive_add_number (builder, "partial", counts->partial);
  rvm_archive_add_number (builder, "failed", counts->failed);
  rvm_archive_add_number (builder, "moments", counts->moments);
  rvm_archive_add_real (builder, "video_seconds", counts->video);
  rvm_archive_add_number (builder, "database_bytes", counts->database);
  rvm_archive_add_number (builder, "features_bytes", counts->features);
  rvm_archive_add_number (builder, "shards", counts->shards->len);
  json_builder_set_member_name (builder, "unmerged");
  json_builder_begin_array (builder);
  for (guint i = 0; i < counts->shards->len; i++)
    add_shard (builder, g_ptr_array_index (counts->shards, i));
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "writing");
  json_builder_add_boolean_value (builder, counts->writers != NULL);
  rvm_archive_add_text (builder, "writers", counts->writers);
  if (s)
    add_settings (builder, s);
  if (files || failed) {
    json_builder_set_member_name (builder, "files");
    json_builder_begin_array (builder);
    for (guint i = 0; i < records->len; i++)
      if (is_named (g_ptr_array_index (records, i)))
        add_record (builder, g_ptr_array_index (records, i));
    json_builder_end_array (builder);
  }
  json_builder_end_object (builder);
  rvm_archive_print_json (builder);
}

static void
print_settings (const RvmSettings *s)
{
  g_autofree char *parts = rvm_parts_format (s->parts);
  g_autofree char *frames = s->rate_n ? g_strdup_printf ("%g frames a second", (double) s->rate_n / s->rate_d)
      : s->interval ? g_strdup_printf ("one frame of %" G_GINT64_FORMAT, s->interval + 1) : g_strdup ("every frame");

  g_print ("analysis   %s, shorter side %" G_GINT64_FORMAT " pixels%s; %s kept, and colours\n", frames, s->size, s->size ? "" : " (that of the video)", parts);
  g_print ("model      %s, %s\n", s->model_id, s->precision);
}

static void
print_shards (const GPtrArray *shards)
{
  g_autofree char *advice = shards->len ? rvm_shards_advise (archive) : NULL;

  for (guint i = 0; i < shards->len; i++) {
    const RvmShard *shard = g_ptr_array_index (shards, i);
    g_autofree char *name = rvm_name_escape (shard->name);

    if (shard->reason)
      g_print ("unmerged   %s cannot be counted: %s\n", name, shard->reason);
    else
      g_print ("unmerged   %s: %" G_GINT64_FORMAT " done, %" G_GINT64_FORMAT " broken off, %" G_GINT64_FORMAT " failed; %.2f h, %" G_GINT64_FORMAT
          " moments\n", name, shard->done, shard->partial, shard->failed, shard->video / 3600, shard->moments);
  }
  if (advice)
    g_print ("           %s\n", advice);
}

static void
print_text (const RvmSettings *s, const GPtrArray *records, const Counts *counts)
{
  for (guint i = 0; i < records->len; i++) {
    const RvmRecord *record = g_ptr_array_index (records, i);
    g_autofree char *name = rvm_name_escape (record->path);

    if (is_named (record))
      g_print ("%s: %s, %" G_GINT64_FORMAT " moments%s%s\n", name, record->state, record->moments, record->reason ? ": " : "",
          record->reason ? record->reason : "");
  }
  g_print ("files      %u done, %u broken off, %u failed%s\n", counts->done, counts->partial, counts->failed,
      !failed && counts->partial + counts->failed ? " (--failed names them)" : "");
  g_print ("video      %.2f h, %" G_GINT64_FORMAT " moments\n", counts->video / 3600, counts->moments);
  g_print ("disk       %.1f MB database, %.1f MB features\n", counts->database / 1e6, counts->features / 1e6);
  if (s)
    print_settings (s);
  if (counts->writers)
    g_print ("writing    %s\n", counts->writers);
  print_shards (counts->shards);
}

int
rvm_archive_status (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDatabase) database = NULL;
  g_autoptr (GPtrArray) records = NULL;
  g_auto (Counts) counts = { 0 };
  const int status = rvm_archive_parse (&argc, &argv, entries, "--archive FOLDER", "Says what an archive has, and how it was made.", NULL);

  if (status >= 0)
    return status;
  database = rvm_archive_open_any (archive, &error);
  records = database ? rvm_database_list (database, &error) : NULL;
  if (records == NULL)
    return rvm_archive_fail (error, archive ? 1 : 2);
  count (records, &counts);
  if (json)
    print_json (rvm_database_get_settings (database), records, &counts);
  else
    print_text (rvm_database_get_settings (database), records, &counts);
  return 0;
}
