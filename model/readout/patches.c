/* The linear network of readouts of kind `dense`, which few pictures can train in closed form:
 *
 *   outputs of a cell  (patch and surroundings) . kernel + (positional encoding) . places + bias
 *
 * It looks at the newest state only. This is little arithmetic, in double precision on the host. */
#include "patches.h"

#include <string.h>

#include "kernels/error.h"
#include "readout_private.h"

enum { STEP = 2 }; /* rows and columns by which each surroundings reach further than those before */

struct _RvmPatchGrid {
  const RvmPatchNetwork *network; /* (transfer none) */
  guint cells;
  RvmPatchSums sums;
  float *vector;        /* (rings, dim) */
  double *place_values; /* (cells, outputs): what the positional encoding of each cell and the bias give */
  double *sum;          /* (outputs) */
  float *outputs;       /* (cells, outputs) */
};

static const RvmSite patch_site = { RVM_PART_PATCH_LINEAR, RVM_LAYER_OUTPUTS, 0 }, place_site = { RVM_PART_PATCH_LINEAR, RVM_LAYER_PLACE_OUT, 0 };

gboolean
rvm_patch_sums_init (RvmPatchSums *sums, guint rows, guint columns, guint dim)
{
  *sums = (RvmPatchSums){ .rows = rows, .columns = columns, .dim = dim, .sums = g_try_new0 (double, (gsize) (rows + 1) * (columns + 1) * dim) };
  return sums->sums != NULL;
}

void
rvm_patch_sums_clear (RvmPatchSums *sums)
{
  g_clear_pointer (&sums->sums, g_free);
}

static double *
get_sums (const RvmPatchSums *sums, guint row, guint column)
{
  return sums->sums + ((gsize) row * (sums->columns + 1) + column) * sums->dim;
}

void
rvm_patch_sums_set (RvmPatchSums *sums, const float *features)
{
  for (guint row = 0; row < sums->rows; row++)
    for (guint column = 0; column < sums->columns; column++) {
      const float *patch = features + ((gsize) 1 + row * sums->columns + column) * sums->dim;
      const double *above = get_sums (sums, row, column + 1), *left = get_sums (sums, row + 1, column), *both = get_sums (sums, row, column);
      double *sum = get_sums (sums, row + 1, column + 1);

      for (guint c = 0; c < sums->dim; c++)
        sum[c] = patch[c] + above[c] + left[c] - both[c];
    }
}

void
rvm_patch_sums_get (const RvmPatchSums *sums, const float *features, guint cell, guint rings, float *vector)
{
  const guint row = cell / sums->columns, column = cell % sums->columns, dim = sums->dim;

  memcpy (vector, features + ((gsize) 1 + cell) * dim, dim * sizeof *vector);
  for (guint ring = 1; ring < rings; ring++) {
    const guint reach = STEP * ring, top = row - MIN (row, reach), left = column - MIN (column, reach);
    const guint bottom = MIN (row + reach + 1, sums->rows), right = MIN (column + reach + 1, sums->columns);
    const double *a = get_sums (sums, top, left), *b = get_sums (sums, top, right), *c = get_sums (sums, bottom, left), *d = get_sums (sums, bottom, right);
    const double count = (double) (bottom - top) * (right - left);

    for (guint i = 0; i < dim; i++)
      vector[(gsize) ring * dim + i] = (d[i] - b[i] - c[i] + a[i]) / count;
  }
}

void
rvm_patch_network_free (RvmPatchNetwork *network)
{
  if (network == NULL)
    return;
  g_free (network->kernel);
  g_free (network->places);
  g_free (network->bias);
  g_free (network);
}

static void
unload (RvmReadout *readout)
{
  rvm_patch_network_free (g_steal_pointer (&readout->network));
}

static gboolean
claims (const RvmWeights *weights)
{
  g_autofree char *name = rvm_schema_format_name (patch_site, RVM_ROLE_KERNEL);

  return rvm_weights_find (weights, name) != NULL;
}

static gboolean
check (const RvmReadout *readout, const RvmPatchNetwork *network, GError **error)
{
  if (network->code % 4 != 0) {
    rvm_error_set (error, RVM_ERROR_MODEL, "%s: array 'places/kernel': expected a multiple of 4 rows, found %u", readout->path, network->code);
    return FALSE;
  }
  if (readout->info->window != 1) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'window': expected 1, found %u: a linear readout of kind 'dense' looks at the newest state only",
        readout->path, readout->info->window);
    return FALSE;
  }
  if (readout->info->reference != RVM_REFERENCE_NONE) {
    rvm_error_set (error, RVM_ERROR_FORMAT, "%s: metadata 'reference': expected none: a linear readout of kind 'dense' looks at the newest state only",
        readout->path);
    return FALSE;
  }
  return TRUE;
}

