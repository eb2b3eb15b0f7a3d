/* Frames are decoded and kept in stretches of STRETCH frames, because seeking costs as much as decoding a few dozen frames. */
#include "clips.h"

#include <string.h>
#include <unistd.h>

#include "kernels/error.h"
#include "store.h"
#include "video/reader.h"

enum { STRETCH = 64 }; /* frames decoded together */

typedef struct {
  RvmMaterialFile *file; /* the material's */
  RvmVideoIndex *index;
} Clip;

/* Some of the clips, in their order. */
typedef struct {
  GArray *numbers; /* guint */
  GArray *before;  /* guint64: frames of those before each */
  guint64 n_frames;
} Selection;

struct _RvmClips {
  RvmClipsOptions options;
  GArray *clips;         /* Clip */
  Selection *all;
  GPtrArray *by_argument; /* Selection (nullable): those that an argument of the command line led to */
  RvmStore *store; /* clip << 32 | stretch -> GBytes (frames, height, width, 3) */
};

static void
clip_clear (gpointer data)
{
  Clip *clip = data;

  g_clear_pointer (&clip->index, rvm_video_index_free);
}

static Selection *
selection_new (void)
{
  Selection *selection = g_new0 (Selection, 1);

  selection->numbers = g_array_new (FALSE, FALSE, sizeof (guint));
  selection->before = g_array_new (FALSE, FALSE, sizeof (guint64));
  return selection;
}

static void
selection_free (gpointer data)
{
  Selection *selection = data;

  if (selection == NULL)
    return;
  g_array_unref (selection->numbers);
  g_array_unref (selection->before);
  g_free (selection);
}

static void
selection_add (Selection *selection, guint number, guint frames)
{
  g_array_append_val (selection->numbers, number);
  g_array_append_val (selection->before, selection->n_frames);
  selection->n_frames += frames;
}

static void
add_clip (RvmClips *clips, const Clip *clip)
{
  const guint number = clips->clips->len, argument = clip->file->argument;

  g_array_append_val (clips->clips, *clip);
  selection_add (clips->all, number, clip->index->n_frames);
  if (clips->by_argument->len <= argument)
    g_ptr_array_set_size (clips->by_argument, argument + 1);
  if (g_ptr_array_index (clips->by_argument, argument) == NULL)
    g_ptr_array_index (clips->by_argument, argument) = selection_new ();
  selection_add (g_ptr_array_index (clips->by_argument, argument), number, clip->index->n_frames);
}

/* Collects the frames of one stretch while a video is read. */
typedef struct {
  RvmClips *clips;
  guint clip;
  GByteArray *frames;
} Gathered;

static void
keep (Gathered *gathered, guint stretch)
{
  g_autoptr (GBytes) bytes = g_byte_array_free_to_bytes (g_steal_pointer (&gathered->frames));

  rvm_store_put (gathered->clips->store, (guint64) gathered->clip << 32 | stretch, bytes, g_bytes_get_size (bytes));
}

static void
on_frame (guint frame, const guint8 *pixels, const RvmVideoIndex *index, gpointer user_data)
{
  Gathered *gathered = user_data;

  if (frame % STRETCH == 0) {
    if (gathered->frames)
      keep (gathered, frame / STRETCH - 1);
    gathered->frames = g_byte_array_new ();
  }
  g_byte_array_append (gathered->frames, pixels, index->width * index->height * 3);
}

/* NULL if the video cannot be used. */
static RvmVideoIndex *
open_clip (RvmClips *clips, const char *path, GError **error)
{
  Gathered gathered = { .clips = clips, .clip = clips->clips->len };
  RvmVideoIndex *index = rvm_video_index_new (path, clips->options.short_side, clips->options.cache_dir, on_frame, &gathered, error);

  if (index && index->n_frames < clips->options.least_frames) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: has %u frames, a sample takes %u", path, index->n_frames, clips->options.least_frames);
    g_clear_pointer (&index, rvm_video_index_free);
  }
  if (gathered.frames && index)
    keep (&gathered, (index->n_frames - 1) / STRETCH);
  g_clear_pointer (&gathered.frames, g_byte_array_unref);
  return index;
}

RvmClips *
rvm_clips_new (RvmMaterial *material, const RvmClipsOptions *options, GError **error)
{
  g_autoptr (RvmClips) clips = g_new0 (RvmClips, 1);
  const GPtrArray *files = material->files[RVM_MATERIAL_CLIPS];
  const guint n = files->len;
  const gboolean terminal = isatty (STDERR_FILENO);
  gint64 told = g_get_monotonic_time ();

  clips->options = *options;
  clips->clips = g_array_new (FALSE, FALSE, sizeof (Clip));
  clips->all = selection_new ();
  clips->by_argument = g_ptr_array_new_with_free_func (selection_free);
  g_array_set_clear_func (clips->clips, clip_clear);
  clips->store = rvm_store_new (options->memory, (gpointer (*) (gpointer)) g_bytes_ref, (GDestroyNotify) g_bytes_unref);
  for (guint i = 0; clips->clips->len < files->len; i++) {
    RvmMaterialFile *file = g_ptr_array_index (files, clips->clips->len);
    g_autoptr (GError) reason = NULL;
    Clip clip = { file, open_clip (clips, file->path, &reason) };

    if (clip.index) {
      file->frames = clip.index->n_frames;
      add_clip (clips, &clip);
    } else if (file->settled) {
      g_propagate_prefixed_error (error, g_steal_pointer (&reason), "it could be used before: ");
      return NULL;
    } else {
      g_printerr ("rvm-cl-train: skipped: %s\n", reason->message);
      rvm_material_skip (material, RVM_MATERIAL_CLIPS, clips->clips->len, reason->message);
    }
    if (g_get_monotonic_time () - told > (terminal ? 1 : 30) * G_USEC_PER_SEC) {
      told = g_get_monotonic_time ();
      g_printerr ("rvm-cl-train: read %u of %u videos, %" G_GUINT64_FORMAT " frames\n", i + 1, n, clips->all->n_frames);
    }
  }
  if (clips->clips->len == 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "none of the %u files given as data is a video that can be used",
        material->skipped[RVM_MATERIAL_CLIPS]->len);
    return NULL;
  }
  return g_steal_pointer (&clips);
}

