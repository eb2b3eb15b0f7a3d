/* Files are safetensors, written under another name and renamed. Their names are hashes of all that the values depend on. */
#include "features.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>

#include "kernels/error.h"
#include "kernels/runtime/cache_folders.h"
#include "kernels/runtime/cache_prune.h"
#include "model/format/weights.h"
#include "model/stream.h"
#include "program/interrupts.h"

enum {
  VERSION = 2,
  LEAD = 16, /* frames before the clip that fill the memory */
};

void
rvm_clip_features_free (RvmClipFeatures *features)
{
  if (features == NULL)
    return;
  g_free (features->frame);
  g_free (features->state);
  g_free (features->encoded);
  g_free (features->grey);
  g_free (features);
}

#define SUFFIX ".safetensors"
enum { HASH_DIGITS = 40 };

static char *
find_folder (const char *cache_dir)
{
  g_auto (RvmCacheFolder) chosen = { 0 };

  rvm_cache_folder_choose (cache_dir, &chosen);
  return chosen.folder ? g_build_filename (chosen.folder, "features", NULL) : NULL;
}

static gboolean
is_features (const char *name)
{
  return strspn (name, "0123456789abcdef") == HASH_DIGITS && g_str_has_prefix (name + HASH_DIGITS, SUFFIX);
}

void
rvm_features_prune (const char *cache_dir, guint64 most)
{
  g_autofree char *folder = find_folder (cache_dir);

  if (folder)
    rvm_cache_prune (folder, is_features, most);
}

/* (transfer full): the file of a clip's features; the folder is made. */
static char *
find_file (const RvmFeatureSettings *settings, const RvmLabelledClip *clip, GError **error)
{
  g_autofree char *folder = find_folder (settings->cache_dir), *clip_key = NULL, *key = NULL, *hash = NULL, *name = NULL;

  if (folder == NULL) {
    rvm_error_set (error, RVM_ERROR_FILE, "features need a cache folder; name one with --cache-dir");
    return NULL;
  }
  if (g_mkdir_with_parents (folder, 0777) != 0) {
    rvm_error_set (error, RVM_ERROR_FILE, "%s: cannot be made: %s", folder, g_strerror (errno));
    return NULL;
  }
  clip_key = rvm_clip_identify (clip, error);
  if (clip_key == NULL)
    return NULL;
  key = g_strdup_printf ("%d|%s|%s%ux%u|%u|%u|%.9g|%.9g|%d|%u", VERSION, rvm_model_get_id (settings->model), clip_key, settings->width,
                         settings->height, settings->stride, settings->phases, clip->start, clip->end, settings->reversed, settings->warm_up);
  hash = g_compute_checksum_for_string (G_CHECKSUM_SHA1, key, -1);
  name = g_strconcat (hash, SUFFIX, NULL);
  return g_build_filename (folder, name, NULL);
}

/* The mean grey of each cell, 0 to 1. */
static void
shrink (const guint8 *pixels, guint width, guint height, float *grey)
{
  for (guint row = 0; row < RVM_GREY_ROWS; row++)
    for (guint column = 0; column < RVM_GREY_COLUMNS; column++) {
      const guint top = row * height / RVM_GREY_ROWS, bottom = MAX ((row + 1) * height / RVM_GREY_ROWS, top + 1);
      const guint left = column * width / RVM_GREY_COLUMNS, right = MAX ((column + 1) * width / RVM_GREY_COLUMNS, left + 1);
      double sum = 0;

      for (guint y = top; y < bottom; y++)
        for (guint x = left; x < right; x++) {
          const guint8 *p = pixels + ((gsize) y * width + x) * 3;
          sum += 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
        }
      *grey++ = sum / (255.0 * (bottom - top) * (right - left));
    }
}

/* The frames of a clip as they come in. */
typedef struct {
  const RvmFeatureSettings *settings;
  RvmStream *stream;
  GArray *frame, *grey, *state, *encoded; /* (element-type guint, float, float, float) */
  float *scratch;
  gsize values; /* of a state */
  GPtrArray *pictures; /* of a clip that is to run backwards */
  gboolean begun; /* the stream has seen a frame of the clip */
} Job;

static void
job_clear (Job *job)
{
  g_array_unref (job->frame);
  g_array_unref (job->grey);
  g_array_unref (job->state);
  g_array_unref (job->encoded);
  g_free (job->scratch);
  rvm_stream_free (job->stream);
}

static gboolean
job_init (Job *job, const RvmFeatureSettings *settings, GError **error)
{
  *job = (Job){ .settings = settings };
  job->frame = g_array_new (FALSE, FALSE, sizeof (guint));
  job->grey = g_array_new (FALSE, FALSE, sizeof (float));
  job->state = g_array_new (FALSE, FALSE, sizeof (float));
  job->encoded = g_array_new (FALSE, FALSE, sizeof (float));
  job->stream = rvm_stream_new (settings->model, settings->width, settings->height, RVM_STREAM_DEFAULT, error);
  if (job->stream == NULL)
    return FALSE;
  job->values = (gsize) rvm_stream_get_tokens (job->stream) * rvm_stream_get_dim (job->stream);
  job->scratch = g_new (float, job->values);
  return TRUE;
}

