#include "answers.h"

#include <string.h>

RvmFeatureSettings
rvm_answers_get_settings (const RvmReadout *readout, RvmModel *model, gboolean reversed, const char *cache_dir)
{
  const RvmReadoutInfo *info = rvm_readout_get_info (readout);

  return (RvmFeatureSettings){ model, info->width, info->height, info->stride, 1, reversed, cache_dir,
                               strcmp (info->kind, "class") == 0 ? RVM_FEATURES_WARM_UP : 0 };
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

gboolean
rvm_answers_measure_dense (const RvmReadout *readout, RvmReadoutStream *stream, const RvmClipFeatures *features, const RvmTarget *target,
                           const RvmTargetKind *kind, RvmDenseMeasures *measures, GError **error)
{
  const RvmReadoutInfo *info = rvm_readout_get_info (readout);
  const float *from = info->features == RVM_READOUT_ENCODER ? features->encoded : features->state;
  const gsize values = (gsize) features->tokens * features->dim;
  g_autoptr (RvmTargetMap) map = rvm_target_load (target, kind, error);
  const RvmReadoutAnswer *answer = NULL;

  if (map == NULL)
    return FALSE;
  rvm_readout_stream_reset (stream);
  for (guint age = MIN (target->frame / info->stride + 1, info->window); age-- > 0;)
    for (guint frame = 0; frame < (age ? info->stride : 1); frame++) /* the stream counts frames; it does not look at those between two states */
      if (!rvm_readout_stream_push (stream, from + (target->frame - age * info->stride) * values, &answer, error))
        return FALSE;
  rvm_dense_measures_add (measures, map, kind, answer->values, answer->rows, answer->columns);
  return TRUE;
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
