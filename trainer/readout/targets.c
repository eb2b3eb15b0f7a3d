#include "targets.h"

#include <math.h>
#include <string.h>

#include "kernels/cl/flags.h"
#include "kernels/error.h"
#include "kernels/text.h"
#include "program/interrupts.h"
#include "video/files.h"
#include "video/mask_png.h"
#include "video/reader.h"

#define SAME_SHAPE 0.02 /* how much two shapes may differ, as a share */

static void
target_free (gpointer data)
{
  RvmTarget *target = data;

  g_free (target->path);
  g_free (target);
}

void
rvm_targets_free (RvmTargets *targets)
{
  if (targets == NULL)
    return;
  g_clear_pointer (&targets->labelled, rvm_labelled_free);
  g_clear_pointer (&targets->targets, g_ptr_array_unref);
  g_free (targets);
}

void
rvm_target_map_free (RvmTargetMap *map)
{
  if (map == NULL)
    return;
  g_free (map->values);
  g_free (map);
}

static void
add_target (RvmTargets *targets, const char *path, guint clip, guint frame)
{
  RvmTarget *target = g_new (RvmTarget, 1);

  *target = (RvmTarget){ g_strdup (path), clip, frame };
  g_ptr_array_add (targets->targets, target);
}

/* (transfer full): the file's name without its folder and what is behind its last dot. */
static char *
get_stem (const char *path)
{
  char *name = g_path_get_basename (path), *dot = strrchr (name, '.');

  if (dot && dot != name)
    *dot = '\0';
  return name;
}

/* Stem -> path of the target pictures. */
static GHashTable *
index_targets (GPtrArray *files, GError **error)
{
  g_autoptr (GHashTable) found = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < files->len; i++) {
    const char *path = g_ptr_array_index (files, i);

    if (!g_str_has_suffix (path, ".png")) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: expected only .png files in this folder", path);
      return NULL;
    }
    if (!g_hash_table_insert (found, get_stem (path), (gpointer) path)) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: there are two files of this name", path);
      return NULL;
    }
  }
  return g_steal_pointer (&found);
}

/* The clip of the group, which is the last one if there is one already: names are sorted. */
static GPtrArray *
find_pictures (RvmTargets *targets, const char *folder, const char *group)
{
  GPtrArray *clips = targets->labelled->clips;
  const RvmLabelledClip *last = clips->len ? g_ptr_array_index (clips, clips->len - 1) : NULL;
  GPtrArray *pictures;

  if (last && strcmp (g_ptr_array_index (targets->labelled->groups, last->group), group) == 0)
    return last->pictures;
  pictures = g_ptr_array_new_with_free_func (g_free);
  rvm_labelled_add (targets->labelled, folder, pictures, group);
  return pictures;
}

static gboolean
read_pictures (RvmTargets *targets, const char *folder, GPtrArray *files, const char *groups, GError **error)
{
  g_autoptr (GPtrArray) pictures = rvm_files_list_names (folder, error);
  g_autoptr (GHashTable) left = pictures ? index_targets (files, error) : NULL;

  if (left == NULL)
    return FALSE;
  for (guint i = 0; i < pictures->len; i++) {
    const char *path = g_ptr_array_index (pictures, i);
    g_autofree char *stem = get_stem (path), *group = NULL;
    const char *target = g_hash_table_lookup (left, stem);
    GPtrArray *of_clip;

    group = g_strcmp0 (groups, "clip") == 0 ? g_strdup (stem) : g_strndup (stem, strcspn (stem, "_"));
    of_clip = find_pictures (targets, folder, group);
    g_ptr_array_add (of_clip, g_strdup (path));
    if (target) {
      add_target (targets, target, targets->labelled->clips->len - 1, of_clip->len - 1);
      g_hash_table_remove (left, stem);
    }
  }
  for (guint i = 0; i < files->len; i++) {
    g_autofree char *stem = get_stem (g_ptr_array_index (files, i));

    if (g_hash_table_contains (left, stem)) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: expected a picture of the same name in %s", (char *) g_ptr_array_index (files, i), folder);
      return FALSE;
    }
  }
  return TRUE;
}

/* The one file that lies in @folder itself. */
static char *
find_video (const char *folder, const char *targets, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  g_autofree char *video = NULL;
  guint found = 0;
  const char *name;

  if (dir == NULL)
    return NULL;
  while ((name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);

    if (name[0] == '.' || !g_file_test (path, G_FILE_TEST_IS_REGULAR))
      continue;
    g_free (video);
    video = g_steal_pointer (&path);
    found++;
  }
  if (found == 1)
    return g_steal_pointer (&video);
  rvm_error_set (error, RVM_ERROR_FILE, "%s: expected a folder 'images' with pictures, or one video, beside the folder '%s'; found %u files", folder,
      targets, found);
  return NULL;
}

