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
#include "readout_private.h"

typedef struct {
  float *mean, *whitening;
} Network;

typedef struct {
  RvmReadout *readout; /* (transfer none) */
  guint patches;
  guint n, next;       /* states in the window, and where the next one goes */
  double *pooled;      /* (window, dim) */
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

static float *
read_array (RvmWeights *weights, RvmSite site, gsize count, GError **error)
{
  g_autofree char *name = rvm_schema_format_name (site, RVM_ROLE_VALUES);
  g_autofree float *values = g_try_new (float, count);

  if (values == NULL) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for the %" G_GSIZE_FORMAT " values of array '%s'", rvm_weights_get_path (weights), count,
        name);
    return NULL;
  }
  return rvm_weights_read (weights, rvm_weights_find (weights, name), values, error) ? g_steal_pointer (&values) : NULL;
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
  readout->network = network = g_new0 (Network, 1);
  network->mean = read_array (weights, mean_site, dim, error);
  network->whitening = network->mean ? read_array (weights, whitening_site, (gsize) dim * dim, error) : NULL;
  return network->whitening != NULL;
}

static gpointer
start (RvmReadout *readout, guint rows, guint columns, GError **error)
{
  Window *window = g_new0 (Window, 1);

  window->readout = readout;
  window->patches = rows * columns;
  window->pooled = g_new (double, (gsize) readout->info->window * readout->dim);
  window->difference = g_new (double, readout->dim);
  return window;
}

static void
stop (gpointer data)
{
  Window *window = data;

  if (window == NULL)
    return;
  g_free (window->pooled);
  g_free (window->difference);
  g_free (window);
}

static void
reset (gpointer data)
{
  Window *window = data;

  window->n = window->next = 0;
}

/* Mean over the patches, without the class token. */
static void
pool (const float *features, double *pooled, guint patches, guint dim)
{
  for (guint c = 0; c < dim; c++)
    pooled[c] = 0;
  for (guint p = 1; p <= patches; p++)
    for (guint c = 0; c < dim; c++)
      pooled[c] += features[(gsize) p * dim + c];
  for (guint c = 0; c < dim; c++)
    pooled[c] /= patches;
}

static const float *
push (gpointer data, const float *features, guint *states, GError **error)
{
  Window *window = data;
  const Network *network = window->readout->network;
  const guint dim = window->readout->dim, size = window->readout->info->window;
  double squares = 0;

  pool (features, window->pooled + (gsize) window->next * dim, window->patches, dim);
  window->next = (window->next + 1) % size;
  window->n = MIN (window->n + 1, size);
  for (guint c = 0; c < dim; c++) {
    window->difference[c] = 0;
    for (guint i = 0; i < window->n; i++)
      window->difference[c] += window->pooled[(gsize) i * dim + c];
    window->difference[c] = window->difference[c] / window->n - network->mean[c];
  }
  for (guint row = 0; row < dim; row++) {
    double sum = 0;

    for (guint c = 0; c < dim; c++)
      sum += network->whitening[(gsize) row * dim + c] * window->difference[c];
    squares += sum * sum;
  }
  window->output = sqrt (squares / dim);
  *states = window->n;
  return &window->output;
}

static guint64
get_bytes (gconstpointer window)
{
  return 0;
}

const RvmReadoutNetwork rvm_distance_network = {
  .load = load, .unload = unload, .start = start, .stop = stop, .reset = reset, .push = push, .get_bytes = get_bytes,
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
  .network = &rvm_distance_network,
  .check = check,
  .get_shape = get_shape,
  .has_logits = has_logits,
  .interpret = interpret,
};