static gboolean
load (RvmReadout *readout, RvmWeights *weights, const RvmReadoutOptions *options, GPtrArray **parameters, GError **error)
{
  static const RvmSize sizes[] = { RVM_SIZE_RINGS, RVM_SIZE_DIM, RVM_SIZE_OUTPUTS };
  g_autoptr (GArray) arrays = NULL;
  RvmSchema schema = { 0 };
  guint *found = schema.sizes[RVM_PART_PATCH_LINEAR];
  RvmPatchNetwork *network;

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    if ((found[sizes[i]] = rvm_config_read_size (weights, patch_site, RVM_ROLE_KERNEL, sizes[i], error)) == 0)
      return FALSE;
  found[RVM_SIZE_CODE] = rvm_config_read_size (weights, place_site, RVM_ROLE_KERNEL, RVM_SIZE_CODE, error);
  if (found[RVM_SIZE_CODE] == 0)
    return FALSE;
  rvm_schema_complete (&schema);
  arrays = rvm_schema_list_arrays (&schema, RVM_PART_PATCH_LINEAR, RVM_PART_PATCH_LINEAR);
  if (!rvm_config_check_arrays (arrays, weights, error))
    return FALSE;
  readout->dim = found[RVM_SIZE_DIM];
  readout->queries = 0;
  readout->outputs = found[RVM_SIZE_OUTPUTS];
  readout->network = network = g_new0 (RvmPatchNetwork, 1);
  network->rings = found[RVM_SIZE_RINGS];
  network->dim = readout->dim;
  network->code = found[RVM_SIZE_CODE];
  network->outputs = readout->outputs;
  network->kernel = rvm_readout_read_array (weights, patch_site, RVM_ROLE_KERNEL, (gsize) network->rings * readout->dim * network->outputs, error);
  network->places = network->kernel
                        ? rvm_readout_read_array (weights, place_site, RVM_ROLE_KERNEL, (gsize) network->code * network->outputs, error) : NULL;
  network->bias = network->places ? rvm_readout_read_array (weights, patch_site, RVM_ROLE_BIAS, network->outputs, error) : NULL;
  return network->bias != NULL && check (readout, network, error);
}

void
rvm_patch_grid_free (RvmPatchGrid *grid)
{
  if (grid == NULL)
    return;
  rvm_patch_sums_clear (&grid->sums);
  g_free (grid->vector);
  g_free (grid->place_values);
  g_free (grid->sum);
  g_free (grid->outputs);
  g_free (grid);
}

/* sum += x . kernel of (n, outputs). */
static void
multiply (const float *x, gsize n, const float *kernel, guint outputs, double *sum)
{
  for (gsize i = 0; i < n; i++) {
    const double value = x[i];
    const float *row = kernel + i * outputs;

    for (guint o = 0; o < outputs; o++)
      sum[o] += value * row[o];
  }
}

/* The places of a grid are always the same. */
static gboolean
set_places (RvmPatchGrid *grid, guint rows, guint columns)
{
  const RvmPatchNetwork *network = grid->network;
  const guint code = network->code, outputs = network->outputs;
  g_autofree float *codes = g_try_new (float, (gsize) grid->cells * code);

  if (codes == NULL)
    return FALSE;
  rvm_attention_readout_code_places (code, rows, columns, codes);
  for (guint cell = 0; cell < grid->cells; cell++) {
    double *values = grid->place_values + (gsize) cell * outputs;

    for (guint o = 0; o < outputs; o++)
      values[o] = network->bias[o];
    multiply (codes + (gsize) cell * code, code, network->places, outputs, values);
  }
  return TRUE;
}

RvmPatchGrid *
rvm_patch_grid_new (const RvmPatchNetwork *network, guint rows, guint columns)
{
  RvmPatchGrid *grid = g_new0 (RvmPatchGrid, 1);
  const gsize values = (gsize) rows * columns * network->outputs;
  const gboolean summed = rvm_patch_sums_init (&grid->sums, rows, columns, network->dim);

  grid->network = network;
  grid->cells = rows * columns;
  grid->vector = g_try_new (float, (gsize) network->rings * network->dim);
  grid->place_values = g_try_new (double, values);
  grid->sum = g_try_new (double, network->outputs);
  grid->outputs = g_try_new (float, values);
  if (summed && grid->vector && grid->place_values && grid->sum && grid->outputs && set_places (grid, rows, columns))
    return grid;
  rvm_patch_grid_free (grid);
  return NULL;
}

const float *
rvm_patch_grid_answer (RvmPatchGrid *grid, const float *features)
{
  const RvmPatchNetwork *network = grid->network;
  const guint outputs = network->outputs;

  rvm_patch_sums_set (&grid->sums, features);
  for (guint cell = 0; cell < grid->cells; cell++) {
    memcpy (grid->sum, grid->place_values + (gsize) cell * outputs, outputs * sizeof *grid->sum);
    rvm_patch_sums_get (&grid->sums, features, cell, network->rings, grid->vector);
    multiply (grid->vector, (gsize) network->rings * network->dim, network->kernel, outputs, grid->sum);
    for (guint o = 0; o < outputs; o++)
      grid->outputs[(gsize) cell * outputs + o] = grid->sum[o];
  }
  return grid->outputs;
}

static gpointer
start (RvmReadout *readout, guint rows, guint columns, GError **error)
{
  RvmPatchGrid *grid = rvm_patch_grid_new (readout->network, rows, columns);

  if (grid == NULL)
    rvm_error_set (error, RVM_ERROR_MEMORY, "%s: no memory for a grid of %u x %u patches", readout->path, columns, rows);
  return grid;
}

static void
stop (gpointer window)
{
  rvm_patch_grid_free (window);
}

static void
reset (gpointer window)
{
}

static const float *
push (gpointer window, const float *features, guint *states, GError **error)
{
  *states = 1;
  return rvm_patch_grid_answer (window, features);
}

const RvmReadoutNetwork rvm_patches_network = {
  .claims = claims, .load = load, .unload = unload, .start = start, .stop = stop, .reset = reset, .push = push,
};
