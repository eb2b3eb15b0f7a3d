/* The linear network of readouts of kind `class`: a classifier of pooled states in order (pooled.h), which few clips can train in closed form.
 *
 *   vector  (slots, cells, cells, dim), of the window; and, if the file has kernels for them, change and travel, (slots, cells, cells) each
 *   logits  vector . kernel + bias
 *
 * This is little arithmetic, in double precision on the host. */
#include <string.h>

#include "kernels/error.h"
#include "pooled.h"
#include "readout_private.h"

typedef struct {
  guint cells, classes; /* along a side; outputs */
  RvmPooledShape shape;
  gsize length;         /* of a vector */
  float *kernel; /* (length, classes) */
  float *bias;   /* (classes) */
} Network;

typedef struct {
  RvmReadout *readout; /* (transfer none) */
  guint rows, columns;
  guint n, next;       /* states in the window, and where the next one goes */
  gsize values;        /* of a pooled state */
  float *pooled;       /* (window, values) */
  const float **order; /* (window): the oldest first */
  float *vector;       /* (length) */
  float *outputs;      /* (classes) */
} Window;

static const RvmSite site = { RVM_PART_POOLED_LINEAR, RVM_LAYER_OUTPUTS, 0 };
static const RvmSite change_site = { RVM_PART_POOLED_CHANGES, RVM_LAYER_CHANGE, 0 }, travel_site = { RVM_PART_POOLED_CHANGES, RVM_LAYER_TRAVEL, 0 };

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
has (const RvmWeights *weights, RvmSite of, RvmRole role)
{
  g_autofree char *name = rvm_schema_format_name (of, role);

  return rvm_weights_find (weights, name) != NULL;
}

static gboolean
claims (const RvmWeights *weights)
{
  return has (weights, site, RVM_ROLE_KERNEL);
}

/* The kernels of the parts of the vector, one behind the other. The arrays have been checked. */
static gboolean
read_kernel (Network *network, RvmWeights *weights, GError **error)
{
  const gsize window = rvm_pooled_count_window (&network->shape) * network->classes, changes = rvm_pooled_count_changes (&network->shape) * network->classes;
  const gsize counts[] = { window, changes, changes };
  const RvmSite sites[] = { site, change_site, travel_site };
  float *to;

  network->length = (window + 2 * changes) / network->classes;
  to = network->kernel = g_try_new (float, window + 2 * changes);
  if (network->kernel == NULL) {
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for the kernel of a linear readout", rvm_weights_get_path (weights));
    return FALSE;
  }
  for (guint i = 0; i < (network->shape.changes ? G_N_ELEMENTS (sites) : 1); i++) {
    g_autofree float *part = rvm_readout_read_array (weights, sites[i], i ? RVM_ROLE_VALUES : RVM_ROLE_KERNEL, counts[i], error);

    if (part == NULL)
      return FALSE;
    memcpy (to, part, counts[i] * sizeof *part);
    to += counts[i];
  }
  return TRUE;
}

static gboolean
load (RvmReadout *readout, RvmWeights *weights, const RvmReadoutOptions *options, GPtrArray **parameters, GError **error)
{
  static const RvmSize sizes[] = { RVM_SIZE_WINDOW, RVM_SIZE_CELLS, RVM_SIZE_DIM, RVM_SIZE_OUTPUTS };
  g_autoptr (GArray) arrays = NULL;
  RvmSchema schema = { 0 };
  guint *found = schema.sizes[RVM_PART_POOLED_LINEAR];
  const gboolean changes = has (weights, change_site, RVM_ROLE_VALUES) || has (weights, travel_site, RVM_ROLE_VALUES);
  Network *network;

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    if ((found[sizes[i]] = rvm_config_read_size (weights, site, RVM_ROLE_KERNEL, sizes[i], error)) == 0)
      return FALSE;
  rvm_schema_complete (&schema);
  memcpy (schema.sizes[RVM_PART_POOLED_CHANGES], found, sizeof schema.sizes[RVM_PART_POOLED_CHANGES]);
  arrays = rvm_schema_list_arrays (&schema, RVM_PART_POOLED_LINEAR, changes ? RVM_PART_POOLED_CHANGES : RVM_PART_POOLED_LINEAR);
  if (!rvm_config_check_arrays (arrays, weights, error))
    return FALSE;
  readout->dim = found[RVM_SIZE_DIM];
  readout->queries = 1;
  readout->outputs = found[RVM_SIZE_OUTPUTS];
  readout->network = network = g_new0 (Network, 1);
  network->cells = found[RVM_SIZE_CELLS];
  network->classes = found[RVM_SIZE_OUTPUTS];
  network->shape = (RvmPooledShape){ network->cells * network->cells, readout->dim, found[RVM_SIZE_WINDOW], readout->info->reference, changes };
  return read_kernel (network, weights, error)
         && (network->bias = rvm_readout_read_array (weights, site, RVM_ROLE_BIAS, network->classes, error)) != NULL;
}

static void
stop (gpointer data)
{
  Window *window = data;

  if (window == NULL)
    return;
  g_free (window->pooled);
  g_free (window->order);
  g_free (window->vector);
  g_free (window->outputs);
  g_free (window);
}

static gpointer
start (RvmReadout *readout, guint rows, guint columns, GError **error)
{
  const Network *network = readout->network;
  const guint size = readout->info->window;
  Window *window = g_new0 (Window, 1);

  window->readout = readout;
  window->rows = rows;
  window->columns = columns;
  window->values = (gsize)network->shape.cells * readout->dim;
  window->pooled = g_try_new (float, size * window->values);
  window->vector = g_try_new (float, network->length);
  window->order = g_new (const float *, size);
  window->outputs = g_new (float, network->classes);
  if (window->pooled && window->vector)
    return window;
  rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for a window of %u states", readout->path, size);
  stop (window);
  return NULL;
}

static void
reset (gpointer data)
{
  Window *window = data;

  window->n = window->next = 0;
}

static const float *
push (gpointer data, const float *features, guint *states, GError **error)
{
  Window *window = data;
  const RvmReadout *readout = window->readout;
  const Network *network = readout->network;
  const guint size = readout->info->window;

  rvm_pooled_state (features, window->rows, window->columns, readout->dim, network->cells, window->pooled + window->next * window->values);
  window->next = (window->next + 1) % size;
  window->n = MIN (window->n + 1, size);
  for (guint i = 0; i < window->n; i++)
    window->order[i] = window->pooled + (window->next + size - window->n + i) % size * window->values;
  rvm_pooled_vector (window->order, window->n, &network->shape, window->vector);
  for (guint c = 0; c < network->classes; c++) {
    double sum = network->bias[c];

    for (gsize v = 0; v < network->length; v++)
      sum += (double)window->vector[v] * network->kernel[v * network->classes + c];
    window->outputs[c] = sum;
  }
  *states = window->n;
  return window->outputs;
}

const RvmReadoutNetwork rvm_linear_network = {
  .claims = claims, .load = load, .unload = unload, .start = start, .stop = stop, .reset = reset, .push = push,
};
