/* Readouts of kind `class`: one learned query, whose outputs are the logits of classes. */
#include <string.h>

#include "kernels/error.h"
#include "readout_private.h"

static gboolean
check (const RvmReadout *readout, GError **error)
{
  const RvmAttentionReadout *attention = readout->network;
  const guint classes = rvm_readout_info_count_classes (readout->info);

  if (attention->config.queries != 1) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array 'query': a readout of kind 'class' has one query, found %u", readout->path,
        attention->config.queries);
    return FALSE;
  }
  if (classes != attention->config.outputs) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'classes': expected %u names, one for each output, found %u", readout->path,
        attention->config.outputs, classes);
    return FALSE;
  }
  return TRUE;
}

static void
get_shape (const RvmReadout *readout, guint rows, guint columns, RvmReadoutAnswer *shape)
{
  const RvmAttentionReadout *attention = readout->network;

  shape->rows = shape->columns = 1;
  shape->channels = attention->config.outputs;
}

static gboolean
has_logits (const RvmReadout *readout)
{
  return TRUE;
}

static void
interpret (const RvmReadout *readout, const RvmReadoutAnswer *shape, const float *outputs, float *values, float *logits)
{
  memcpy (logits, outputs, shape->channels * sizeof (float));
  rvm_readout_softmax (outputs, values, 1, shape->channels);
}

const RvmReadoutKind rvm_readout_class = {
  .name = "class",
  .network = &rvm_attention_network,
  .check = check,
  .get_shape = get_shape,
  .has_logits = has_logits,
  .interpret = interpret,
};
