/* With x what is read of a cell (its vectors, its positional encoding, and 1), y its outputs and w how much of it counts, the moments are sums of w x x' and
 * w x y', from which everything follows:
 *
 *   depth    (C + ridge I) kernel = cov (x, y)                               C: covariance of x
 *   labels   kernel of a label = (C_within + ridge I)^-1 (its mean - the mean), bias = -1/2 (its mean - the mean) . kernel + prior log share
 *
 * All of this is of inputs with mean 0 and variance 1; the kernel is then one of the inputs as they are. Each place of a patch has labels of its own. */
#include "dense_linear.h"

#include <math.h>
#include <string.h>

#include "kernels/error.h"
#include "model/cholesky.h"
#include "model/readout/attention_readout.h"
#include "model/readout/readout_private.h"

enum {
  RINGS = 2, /* the patch itself, and 5 x 5 around it */
  CODE = 20, /* five octaves of each coordinate */
  BATCH = 8, /* vectors of which the products are added at once, which is faster */
};

#define LEAST_VARIANCE 1e-12
#define NEVER (-50.0f) /* logit of a label that is not there to learn from */

struct _RvmDenseMoments {
  RvmDenseShape shape;
  guint inputs, outputs; /* inputs: without the 1 */
  RvmPatchSums sums;
  float *codes, *vector; /* (cells, CODE), (RINGS, dim) */
  double *x, *y;         /* (BATCH, inputs + 1), (BATCH, outputs), multiplied by the root of their weight */
  guint n;               /* of these that are waiting */
  double *products;      /* (inputs + 1, inputs + 1): the lower triangle */
  double *targets;       /* (inputs + 1, outputs) */
};

static void
fail (const RvmDenseShape *shape, GError **error)
{
  rvm_error_set (error, RVM_ERROR_MEMORY, "no memory for a grid of %u x %u patches", shape->columns, shape->rows);
}

RvmDenseMoments *
rvm_dense_moments_new (const RvmDenseShape *shape, GError **error)
{
  RvmDenseMoments *moments = g_new0 (RvmDenseMoments, 1);
  const gsize size = RINGS * shape->dim + CODE + 1;

  moments->shape = *shape;
  moments->inputs = size - 1;
  moments->outputs = shape->block * shape->block * shape->channels;
  if (!rvm_patch_sums_init (&moments->sums, shape->rows, shape->columns, shape->dim)) {
    fail (shape, error);
    rvm_dense_moments_free (moments);
    return NULL;
  }
  moments->codes = g_new (float, (gsize) shape->rows * shape->columns * CODE);
  rvm_attention_readout_code_places (CODE, shape->rows, shape->columns, moments->codes);
  moments->vector = g_new (float, RINGS * shape->dim);
  moments->x = g_new0 (double, BATCH * size);
  moments->y = g_new0 (double, (gsize) BATCH * moments->outputs);
  moments->products = g_new0 (double, size * size);
  moments->targets = g_new0 (double, size * moments->outputs);
  return moments;
}

void
rvm_dense_moments_free (RvmDenseMoments *moments)
{
  if (moments == NULL)
    return;
  rvm_patch_sums_clear (&moments->sums);
  g_free (moments->codes);
  g_free (moments->vector);
  g_free (moments->x);
  g_free (moments->y);
  g_free (moments->products);
  g_free (moments->targets);
  g_free (moments);
}

guint
rvm_dense_moments_count_inputs (const RvmDenseMoments *moments)
{
  return moments->inputs;
}

/* What waits is added; rows that are not there are 0. */
static void
flush (RvmDenseMoments *moments)
{
  const gsize size = moments->inputs + 1;
  const double *x = moments->x;

  if (moments->n == 0)
    return;
  for (gsize r = 0; r < size; r++) {
    double *products = moments->products + r * size, *targets = moments->targets + r * moments->outputs;

    for (gsize c = 0; c <= r; c++) {
      double sum = 0;

      for (guint b = 0; b < BATCH; b++)
        sum += x[b * size + r] * x[b * size + c];
      products[c] += sum;
    }
    for (guint o = 0; o < moments->outputs; o++)
      for (guint b = 0; b < BATCH; b++)
        targets[o] += x[b * size + r] * moments->y[b * moments->outputs + o];
  }
  memset (moments->x, 0, BATCH * size * sizeof (double));
  memset (moments->y, 0, (gsize) BATCH * moments->outputs * sizeof (double));
  moments->n = 0;
}

