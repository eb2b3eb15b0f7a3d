/* Shards are only read. One that a process was killed in the middle of writing is completed when it is merged, and cannot be read before. */
#include "shards.h"

#include <stdio.h>
#include <string.h>

#include "archive/database/database.h"
#include "folder.h"
#include "kernels/text.h"

static void
free_shard (gpointer data)
{
  RvmShard *shard = data;

  g_free (shard->path);
  g_free (shard->name);
  g_free (shard->reason);
  g_free (shard);
}

static void
count (RvmShard *shard, const GPtrArray *records)
{
  for (guint i = 0; i < records->len; i++) {
    const RvmRecord *record = g_ptr_array_index (records, i);

    shard->done += strcmp (record->state, "done") == 0;
    shard->partial += strcmp (record->state, "partial") == 0;
    shard->failed += strcmp (record->state, "failed") == 0;
    shard->moments += record->moments;
    shard->video += record->duration > 0 ? record->duration / 1e9 : 0;
  }
}

/* @below: the folder of shards; @name: of the file in it. */
static RvmShard *
read_shard (const char *below, const char *name)
{
  RvmShard *shard = g_new0 (RvmShard, 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (RvmDatabase) database = NULL;
  g_autoptr (GPtrArray) records = NULL;
  int length = 0;

  shard->path = g_build_filename (below, name, NULL);
  shard->name = g_build_filename ("shards", name, NULL);
  if (sscanf (name, "%d-of-%d.sqlite%n", &shard->rank, &shard->size, &length) != 2 || name[length] != '\0' || length == 0)
    shard->rank = shard->size = -1;
  database = rvm_database_open (shard->path, RVM_DATABASE_READ, &error);
  records = database ? rvm_database_list (database, &error) : NULL;
  if (records)
    count (shard, records);
  else {
    shard->reason = g_strdup (error->message);
    shard->done = shard->partial = shard->failed = shard->moments = RVM_UNKNOWN;
  }
  return shard;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const RvmShard *x = *(RvmShard *const *) a, *y = *(RvmShard *const *) b;

  if (x->size != y->size)
    return x->size < y->size ? -1 : 1;
  return x->rank != y->rank ? (x->rank < y->rank ? -1 : 1) : strcmp (x->name, y->name);
}

GPtrArray *
rvm_shards_list (const char *folder)
{
  GPtrArray *shards = g_ptr_array_new_with_free_func (free_shard);
  g_autofree char *below = g_build_filename (folder, "shards", NULL);
  g_autoptr (GDir) dir = g_dir_open (below, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, ".sqlite"))
      g_ptr_array_add (shards, read_shard (below, name));
  g_ptr_array_sort (shards, compare);
  return shards;
}

char *
rvm_shards_advise (const char *folder)
{
  g_autofree char *writers = rvm_folder_describe_writers (folder);

  if (writers)
    return g_strdup_printf ("the last process that writes merges them when it ends; now it is %s", writers);
  return g_strdup ("'rvm-archive index --merge' merges them, as the next 'index' does");
}

char *
rvm_shards_explain (const char *folder, const GPtrArray *shards)
{
  g_autofree char *advice = rvm_shards_advise (folder);
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_append_printf (text, "%u %s not merged yet (", shards->len, shards->len == 1 ? "shard is" : "shards are");
  for (guint i = 0; i < shards->len; i++) {
    const RvmShard *shard = g_ptr_array_index (shards, i);
    const gint64 files = shard->done + shard->partial + shard->failed;
    g_autofree char *name = rvm_name_escape (shard->name);

    g_string_append_printf (text, "%s%s: ", i ? "; " : "", name);
    if (shard->reason)
      g_string_append (text, shard->reason);
    else
      g_string_append_printf (text, "%" G_GINT64_FORMAT " %s", files, files == 1 ? "file" : "files");
  }
  g_string_append_printf (text, "): %s", advice);
  return g_string_free (g_steal_pointer (&text), FALSE);
}
