#include "labelled.h"

#include <string.h>

#include "csv.h"
#include "kernels/error.h"
#include "kernels/text.h"
#include "video/files.h"

static void
clip_free (gpointer data)
{
  RvmLabelledClip *clip = data;

  g_clear_pointer (&clip->pictures, g_ptr_array_unref);
  g_free (clip->path);
  g_free (clip->name);
  g_free (clip);
}

void
rvm_labelled_free (RvmLabelled *labelled)
{
  if (labelled == NULL)
    return;
  g_ptr_array_unref (labelled->clips);
  g_ptr_array_unref (labelled->classes);
  g_ptr_array_unref (labelled->groups);
  g_free (labelled);
}

RvmLabelled *
rvm_labelled_new (void)
{
  RvmLabelled *labelled = g_new (RvmLabelled, 1);

  labelled->clips = g_ptr_array_new_with_free_func (clip_free);
  labelled->classes = g_ptr_array_new_with_free_func (g_free);
  labelled->groups = g_ptr_array_new_with_free_func (g_free);
  return labelled;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* The index of @name in @names, of which there are not many; it is added if it is not there. */
static guint
intern (GPtrArray *names, const char *name)
{
  for (guint i = 0; i < names->len; i++)
    if (strcmp (g_ptr_array_index (names, i), name) == 0)
      return i;
  g_ptr_array_add (names, g_strdup (name));
  return names->len - 1;
}

/* Sorts @names, and has the index of each clip at @offset follow. */
static void
sort_names (GPtrArray *names, GPtrArray *clips, gsize offset)
{
  g_autoptr (GPtrArray) old = g_ptr_array_new (); /* a copy would free the names, too */

  g_ptr_array_extend (old, names, NULL, NULL);
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < clips->len; i++) {
    guint *index = G_STRUCT_MEMBER_P (g_ptr_array_index (clips, i), offset);

    g_ptr_array_find (names, g_ptr_array_index (old, *index), index);
  }
}

static void
add_clip (RvmLabelled *labelled, const char *path, double start, double end, const char *label)
{
  RvmLabelledClip *clip = g_new0 (RvmLabelledClip, 1);
  g_autofree char *shown = rvm_text_from_bytes (path);

  clip->path = g_canonicalize_filename (path, NULL);
  clip->name = start > 0 || end > 0 ? g_strdup_printf ("%s (%.6g to %.6g s)", shown, start, end) : g_strdup (shown);
  clip->start = start;
  clip->end = end;
  clip->label = label ? intern (labelled->classes, label) : 0;
  g_ptr_array_add (labelled->clips, clip);
}

void
rvm_labelled_add (RvmLabelled *labelled, const char *path, GPtrArray *pictures, const char *group)
{
  RvmLabelledClip *clip;

  add_clip (labelled, path, 0, 0, NULL);
  clip = g_ptr_array_index (labelled->clips, labelled->clips->len - 1);
  clip->pictures = pictures;
  clip->group = intern (labelled->groups, group);
}

static gboolean
read_folder (RvmLabelled *labelled, const char *folder, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  if (dir == NULL) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: the folder cannot be read", folder);
    return FALSE;
  }
  while ((name = g_dir_read_name (dir)))
    if (*name != '.')
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename (folder, g_ptr_array_index (names, i), NULL);
    g_autofree char *label = rvm_text_from_bytes (g_ptr_array_index (names, i));
    g_autoptr (GPtrArray) files = NULL;

    if (!g_file_test (path, G_FILE_TEST_IS_DIR))
      continue; /* a note, a list */
    files = rvm_files_expand ((const char *const[]){ path, NULL }, error);
    if (files == NULL)
      return FALSE;
    for (guint f = 0; f < files->len; f++)
      add_clip (labelled, g_ptr_array_index (files, f), 0, 0, label);
  }
  if (labelled->clips->len)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FILE, "%s: expected a folder for each class, with video clips in it", folder);
  return FALSE;
}

