/* DAVIS from a folder. Pictures are decoded by GStreamer through RvmReader. A mask's numbers stand for its objects, as rvmtrack takes them: the
 * indexes of an indexed PNG, whatever its palette, or the levels of a grey one. Those of the first mask are followed, in ascending order; 0,
 * and numbers that the first mask does not have, are the background. */
#include "davis.h"

#include <string.h>

#include "kernels/error.h"
#include "video/mask_png.h"
#include "video/reader.h"

struct _RvmDavisReader {
  const RvmDavisSequence *sequence;
  guint width, height;
  guint index; /* of the next frame */
  RvmReader *video, *picture; /* of which the frame's pixels are */
  guint8 *mask;
  guint objects;        /* of the first mask */
  guint8 label_of[256]; /* number in a mask -> 0 or 1 + object */
  guint mask_width, mask_height;
};

static void
sequence_free (gpointer data)
{
  RvmDavisSequence *sequence = data;

  g_free (sequence->name);
  g_free (sequence->video);
  g_clear_pointer (&sequence->pictures, g_ptr_array_unref);
  g_clear_pointer (&sequence->masks, g_ptr_array_unref);
  g_free (sequence);
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Paths in @folder, by name; empty if it cannot be read. */
static GPtrArray *
list_folder (const char *folder)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (name[0] != '.')
      g_ptr_array_add (paths, g_build_filename (folder, name, NULL));
  g_ptr_array_sort (paths, compare_names);
  return paths;
}

GPtrArray *
rvm_davis_list (const char *folder, GError **error)
{
  g_autoptr (GPtrArray) sequences = g_ptr_array_new_with_free_func (sequence_free);
  g_autofree char *published = g_build_filename (folder, "Annotations", "480p", NULL), *compact = g_build_filename (folder, "masks", NULL);
  const gboolean is_compact = !g_file_test (published, G_FILE_TEST_IS_DIR);
  g_autoptr (GPtrArray) folders = list_folder (is_compact ? compact : published);

  for (guint i = 0; i < folders->len; i++) {
    const char *masks = g_ptr_array_index (folders, i);
    RvmDavisSequence *sequence;

    if (!g_file_test (masks, G_FILE_TEST_IS_DIR))
      continue;
    sequence = g_new0 (RvmDavisSequence, 1);
    g_ptr_array_add (sequences, sequence);
    sequence->name = g_path_get_basename (masks);
    sequence->masks = list_folder (masks);
    if (is_compact) {
      g_autofree char *file = g_strconcat (sequence->name, ".mp4", NULL);
      sequence->video = g_build_filename (folder, "video", file, NULL);
    } else {
      g_autofree char *pictures = g_build_filename (folder, "JPEGImages", "480p", sequence->name, NULL);
      sequence->pictures = list_folder (pictures);
    }
    if (sequence->masks->len == 0 || (sequence->pictures && sequence->pictures->len != sequence->masks->len)) {
      g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: %u masks for %u pictures of sequence '%s'", folder, sequence->masks->len,
          sequence->pictures ? sequence->pictures->len : 0, sequence->name);
      return NULL;
    }
  }
  if (!g_file_test (folder, G_FILE_TEST_IS_DIR)) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: %s", folder,
        g_file_test (folder, G_FILE_TEST_EXISTS) ? "is not a folder" : "there is no such folder");
    return NULL;
  }
  if (sequences->len == 0) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FILE, "%s: no sequences in Annotations/480p or masks", folder);
    return NULL;
  }
  return g_steal_pointer (&sequences);
}

RvmDavisReader *
rvm_davis_reader_new (const RvmDavisSequence *sequence, guint width, guint height, GError **error)
{
  g_autoptr (RvmDavisReader) reader = g_new0 (RvmDavisReader, 1);

  reader->sequence = sequence;
  reader->width = width;
  reader->height = height;
  if (sequence->video) {
    reader->video = rvm_reader_new_stretched (sequence->video, RVM_READER_RGB, width, height, error);
    if (reader->video == NULL)
      return NULL;
  }
  return g_steal_pointer (&reader);
}

void
rvm_davis_reader_free (RvmDavisReader *reader)
{
  if (reader == NULL)
    return;
  g_clear_pointer (&reader->video, rvm_reader_free);
  g_clear_pointer (&reader->picture, rvm_reader_free);
  g_free (reader->mask);
  g_free (reader);
}

static gboolean
read_mask (RvmDavisReader *reader, const char *path, GError **error)
{
  const gboolean first = reader->index == 0;
  g_autoptr (RvmMask) mask = first ? rvm_mask_read_png (path, error) : rvm_mask_read_png_or_empty (path, error);

  if (mask == NULL)
    return FALSE;
  if (first) {
    reader->mask = g_malloc ((gsize) mask->width * mask->height);
    reader->mask_width = mask->width;
    reader->mask_height = mask->height;
    reader->objects = mask->n_values;
    for (guint i = 0; i < mask->n_values; i++)
      reader->label_of[mask->values[i]] = 1 + i;
  } else if (mask->width != reader->mask_width || mask->height != reader->mask_height) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FORMAT, "%s: a mask of %u x %u pixels, expected %u x %u as the first", path, mask->width,
        mask->height, reader->mask_width, reader->mask_height);
    return FALSE;
  }
  for (gsize i = 0; i < (gsize) mask->width * mask->height; i++)
    reader->mask[i] = reader->label_of[mask->pixels[i]];
  return TRUE;
}

gboolean
rvm_davis_reader_next (RvmDavisReader *reader, RvmDavisFrame *frame, GError **error)
{
  const RvmDavisSequence *sequence = reader->sequence;
  RvmReader *from = reader->video;
  g_autoptr (GError) failure = NULL;
  const guint8 *pixels;

  if (reader->index >= sequence->masks->len)
    return FALSE;
  if (from == NULL) {
    g_clear_pointer (&reader->picture, rvm_reader_free);
    from = reader->picture = rvm_reader_new_stretched (g_ptr_array_index (sequence->pictures, reader->index), RVM_READER_RGB, reader->width,
        reader->height, error);
  }
  if (from == NULL)
    return FALSE;
  pixels = rvm_reader_next (from, NULL, &failure);
  if (pixels == NULL) {
    g_set_error (error, RVM_ERROR, RVM_ERROR_FORMAT, "sequence '%s' has %u masks, but frame %u cannot be read: %s", sequence->name,
        sequence->masks->len, reader->index, failure ? failure->message : "the video ends before it");
    return FALSE;
  }
  if (!read_mask (reader, g_ptr_array_index (sequence->masks, reader->index), error))
    return FALSE;
  reader->index++;
  *frame = (RvmDavisFrame){
    .pixels = pixels, .mask = reader->mask, .mask_width = reader->mask_width, .mask_height = reader->mask_height,
    .objects = reader->objects,
  };
  return TRUE;
}
