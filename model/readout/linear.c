/* The linear network of readouts of kind `class`: what can be trained with few clips, in closed form.
 *
 *   p[a]    mean over the patches of the state of age a, less the readout's reference (dim)
 *   logits  b + sum over a of p[a] W[a],   W: (window, dim, outputs), b: (outputs)
 *
 * While the window is not full, the oldest state also stands for those that are missing. This is little arithmetic, in double precision on the host.
 * Standardisation of the features, if there was any in training, is part of W and b. */
#include "kernels/error.h"
#include "pooled_window.h"
#include "readout_private.h"

typedef struct {
  guint window;
  float *kernel, *bias;
} Network;

typedef struct {
  RvmReadout *readout; /* (transfer none) */
  RvmPooledWindow states;
  double *reference;   /* (dim) */
  float *outputs;
} Window;

static const RvmSite site = { RVM_PART_POOLED_LINEAR, RVM_LAYER_OUTPUTS, 0 };

static gboolean
claims (const RvmWeights *weights)
{
  g_autofree char *name = rvm_schema_format_name (site, RVM_ROLE_KERNEL);

  return rvm_weights_find (weights, name) != NULL;
}

static void
unload (RvmReadout *readout)
{
  Network *network = g_steal_pointer (&readout->network);

  if (network == NULL)
    return;
  g_free (network->kernel);
  g_free (network->bias);
  g_free (network);
}

static gboolean
load (RvmReadout *readout, RvmWeights *weights, const RvmReadoutOptions *options, GPtrArray **parameters, GError **error)
{
  const guint window = rvm_config_read_size (weights, site, RVM_ROLE_KERNEL, RVM_SIZE_WINDOW, error);
  const guint dim = window ? rvm_config_read_size (weights, site, RVM_ROLE_KERNEL, RVM_SIZE_DIM, error) : 0;
  const guint outputs = dim ? rvm_config_read_size (weights, site, RVM_ROLE_KERNEL, RVM_SIZE_OUTPUTS, error) : 0;
  g_autoptr (GArray) arrays = NULL;
  RvmSchema schema = { 0 };
  Network *network;

  if (outputs == 0)
    return FALSE;
  schema.sizes[RVM_PART_POOLED_LINEAR][RVM_SIZE_WINDOW] = window;
  schema.sizes[RVM_PART_POOLED_LINEAR][RVM_SIZE_DIM] = dim;
  schema.sizes[RVM_PART_POOLED_LINEAR][RVM_SIZE_OUTPUTS] = outputs;
  arrays = rvm_schema_list_arrays (&schema, RVM_PART_POOLED_LINEAR, RVM_PART_POOLED_LINEAR);
  if (!rvm_config_check_arrays (arrays, weights, error))
    return FALSE;
  if (readout->info->window != window) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'window': expected %u, as the linear network has, found %u", readout->path, window,
        readout->info->window);
    return FALSE;
  }
  readout->dim = dim;
  readout->queries = 1;
  readout->outputs = outputs;
  readout->network = network = g_new0 (Network, 1);
  network->window = window;
  network->kernel = rvm_readout_read_array (weights, site, RVM_ROLE_KERNEL, (gsize) window * dim * outputs, error);
  network->bias = network->kernel ? rvm_readout_read_array (weights, site, RVM_ROLE_BIAS, outputs, error) : NULL;
  return network->bias != NULL;
}

static gpointer
start (RvmReadout *readout, guint rows, guint columns, GError **error)
{
  Window *window = g_new0 (Window, 1);

  window->readout = readout;
  rvm_pooled_window_init (&window->states, rows * columns, readout->dim, readout->info->window);
  window->reference = g_new0 (double, readout->dim);
  window->outputs = g_new (float, readout->outputs);
  return window;
}

static void
stop (gpointer data)
{
  Window *window = data;

  if (window == NULL)
    return;
  rvm_pooled_window_clear (&window->states);
  g_free (window->reference);
  g_free (window->outputs);
  g_free (window);
}

static void
reset (gpointer data)
{
  rvm_pooled_window_reset (&((Window *) data)->states);
}

static void
make_reference (Window *window)
{
  const double *oldest = rvm_pooled_window_get (&window->states, window->states.n - 1);

  if (window->readout->info->reference == RVM_REFERENCE_MEAN)
    rvm_pooled_window_average (&window->states, window->reference);
  else if (window->readout->info->reference == RVM_REFERENCE_FIRST)
    for (guint c = 0; c < window->states.dim; c++)
      window->reference[c] = oldest[c];
}

static const float *
push (gpointer data, const float *features, guint *states, GError **error)
{
  Window *window = data;
  const Network *network = window->readout->network;
  const guint dim = window->states.dim, outputs = window->readout->outputs;

  rvm_pooled_window_push (&window->states, features);
  make_reference (window);
  for (guint o = 0; o < outputs; o++) {
    double sum = network->bias[o];

    for (guint age = 0; age < network->window; age++) {
      const double *p = rvm_pooled_window_get (&window->states, age);
      const float *kernel = network->kernel + (gsize) age * dim * outputs;

      for (guint c = 0; c < dim; c++)
        sum += (p[c] - window->reference[c]) * kernel[(gsize) c * outputs + o];
    }
    window->outputs[o] = sum;
  }
  *states = window->states.n;
  return window->outputs;
}

static guint64
get_bytes (gconstpointer window)
{
  return 0;
}

const RvmReadoutNetwork rvm_linear_network = {
  .claims = claims, .load = load, .unload = unload, .start = start, .stop = stop, .reset = reset, .push = push, .get_bytes = get_bytes,
};
