/* Which files an argument VIDEO names that is no file itself: a folder, a glob, or a pattern with a number. */
#include <stdlib.h>
#include <string.h>

#include "source_private.h"

static gboolean
has_ending (const char *name, const char *const *endings)
{
  const char *dot = strrchr (name, '.');

  for (; dot && *endings; endings++)
    if (g_ascii_strcasecmp (dot + 1, *endings) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
is_picture (const char *name)
{
  static const char *const endings[] = { "png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "pgm", "ppm", "pnm", NULL };

  return has_ending (name, endings);
}

static gboolean
is_video (const char *name)
{
  static const char *const endings[] = { "mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts", "flv", "wmv", "ogv", "3gp", "mxf",
    "y4m", "gif", NULL };

  return has_ending (name, endings);
}

/* By name, with numbers in the order of numbers. A name is bytes, which need not be UTF-8. */
static char *
make_key (const char *name)
{
  g_autofree char *shown = g_filename_display_name (name);

  return g_utf8_collate_key_for_filename (shown, -1);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  g_autofree char *first = make_key (*(const char *const *) a), *second = make_key (*(const char *const *) b);

  return strcmp (first, second);
}

/* The number of @entry in a pattern like frame_%05d.png, or -1. */
static int
number_in (const char *pattern, const char *entry)
{
  const char *percent = strchr (pattern, '%'), *after = percent ? percent + 1 : NULL;
  const gsize before = percent ? (gsize) (percent - pattern) : 0;
  const int width = after && *after == '0' ? atoi (after) : 0;
  g_autofree char *again = NULL;
  char *end;
  gint64 number;

  while (after && g_ascii_isdigit (*after))
    after++;
  if (after == NULL || *after != 'd' || strchr (after, '%') || strncmp (pattern, entry, before) != 0 || !g_ascii_isdigit (entry[before]))
    return -1;
  number = g_ascii_strtoll (entry + before, &end, 10);
  again = g_strdup_printf ("%.*s%0*d%s", (int) before, pattern, width, (int) number, after + 1);
  return strcmp (again, entry) == 0 ? (int) number : -1;
}

/* The entries of the folder of @argument, or of @argument itself, that it names: with a number in its pattern, by a glob, or all. */
static GPtrArray *
list_files (const char *argument)
{
  const gboolean folder = g_file_test (argument, G_FILE_TEST_IS_DIR);
  g_autofree char *where = folder ? g_strdup (argument) : g_path_get_dirname (argument), *name = g_path_get_basename (argument);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) directory = g_dir_open (where, 0, NULL);
  const char *entry;

  while (directory && (entry = g_dir_read_name (directory)) != NULL)
    if (entry[0] != '.' && (folder || number_in (name, entry) >= 0 || g_pattern_match_simple (name, entry)))
      g_ptr_array_add (found, folder || strchr (argument, '/') ? g_build_filename (where, entry, NULL) : g_strdup (entry));
  g_ptr_array_sort (found, compare_names);
  return g_steal_pointer (&found);
}

GPtrArray *
rvm_source_choose (const char *argument, gboolean *pictures, GError **error)
{
  g_autoptr (GPtrArray) files = list_files (argument), chosen = g_ptr_array_new_with_free_func (g_free);
  guint n_pictures = 0, n_videos = 0;

  for (guint i = 0; i < files->len; i++) {
    n_pictures += is_picture (files->pdata[i]);
    n_videos += is_video (files->pdata[i]);
  }
  if (n_pictures && n_videos) {
    rvm_source_fail (error, "%s has %u pictures and %u videos: a pattern such as '*.png' says which are meant", argument, n_pictures, n_videos);
    return NULL;
  }
  if (n_pictures + n_videos == 0) {
    rvm_source_fail (error, "%s: %s", g_file_test (argument, G_FILE_TEST_IS_DIR) ? "there are no videos or pictures in it" : "no such file", argument);
    return NULL;
  }
  *pictures = n_pictures > 0;
  for (guint i = 0; i < files->len; i++)
    if (*pictures ? is_picture (files->pdata[i]) : is_video (files->pdata[i]))
      g_ptr_array_add (chosen, g_strdup (files->pdata[i]));
  return g_steal_pointer (&chosen);
}

gboolean
rvm_source_is_set (const char *argument)
{
  return strcmp (argument, "-") != 0 && strstr (argument, "://") == NULL
      && (g_file_test (argument, G_FILE_TEST_IS_DIR) || !g_file_test (argument, G_FILE_TEST_EXISTS));
}

char **
rvm_source_find (const char *argument, GError **error)
{
  g_autoptr (GPtrArray) files = NULL;
  const char *const itself[] = { argument, NULL };
  gboolean pictures;

  if (!rvm_source_is_set (argument))
    return g_strdupv ((char **) itself);
  files = rvm_source_choose (argument, &pictures, error);
  if (files == NULL)
    return NULL;
  if (pictures)
    return g_strdupv ((char **) itself);
  g_ptr_array_set_free_func (files, NULL);
  g_ptr_array_add (files, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&files), FALSE);
}
