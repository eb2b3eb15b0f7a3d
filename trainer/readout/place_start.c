/* With s = SHARPNESS, code(i) the positional encoding of place i and A the ridge regression of encodings from normalised tokens:
 *
 *   query MLP     GELU (x) - GELU (-x) = x, so it gives code(i) exactly
 *   key kernel    s A
 *
 * so that the score of a query and a token is s code(i) . code(j) / sqrt (head width), largest where i is j. The factor is in the keys, since queries are
 * also added to what they find. */
#include "place_start.h"

#include <math.h>
#include <string.h>

#include "model/cholesky.h"

#define SHARPNESS 16.0
#define RIDGE 1e-3    /* of the mean square of a channel */
#define EPSILON 1e-6  /* as in the layer norms of the model */

static void
normalise (const float *token, guint dim, double *x)
{
  double mean = 0, variance = 0;

  for (guint c = 0; c < dim; c++)
    mean += token[c] / (double) dim;
  for (guint c = 0; c < dim; c++)
    variance += (token[c] - mean) * (token[c] - mean) / dim;
  for (guint c = 0; c < dim; c++)
    x[c] = (token[c] - mean) / sqrt (variance + EPSILON);
}

/* @map: (dim + 1, code): A, and in its last row the intercept, which the ridge leaves alone. */
static void
regress (const RvmPlaceStart *start, const float *const *states, guint n, const float *codes, double *map)
{
  const guint dim = start->dim, code = start->code, size = dim + 1;
  g_autofree double *products = g_new0 (double, (gsize) size *size), *x = g_new (double, size);
  double square = 0;

  memset (map, 0, (gsize) size * code * sizeof *map);
  x[dim] = 1;
  for (guint i = 0; i < n; i++)
    for (guint cell = 0; cell < start->rows * start->columns; cell++) {
      normalise (states[i] + (gsize) (1 + cell) * dim, dim, x);
      for (guint r = 0; r < size; r++) {
        for (guint c = 0; c <= r; c++)
          products[(gsize) r * size + c] += x[r] * x[c];
        for (guint k = 0; k < code; k++)
          map[(gsize) r * code + k] += x[r] * codes[(gsize) cell * code + k];
      }
    }
  for (guint c = 0; c < dim; c++)
    square += products[(gsize) c * size + c] / dim;
  for (guint c = 0; c < dim; c++)
    products[(gsize) c * size + c] += RIDGE * square + 1e-9;
  rvm_cholesky_factorise (products, size);
  for (guint k = 0; k < code; k++)
    rvm_cholesky_solve (products, size, map + k, code);
}

/* The columns of the first head, of those of all of them: (rows, heads, head width). */
static void
set_first_head (const RvmPlaceStart *start, float *kernel, guint rows, const double *values, double factor)
{
  const guint head = start->width / start->heads;

  for (guint r = 0; r < rows; r++)
    for (guint c = 0; c < head; c++)
      kernel[(gsize) r * start->width + c] = c < start->code ? factor * values[(gsize) r * start->code + c] : 0;
}

/* x and -x, scaled, through the hidden layer and back. */
static void
set_queries (const RvmPlaceStart *start, float *in, float *out)
{
  const guint code = start->code, mlp = start->mlp, head = start->width / start->heads;

  for (guint hidden = 0; hidden < mlp; hidden++) {
    const double sign = hidden < code ? 1 : hidden < 2 * code ? -1 : 0;

    for (guint k = 0; sign != 0 && k < code; k++)
      in[(gsize) k * mlp + hidden] = sign * (k == hidden % code);
    for (guint c = 0; c < head; c++)
      out[(gsize) hidden * start->width + c] = sign != 0 && c == hidden % code ? sign : 0;
  }
}

gboolean
rvm_place_start (RvmReadoutStep *step, const RvmPlaceStart *start, const float *const *states, guint n, GError **error)
{
  const guint dim = start->dim, code = start->code, width = start->width, mlp = start->mlp;
  g_autofree float *codes = g_new (float, (gsize) start->rows *start->columns *code), *key = g_new (float, (gsize) dim *width);
  g_autofree float *bias = g_new (float, width), *in = g_new (float, (gsize) code *mlp), *out = g_new (float, (gsize) mlp *width);
  g_autofree double *map = g_new (double, (gsize) (dim + 1) * code);

  if (!rvm_readout_step_read (step, "key_embedding/kernel", key, error) || !rvm_readout_step_read (step, "key_embedding/bias", bias, error)
      || !rvm_readout_step_read (step, "query_mlp/Dense_0/kernel", in, error) || !rvm_readout_step_read (step, "query_mlp/Dense_1/kernel", out, error))
    return FALSE;
  rvm_attention_readout_code_places (code, start->rows, start->columns, codes);
  regress (start, states, n, codes, map);
  set_first_head (start, key, dim, map, SHARPNESS);
  set_first_head (start, bias, 1, map + (gsize) dim * code, SHARPNESS);
  set_queries (start, in, out);
  return rvm_readout_step_write (step, "key_embedding/kernel", key, error) && rvm_readout_step_write (step, "key_embedding/bias", bias, error)
         && rvm_readout_step_write (step, "query_mlp/Dense_0/kernel", in, error)
         && rvm_readout_step_write (step, "query_mlp/Dense_1/kernel", out, error);
}