static gboolean
is_kept (const RvmFeatureSettings *settings, gint64 number)
{
  const guint phases = MAX (settings->phases, 1);
  gboolean kept = FALSE;

  for (guint p = 0; number >= 0 && p < phases; p++)
    kept = kept || number % settings->stride == p * settings->stride / phases;
  return kept;
}

/* @number: in the clip, negative before it. */
static gboolean
job_push (Job *job, const guint8 *pixels, gint64 number, GError **error)
{
  const RvmFeatureSettings *settings = job->settings;
  const guint kept = number;
  float grey[RVM_GREY];
  const guint before = number < 0 ? -number : 0;
  guint times = 1;

  if (!job->begun && settings->warm_up > before)
    times += settings->warm_up - before;
  job->begun = TRUE;
  for (guint i = 0; i < times; i++)
    if (!rvm_stream_push (job->stream, pixels, (gsize) settings->width * 3, 1, job->scratch, NULL, error))
      return FALSE;
  if (!is_kept (settings, number))
    return TRUE;
  g_array_append_val (job->frame, kept);
  g_array_append_vals (job->state, job->scratch, job->values);
  if (!rvm_stream_read_encoded (job->stream, job->scratch, error))
    return FALSE;
  g_array_append_vals (job->encoded, job->scratch, job->values);
  shrink (pixels, settings->width, settings->height, grey);
  g_array_append_vals (job->grey, grey, RVM_GREY);
  return TRUE;
}

/* A frame as it is read: seen by the model at once, or, if the clip is to run backwards, kept. */
static gboolean
take_frame (const guint8 *pixels, gint64 number, gpointer user_data, GError **error)
{
  Job *job = user_data;

  if (!job->settings->reversed)
    return job_push (job, pixels, number, error);
  g_ptr_array_add (job->pictures, g_memdup2 (pixels, (gsize) job->settings->width * job->settings->height * 3));
  return TRUE;
}

static gboolean
copy_values (const RvmArray *array, float *values, gpointer user_data, GError **error)
{
  const Job *job = user_data;
  const GArray *from = strcmp (array->name, "state") == 0 ? job->state : strcmp (array->name, "encoded") == 0 ? job->encoded : job->grey;

  if (strcmp (array->name, "frame") == 0)
    for (guint i = 0; i < job->frame->len; i++)
      values[i] = g_array_index (job->frame, guint, i);
  else
    memcpy (values, from->data, from->len * sizeof (float));
  return TRUE;
}

/* The arrays of a file for features of @n frames. */
static void
list_arrays (RvmArray arrays[4], guint n, guint tokens, guint dim)
{
  arrays[0] = (RvmArray){ .name = (char *) "frame", .dtype = RVM_DTYPE_F32, .n_dims = 1, .dims = { n } };
  arrays[1] = (RvmArray){ .name = (char *) "grey", .dtype = RVM_DTYPE_F32, .n_dims = 2, .dims = { n, RVM_GREY } };
  arrays[2] = (RvmArray){ .name = (char *) "state", .dtype = RVM_DTYPE_F16, .n_dims = 3, .dims = { n, tokens, dim } };
  arrays[3] = (RvmArray){ .name = (char *) "encoded", .dtype = RVM_DTYPE_F16, .n_dims = 3, .dims = { n, tokens, dim } };
}

static gboolean
compute_clip (Job *job, const RvmLabelledClip *clip, const RvmClipFrames *frames, const char *file, GError **error)
{
  const RvmFeatureSettings *settings = job->settings;
  const RvmClipReading reading = { settings->width, settings->height, settings->reversed ? 0 : LEAD, settings->cache_dir };
  g_autoptr (GPtrArray) pictures = g_ptr_array_new_with_free_func (g_free);
  RvmArray arrays[4];

  g_array_set_size (job->frame, 0);
  g_array_set_size (job->grey, 0);
  g_array_set_size (job->state, 0);
  g_array_set_size (job->encoded, 0);
  rvm_stream_reset (job->stream);
  job->begun = FALSE;
  job->pictures = pictures;
  if (!rvm_clip_read_frames (&reading, clip, frames, take_frame, job, error))
    return FALSE;
  for (guint i = 0; i < pictures->len && !rvm_interrupts_count (); i++)
    if (!job_push (job, g_ptr_array_index (pictures, pictures->len - 1 - i), i, error))
      return FALSE;
  if (rvm_interrupts_count ())
    return TRUE;
  list_arrays (arrays, job->frame->len, rvm_stream_get_tokens (job->stream), rvm_stream_get_dim (job->stream));
  return rvm_weights_save (file, arrays, G_N_ELEMENTS (arrays), copy_values, job, NULL, error);
}

