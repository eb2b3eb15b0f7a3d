/* Other weights than the tests' model: the same with one array multiplied, or, for a huge factor, of that value. */
#pragma once

#include <gst/check/gstcheck.h>

#include "model/format/weights.h"

#define OUTPUT_SCALE "rnn_core/transformer/output_norm/scale"

typedef struct {
  RvmWeights *weights;
  const char *array;
  float factor;
} ChangedModel;

static gboolean
copy_changed (const RvmArray *array, float *values, gpointer data, GError **error)
{
  const ChangedModel *model = data;
  guint64 elements, bytes;

  if (!rvm_weights_read (model->weights, rvm_weights_find (model->weights, array->name), values, error))
    return FALSE;
  rvm_array_get_size (array, &elements, &bytes);
  for (guint64 i = 0; i < elements && g_str_equal (array->name, model->array); i++)
    values[i] = model->factor > 1e30f ? model->factor : values[i] * model->factor;
  return TRUE;
}

/* Replaces @path, a .safetensors file, as the trainer does. */
static void
write_changed_model (const char *path, const char *array, float factor)
{
  g_autoptr (RvmWeights) weights = rvm_weights_open (TEST_DATA "/tiny.npz", NULL);
  const guint n = rvm_weights_get_n_arrays (weights);
  g_autofree RvmArray *arrays = g_new (RvmArray, n);

  for (guint i = 0; i < n; i++)
    arrays[i] = *rvm_weights_get_array (weights, i);
  ck_assert (rvm_weights_save (path, arrays, n, copy_changed, &(ChangedModel){ weights, array, factor }, NULL, NULL));
}
