#include "cache_prune.h"

#include <glib/gstdio.h>

typedef struct {
  char *path;
  guint64 size;
  gint64 used; /* seconds */
} File;

static void
file_clear (gpointer data)
{
  g_free (((File *) data)->path);
}

static int
compare_use (gconstpointer a, gconstpointer b)
{
  const File *first = a, *second = b;

  return (first->used > second->used) - (first->used < second->used);
}

void
rvm_cache_prune (const char *folder, gboolean (*is_entry) (const char *name), guint64 most)
{
  g_autoptr (GDir) directory = g_dir_open (folder, 0, NULL);
  g_autoptr (GArray) files = g_array_new (FALSE, FALSE, sizeof (File));
  guint64 total = 0;
  const char *name;

  g_array_set_clear_func (files, file_clear);
  while (directory && (name = g_dir_read_name (directory)) != NULL) {
    File file = { .path = g_build_filename (folder, name, NULL) };
    GStatBuf info;

    if (!is_entry (name) || g_lstat (file.path, &info) != 0 || !S_ISREG (info.st_mode)) {
      g_free (file.path);
      continue;
    }
    file.size = info.st_size;
    file.used = info.st_mtime;
    total += file.size;
    g_array_append_val (files, file);
  }
  g_array_sort (files, compare_use);
  for (guint i = 0; i < files->len && total > most; i++) {
    const File *file = &g_array_index (files, File, i);

    g_unlink (file->path); /* another process may have deleted it already */
    total -= file->size;
  }
}