static int
compare_targets (gconstpointer a, gconstpointer b)
{
  const RvmTarget *x = *(RvmTarget *const *) a, *y = *(RvmTarget *const *) b;

  return x->clip != y->clip ? (x->clip < y->clip ? -1 : 1) : x->frame < y->frame ? -1 : x->frame > y->frame;
}

static gboolean
read_video (RvmTargets *targets, const char *video, GPtrArray *files, GError **error)
{
  rvm_labelled_add (targets->labelled, video, NULL, "video");
  for (guint i = 0; i < files->len; i++) {
    const char *path = g_ptr_array_index (files, i);
    g_autofree char *stem = get_stem (path);
    guint64 number;

    if (!g_str_has_suffix (path, ".png") || !g_ascii_string_to_unsigned (stem, 10, 0, G_MAXINT32, &number, NULL)) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: expected the number of a frame of %s as its name, such as 000000.png", path, video);
      return FALSE;
    }
    add_target (targets, path, 0, number);
  }
  g_ptr_array_sort (targets->targets, compare_targets);
  for (guint i = 1; i < files->len; i++) {
    const RvmTarget *a = g_ptr_array_index (targets->targets, i - 1), *b = g_ptr_array_index (targets->targets, i);

    if (a->frame == b->frame) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: frame %u has another picture, %s", b->path, b->frame, a->path);
      return FALSE;
    }
  }
  return TRUE;
}

RvmTargets *
rvm_targets_read (const char *data, const RvmTargetKind *kind, const char *groups, GError **error)
{
  const char *what = kind->depth ? "depth" : "labels";
  g_autofree char *folder = g_build_filename (data, what, NULL), *images = g_build_filename (data, "images", NULL), *video = NULL;
  g_autoptr (RvmTargets) targets = g_new0 (RvmTargets, 1);
  g_autoptr (GPtrArray) files = NULL;

  if (!g_file_test (folder, G_FILE_TEST_IS_DIR)) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: expected a folder '%s' in it", data, what);
    return NULL;
  }
  if (groups && strcmp (groups, "name") != 0 && strcmp (groups, "clip") != 0) {
    rvm_error_set (error, RVM_ERROR_ARGUMENT, "--groups '%s': expected name or clip", groups);
    return NULL;
  }
  files = rvm_files_list_names (folder, error);
  if (files == NULL)
    return NULL;
  if (files->len == 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: expected .png files", folder);
    return NULL;
  }
  targets->labelled = rvm_labelled_new ();
  targets->targets = g_ptr_array_new_with_free_func (target_free);
  if (g_file_test (images, G_FILE_TEST_IS_DIR))
    return read_pictures (targets, images, files, groups, error) ? g_steal_pointer (&targets) : NULL;
  video = find_video (data, what, error);
  return video && read_video (targets, video, files, error) ? g_steal_pointer (&targets) : NULL;
}

static RvmTargetMap *
map_new (guint width, guint height)
{
  RvmTargetMap *map = g_new0 (RvmTargetMap, 1);

  map->width = width;
  map->height = height;
  map->values = g_new (float, (gsize) width * height);
  return map;
}

static RvmTargetMap *
load_labels (const RvmTarget *target, const RvmTargetKind *kind, GError **error)
{
  g_autoptr (RvmMask) mask = rvm_mask_read_png_or_empty (target->path, error);
  g_autoptr (RvmTargetMap) map = NULL;

  if (mask == NULL)
    return NULL;
  map = map_new (mask->width, mask->height);
  for (gsize i = 0; i < (gsize) mask->width * mask->height; i++) {
    const guint8 value = mask->pixels[i];

    map->values[i] = value == kind->none ? -1 : value;
    if (kind->classes && value != kind->none && value >= kind->classes) {
      g_autofree char *none = kind->none >= 0 ? g_strdup_printf (", or %d for what does not count", kind->none) : g_strdup ("");

      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: label %u, expected 0 to %u%s", target->path, value, kind->classes - 1, none);
      return NULL;
    }
  }
  return g_steal_pointer (&map);
}

RvmTargetMap *
rvm_target_load (const RvmTarget *target, const RvmTargetKind *kind, GError **error)
{
  g_autoptr (RvmDepths) depths = NULL;
  RvmTargetMap *map;

  if (!kind->depth)
    return load_labels (target, kind, error);
  depths = rvm_depth_read_png (target->path, error);
  if (depths == NULL)
    return NULL;
  map = map_new (depths->width, depths->height);
  for (gsize i = 0; i < (gsize) depths->width * depths->height; i++)
    map->values[i] = depths->pixels[i] * kind->unit;
  return map;
}

