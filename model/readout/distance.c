/* Readouts of kind `distance`: how far the features of a window are from those of normal footage.
 *
 *   p          mean over the patches of a state, then over the states of the window (dim)
 *   mean       of p over normal footage (dim)
 *   whitening  (dim, dim): rows W with W^T W the inverse of p's covariance there
 *   distance   |W (p - mean)| / sqrt (dim), about 1 for normal footage
 *
 * This is little arithmetic, in double precision on the host. */
#include <math.h>

#include "kernels/error.h"
#include "pooled_window.h"
#include "readout_private.h"

typedef struct {
  float *mean, *whitening;
} Network;

typedef struct {
  RvmReadout *readout; /* (transfer none) */
  RvmPooledWindow states;
  double *difference;  /* (dim) */
  float output;
} Window;

static const RvmSite mean_site = { RVM_PART_DISTANCE, RVM_LAYER_MEAN, 0 }, whitening_site = { RVM_PART_DISTANCE, RVM_LAYER_WHITENING, 0 };

static void
unload (RvmReadout *readout)
{
  Network *network = g_steal_pointer (&readout->network);

  if (network == NULL)
    return;
  g_free (network->mean);
  g_free (network->whitening);
  g_free (network);
}

static gboolean
load (RvmReadout *readout, RvmWeights *weights, const RvmReadoutOptions *options, GPtrArray **parameters, GError **error)
{
  const guint dim = rvm_config_read_size (weights, mean_site, RVM_ROLE_VALUES, RVM_SIZE_DIM, error);
  g_autoptr (GArray) arrays = NULL;
  RvmSchema schema = { 0 };
  Network *network;

  if (dim == 0)
    return FALSE;
  schema.sizes[RVM_PART_DISTANCE][RVM_SIZE_DIM] = dim;
  rvm_schema_complete (&schema);
  arrays = rvm_schema_list_arrays (&schema, RVM_PART_DISTANCE, RVM_PART_DISTANCE);
  if (!rvm_config_check_arrays (arrays, weights, error))
    return FALSE;
  readout->dim = dim;
  readout->queries = readout->outputs = 1;
  readout->network = network = g_new0 (Network, 1);
  network->mean = rvm_readout_read_array (weights, mean_site, RVM_ROLE_VALUES, dim, error);
  network->whitening = network->mean ? rvm_readout_read_array (weights, whitening_site, RVM_ROLE_VALUES, (gsize) dim * dim, error) : NULL;
  return network->whitening != NULL;
}

static gpointer
start (RvmReadout *readout, guint rows, guint columns, GError **error)
{
  Window *window = g_new0 (Window, 1);

  window->readout = readout;
  rvm_pooled_window_init (&window->states, rows * columns, readout->dim, readout->info->window);
  window->difference = g_new (double, readout->dim);
  return window;
}

static void
stop (gpointer data)
{
  Window *window = data;

  if (window == NULL)
    return;
  rvm_pooled_window_clear (&window->states);
  g_free (window->difference);
  g_free (window);
}

static void
reset (gpointer data)
{
  rvm_pooled_window_reset (&((Window *) data)->states);
}

static const float *
push (gpointer data, const float *features, guint *states, GError **error)
{
  Window *window = data;
  const Network *network = window->readout->network;
  const guint dim = window->readout->dim;
  double squares = 0;

  rvm_pooled_window_push (&window->states, features);
  rvm_pooled_window_average (&window->states, window->difference);
  for (guint c = 0; c < dim; c++)
    window->difference[c] -= network->mean[c];
  for (guint row = 0; row < dim; row++) {
    double sum = 0;

    for (guint c = 0; c < dim; c++)
      sum += network->whitening[(gsize) row * dim + c] * window->difference[c];
    squares += sum * sum;
  }
  window->output = sqrt (squares / dim);
  *states = window->states.n;
  return &window->output;
}

const RvmReadoutNetwork rvm_distance_network = {
  .load = load, .unload = unload, .start = start, .stop = stop, .reset = reset, .push = push,
};

static gboolean
check (const RvmReadout *readout, GError **error)
{
  if (readout->info->reference == RVM_REFERENCE_NONE)
    return TRUE;
  rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'reference': expected none for a readout of kind 'distance'", readout->path);
  return FALSE;
}

static void
get_shape (const RvmReadout *readout, guint rows, guint columns, RvmReadoutAnswer *shape)
{
  shape->rows = shape->columns = shape->channels = 1;
}

static gboolean
has_logits (const RvmReadout *readout)
{
  return FALSE;
}

static void
interpret (const RvmReadout *readout, const RvmReadoutAnswer *shape, const float *outputs, float *values, float *logits)
{
  *values = *outputs;
}

const RvmReadoutKind rvm_readout_distance = {
  .name = "distance",
  .networks = { &rvm_distance_network },
  .check = check,
  .get_shape = get_shape,
  .has_logits = has_logits,
  .interpret = interpret,
};
