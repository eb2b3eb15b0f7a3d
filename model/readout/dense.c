/* Readouts of kind `dense`: a query for each cell of the grid, or the patch there with its surroundings (patches.c), gives the values of a square block of
 * places in that cell.
 *
 *   outputs of a cell   (block, block, channels), row-major
 *   target "depth"      1 channel: the logarithm of the depth
 *   target "labels"     logits, a channel for each class */
#include <math.h>
#include <string.h>

#include "kernels/error.h"
#include "readout_private.h"

static gboolean
is_depth (const RvmReadout *readout)
{
  return g_strcmp0 (readout->info->target, "depth") == 0;
}

static guint
get_channels (const RvmReadout *readout)
{
  return is_depth (readout) ? 1 : rvm_readout_info_count_classes (readout->info);
}

/* Places along a side of a cell; 0 if the outputs are no square of them. */
static guint
get_block (const RvmReadout *readout)
{
  const guint channels = get_channels (readout), outputs = readout->outputs;
  const guint side = channels ? (guint) lround (sqrt ((double) outputs / channels)) : 0;

  return side * side * channels == outputs ? side : 0;
}

static gboolean
check (const RvmReadout *readout, GError **error)
{
  if (!is_depth (readout) && g_strcmp0 (readout->info->target, "labels") != 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'target': expected depth or labels, found '%s'", readout->path,
        readout->info->target ? readout->info->target : "");
    return FALSE;
  }
  if (!is_depth (readout) && get_channels (readout) == 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'classes': expected the names of the labels, found none", readout->path);
    return FALSE;
  }
  if (readout->queries != 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT,
        "%s: array 'query_mlp/Dense_0/kernel' is missing: queries of a readout of kind 'dense' are made from places", readout->path);
    return FALSE;
  }
  if (readout->info->cells != 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'cells': found %u, but readouts of kind 'dense' read states that are not pooled",
        readout->path, readout->info->cells);
    return FALSE;
  }
  if (get_block (readout) == 0) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: array '%s/kernel': expected outputs for a square of places with %u values each, found %u",
        readout->path, readout->functions == &rvm_patches_network ? "patches" : "Dense_1", get_channels (readout), readout->outputs);
    return FALSE;
  }
  return TRUE;
}

static void
get_shape (const RvmReadout *readout, guint rows, guint columns, RvmReadoutAnswer *shape)
{
  shape->rows = rows * get_block (readout);
  shape->columns = columns * get_block (readout);
  shape->channels = get_channels (readout);
}

static gboolean
has_logits (const RvmReadout *readout)
{
  return !is_depth (readout);
}

static void
interpret (const RvmReadout *readout, const RvmReadoutAnswer *shape, const float *outputs, float *values, float *logits)
{
  const guint block = get_block (readout), channels = shape->channels, columns = shape->columns / block;
  float *map = logits ? logits : values;

  for (guint y = 0; y < shape->rows; y++)
    for (guint x = 0; x < shape->columns; x++) {
      const gsize cell = (gsize) (y / block) * columns + x / block, place = y % block * block + x % block;

      memcpy (map + ((gsize) y * shape->columns + x) * channels, outputs + (cell * block * block + place) * channels, channels * sizeof (float));
    }
  if (logits)
    rvm_readout_softmax (logits, values, shape->rows * shape->columns, channels);
  else
    for (gsize i = 0; i < (gsize) shape->rows * shape->columns; i++)
      values[i] = expf (values[i]);
}

const RvmReadoutKind rvm_readout_dense = {
  .name = "dense",
  .networks = { &rvm_patches_network, &rvm_attention_network },
  .check = check,
  .get_shape = get_shape,
  .has_logits = has_logits,
  .interpret = interpret,
};
