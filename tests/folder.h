/* Folders that tests make, and take away again with all that is in them. */
#pragma once

#include <glib/gstdio.h>

__attribute__ ((unused)) static void
remove_folder (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *file = g_build_filename (path, name, NULL);
    if (g_file_test (file, G_FILE_TEST_IS_DIR))
      remove_folder (file);
    else
      g_unlink (file);
  }
  g_clear_pointer (&dir, g_dir_close);
  g_rmdir (path);
}