/* Of the picture, or of the frames of the video. */
static gboolean
read_size (const char *path, guint *width, guint *height, GError **error)
{
  g_autoptr (RvmReader) reader = rvm_reader_new (path, RVM_READER_RGB, 0, error);

  if (reader == NULL)
    return FALSE;
  *width = rvm_reader_get_width (reader);
  *height = rvm_reader_get_height (reader);
  return TRUE;
}

static gboolean
check_size (const RvmTarget *target, const RvmTargetMap *map, const RvmTargetKind *kind, const char *of, guint width, guint height, GError **error)
{
  const double shape = (double) map->width / map->height, expected = (double) width / height;

  if (!kind->depth && (map->width != width || map->height != height)) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: %u x %u pixels, expected %u x %u, as %s has", target->path, map->width, map->height, width, height, of);
    return FALSE;
  }
  if (fabs (shape / expected - 1) > SAME_SHAPE) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: %u x %u pixels, expected the shape of %s, which has %u x %u", target->path, map->width, map->height, of,
        width, height);
    return FALSE;
  }
  return TRUE;
}

gboolean
rvm_targets_check (const RvmTargets *targets, const RvmClipFrames *frames, RvmTargetKind *kind, GError **error)
{
  guint width = 0, height = 0, most = 0, known = G_MAXUINT;

  for (guint i = 0; i < targets->targets->len; i++) {
    const RvmTarget *target = g_ptr_array_index (targets->targets, i);
    const RvmLabelledClip *clip = g_ptr_array_index (targets->labelled->clips, target->clip);
    const char *of = clip->pictures ? NULL : clip->path;
    g_autoptr (RvmTargetMap) map = NULL;

    if (target->frame >= frames[target->clip].n) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: is of frame %u of %s, expected at most %u, the last one", target->path, target->frame, clip->name,
          frames[target->clip].n - 1);
      return FALSE;
    }
    if (rvm_interrupts_count ()) {
      rvm_error_set (error, RVM_ERROR_FILE, "stopped; nothing was written");
      return FALSE;
    }
    if (clip->pictures)
      of = g_ptr_array_index (clip->pictures, target->frame);
    if ((clip->pictures || known != target->clip) && !read_size (of, &width, &height, error))
      return FALSE;
    known = target->clip;
    map = rvm_target_load (target, kind, error);
    if (map == NULL || !check_size (target, map, kind, of, width, height, error))
      return FALSE;
    for (gsize p = 0; !kind->depth && p < (gsize) map->width * map->height; p++)
      most = MAX (most, (guint) (map->values[p] + 1));
  }
  if (!kind->depth && kind->classes == 0)
    kind->classes = most;
  return TRUE;
}

/* The sums of a place: of each class, or of logarithms; and how many pixels count. */
static guint
sum_place (const RvmTargetMap *map, const RvmTargetKind *kind, guint left, guint right, guint top, guint bottom, float *sums)
{
  guint counted = 0;

  for (guint y = top; y < bottom; y++)
    for (guint x = left; x < right; x++) {
      const float value = map->values[(gsize) y * map->width + x];

      if (kind->depth ? value <= 0 : value < 0)
        continue;
      counted++;
      if (kind->depth)
        *sums += logf (value);
      else
        sums[(guint) value]++;
    }
  return counted;
}

void
rvm_target_map_divide (const RvmTargetMap *map, const RvmTargetKind *kind, guint rows, guint columns, float *target, float *weight)
{
  const guint channels = kind->depth ? 1 : kind->classes;

  for (guint row = 0; row < rows; row++)
    for (guint column = 0; column < columns; column++) {
      const guint top = MIN ((guint64) row * map->height / rows, map->height - 1);
      const guint bottom = MAX ((guint64) (row + 1) * map->height / rows, top + 1);
      const guint left = MIN ((guint64) column * map->width / columns, map->width - 1);
      const guint right = MAX ((guint64) (column + 1) * map->width / columns, left + 1);
      guint counted;

      memset (target, 0, channels * sizeof *target);
      counted = sum_place (map, kind, left, right, top, bottom, target);
      *weight++ = (float) counted / ((right - left) * (bottom - top));
      for (guint c = 0; counted && c < channels; c++)
        target[c] /= counted;
      if (kind->depth && counted == 0)
        *target = RVM_TARGET_UNKNOWN;
      target += channels;
    }
}
