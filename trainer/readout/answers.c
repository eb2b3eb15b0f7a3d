#include "answers.h"

RvmFeatureSettings
rvm_answers_get_settings (const RvmReadout *readout, RvmModel *model, gboolean reversed, const char *cache_dir)
{
  const RvmReadoutInfo *info = rvm_readout_get_info (readout);

  return (RvmFeatureSettings){ model, info->width, info->height, info->stride, reversed, cache_dir };
}

GArray *
rvm_answers_of_clip (const RvmReadout *readout, RvmReadoutStream *stream, const RvmClipFeatures *features, guint *channels, GError **error)
{
  const RvmReadoutInfo *info = rvm_readout_get_info (readout);
  const float *from = info->features == RVM_READOUT_ENCODER ? features->encoded : features->state;
  g_autoptr (GArray) answers = g_array_new (FALSE, FALSE, sizeof (float));

  rvm_readout_stream_reset (stream);
  for (guint i = 0; i < features->n; i++) {
    const float *state = from + (gsize) i * features->tokens * features->dim;

    if (features->frame[i] % info->stride != 0)
      continue;
    /* The stream counts frames; it does not look at those between two states. */
    for (guint frame = 0; frame < info->stride; frame++) {
      const RvmReadoutAnswer *answer;

      if (!rvm_readout_stream_push (stream, state, &answer, error))
        return NULL;
      if (answer) {
        *channels = answer->rows * answer->columns * answer->channels;
        g_array_append_vals (answers, answer->values, *channels);
      }
    }
  }
  return g_steal_pointer (&answers);
}

double
rvm_answers_get_auroc (const GArray *normal, const GArray *other)
{
  double above = 0;

  for (guint i = 0; i < other->len; i++)
    for (guint j = 0; j < normal->len; j++) {
      const float a = g_array_index (other, float, i), b = g_array_index (normal, float, j);

      above += a > b ? 1 : a == b ? 0.5 : 0;
    }
  return normal->len && other->len ? above / ((double) normal->len * other->len) : 0.5;
}
