/* A frame is compared with the one before on a coarse grid of mean brightness, which noise and compression hardly change. */
#include "video_index.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "kernels/error.h"
#include "kernels/runtime/cache_folders.h"
#include "video/reader.h"

enum {
  GRID = 16,       /* cells along each side */
  MOVED = 4,       /* a cell has moved when its mean differs by this much of 255 */
  CUT_LEAST = 10,  /* mean difference of the cells at a cut, at least... */
  CUT_RATIO = 4,   /* ...and so many times that of the frames around it */
  CUT_REACH = 3,   /* frames on each side that count as around */
};

static void
average_cells (const guint8 *pixels, guint width, guint height, guint8 cells[GRID * GRID])
{
  for (guint cy = 0; cy < GRID; cy++)
    for (guint cx = 0; cx < GRID; cx++) {
      const guint top = cy * height / GRID, bottom = MAX ((cy + 1) * height / GRID, top + 1);
      const guint left = cx * width / GRID, right = MAX ((cx + 1) * width / GRID, left + 1);
      guint64 sum = 0;

      for (guint y = top; y < MIN (bottom, height); y++)
        for (guint x = left; x < MIN (right, width); x++) {
          const guint8 *p = pixels + ((gsize) y * width + x) * 3;
          sum += (77 * p[0] + 150 * p[1] + 29 * p[2]) >> 8;
        }
      cells[cy * GRID + cx] = sum / ((guint64) (bottom - top) * (right - left));
    }
}

static void
compare (const guint8 a[GRID * GRID], const guint8 b[GRID * GRID], guint8 *moved, guint8 *difference)
{
  guint cells = 0, sum = 0;

  for (guint i = 0; i < GRID * GRID; i++) {
    const guint d = ABS ((int) a[i] - b[i]);
    cells += d >= MOVED;
    sum += d;
  }
  *moved = cells * 255 / (GRID * GRID);
  *difference = sum / (GRID * GRID);
}

/* In a pan all frames differ from those before them, at a cut only one does. */
static void
find_cuts (const guint8 *difference, guint n, guint8 *cut)
{
  for (guint i = 1; i < n; i++) {
    const guint from = MAX ((int) i - CUT_REACH, 1), to = MIN (i + CUT_REACH, n - 1);
    guint around = 0;

    for (guint j = from; j <= to; j++)
      if (j != i)
        around += difference[j];
    cut[i] = difference[i] >= CUT_LEAST && difference[i] * MAX (to - from, 1) >= CUT_RATIO * around;
  }
}

void
rvm_video_index_free (RvmVideoIndex *index)
{
  if (index == NULL)
    return;
  g_free (index->pts);
  g_free (index->motion);
  g_free (index->cut);
  g_free (index);
}

static RvmVideoIndex *
read_video (const char *path, guint short_side, RvmVideoSeen seen, gpointer user_data, GError **error)
{
  g_autoptr (RvmVideoIndex) index = g_new0 (RvmVideoIndex, 1);
  g_autoptr (RvmReader) reader = rvm_reader_new (path, RVM_READER_RGB, short_side, error);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_autoptr (GByteArray) motion = g_byte_array_new (), difference = g_byte_array_new ();
  g_autoptr (GError) reason = NULL;
  guint8 cells[2][GRID * GRID];
  const guint8 *pixels;
  guint64 pts;

  if (reader == NULL)
    return NULL;
  index->width = rvm_reader_get_width (reader);
  index->height = rvm_reader_get_height (reader);
  while ((pixels = rvm_reader_next (reader, &pts, &reason))) {
    const guint n = times->len;
    guint8 moved = 0, mean = 0;

    average_cells (pixels, index->width, index->height, cells[n % 2]);
    if (n)
      compare (cells[n % 2], cells[(n + 1) % 2], &moved, &mean);
    g_array_append_val (times, pts);
    g_byte_array_append (motion, &moved, 1);
    g_byte_array_append (difference, &mean, 1);
    if (seen)
      seen (n, pixels, index, user_data);
  }
  if (reason) {
    g_propagate_error (error, g_steal_pointer (&reason));
    return NULL;
  }
  index->n_frames = times->len;
  index->cut = g_new0 (guint8, times->len + 1);
  find_cuts (difference->data, times->len, index->cut);
  index->pts = (guint64 *) (void *) g_array_free (g_steal_pointer (&times), FALSE);
  index->motion = g_byte_array_free (g_steal_pointer (&motion), FALSE);
  return g_steal_pointer (&index);
}

