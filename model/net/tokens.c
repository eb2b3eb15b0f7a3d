/* From pixels to tokens, and the positional encoding for any grid. */
#include "tokens.h"

#include <math.h>

#include "kernels/ops/tokens.h"

#define GRID 16 /* side of the published positional table */

void
rvm_tokenizer_load (RvmTokenizer *tokenizer, RvmLoader *loader, guint patch, guint dim)
{
  const RvmSite embed = { RVM_PART_TOKENIZER, RVM_LAYER_PATCH_EMBEDDING, 0 }, class_token = { RVM_PART_TOKENIZER, RVM_LAYER_CLASS_TOKEN, 0 };

  tokenizer->patch = patch;
  tokenizer->dim = dim;
  tokenizer->embed = rvm_loader_linear (loader, &embed, 1, FALSE);
  tokenizer->bias = rvm_loader_vector (loader, embed, RVM_ROLE_BIAS);
  tokenizer->class_token = rvm_loader_vector (loader, class_token, RVM_ROLE_VALUES);
}

void
rvm_tokenizer_clear (RvmTokenizer *tokenizer)
{
  g_clear_pointer (&tokenizer->embed, rvm_linear_free);
  g_clear_pointer (&tokenizer->bias, rvm_buffer_unref);
  g_clear_pointer (&tokenizer->class_token, rvm_buffer_unref);
}

/* Keys' cubic convolution kernel with a = -0.5. */
static double
keys_cubic (double x)
{
  x = fabs (x);
  if (x < 1)
    return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2)
    return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

/* (@size, GRID): the weight of each position of the published axis in each position of the new one, with half-pixel centres. If the axis shrinks, the
 * kernel is stretched by the ratio. Positions outside the axis have no weight, and the other weights sum to 1. */
static double *
resize_weights (guint size)
{
  double *weights = g_new (double, (gsize) size * GRID);
  const double ratio = (double) GRID / size, stretch = MAX (ratio, 1.0);

  for (guint i = 0; i < size; i++) {
    double *row = weights + (gsize) i * GRID, sum = 0;
    const double centre = (i + 0.5) * ratio - 0.5;

    for (guint j = 0; j < GRID; j++)
      sum += row[j] = keys_cubic ((centre - j) / stretch);
    for (guint j = 0; j < GRID; j++)
      row[j] /= sum;
  }
  return weights;
}

static double
position_value (guint position, guint channel, guint dim)
{
  const double angle = position / pow (10000.0, 2.0 * (channel / 2) / dim);

  return channel % 2 ? cos (angle) : sin (angle);
}

void
rvm_position_table (guint rows, guint columns, guint dim, float *table)
{
  g_autofree double *code = NULL, *wide = NULL, *down = NULL, *across = NULL;

  if (rows == GRID && columns == GRID) {
    rvm_position_code (GRID * GRID, dim, table);
    return;
  }
  code = g_new (double, (gsize) GRID * GRID * dim);
  for (guint p = 0; p < GRID * GRID; p++)
    for (guint j = 0; j < dim; j++)
      code[(gsize) p * dim + j] = position_value (p, j, dim);

  /* Separable: columns first, into (GRID, columns, dim), then rows. */
  wide = g_new0 (double, (gsize) GRID * columns * dim);
  across = resize_weights (columns);
  for (guint y = 0; y < GRID; y++)
    for (guint x = 0; x < columns; x++)
      for (guint s = 0; s < GRID; s++) {
        const double w = across[x * GRID + s];
        for (guint j = 0; w != 0 && j < dim; j++)
          wide[((gsize) y * columns + x) * dim + j] += w * code[((gsize) y * GRID + s) * dim + j];
      }
  down = resize_weights (rows);
  for (guint y = 0; y < rows; y++)
    for (gsize i = 0; i < (gsize) columns * dim; i++) {
      double sum = 0;
      for (guint s = 0; s < GRID; s++)
        sum += down[y * GRID + s] * wide[(gsize) s * columns * dim + i];
      table[(gsize) y * columns * dim + i] = sum;
    }
}

void
rvm_position_code (guint count, guint dim, float *table)
{
  for (guint p = 0; p < count; p++)
    for (guint j = 0; j < dim; j++)
      table[(gsize) p * dim + j] = position_value (p, j, dim);
}

void
rvm_tokenizer_make_table (RvmQueue *queue, const RvmTokenizer *tokenizer, const RvmBuffer *position, RvmBuffer *out, guint patches)
{
  const guint dim = tokenizer->dim;

  rvm_token_table (queue, tokenizer->class_token, tokenizer->bias, rvm_tensor (position, patches, dim), rvm_tensor (out, 1 + patches, dim));
}

void
rvm_tokenizer_forward (RvmQueue *queue, const RvmTokenizer *tokenizer, const RvmBuffer *table, const RvmBuffer *pixels,
    RvmBuffer *patches, RvmBuffer *out, guint batch, guint rows, guint columns)
{
  const guint tokens = 1 + rows * columns, length = tokenizer->patch * tokenizer->patch * 3;
  const RvmTensor unfolded = rvm_tensor (patches, batch * tokens, length);

  rvm_patches (queue, pixels, unfolded, batch, &(RvmPatchGrid){ rows, columns, tokenizer->patch });
  rvm_linear_forward (queue, tokenizer->embed, unfolded, rvm_tensor (out, batch * tokens, tokenizer->dim),
      &(RvmEpilogue){ .residual = rvm_tensor (table, tokens, tokenizer->dim) });
}

void
rvm_tokenizer_forward_visible (RvmQueue *queue, const RvmTokenizer *tokenizer, const RvmBuffer *table, const RvmVisibleTokens *visible)
{
  const guint rows = visible->batch * visible->kept, dim = tokenizer->dim, length = tokenizer->patch * tokenizer->patch * 3;
  const RvmPatchGrid grid = { visible->rows, visible->columns, tokenizer->patch };
  const RvmTensor unfolded = rvm_tensor (visible->patches, rows, length), added = rvm_tensor (visible->added, rows, dim);

  rvm_visible_patches (queue, visible->pixels, visible->visible, unfolded, visible->batch, &grid);
  rvm_gather_rows (queue, rvm_tensor (table, 1 + grid.rows * grid.columns, dim), visible->visible, added);
  rvm_linear_forward (queue, tokenizer->embed, unfolded, rvm_tensor (visible->out, rows, dim), &(RvmEpilogue){ .residual = added });
}

guint64
rvm_tokenizer_flops (const RvmTokenizer *tokenizer, guint64 patches)
{
  return 2 * patches * tokenizer->patch * tokenizer->patch * 3 * tokenizer->dim;
}