/* The outputs of a cell, so that their products with x sum to those of x and y: for depth, a place that is unknown is as the rest of its patch; for labels, the
 * share of each that counts. Returns how much of the cell counts. */
static double
take_targets (const RvmDenseShape *shape, guint cell, const float *map, const float *weight, double *y)
{
  const guint block = shape->block, channels = shape->channels, columns = shape->columns * block;
  double counts = 0, mean = 0;

  for (guint p = 0; p < block * block; p++) {
    const gsize place = (gsize) (cell / shape->columns * block + p / block) * columns + cell % shape->columns * block + p % block;

    counts += weight[place];
    mean += weight[place] * map[place * channels];
    for (guint c = 0; c < channels; c++)
      y[p * channels + c] = shape->depth ? (weight[place] > 0 ? map[place] : NAN) : weight[place] * map[place * channels + c];
  }
  for (guint p = 0; p < block * block && shape->depth; p++)
    y[p] = isnan (y[p]) ? mean / counts : y[p];
  return counts;
}

void
rvm_dense_moments_add (RvmDenseMoments *moments, const float *state, const float *map, const float *weight)
{
  const RvmDenseShape *shape = &moments->shape;
  const gsize size = moments->inputs + 1, values = RINGS * shape->dim;

  rvm_patch_sums_set (&moments->sums, state);
  for (guint cell = 0; cell < shape->rows * shape->columns; cell++) {
    double *x = moments->x + moments->n * size, *y = moments->y + (gsize) moments->n * moments->outputs;
    const double counts = take_targets (shape, cell, map, weight, y), root = sqrt (counts);

    if (counts <= 0) {
      memset (y, 0, moments->outputs * sizeof *y);
      continue;
    }
    rvm_patch_sums_get (&moments->sums, state, cell, RINGS, moments->vector);
    for (gsize i = 0; i < values; i++)
      x[i] = root * moments->vector[i];
    for (guint i = 0; i < CODE; i++)
      x[values + i] = root * moments->codes[(gsize) cell * CODE + i];
    x[size - 1] = root;
    for (guint o = 0; o < moments->outputs; o++)
      y[o] *= shape->depth ? root : 1 / root;
    if (++moments->n == BATCH)
      flush (moments);
  }
  flush (moments);
}

void
rvm_dense_moments_add_all (RvmDenseMoments *moments, const RvmDenseMoments *more)
{
  const gsize size = moments->inputs + 1;

  for (gsize i = 0; i < size * size; i++)
    moments->products[i] += more->products[i];
  for (gsize i = 0; i < size * moments->outputs; i++)
    moments->targets[i] += more->targets[i];
}

/* Means and deviations of the inputs. */
static void
describe (const RvmDenseMoments *moments, double *mean, double *deviation)
{
  const gsize n = moments->inputs, size = n + 1;
  const double count = moments->products[n * size + n];

  for (gsize i = 0; i < n; i++) {
    mean[i] = moments->products[n * size + i] / count;
    deviation[i] = sqrt (MAX (moments->products[i * size + i] / count - mean[i] * mean[i], LEAST_VARIANCE));
  }
}

/* Right sides (inputs, outputs), and of labels their shares (outputs): the means of inputs where they are, or covariances with the logarithms of depths. */
static void
make_sides (const RvmDenseMoments *moments, const double *mean, const double *deviation, double *sides, double *shares)
{
  const guint n = moments->inputs, outputs = moments->outputs;
  const double count = moments->products[(gsize) n * (n + 1) + n];

  for (guint o = 0; o < outputs; o++) {
    const double sum = moments->targets[(gsize) n * outputs + o], of = moments->shape.depth ? count : sum;

    shares[o] = sum / count;
    for (guint i = 0; i < n; i++) {
      const double product = moments->targets[(gsize) i * outputs + o];

      sides[(gsize) i * outputs + o] = of > 0 ? (product - sum * mean[i]) / of / deviation[i] : 0;
    }
  }
}

/* The covariance of inputs, within labels if there are some; lower triangle. */
static void
make_covariance (const RvmDenseMoments *moments, const double *mean, const double *deviation, const double *sides, const double *shares,
                 double ridge, double *covariance)
{
  const guint n = moments->inputs, outputs = moments->outputs;
  const gsize size = n + 1;
  const double count = moments->products[n * size + n];

  for (gsize r = 0; r < n; r++)
    for (gsize c = 0; c <= r; c++) {
      double value = (moments->products[r * size + c] / count - mean[r] * mean[c]) / (deviation[r] * deviation[c]);

      for (guint o = 0; o < outputs && !moments->shape.depth; o++)
        value -= shares[o] * sides[r * outputs + o] * sides[c * outputs + o];
      covariance[r * n + c] = value + (r == c ? ridge : 0);
    }
}