/* Version of the format and of the measure of motion, sizes, arrays. */
#define VARIANT "(uuuatayay)"
#define VERSION 2

/* (transfer full) (nullable): the folder for the indices of all videos. */
static char *
get_folder (const char *cache_dir)
{
  static GMutex lock;
  static char *asked, *folder;
  static gboolean known;
  char *copy;

  g_mutex_lock (&lock);
  if (!known || g_strcmp0 (asked, cache_dir) != 0) {
    g_auto (RvmCacheFolder) chosen = { 0 };

    rvm_cache_folder_choose (cache_dir, &chosen);
    g_free (asked);
    g_free (folder);
    asked = g_strdup (cache_dir);
    folder = chosen.folder ? g_build_filename (chosen.folder, "videos", NULL) : NULL;
    known = TRUE;
  }
  copy = g_strdup (folder);
  g_mutex_unlock (&lock);
  return copy;
}

/* (transfer full): the file for a video's index; "" if none is kept. */
static char *
cache_path (const char *path, guint short_side, const char *cache_dir, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL), *key = NULL, *name = NULL, *folder = get_folder (cache_dir);
  GStatBuf status;

  if (g_stat (absolute, &status) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: %s", path, g_strerror (errno));
    return NULL;
  }
  key = g_strdup_printf ("%s|%" G_GINT64_FORMAT "|%" G_GINT64_FORMAT "|%u", absolute, (gint64) status.st_size, (gint64) status.st_mtime, short_side);
  name = g_compute_checksum_for_string (G_CHECKSUM_SHA1, key, -1);
  return folder ? g_build_filename (folder, name, NULL) : g_strdup ("");
}

static gpointer
take_array (GVariant *array, gsize size, guint expected)
{
  gsize n;
  gconstpointer values = g_variant_get_fixed_array (array, &n, size);
  gpointer copy = n == expected ? g_memdup2 (values, n * size) : NULL;

  g_variant_unref (array);
  return copy;
}

/* NULL if there is none, or it is of another version or damaged. */
static RvmVideoIndex *
load (const char *file)
{
  g_autoptr (RvmVideoIndex) index = g_new0 (RvmVideoIndex, 1);
  g_autofree char *data = NULL;
  g_autoptr (GVariant) variant = NULL;
  g_autoptr (GBytes) bytes = NULL;
  GVariant *pts, *motion, *cut;
  guint32 version;
  gsize size;

  if (!g_file_get_contents (file, &data, &size, NULL))
    return NULL;
  bytes = g_bytes_new_take (g_steal_pointer (&data), size);
  variant = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (VARIANT), bytes, FALSE));
  if (!g_variant_is_normal_form (variant))
    return NULL;
  g_variant_get (variant, "(uuu@at@ay@ay)", &version, &index->width, &index->height, &pts, &motion, &cut);
  index->n_frames = g_variant_n_children (pts);
  index->pts = take_array (pts, sizeof (guint64), index->n_frames);
  index->motion = take_array (motion, 1, index->n_frames);
  index->cut = take_array (cut, 1, index->n_frames);
  if (version != VERSION || index->n_frames == 0 || index->width == 0 || index->height == 0 || !index->pts || !index->motion || !index->cut)
    return NULL;
  return g_steal_pointer (&index);
}

static void
save (const char *file, const RvmVideoIndex *index)
{
  g_autofree char *folder = g_path_get_dirname (file);
  g_autoptr (GVariant) variant = g_variant_ref_sink (g_variant_new ("(uuu@at@ay@ay)", VERSION, index->width, index->height,
      g_variant_new_fixed_array (G_VARIANT_TYPE_UINT64, index->pts, index->n_frames, sizeof (guint64)),
      g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, index->motion, index->n_frames, 1),
      g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, index->cut, index->n_frames, 1)));

  /* Errors are ignored: without the cache the video is read again. */
  if (g_mkdir_with_parents (folder, 0777) == 0)
    g_file_set_contents (file, g_variant_get_data (variant), g_variant_get_size (variant), NULL);
}

RvmVideoIndex *
rvm_video_index_new (const char *path, guint short_side, const char *cache_dir, RvmVideoSeen seen, gpointer user_data, GError **error)
{
  g_autofree char *file = cache_path (path, short_side, cache_dir, error);
  RvmVideoIndex *index = file ? load (file) : NULL;

  if (file == NULL || index)
    return index;
  index = read_video (path, short_side, seen, user_data, error);
  if (index && index->n_frames && *file)
    save (file, index);
  return index;
}