static RvmClipFeatures *
load_file (const char *file, GError **error)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (file, error);
  g_autoptr (RvmClipFeatures) features = g_new0 (RvmClipFeatures, 1);
  const RvmArray *found[4];
  RvmArray arrays[4];
  g_autofree float *numbers = NULL;
  float **to[] = { &numbers, &features->grey, &features->state, &features->encoded };

  if (weights == NULL)
    return NULL;
  list_arrays (arrays, 0, 0, 0);
  for (guint i = 0; i < G_N_ELEMENTS (arrays); i++)
    if ((found[i] = rvm_weights_find (weights, arrays[i].name)) == NULL) {
      rvm_error_set (error, RVM_ERROR_FORMAT, "%s: expected an array '%s'", file, arrays[i].name);
      return NULL;
    }
  if (found[2]->n_dims != 3) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array 'state': expected three dimensions", file);
    return NULL;
  }
  features->n = found[2]->dims[0];
  features->tokens = found[2]->dims[1];
  features->dim = found[2]->dims[2];
  list_arrays (arrays, features->n, features->tokens, features->dim);
  for (guint i = 0; i < G_N_ELEMENTS (arrays); i++) {
    guint64 elements, bytes;

    if (!rvm_weights_check (weights, found[i], &arrays[i], error))
      return NULL;
    rvm_array_get_size (found[i], &elements, &bytes);
    *to[i] = g_new (float, elements);
    if (!rvm_weights_read (weights, found[i], *to[i], error))
      return NULL;
  }
  features->frame = g_new (guint, features->n);
  for (guint i = 0; i < features->n; i++)
    features->frame[i] = numbers[i];
  return g_steal_pointer (&features);
}

/* How far the work is: in frames, of which there are more in some clips than in others. */
typedef struct {
  const char *what;
  guint clips;
  guint64 frames, done;
  gint64 begun, told;
} Progress;

static void
tell (Progress *progress, guint clip)
{
  const gint64 now = g_get_monotonic_time ();
  const double rate = progress->done / MAX ((now - progress->begun) / 1e6, 1e-3);
  const int left = (progress->frames - progress->done) / MAX (rate, 1e-3);
  const gboolean terminal = isatty (STDOUT_FILENO), last = progress->done == progress->frames;

  if (!terminal && !last && now - progress->told < 30 * G_USEC_PER_SEC)
    return;
  progress->told = now;
  g_print ("%s%s: %u of %u, %.1f frames/s, %d:%02d left%s", terminal ? "\r\033[K" : "", progress->what, clip, progress->clips, rate,
           left / 60, left % 60, terminal && !last ? "" : "\n");
}

gboolean
rvm_features_compute (const RvmFeatureSettings *settings, const RvmLabelled *labelled, const RvmClipFrames *frames, const char *what,
                      GError **error)
{
  const guint n = labelled->clips->len;
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free), missing = g_ptr_array_new ();
  Progress progress = { .what = what, .clips = n };
  gboolean good;
  Job job = { 0 };

  for (guint i = 0; i < n; i++) {
    char *file = find_file (settings, g_ptr_array_index (labelled->clips, i), error);

    if (file == NULL)
      return FALSE;
    g_ptr_array_add (files, file);
    g_utime (file, NULL); /* it is used; there may be none */
  }
  rvm_features_prune (settings->cache_dir, RVM_FEATURES_MOST);
  for (guint i = 0; i < n; i++) {
    g_autoptr (RvmWeights) weights = rvm_weights_open (g_ptr_array_index (files, i), NULL);

    if (weights == NULL) {
      g_ptr_array_add (missing, GUINT_TO_POINTER (i));
      progress.frames += frames[i].n;
    }
  }
  if (missing->len == 0)
    return TRUE;
  good = job_init (&job, settings, error);
  progress.begun = progress.told = g_get_monotonic_time ();
  for (guint m = 0; good && m < missing->len; m++) {
    const guint i = GPOINTER_TO_UINT (g_ptr_array_index (missing, m));

    good = compute_clip (&job, g_ptr_array_index (labelled->clips, i), &frames[i], g_ptr_array_index (files, i), error);
    if (good && rvm_interrupts_count ()) {
      rvm_error_set (error, RVM_ERROR_FILE, "stopped; the features of %u of %u clips are kept, and the same command goes on from there",
                     n - missing->len + m, n);
      good = FALSE;
    }
    progress.done += frames[i].n;
    if (good)
      tell (&progress, n - missing->len + m + 1);
  }
  job_clear (&job);
  return good;
}

RvmClipFeatures *
rvm_features_load (const RvmFeatureSettings *settings, const RvmLabelledClip *clip, GError **error)
{
  g_autofree char *file = find_file (settings, clip, error);

  return file ? load_file (file, error) : NULL;
}
