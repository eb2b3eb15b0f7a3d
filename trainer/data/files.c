/* Arguments to paths. */
#include "files.h"

#include <errno.h>
#include <string.h>

#include "kernels/error.h"

enum { DEPTH_MAX = 64 }; /* of folders in folders: a link that leads upwards must end somewhere */

static gboolean
add_folder (GPtrArray *paths, const char *folder, guint depth, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  const char *name;

  if (dir == NULL)
    return FALSE;
  while ((name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    if (name[0] == '.')
      continue;
    if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
      g_ptr_array_add (paths, g_steal_pointer (&path));
    else if (g_file_test (path, G_FILE_TEST_IS_DIR) && depth < DEPTH_MAX && !add_folder (paths, path, depth + 1, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean add_name (GPtrArray *paths, const char *name, gboolean in_list, GError **error);

static gboolean
add_list (GPtrArray *paths, const char *list, GError **error)
{
  g_autofree char *text = NULL, *folder = g_path_get_dirname (list);
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (list, &text, NULL, error))
    return FALSE;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i]; i++) {
    g_autofree char *path = NULL;

    g_strstrip (lines[i]);
    if (lines[i][0] == '\0' || lines[i][0] == '#')
      continue;
    path = g_canonicalize_filename (lines[i], folder);
    if (!add_name (paths, path, TRUE, error)) {
      g_prefix_error (error, "%s, line %u: ", list, i + 1);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
add_name (GPtrArray *paths, const char *name, gboolean in_list, GError **error)
{
  if (g_file_test (name, G_FILE_TEST_IS_DIR))
    return add_folder (paths, name, 0, error);
  if (!g_file_test (name, G_FILE_TEST_EXISTS)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: there is no such file or folder", name);
    return FALSE;
  }
  if (!in_list && g_str_has_suffix (name, ".txt"))
    return add_list (paths, name, error);
  g_ptr_array_add (paths, g_canonicalize_filename (name, NULL));
  return TRUE;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

GPtrArray *
rvm_files_expand (const char *const *names, GError **error)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; names && names[i]; i++)
    if (!add_name (paths, names[i], FALSE, error))
      return NULL;
  g_ptr_array_sort (paths, compare);
  for (guint i = 1; i < paths->len;)
    if (strcmp (g_ptr_array_index (paths, i - 1), g_ptr_array_index (paths, i)) == 0)
      g_ptr_array_remove_index (paths, i);
    else
      i++;
  return g_steal_pointer (&paths);
}
