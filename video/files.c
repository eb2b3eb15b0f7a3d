/* Symbolic links are followed last, so that a file that is found twice is listed under its own name. Files and folders are identified by device and
 * inode: a link to a folder above it leads to one that has been seen, and ends there. */
#include "files.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "kernels/error.h"

typedef struct {
  GHashTable *seen; /* make_key() of files and folders */
  GPtrArray *paths; /* what was found */
  GPtrArray *links; /* paths, yet to be followed */
  gboolean by_name; /* a file is listed under each of its names */
} Search;

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* Size and time are part of it, because some file systems do not have unique inode numbers. */
static char *
make_key (const GStatBuf *status)
{
  return g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT ".%09ld",
      (guint64) status->st_dev, (guint64) status->st_ino, (gint64) status->st_size, (gint64) status->st_mtim.tv_sec, status->st_mtim.tv_nsec);
}

char *
rvm_files_identify (const char *path)
{
  GStatBuf status;

  return g_stat (path, &status) == 0 ? make_key (&status) : NULL;
}

static gboolean add_path (Search *search, const char *path, gboolean follow, GError **error);

static gboolean
add_folder (Search *search, const char *folder, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  if (dir == NULL)
    return FALSE;
  while ((name = g_dir_read_name (dir)))
    if (name[0] != '.')
      g_ptr_array_add (paths, g_build_filename (folder, name, NULL));
  g_clear_pointer (&dir, g_dir_close); /* folders may be nested deeper than there are descriptors */
  g_ptr_array_sort (paths, compare);
  for (guint i = 0; i < paths->len; i++)
    if (!add_path (search, g_ptr_array_index (paths, i), FALSE, error))
      return FALSE;
  return TRUE;
}

static gboolean
add_path (Search *search, const char *path, gboolean follow, GError **error)
{
  GStatBuf status;

  if (!follow && g_lstat (path, &status) == 0 && S_ISLNK (status.st_mode)) {
    g_ptr_array_add (search->links, g_strdup (path));
    return TRUE;
  }
  if (g_stat (path, &status) == 0) {
    const gboolean folder = S_ISDIR (status.st_mode);

    if (!(search->by_name && !folder) && !g_hash_table_add (search->seen, make_key (&status)))
      return TRUE;
    if (folder)
      return add_folder (search, path, error);
  }
  g_ptr_array_add (search->paths, g_strdup (path));
  return TRUE;
}

static gboolean
check_exists (const char *path, GError **error)
{
  GStatBuf status;

  if (g_lstat (path, &status) == 0)
    return TRUE;
  if (errno == ENOENT)
    rvm_error_set (error, RVM_ERROR_FILE, "%s: there is no such file or folder", path);
  else
    rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", path, g_strerror (errno));
  return FALSE;
}

/* Appends the paths in the file @list to @paths. */
static gboolean
read_list (GPtrArray *paths, const char *list, GError **error)
{
  g_autofree char *text = NULL, *folder = g_path_get_dirname (list);
  g_auto (GStrv) lines = NULL;
  gsize size;

  if (!g_file_get_contents (list, &text, &size, error))
    return FALSE;
  if (strlen (text) != size) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: not a list: byte %" G_GSIZE_FORMAT " is zero, expected text", list, strlen (text));
    return FALSE;
  }
  lines = g_strsplit (g_str_has_prefix (text, "\xef\xbb\xbf") ? text + 3 : text, "\n", -1);
  for (guint i = 0; lines[i]; i++) {
    g_autofree char *path = NULL;

    g_strstrip (lines[i]);
    if (lines[i][0] == '\0' || lines[i][0] == '#')
      continue;
    path = g_canonicalize_filename (lines[i], folder);
    if (!check_exists (path, error)) {
      g_prefix_error (error, "%s, line %u: ", list, i + 1);
      return FALSE;
    }
    g_ptr_array_add (paths, g_steal_pointer (&path));
  }
  return TRUE;
}

/* @names as absolute paths, with lists replaced by their contents. */
static GPtrArray *
collect (const char *const *names, GError **error)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; names && names[i]; i++) {
    g_autofree char *path = g_canonicalize_filename (names[i], NULL);

    if (!check_exists (path, error))
      return NULL;
    if (g_str_has_suffix (path, ".txt") && !g_file_test (path, G_FILE_TEST_IS_DIR)) {
      if (!read_list (paths, path, error))
        return NULL;
    } else {
      g_ptr_array_add (paths, g_steal_pointer (&path));
    }
  }
  g_ptr_array_sort (paths, compare);
  return g_steal_pointer (&paths);
}

static GPtrArray *
search_files (const char *const *names, gboolean by_name, GError **error)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free), links = NULL;
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Search search = { seen, paths, collect (names, error), by_name };

  if (search.links == NULL)
    return NULL;
  /* First without following links, then the links that were found, and so on. */
  for (guint round = 0; search.links->len; round++) {
    g_clear_pointer (&links, g_ptr_array_unref);
    links = search.links;
    search.links = g_ptr_array_new_with_free_func (g_free);
    g_ptr_array_sort (links, compare);
    for (guint i = 0; i < links->len; i++)
      if (!add_path (&search, g_ptr_array_index (links, i), round > 0, error)) {
        g_ptr_array_unref (search.links);
        return NULL;
      }
  }
  g_ptr_array_unref (search.links);
  g_ptr_array_sort (paths, compare);
  for (guint i = 1; i < paths->len;) /* what is neither a file nor a folder may have been named twice */
    if (strcmp (g_ptr_array_index (paths, i - 1), g_ptr_array_index (paths, i)) == 0)
      g_ptr_array_remove_index (paths, i);
    else
      i++;
  return g_steal_pointer (&paths);
}

GPtrArray *
rvm_files_expand (const char *const *names, GError **error)
{
  return search_files (names, FALSE, error);
}

GPtrArray *
rvm_files_list_names (const char *folder, GError **error)
{
  return search_files ((const char *const[]){ folder, NULL }, TRUE, error);
}
