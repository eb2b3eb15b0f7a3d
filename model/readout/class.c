/* Readouts of kind `class`: the logits of classes. The network is attention with one learned query, or linear. */
#include <string.h>

#include "kernels/error.h"
#include "readout_private.h"

static gboolean
check (const RvmReadout *readout, GError **error)
{
  const guint classes = rvm_readout_info_count_classes (readout->info);

  if (readout->queries != 1) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array 'query': a readout of kind 'class' has one query, found %u", readout->path, readout->queries);
    return FALSE;
  }
  if (classes != readout->outputs) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'classes': expected %u names, one for each output, found %u", readout->path,
        readout->outputs, classes);
    return FALSE;
  }
  return TRUE;
}

static void
get_shape (const RvmReadout *readout, guint rows, guint columns, RvmReadoutAnswer *shape)
{
  shape->rows = shape->columns = 1;
  shape->channels = readout->outputs;
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
  .networks = { &rvm_linear_network, &rvm_attention_network },
  .check = check,
  .get_shape = get_shape,
  .has_logits = has_logits,
  .interpret = interpret,
};
