/* Reads videos and pools features. */
#include "suite_clips.h"

#include <string.h>

#include "kernels/error.h"
#include "trainer/data/reader.h"

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

/* The mean over the patches, without the class token. */
static void
average (const float *features, guint tokens, guint dim, float *mean)
{
  memset (mean, 0, dim * sizeof *mean);
  for (guint t = 1; t < tokens; t++)
    for (guint c = 0; c < dim; c++)
      mean[c] += features[(gsize) t * dim + c] / (tokens - 1);
}

gboolean
rvm_suite_pool (RvmStream *stream, const guint8 *const *frames, guint n, float *core, float *encoder, GError **error)
{
  const guint tokens = rvm_stream_get_tokens (stream), dim = rvm_stream_get_dim (stream);
  const guint patch = rvm_model_get_config (rvm_stream_get_model (stream))->patch;
  const gsize stride = (gsize) rvm_stream_get_columns (stream) * patch * 3;
  g_autofree float *features = g_new (float, (gsize) tokens * dim);

  rvm_stream_reset (stream);
  for (guint i = 0; i < n; i++) {
    if (!rvm_stream_push (stream, frames[i], stride, 1, features, NULL, error))
      return FALSE;
    average (features, tokens, dim, core + (gsize) i * dim);
    if (!rvm_stream_read_encoded (stream, features, error))
      return FALSE;
    average (features, tokens, dim, encoder + (gsize) i * dim);
  }
  return TRUE;
}