static RvmPatchNetwork *
network_new (const RvmDenseMoments *moments)
{
  RvmPatchNetwork *network = g_new0 (RvmPatchNetwork, 1);

  *network = (RvmPatchNetwork){ .rings = RINGS, .dim = moments->shape.dim, .code = CODE, .outputs = moments->outputs };
  network->kernel = g_new (float, (gsize) RINGS * network->dim * network->outputs);
  network->places = g_new (float, (gsize) CODE * network->outputs);
  network->bias = g_new (float, network->outputs);
  return network;
}

RvmDenseLinear *
rvm_dense_linear_solve (const RvmDenseMoments *moments, double ridge, double prior, GError **error)
{
  const guint n = moments->inputs, outputs = moments->outputs;
  const gsize values = (gsize) RINGS * moments->shape.dim;
  g_autofree double *mean = g_new (double, n), *deviation = g_new (double, n), *shares = g_new (double, outputs);
  g_autofree double *sides = g_new (double, (gsize) n *outputs), *solved = g_new (double, (gsize) n *outputs);
  g_autofree double *covariance = g_new (double, (gsize) n *n);
  g_autoptr (RvmDenseLinear) linear = g_new0 (RvmDenseLinear, 1);
  RvmPatchNetwork *network = linear->network = network_new (moments);

  linear->shape = moments->shape;
  describe (moments, mean, deviation);
  make_sides (moments, mean, deviation, sides, shares);
  make_covariance (moments, mean, deviation, sides, shares, ridge, covariance);
  memcpy (solved, sides, (gsize) n * outputs * sizeof *solved);
  rvm_cholesky_factorise (covariance, n);
  for (guint o = 0; o < outputs; o++) {
    double bias = moments->shape.depth ? shares[o] : prior * log (MAX (shares[o], 1e-9));

    rvm_cholesky_solve (covariance, n, solved + o, outputs);
    for (guint i = 0; i < n; i++) {
      const double weight = solved[(gsize) i * outputs + o] / deviation[i];

      *(i < values ? &network->kernel[(gsize) i * outputs + o] : &network->places[(gsize) (i - values) * outputs + o]) = weight;
      bias -= weight * mean[i];
      if (!moments->shape.depth)
        bias -= 0.5 * sides[(gsize) i * outputs + o] * solved[(gsize) i * outputs + o];
    }
    network->bias[o] = moments->shape.depth || shares[o] > 0 ? (float) bias : NEVER;
  }
  linear->grid = rvm_patch_grid_new (network, moments->shape.rows, moments->shape.columns);
  if (linear->grid == NULL) {
    fail (&moments->shape, error);
    return NULL;
  }
  return g_steal_pointer (&linear);
}

void
rvm_dense_linear_free (RvmDenseLinear *linear)
{
  if (linear == NULL)
    return;
  rvm_patch_grid_free (linear->grid);
  rvm_patch_network_free (linear->network);
  g_free (linear);
}

/* A readout's outputs are logits or logarithms. */
static void
interpret (const RvmDenseShape *shape, guint cell, const float *outputs, float *values)
{
  const guint block = shape->block, channels = shape->channels, columns = shape->columns * block;

  for (guint p = 0; p < block * block; p++) {
    const gsize place = (gsize) (cell / shape->columns * block + p / block) * columns + cell % shape->columns * block + p % block;

    for (guint c = 0; c < channels; c++)
      values[place * channels + c] = shape->depth ? expf (outputs[p * channels + c]) : outputs[p * channels + c];
    if (!shape->depth)
      rvm_readout_softmax (values + place * channels, values + place * channels, 1, channels);
  }
}

void
rvm_dense_linear_answer (RvmDenseLinear *linear, const float *state, float *values)
{
  const RvmDenseShape *shape = &linear->shape;
  const float *outputs = rvm_patch_grid_answer (linear->grid, state);

  for (guint cell = 0; cell < shape->rows * shape->columns; cell++)
    interpret (shape, cell, outputs + (gsize) cell * linear->network->outputs, values);
}