static gboolean
read_seconds (const RvmCsv *csv, guint row, int column, double *seconds, GError **error)
{
  const char *text = rvm_csv_get (csv, row, column);
  char *end;

  *seconds = 0;
  if (*text == '\0')
    return TRUE;
  *seconds = g_ascii_strtod (text, &end);
  return (*end == '\0' && *seconds >= 0 && *seconds < 1e9)
         || rvm_csv_refuse (csv, row, column, error, "seconds from the beginning of the file");
}

static char *
resolve (const RvmCsv *csv, const char *file)
{
  g_autofree char *folder = g_path_get_dirname (csv->path);

  return g_path_is_absolute (file) ? g_strdup (file) : g_build_filename (folder, file, NULL);
}

static gboolean
read_csv (RvmLabelled *labelled, const RvmCsv *csv, GError **error)
{
  const int first = rvm_csv_find (csv, "start"), last = rvm_csv_find (csv, "end");
  int file, label;

  if (!rvm_csv_require (csv, "file", &file, error) || !rvm_csv_require (csv, "class", &label, error))
    return FALSE;
  for (guint row = 0; row < csv->rows->len; row++) {
    g_autofree char *path = resolve (csv, rvm_csv_get (csv, row, file));
    double start, end;

    if (*rvm_csv_get (csv, row, file) == '\0' || !g_file_test (path, G_FILE_TEST_IS_REGULAR))
      return rvm_csv_refuse (csv, row, file, error, "a video file, relative to the CSV file's folder");
    if (*rvm_csv_get (csv, row, label) == '\0' || strchr (rvm_csv_get (csv, row, label), '\n'))
      return rvm_csv_refuse (csv, row, label, error, "the name of a class, on one line");
    if (!read_seconds (csv, row, first, &start, error) || !read_seconds (csv, row, last, &end, error))
      return FALSE;
    if (end > 0 && end <= start)
      return rvm_csv_refuse (csv, row, last, error, "more than its start");
    add_clip (labelled, path, start, end, rvm_csv_get (csv, row, label));
  }
  return TRUE;
}

/* File -> group, of a CSV file. */
static GHashTable *
read_groups (const char *path, GError **error)
{
  g_autoptr (RvmCsv) csv = rvm_csv_read (path, error);
  g_autoptr (GHashTable) groups = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  int file, group;

  if (csv == NULL || !rvm_csv_require (csv, "file", &file, error) || !rvm_csv_require (csv, "group", &group, error))
    return NULL;
  for (guint row = 0; row < csv->rows->len; row++) {
    g_autofree char *resolved = resolve (csv, rvm_csv_get (csv, row, file));

    g_hash_table_insert (groups, g_canonicalize_filename (resolved, NULL), g_strdup (rvm_csv_get (csv, row, group)));
  }
  return g_steal_pointer (&groups);
}

/* @csv: (nullable): what the clips are listed in, a row for each. */
static gboolean
find_groups (RvmLabelled *labelled, const RvmCsv *csv, const char *how, GError **error)
{
  const gboolean by_name = how == NULL || strcmp (how, "name") == 0, by_clip = g_strcmp0 (how, "clip") == 0,
                 by_column = g_strcmp0 (how, "column") == 0;
  g_autoptr (GHashTable) listed = NULL;
  int column = -1;

  if (by_column && csv == NULL) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--groups column: expected --data to be a CSV file with a column 'group'");
    return FALSE;
  }
  if (by_column && !rvm_csv_require (csv, "group", &column, error))
    return FALSE;
  if (!by_name && !by_clip && !by_column && (listed = read_groups (how, error)) == NULL) {
    g_prefix_error (error, "--groups (expected name, column, clip or a CSV file): ");
    return FALSE;
  }
  for (guint i = 0; i < labelled->clips->len; i++) {
    RvmLabelledClip *clip = g_ptr_array_index (labelled->clips, i);
    g_autofree char *base = g_path_get_basename (clip->path), *group = NULL;

    if (by_column)
      group = g_strdup (rvm_csv_get (csv, i, column));
    else if (listed)
      group = g_strdup (g_hash_table_lookup (listed, clip->path));
    else
      group = by_clip ? g_strdup_printf ("%05u", i) : g_strndup (base, strcspn (base, "_"));
    if (group == NULL || *group == '\0') {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: no group for it in %s", clip->name,
                     listed      ? how
                     : by_column ? "column 'group'"
                                 : "its name");
      return FALSE;
    }
    clip->group = intern (labelled->groups, group);
  }
  sort_names (labelled->groups, labelled->clips, G_STRUCT_OFFSET (RvmLabelledClip, group));
  return TRUE;
}

