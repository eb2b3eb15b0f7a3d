/* Reads videos and pools features. */
#include "suite_clips.h"

#include <string.h>

#include "kernels/error.h"
#include "video/reader.h"

void
rvm_suite_clip_clear (gpointer data)
{
  RvmSuiteClip *clip = data;

  g_free (clip->path);
  g_free (clip->label);
}

GByteArray *
rvm_suite_read_clip (const char *path, guint width, guint height, guint least, guint most, guint *n_frames, GError **error)
{
  g_autoptr (RvmReader) reader = rvm_reader_new_stretched (path, RVM_READER_RGB, width, height, error);
  g_autoptr (GByteArray) frames = g_byte_array_new ();
  g_autoptr (GError) reason = NULL;
  const guint8 *pixels;

  if (reader == NULL)
    return NULL;
  *n_frames = 0;
  while (*n_frames < most && (pixels = rvm_reader_next (reader, NULL, &reason))) {
    g_byte_array_append (frames, pixels, width * height * 3);
    ++*n_frames;
  }
  if (reason) {
    g_propagate_error (error, g_steal_pointer (&reason));
    return NULL;
  }
  if (*n_frames < least) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: has %u frames, expected at least %u", path, *n_frames, least);
    return NULL;
  }
  return g_steal_pointer (&frames);
}

/* Means over the patches of each region, without the class token. @means: (regions, regions, dim). */
static void
average (RvmStream *stream, const float *features, guint regions, float *means)
{
  const guint rows = rvm_stream_get_rows (stream), columns = rvm_stream_get_columns (stream), dim = rvm_stream_get_dim (stream);
  g_autofree guint *patches = g_new0 (guint, regions * regions);

  memset (means, 0, (gsize) regions * regions * dim * sizeof *means);
  for (guint row = 0; row < rows; row++)
    for (guint column = 0; column < columns; column++) {
      const guint region = row * regions / rows * regions + column * regions / columns;
      const float *patch = features + ((gsize) 1 + row * columns + column) * dim;

      patches[region]++;
      for (guint c = 0; c < dim; c++)
        means[(gsize) region * dim + c] += patch[c];
    }
  for (guint r = 0; r < regions * regions; r++)
    for (guint c = 0; c < dim; c++)
      means[(gsize) r * dim + c] /= MAX (patches[r], 1);
}

gboolean
rvm_suite_pool (RvmStream *stream, const guint8 *const *frames, guint n, guint regions, float *core, float *encoder, GError **error)
{
  const gsize pooled = (gsize) regions * regions * rvm_stream_get_dim (stream);
  const guint patch = rvm_model_get_config (rvm_stream_get_model (stream))->patch;
  const gsize stride = (gsize) rvm_stream_get_columns (stream) * patch * 3;
  g_autofree float *features = g_new (float, (gsize) rvm_stream_get_tokens (stream) * rvm_stream_get_dim (stream));

  rvm_stream_reset (stream);
  for (guint i = 0; i < n; i++) {
    if (!rvm_stream_push (stream, frames[i], stride, 1, features, NULL, error))
      return FALSE;
    average (stream, features, regions, core + i * pooled);
    if (!rvm_stream_read_encoded (stream, features, error))
      return FALSE;
    average (stream, features, regions, encoder + i * pooled);
  }
  return TRUE;
}