void
rvm_clips_free (RvmClips *clips)
{
  if (clips == NULL)
    return;
  g_clear_pointer (&clips->store, rvm_store_free);
  selection_free (clips->all);
  g_ptr_array_unref (clips->by_argument);
  g_array_unref (clips->clips);
  g_free (clips);
}

guint
rvm_clips_get_n (const RvmClips *clips)
{
  return clips->clips->len;
}

const RvmVideoIndex *
rvm_clips_get_index (const RvmClips *clips, guint clip)
{
  return g_array_index (clips->clips, Clip, clip).index;
}

const char *
rvm_clips_get_path (const RvmClips *clips, guint clip)
{
  return g_array_index (clips->clips, Clip, clip).file->path;
}

/* The clips of one `--data`, by the number of the argument, or RVM_CLIPS_ALL. NULL if there are none. */
static const Selection *
get_selection (const RvmClips *clips, gint argument)
{
  if (argument == RVM_CLIPS_ALL)
    return clips->all;
  return (guint) argument < clips->by_argument->len ? g_ptr_array_index (clips->by_argument, argument) : NULL;
}

guint64
rvm_clips_get_n_frames (const RvmClips *clips, gint argument)
{
  const Selection *selection = get_selection (clips, argument);

  return selection ? selection->n_frames : 0;
}

guint
rvm_clips_locate (const RvmClips *clips, gint argument, guint64 number, guint *frame)
{
  const GArray *numbers = get_selection (clips, argument)->numbers, *before = get_selection (clips, argument)->before;
  guint low = 0, high = before->len;

  while (high - low > 1) {
    const guint middle = (low + high) / 2;

    if (g_array_index (before, guint64, middle) <= number)
      low = middle;
    else
      high = middle;
  }
  *frame = number - g_array_index (before, guint64, low);
  return g_array_index (numbers, guint, low);
}

static GBytes *
take_frames (const Clip *clip, RvmReader *reader, guint n, const guint8 *first, GError **error)
{
  const gsize size = (gsize) clip->index->width * clip->index->height * 3;
  g_autoptr (GByteArray) frames = g_byte_array_sized_new (n * size);
  const guint8 *pixels = first;

  for (guint i = 0; i < n; i++) {
    if (pixels == NULL)
      pixels = rvm_reader_next (reader, NULL, error);
    if (pixels == NULL)
      break;
    g_byte_array_append (frames, pixels, size);
    pixels = NULL;
  }
  return frames->len == n * size ? g_byte_array_free_to_bytes (g_steal_pointer (&frames)) : NULL;
}

/* Some files cannot be seeked in, or have other frames after seeking than when read from the start. Those are read from the start. */
static GBytes *
decode (const Clip *clip, guint short_side, guint first, guint n, GError **error)
{
  g_autoptr (RvmReader) reader = NULL;
  g_autoptr (GError) reason = NULL;
  const guint8 *pixels = NULL;
  GBytes *frames = NULL;
  guint64 pts = 0;

  if (rvm_material_file_check (clip->file, error))
    reader = rvm_reader_new (clip->file->path, RVM_READER_RGB, short_side, error);
  if (reader == NULL)
    return NULL;
  if (first && clip->index->pts[first] != G_MAXUINT64 && rvm_reader_seek (reader, clip->index->pts[first], NULL))
    do
      pixels = rvm_reader_next (reader, &pts, NULL);
    while (pixels && pts < clip->index->pts[first]);
  if (pixels && pts == clip->index->pts[first])
    frames = take_frames (clip, reader, n, pixels, NULL);
  if (frames)
    return frames;
  rvm_reader_free (reader);
  reader = rvm_reader_new (clip->file->path, RVM_READER_RGB, short_side, error);
  for (guint i = 0; reader && i < first && rvm_reader_next (reader, NULL, &reason);)
    i++;
  frames = reader && reason == NULL ? take_frames (clip, reader, n, NULL, &reason) : NULL;
  if (frames == NULL && reason)
    g_propagate_error (error, g_steal_pointer (&reason));
  else if (frames == NULL && reader)
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: ends before frame %u; it had %u frames when it was first read", clip->file->path,
        first + n, clip->index->n_frames);
  return frames;
}

GBytes *
rvm_clips_get_frame (RvmClips *clips, guint number, guint frame, GError **error)
{
  const Clip *clip = &g_array_index (clips->clips, Clip, number);
  const gsize size = (gsize) clip->index->width * clip->index->height * 3;
  const guint stretch = frame / STRETCH, first = stretch * STRETCH;
  const guint64 name = (guint64) number << 32 | stretch;
  g_autoptr (GBytes) frames = rvm_store_get (clips->store, name);

  if (frames == NULL) {
    frames = decode (clip, clips->options.short_side, first, MIN (STRETCH, clip->index->n_frames - first), error);
    if (!rvm_material_file_confirm (clip->file, frames != NULL, error))
      return NULL;
    rvm_store_put (clips->store, name, frames, g_bytes_get_size (frames));
  }
  return g_bytes_new_from_bytes (frames, (frame - first) * size, size);
}