static int
compare_labels (gconstpointer a, gconstpointer b)
{
  const RvmLabelledClip *x = *(RvmLabelledClip *const *) a, *y = *(RvmLabelledClip *const *) b;

  return x->label < y->label ? -1 : x->label > y->label;
}

/* Numbers the classes as @expected has them. */
static gboolean
use_classes (RvmLabelled *labelled, const char *data, const char *const *expected, GError **error)
{
  g_autoptr (GPtrArray) found = g_steal_pointer (&labelled->classes);

  labelled->classes = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; expected[i]; i++)
    g_ptr_array_add (labelled->classes, g_strdup (expected[i]));
  for (guint i = 0; i < labelled->clips->len; i++) {
    RvmLabelledClip *clip = g_ptr_array_index (labelled->clips, i);
    const char *label = g_ptr_array_index (found, clip->label);

    if (!g_ptr_array_find_with_equal_func (labelled->classes, label, g_str_equal, &clip->label)) {
      g_autofree char *names = g_strjoinv (", ", (char **) expected);

      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: class '%s' of %s: expected one of %s", data, label, clip->name, names);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
check_classes (const RvmLabelled *labelled, const char *data, GError **error)
{
  g_autofree guint *counts = g_new0 (guint, labelled->classes->len);

  if (labelled->classes->len < 2) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: expected at least two classes, found only '%s'", data,
                   (char *) g_ptr_array_index (labelled->classes, 0));
    return FALSE;
  }
  for (guint i = 0; i < labelled->clips->len; i++)
    counts[((RvmLabelledClip *) g_ptr_array_index (labelled->clips, i))->label]++;
  for (guint c = 0; c < labelled->classes->len; c++)
    if (counts[c] < 2) {
      rvm_error_set (error, RVM_ERROR_FORMAT,
                     "%s: class '%s' has one clip, expected at least two: one to learn from and one to measure with", data,
                     (char *) g_ptr_array_index (labelled->classes, c));
      return FALSE;
    }
  return TRUE;
}

RvmLabelled *
rvm_labelled_read (const char *data, const char *groups, const char *const *expected, GError **error)
{
  g_autoptr (RvmLabelled) labelled = rvm_labelled_new ();
  g_autoptr (RvmCsv) csv = NULL;
  const gboolean folder = g_file_test (data, G_FILE_TEST_IS_DIR);

  if (!folder && (csv = rvm_csv_read (data, error)) == NULL)
    return NULL;
  if (folder ? !read_folder (labelled, data, error) : !read_csv (labelled, csv, error))
    return NULL;
  if (!find_groups (labelled, csv, groups, error))
    return NULL;
  sort_names (labelled->classes, labelled->clips, G_STRUCT_OFFSET (RvmLabelledClip, label));
  if (expected ? !use_classes (labelled, data, expected, error) : !check_classes (labelled, data, error))
    return NULL;
  g_ptr_array_sort (labelled->clips, compare_labels); /* stable */
  return g_steal_pointer (&labelled);
}

RvmLabelled *
rvm_labelled_read_footage (const char *data, const char *groups, GError **error)
{
  g_autoptr (RvmLabelled) labelled = rvm_labelled_new ();
  g_autoptr (GPtrArray) files = rvm_files_expand ((const char *const[]){ data, NULL }, error);

  if (files == NULL)
    return NULL;
  if (files->len == 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: expected a video, or a folder with videos", data);
    return NULL;
  }
  for (guint i = 0; i < files->len; i++)
    add_clip (labelled, g_ptr_array_index (files, i), 0, 0, NULL);
  return find_groups (labelled, NULL, groups, error) ? g_steal_pointer (&labelled) : NULL;
}
